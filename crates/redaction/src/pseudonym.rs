//! Pseudonyms: `tg1.<key id>.<26 characters>`, the first half of an HMAC-SHA-256 in base32.
//!
//! Promises:
//! 1. Equal within one origin, group, destination and epoch; unrelated as soon as one of them differs.
//! 2. Values are trimmed, and what is shaped like an e-mail address is lower-cased, so that spellings of one name agree.
//!    Unicode is not normalised: two encodings of one accented letter are two names.
//! 3. Without a key there is no pseudonym; there is no hash without a key.
//! 4. What is remembered is bounded, compared as a whole, forgotten with its epoch and wiped from memory.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tollgate_residency::Keyed;
use zeroize::Zeroizing;

use crate::keys::{Keys, RootKey};
use crate::memo::{Memo, NAME_BYTES, Name};

const NANOS: u64 = 1_000_000_000;
/// Half of a SHA-256.
const TAG_BYTES: usize = 16;

/// Says why there is no pseudonym.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPseudonym {
    /// The epoch's key is not here.
    KeyMissing,
    /// There is nothing to name.
    Empty,
    /// The value is not UTF-8.
    NoText,
}

/// One keyed transform of one table.
pub(crate) struct Pseudonyms {
    transform: Keyed,
    origin: String,
    destination: String,
    current: Option<Epoch>,
}

/// A derived key and what was named with it.
struct Epoch {
    /// The times of arrival that fall into it, in nanoseconds since the Unix epoch.
    nanos: Range<u64>,
    /// Keyed, and past what every value has before it; wiped when dropped.
    mac: Hmac<Sha256>,
    /// `tg1.<key id>.`
    prefix: String,
    memo: Memo,
}

impl Pseudonyms {
    pub(crate) fn new(transform: Keyed, origin: String, destination: String) -> Self {
        Self { transform, origin, destination, current: None }
    }

    /// Appends the name of a value that arrived then, in nanoseconds since the Unix epoch.
    pub(crate) fn name(
        &mut self,
        value: &[u8],
        arrival: u64,
        keys: &dyn Keys,
        out: &mut Vec<u8>,
    ) -> Result<(), NoPseudonym> {
        if self.current.as_ref().is_none_or(|epoch| !epoch.nanos.contains(&arrival)) {
            let number = epoch_of(arrival, self.transform.epoch);
            // The old key goes before the new one is asked for: without a new one nothing is named with the old.
            self.current = None;
            let root = keys.root(&self.transform.key, number).ok_or(NoPseudonym::KeyMissing)?;
            self.current = self.derive(&root, number);
        }
        let epoch = self.current.as_mut().ok_or(NoPseudonym::KeyMissing)?;
        epoch.name(value, out)
    }

    /// Derives this destination's key and its public name. The root alone tells neither from the other.
    fn derive(&self, root: &RootKey, number: u64) -> Option<Epoch> {
        let hkdf = Hkdf::<Sha256>::new(Some(b"tollgate pseudonym 1"), root.bytes());
        let (mut key, mut id) = (Zeroizing::new([0; 32]), [0; 4]);
        hkdf.expand(&self.info(b"key", number), key.as_mut_slice()).ok()?;
        hkdf.expand(&self.info(b"id", number), &mut id).ok()?;
        let mac = Hmac::new_from_slice(key.as_slice()).ok()?;
        let mac = mac.chain_update("tg1").chain_update(&self.transform.group).chain_update([0]);
        let prefix = format!("tg1.{}.", base32(&id));
        let nanos = nanos_of(number, self.transform.epoch);
        Some(Epoch { nanos, mac, prefix, memo: Memo::new() })
    }

    /// Frames each part by its length, so that no two contexts read the same.
    fn info(&self, purpose: &[u8], number: u64) -> Vec<u8> {
        let mut info = Vec::new();
        let number = number.to_be_bytes();
        let parts =
            [purpose, self.origin.as_bytes(), self.transform.group.as_bytes(), self.destination.as_bytes(), &number];
        for part in parts {
            info.extend_from_slice(&(part.len() as u64).to_be_bytes());
            info.extend_from_slice(part);
        }
        info
    }
}

impl Epoch {
    fn name(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<(), NoPseudonym> {
        let name = match self.memo.get(value) {
            Some(name) => *name,
            None => {
                let name = self.compute(std::str::from_utf8(value).map_err(|_| NoPseudonym::NoText)?)?;
                self.memo.insert(value, name);
                name
            }
        };
        out.extend_from_slice(self.prefix.as_bytes());
        out.extend_from_slice(&name);
        Ok(())
    }

    fn compute(&self, value: &str) -> Result<Name, NoPseudonym> {
        let value = canonical(value);
        if value.is_empty() {
            return Err(NoPseudonym::Empty);
        }
        let tag = self.mac.clone().chain_update(value.as_bytes()).finalize().into_bytes();
        let mut name = [0; NAME_BYTES];
        BASE32_NOPAD.encode_mut(tag.get(..TAG_BYTES).unwrap_or_default(), &mut name);
        name.make_ascii_lowercase();
        Ok(name)
    }
}

fn base32(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

/// Epochs have whole seconds, at least one; the policy says so when it is read.
fn epoch_of(arrival: u64, length: Duration) -> u64 {
    (arrival / NANOS).checked_div(length.as_secs()).unwrap_or(0)
}

/// The last moments that 64 bits can tell fall into no epoch here, and are asked about each time.
fn nanos_of(number: u64, length: Duration) -> Range<u64> {
    let start = |number: u64| number.saturating_mul(length.as_secs()).saturating_mul(NANOS);
    start(number)..start(number.saturating_add(1))
}

fn canonical(value: &str) -> Cow<'_, str> {
    let value = value.trim();
    let mail =
        value.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
            && !value.contains(char::is_whitespace);
    if mail { Cow::Owned(value.to_lowercase()) } else { Cow::Borrowed(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memo;
    use proptest::prelude::*;

    const DAY: u64 = 86_400_000_000_000;

    struct Roots;

    impl Keys for Roots {
        fn root(&self, name: &str, epoch: u64) -> Option<RootKey> {
            (name == "user").then(|| RootKey::new([u8::try_from(epoch % 251).unwrap_or(0); 32]))
        }
    }

    fn pseudonyms(group: &str, key: &str, origin: &str, destination: &str) -> Pseudonyms {
        let epoch = Duration::from_secs(30 * 86_400);
        let transform = Keyed { group: group.to_owned(), key: key.to_owned(), epoch };
        Pseudonyms::new(transform, origin.to_owned(), destination.to_owned())
    }

    fn named(by: &mut Pseudonyms, value: &str, arrival: u64) -> Result<String, NoPseudonym> {
        let mut out = Vec::new();
        by.name(value.as_bytes(), arrival, &Roots, &mut out).map(|()| String::from_utf8(out).unwrap())
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
        assert_eq!(by.current.as_ref().unwrap().memo.len(), 2);
        named(&mut by, "u-1", 31 * DAY).unwrap();
        assert_eq!(by.current.as_ref().unwrap().memo.len(), 1);
    }

    proptest! {
        #[test]
        fn remembered_name_is_the_computed_one(values in prop::collection::vec("[a-c@. ]{0,4}", 1..40)) {
            let mut by = pseudonyms("user", "user", "EEA", "us-east/central");
            for value in &values {
                let name = named(&mut by, value, DAY);
                let epoch = by.current.as_ref().unwrap();
                let computed = epoch.compute(value).map(|name| [epoch.prefix.as_bytes(), &name].concat());
                prop_assert_eq!(name.map(String::into_bytes), computed);
            }
        }
    }

    const PINNED: &str = "tg1.qgjvjma.7j6saplb37dgsnqwa3ifqlzdm4";
}
