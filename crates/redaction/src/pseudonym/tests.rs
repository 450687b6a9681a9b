use std::sync::Mutex;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use tollgate_residency::Makes;

use crate::memo;

const DAY: u64 = 86_400_000_000_000;

struct Roots;

impl Keys for Roots {
    fn root(&self, name: &str, epoch: Epoch) -> Option<RootKey> {
        (name == "user").then(|| RootKey::new([u8::try_from(epoch.number() % 251).unwrap_or(0); 32]))
    }
}

fn pseudonyms(group: &str, key: &str, origin: &str, destination: &str) -> Pseudonyms {
    let epoch = Duration::from_secs(30 * 86_400);
    let transform = Keyed { makes: Makes::Pseudonyms, group: group.to_owned(), key: key.to_owned(), epoch };
    Pseudonyms::new(transform, origin.to_owned(), destination.to_owned())
}

fn named(by: &mut Pseudonyms, value: &str, arrival: u64) -> Result<String, NoPseudonym> {
    by.name(value.as_bytes(), arrival, &Roots)
        .map(|(prefix, name)| String::from_utf8([prefix, &name].concat()).unwrap())
}

fn usual(value: &str) -> Result<String, NoPseudonym> {
    named(&mut pseudonyms("user", "user", "EEA", "us-east/central"), value, DAY)
}

#[test]
fn shape_is_scheme_key_id_and_half_a_digest() {
    let name = usual("jane@example.org").unwrap();
    let parts: Vec<_> = name.split('.').collect();
    assert_eq!((parts[0], parts[1].len(), parts[2].len()), ("tg1", 7, 26), "{name}");
    assert!(name.bytes().all(|byte| byte == b'.' || byte.is_ascii_lowercase() || byte.is_ascii_digit()));
}

#[test]
fn name_is_pinned_so_that_no_release_changes_it_unseen() {
    // HKDF-SHA-256 and HMAC-SHA-256 recomputed independently of this code.
    assert_eq!(usual("jane@example.org").unwrap(), PINNED);
}

#[test]
fn names_of_another_context_and_of_roots_are_pinned_too() {
    // Recomputed by a program of its own; the value was decomposed and in capitals there.
    let day = Duration::from_secs(86_400);
    let transform =
        Keyed { makes: Makes::Pseudonyms, group: "session".to_owned(), key: "session".to_owned(), epoch: day };
    let (epoch, root) = (Epoch::at(18_000 * DAY, day), RootKey::new([250; 32]));
    let key = PseudonymKey::derive(&transform, "UK", "uk-south/gateway", epoch, &root).unwrap();
    assert_eq!(key.name("JOSE\u{301}@Example.org").unwrap(), "tg1.nk2loay.ljqfyplijt3v2vzs5d2eidwbva");
    // Records of what was destroyed name roots.
    assert_eq!(RootKey::new([7; 32]).id(), "n7rmvey");
}

#[test]
fn name_depends_on_group_origin_destination_epoch_and_value() {
    let first = usual("u-1").unwrap();
    let others = [
        named(&mut pseudonyms("session", "user", "EEA", "us-east/central"), "u-1", DAY),
        named(&mut pseudonyms("user", "user", "UK", "us-east/central"), "u-1", DAY),
        named(&mut pseudonyms("user", "user", "EEA", "uk-south/gateway"), "u-1", DAY),
        named(&mut pseudonyms("user", "user", "EEA", "us-east/central"), "u-1", 31 * DAY),
        usual("u-2"),
    ];
    assert!(others.iter().all(|other| other.as_ref().unwrap() != &first));
    assert_eq!(usual("u-1").unwrap(), first);
}

#[test]
fn spellings_of_one_address_agree_and_other_values_keep_their_case() {
    assert_eq!(usual("  Jane@Example.ORG "), usual("jane@example.org"));
    assert_ne!(usual("User-1"), usual("user-1"));
    assert_eq!(usual(" user-1\n"), usual("user-1"));
    assert_eq!(usual("  "), Err(NoPseudonym::Empty));
}

#[test]
fn without_its_key_there_is_no_name() {
    let mut missing = pseudonyms("user", "gone", "EEA", "us-east/central");
    assert_eq!(named(&mut missing, "u-1", DAY), Err(NoPseudonym::KeyMissing));
}

#[test]
fn short_values_are_remembered_and_forgotten_with_the_epoch() {
    let mut by = pseudonyms("user", "user", "EEA", "us-east/central");
    for value in ["u-0", "u-2", &"x".repeat(memo::VALUE_BYTES + 1)] {
        named(&mut by, value, DAY).unwrap();
    }
    assert_eq!(by.derived[0].memo.len(), 2);
    named(&mut by, "u-1", 31 * DAY).unwrap();
    assert_eq!(by.derived[0].memo.len(), 1);
}

proptest! {
    #[test]
    fn remembered_name_is_the_computed_one(values in prop::collection::vec("[a-c@. ]{0,4}", 1..40)) {
        let mut by = pseudonyms("user", "user", "EEA", "us-east/central");
        for value in &values {
            let name = named(&mut by, value, DAY);
            prop_assert_eq!(name, by.derived[0].key.name(value));
        }
    }
}

const PINNED: &str = "tg1.qgjvjma.7j6saplb37dgsnqwa3ifqlzdm4";

/// Roots that come and go, as files do.
#[derive(Default)]
struct Changing(Mutex<(u64, Vec<Epoch>)>);

impl Changing {
    fn change(&self, change: impl FnOnce(&mut Vec<Epoch>)) {
        let mut inner = self.0.lock().unwrap();
        inner.0 += 1;
        change(&mut inner.1);
    }
}

impl Keys for Changing {
    fn root(&self, name: &str, epoch: Epoch) -> Option<RootKey> {
        self.0.lock().unwrap().1.contains(&epoch).then(|| Roots.root(name, epoch)).flatten()
    }

    fn version(&self) -> u64 {
        self.0.lock().unwrap().0
    }
}

const MONTH: Duration = Duration::from_secs(30 * 86_400);

#[test]
fn what_arrived_before_the_turn_is_named_with_the_old_root_and_never_another_one_instead() {
    let keys = Changing::default();
    let (old, new) = (Epoch::at(DAY, MONTH), Epoch::at(31 * DAY, MONTH));
    keys.change(|roots| roots.push(old));
    let mut by = pseudonyms("user", "user", "EEA", "us-east/central");
    let mut name = |arrival| {
        by.refresh(&keys);
        by.name(b"u-1", arrival, &keys).map(|(prefix, name)| String::from_utf8([prefix, &name].concat()).unwrap())
    };
    let before = name(30 * DAY - 1).unwrap();
    assert_eq!(name(30 * DAY), Err(NoPseudonym::KeyMissing), "the new root is not here yet");
    assert_eq!(name(30 * DAY - 1).unwrap(), before);
    keys.change(|roots| roots.push(new));
    let after = name(30 * DAY).unwrap();
    assert_ne!(after.split('.').nth(1), before.split('.').nth(1), "the key id says which");
    assert_eq!([name(DAY).unwrap(), name(40 * DAY).unwrap(), name(DAY).unwrap()], [&*before, &*after, &*before]);
    keys.change(|roots| roots.retain(|epoch| *epoch != old));
    assert_eq!(name(DAY), Err(NoPseudonym::KeyMissing), "what was derived from a destroyed root is forgotten");
    assert_eq!(name(40 * DAY).unwrap(), after);
}

#[test]
fn the_key_of_a_search_is_the_key_of_the_data_path() {
    let epoch = Epoch::at(DAY, MONTH);
    let transform = Keyed { makes: Makes::Pseudonyms, group: "user".to_owned(), key: "user".to_owned(), epoch: MONTH };
    let root = Roots.root("user", epoch).unwrap();
    let key = PseudonymKey::derive(&transform, "EEA", "us-east/central", epoch, &root).unwrap();
    assert_eq!(key.name(" jane@example.org"), usual("jane@example.org"));
    assert!(PINNED.starts_with(&format!("tg1.{}.", key.id())) && root.id() != key.id());
}

/// What a pseudonym depends on.
type Context = (&'static str, &'static str, &'static str, u64, String);

fn context() -> impl Strategy<Value = Context> {
    let word = |words: &'static [&'static str]| prop::sample::select(words);
    (
        word(&["user", "session", "use"]),
        word(&["EEA", "UK", "EEA+UK"]),
        word(&["us-east/central", "uk-south/gateway"]),
        0..3_u64,
        "[a-b]{1,2}",
    )
}

proptest! {
    #[test]
    fn names_are_equal_exactly_if_all_they_depend_on_is(one in context(), other in context()) {
        let name = |(group, origin, destination, month, value): &Context| {
            named(&mut pseudonyms(group, "user", origin, destination), value, month * 30 * DAY)
        };
        prop_assert_eq!(name(&one) == name(&other), one == other);
    }
}

/// Counts how often a root is asked for.
#[derive(Default)]
struct Counting(std::sync::atomic::AtomicUsize);

impl Keys for Counting {
    fn root(&self, name: &str, epoch: Epoch) -> Option<RootKey> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Roots.root(name, epoch)
    }
}

#[test]
fn a_key_is_derived_once_an_epoch_however_many_values_come_also_around_a_turn() {
    let keys = Counting::default();
    let mut by = pseudonyms("user", "user", "EEA", "us-east/central");
    for number in 0..5_000_u64 {
        by.refresh(&keys);
        by.name(format!("u-{number}").as_bytes(), (29 + number % 2) * DAY, &keys).unwrap();
    }
    assert_eq!(keys.0.into_inner(), 2);
}
