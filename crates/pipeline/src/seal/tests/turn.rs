//! Scenario: the epochs of a key come, turn and go, under a gateway that runs.

use tollgate_keys::{KeyFolder, KeyRing};

use super::*;

const EPOCH: Duration = Duration::from_secs(30 * 24 * 3600);

/// A gateway with a folder of roots.
struct Gateway {
    bench: Bench,
    ring: Arc<KeyRing>,
    seal: Seal,
}

impl Gateway {
    fn new(folder: &KeyFolder) -> Self {
        let mut bench = Bench::new(rig::documents());
        let ring = Arc::new(KeyRing::load(vec![folder.clone()]).unwrap());
        bench.basis.keys = Arc::clone(&ring) as _;
        let seal = bench.seal(CENTRAL, Signal::Traces);
        Self { bench, ring, seal }
    }

    /// What somebody is called abroad who arrived then.
    fn name(&mut self, arrival: Timestamp) -> Option<String> {
        let mut payload = Vec::new();
        Writer::new(&mut payload).message(1, |resource| {
            resource.message(2, |scope| {
                scope.message(2, |span| {
                    span.bytes(1, &[1; 16]);
                    span.bytes(2, &[1; 8]);
                    span.key_string(9, "user.id", "usr-7f3a9c");
                });
            });
        });
        let record = Record { arrival, ..self.bench.record(payload) };
        let sealed = run(&mut self.seal, &record, &["a"], &["a"]).remove(0).unwrap();
        let bytes = sealed.bytes();
        let start = bytes.windows(4).position(|window| window == b"tg1.")?;
        Some(String::from_utf8(bytes[start..start + 38].to_vec()).unwrap())
    }

    fn missing(&self) -> u64 {
        self.bench.counted.read("tollgate_sealed_keys_missing_total", "link=\"there\"")
    }

    fn now(&self) -> Timestamp {
        self.bench.basis.clock.now()
    }

    fn wait(&self, time: Duration) {
        self.bench.hand.advance(time);
    }
}

#[test]
fn what_arrived_before_a_turn_keeps_its_name_until_its_root_is_destroyed() {
    let dir = tempfile::tempdir().unwrap();
    let folder = KeyFolder::new("user", dir.path().join("user"));
    let mut gateway = Gateway::new(&{
        folder.begin(&[EPOCH], Bench::new(rig::documents()).basis.clock.now()).unwrap();
        folder.clone()
    });
    let old = gateway.now();
    let first = gateway.name(old).unwrap();
    assert_eq!(Gateway::new(&folder).name(old).as_ref(), Some(&first), "two gateways with the same roots agree");

    // The turn comes and nobody has made a root.
    gateway.wait(EPOCH);
    let new = gateway.now();
    assert_eq!((gateway.name(new), gateway.missing()), (None, 1));
    assert_eq!(gateway.name(old).as_ref(), Some(&first), "what waited is named as it would have been");

    folder.rotate(&[EPOCH], gateway.now(), Duration::ZERO).unwrap();
    gateway.ring.refresh();
    let second = gateway.name(new).unwrap();
    assert_ne!(first, second);
    assert_eq!([gateway.name(old), gateway.name(new)], [Some(first), Some(second.clone())]);

    gateway.wait(EPOCH);
    let epoch = Epoch::at(old.nanos(), EPOCH);
    folder.destroy(epoch, &serde_json::json!([]), gateway.now()).unwrap();
    gateway.ring.refresh();
    assert!(!gateway.seal.renew(), "nothing is taken back for it");
    assert_eq!((gateway.name(old), gateway.missing()), (None, 2), "nothing of it is left to derive from");
    assert_eq!(gateway.name(new), Some(second));
    assert!(Gateway::new(&folder).name(old).is_none());
}
