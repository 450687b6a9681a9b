use tollgate_disk::Disk;
use tollgate_otlp::{Limits, Writer, walk_traces};
use tollgate_runtime::ManualClock;

use super::*;
use crate::node::in_force::{Borders, Edition, InForce};
use crate::rig;

struct Bench {
    observer: Arc<Observer>,
    hand: ManualClock,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    fn in_folder(dir: tempfile::TempDir) -> Self {
        Self::under(dir, rig::in_force(&rig::documents()))
    }

    fn under(dir: tempfile::TempDir, in_force: InForce) -> Self {
        let (clock, hand) = rig::standing();
        let drift = Drift::open(&Disk::real(), dir.path().join("drift"), in_force, clock.clone()).unwrap();
        Self { observer: Arc::new(Observer { clock, due: AtomicU64::new(0), sees: Sees::Drift(drift) }), hand, dir }
    }

    /// A request of the service `shop`, as it is offered to the observer.
    fn send(&self, attributes: &[(&str, &str)]) -> bool {
        let payload = rig::envelope(|scope: &mut Writer<'_>| {
            scope.message(2, |span| {
                rig::identify(span, 1, 1);
                attributes.iter().for_each(|(key, value)| span.key_string(9, key, value));
            });
        });
        assert!(walk_traces(&payload, &Limits::default()).is_ok());
        let look = self.observer.take_turn(Signal::Traces, &rig::entry(payload), 1);
        look.iter().for_each(|look| self.observer.look(Signal::Traces, look));
        look.is_some()
    }

    fn found(&self) -> Vec<(Why, String, u64)> {
        self.observer.write();
        let drifts = drift::Drifts::of_node(self.dir.path()).unwrap().unwrap_or_default();
        drifts.found.into_iter().map(|one| (one.why, format!("{}: {}", one.service, one.key), one.requests)).collect()
    }
}

use drift::Why;

/// Guarantees: a key without a class is found with its service, known keys are not, whatever their values; the file has
/// names and no values, only its owner can read it, and it goes on after a restart; the metrics have no name.
#[test]
fn a_key_without_a_class_is_found_and_named_in_the_file_only() {
    let bench = Bench::new();
    let request = [("shop.till", "till-7"), ("http.route", "/orders"), ("user.email", "ada@example.org")];
    for _ in 0..2 {
        assert!(bench.send(&request));
        assert!(!bench.send(&request), "not two at a time");
        bench.hand.advance(BETWEEN);
    }
    let found = vec![(Why::Unclassified, "shop: shop.till".to_owned(), 2)];
    assert_eq!(bench.found(), found);
    let text = std::fs::read_to_string(bench.dir.path().join("drift/drift.json")).unwrap();
    assert!(!text.contains("till-7") && !text.contains("ada"), "{text}");
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(bench.dir.path().join("drift")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);

    let metrics = tollgate_runtime::Metrics::new();
    let shown = Box::new(drift::Shown(Arc::clone(&bench.observer)));
    metrics.register(|registry| registry.register_collector(shown));
    let metrics = metrics.encode();
    assert!(
        metrics.contains("why=\"unclassified\"") && !metrics.contains("till") && !metrics.contains("shop"),
        "{metrics}"
    );

    let bench = Bench::in_folder(bench.dir);
    assert!(bench.send(&[("shop.till", "till-8")]));
    assert_eq!(bench.found()[0].2, 3);
    let again = drift::Drifts::of_node(bench.dir.path()).unwrap().unwrap();
    assert!(metrics.contains(&again.found[0].fingerprints[1]), "fingerprints stay");
}

#[test]
fn an_operational_key_with_too_many_distinct_texts_is_found() {
    let bench = Bench::new();
    for number in 0..3 {
        let routes: Vec<_> = (0..900).map(|route| format!("/{number}/{route}")).collect();
        let attributes: Vec<_> = routes.iter().map(|route| ("http.route", route.as_str())).collect();
        bench.send(&attributes);
        bench.hand.advance(BETWEEN);
        assert_eq!(bench.found().is_empty(), number == 0);
    }
    assert_eq!(bench.found(), [(Why::Distinct, "shop: http.route".to_owned(), 2)]);
}

/// Guarantees: however many keys a service invents, memory and file stay bounded, and what was left out is counted.
#[test]
fn keys_without_end_are_counted_and_not_all_kept() {
    let bench = Bench::new();
    for round in 0..5 {
        let keys: Vec<_> = (0..900).map(|number| format!("made.up.{round}.{number}")).collect();
        bench.send(&keys.iter().map(|key| (key.as_str(), "x")).collect::<Vec<_>>());
        bench.hand.advance(BETWEEN);
    }
    assert_eq!(bench.found().len(), 2048);
    let drifts = drift::Drifts::of_node(bench.dir.path()).unwrap().unwrap();
    assert_eq!(drifts.left_out, 5 * 900 - 2048);
}

/// Guarantees: what the catalogue has drifts no longer, from the edition on that has it and after a restart.
#[test]
fn a_key_that_got_a_class_is_found_no_longer() {
    let (_set, with_class) = rig::edited(|name, text| match name {
        "policies/catalogue.yaml" => text.replace("\nattributes:\n", "\nattributes:\n  shop.till: op\n"),
        _ => text,
    });
    let publisher = rig::publisher(&rig::documents());
    let bench = Bench::under(tempfile::tempdir().unwrap(), publisher.follow());
    bench.send(&[("shop.till", "till-7"), ("shop.queue", "q-7")]);
    assert_eq!(bench.found().len(), 2);
    let other = vec![(Why::Unclassified, "shop: shop.queue".to_owned(), 1)];
    publisher.publish(Edition { documents: Arc::clone(&with_class), previous: Vec::new(), borders: Borders::Open });
    assert_eq!(bench.found(), other);

    let bench = Bench::new();
    bench.send(&[("shop.till", "till-7"), ("shop.queue", "q-7")]);
    assert_eq!(bench.found().len(), 2);
    assert_eq!(Bench::under(bench.dir, rig::in_force(&with_class)).found(), other);
}

#[test]
fn what_was_not_seen_for_thirty_days_is_forgotten() {
    let bench = Bench::new();
    bench.send(&[("shop.till", "till-7"), ("shop.queue", "q-7")]);
    bench.hand.advance(Duration::from_secs(29 * 24 * 3600));
    bench.send(&[("shop.queue", "q-7")]);
    assert_eq!(bench.found().len(), 2);
    bench.hand.advance(Duration::from_secs(2 * 24 * 3600));
    assert_eq!(bench.found(), [(Why::Unclassified, "shop: shop.queue".to_owned(), 2)]);
}

/// What came over a link is another region's: its names are not kept here.
#[test]
fn what_came_over_a_link_is_not_looked_at() {
    let bench = Bench::new();
    let entry = tollgate_spool::Entry { peer: "uk-south/gateway/0".into(), ..rig::entry(rig::spans([1])) };
    assert!(bench.observer.take_turn(Signal::Traces, &entry, 1).is_none());
}
