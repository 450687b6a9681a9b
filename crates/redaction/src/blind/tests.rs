use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use tollgate_residency::Makes;

use super::*;

const YEAR: Duration = Duration::from_secs(365 * 86_400);
/// 1 December 2026, noon.
const NOW: u64 = 1_796_126_400_000_000_000;

struct Root(u8);

impl Keys for Root {
    fn root(&self, name: &str, _: Epoch) -> Option<RootKey> {
        (name == "ids").then(|| RootKey::new([self.0; 32]))
    }
}

fn blinder(key: &str) -> Blinder {
    Blinder::new(Keyed { makes: Makes::Ids, group: String::new(), key: key.to_owned(), epoch: YEAR })
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Recomputed by a program of its own:
///
/// ```python
/// import hmac
/// h = lambda key, text: hmac.new(key, text, "sha256").digest()
/// prk = h(b"tollgate pseudonym 1", bytes([7]) * 32)
/// epoch = (1_796_126_400 // (365 * 86400)).to_bytes(8, "big")
/// key = h(prk, b"tollgate blinded ids 1" + epoch + b"\x01")
/// trace, span = bytes(range(1, 17)), bytes(range(21, 29))
/// print(h(key, b"trace" + trace)[:16].hex(), h(key, b"span" + trace + span)[:8].hex())
/// ```
#[test]
fn blinded_ids_are_pinned_so_that_no_release_changes_them_unseen() {
    let key = IdKey::derive(Epoch::at(NOW, YEAR), &RootKey::new([7; 32])).unwrap();
    let counted = |from: u8| move |at: usize| from + u8::try_from(at).unwrap();
    let (trace, span) = (std::array::from_fn(counted(1)), std::array::from_fn(counted(21)));
    assert_eq!((&*hex(&key.trace(trace)), &*hex(&key.span(trace, span))), (TRACE, SPAN));
}

const TRACE: &str = "1ca89117ebfb0ddbc1f8d962c3f22efa";
const SPAN: &str = "d36ffbb73566cd49";

#[test]
fn zeros_stay_and_without_the_root_there_is_nothing() {
    let mut blinder = blinder("ids");
    let ids = blinder.at(NOW, &Root(1)).unwrap();
    assert_eq!((ids.trace([0; 16]), ids.span([1; 16], [0; 8])), ([0; 16], [0; 8]));
    assert!(self::blinder("user").at(NOW, &Root(1)).is_none());
}

#[test]
fn a_new_epoch_and_a_new_root_give_other_ids() {
    struct Versioned(u8);
    impl Keys for Versioned {
        fn root(&self, _: &str, epoch: Epoch) -> Option<RootKey> {
            (epoch == Epoch::at(NOW, YEAR)).then(|| RootKey::new([self.0; 32]))
        }
        fn version(&self) -> u64 {
            self.0.into()
        }
    }
    let mut blinder = blinder("ids");
    let first = blinder.at(NOW, &Versioned(1)).unwrap().trace([5; 16]);
    let next_year = NOW + u64::try_from(YEAR.as_nanos()).unwrap();
    assert!(blinder.at(next_year, &Versioned(1)).is_none(), "no other epoch's key stands in");
    assert_ne!(blinder.at(next_year, &Root(1)).unwrap().trace([5; 16]), first, "not even of the same root");
    blinder.refresh(&Versioned(2));
    assert_ne!(blinder.at(NOW, &Versioned(2)).unwrap().trace([5; 16]), first, "what was derived is forgotten");
}

proptest! {
    /// Guarantees: whatever was blinded before, two holders of one root blind alike, and holders of others do not; what was
    /// different stays so.
    #[test]
    fn one_root_gives_one_id_and_another_another(
        ids in prop::collection::vec((prop::array::uniform16(0_u8..3), prop::array::uniform8(0_u8..3)), 1..60),
    ) {
        let mut all: Vec<Blinder> = (0..3).map(|_| blinder("ids")).collect();
        let mut seen = BTreeSet::new();
        for (trace, span) in ids.iter().filter(|(trace, span)| *trace != [0; 16] && *span != [0; 8]) {
            let blinded: Vec<_> = all.iter_mut().zip([1, 1, 2]).map(|(blinder, root)| {
                let ids = blinder.at(NOW, &Root(root)).unwrap();
                (ids.trace(*trace), ids.span(*trace, *span))
            }).collect();
            prop_assert_eq!(blinded[0], blinded[1]);
            prop_assert!(blinded[0].0 != blinded[2].0 && blinded[0].1 != blinded[2].1 && blinded[0].0 != *trace);
            seen.insert((blinded[0], (*trace, *span)));
        }
        let (to, from): (BTreeSet<_>, BTreeSet<_>) = seen.iter().copied().unzip();
        prop_assert_eq!((to.len(), from.len()), (seen.len(), seen.len()));
        let spans: BTreeSet<_> = to.iter().map(|(_, span)| span).collect();
        prop_assert_eq!(spans.len(), seen.len(), "equal span ids of two traces are not equal any more");
    }
}
