//! Pseudonyms: `tg1.<key id>.<26 characters>`, the first half of an HMAC-SHA-256 in base32.
//!
//! Promises:
//! 1. Equal within one origin, group, destination and epoch; unrelated as soon as one of them differs.
//! 2. Values are canonical first: spellings of one name agree (`canonical.rs`).
//! 3. Without the key of its own epoch there is no pseudonym; there is no hash without a key.
//! 4. What is remembered is bounded, compared as a whole, forgotten with its root and wiped from memory.

use std::ops::Range;

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tollgate_residency::Keyed;
use zeroize::Zeroizing;

use crate::canonical::canonical;
use crate::epoch::Epoch;
use crate::keys::{ID_BYTES, Keys, RootKey, base32};
use crate::memo::{Memo, NAME_BYTES, Name};

/// Half of a SHA-256.
const TAG_BYTES: usize = 16;
/// Around a turn records of both epochs come; more at once are only derived again.
const EPOCHS: usize = 2;

/// Says why there is no pseudonym.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPseudonym {
    /// The epoch's key is not here.
    #[error("the key of its epoch is not here")]
    KeyMissing,
    /// There is nothing to name.
    #[error("the value is empty")]
    Empty,
    /// The value is not UTF-8.
    #[error("the value is not UTF-8")]
    NoText,
}

/// The key of one origin, group, destination and epoch, derived from the epoch's root.
pub struct PseudonymKey {
    /// Keyed, and past what every value has before it; wiped when dropped.
    mac: Hmac<Sha256>,
    id: String,
}

impl PseudonymKey {
    /// Derives a key and its public name. The root alone tells neither from the other.
    pub fn derive(transform: &Keyed, origin: &str, destination: &str, epoch: Epoch, root: &RootKey) -> Option<Self> {
        let info = |purpose| info(purpose, origin, &transform.group, destination, epoch);
        let hkdf = root.hkdf();
        let (mut key, mut id) = (Zeroizing::new([0; 32]), [0; ID_BYTES]);
        hkdf.expand(&info(b"key"), key.as_mut_slice()).ok()?;
        hkdf.expand(&info(b"id"), &mut id).ok()?;
        let mac = Hmac::new_from_slice(key.as_slice()).ok()?;
        let mac = mac.chain_update("tg1").chain_update(&transform.group).chain_update([0]);
        Some(Self { mac, id: base32(&id) })
    }

    /// Returns the public name that stands in its pseudonyms.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Names a value.
    ///
    /// # Errors
    /// When there is nothing to name.
    pub fn name(&self, value: &str) -> Result<String, NoPseudonym> {
        let name = self.compute(value)?;
        Ok(self.prefix() + &String::from_utf8_lossy(&name))
    }

    fn prefix(&self) -> String {
        format!("tg1.{}.", self.id)
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

/// Frames each part by its length, so that no two contexts read the same.
fn info(purpose: &[u8], origin: &str, group: &str, destination: &str, epoch: Epoch) -> Vec<u8> {
    let mut info = Vec::new();
    let number = epoch.number().to_be_bytes();
    for part in [purpose, origin.as_bytes(), group.as_bytes(), destination.as_bytes(), &number] {
        info.extend_from_slice(&(part.len() as u64).to_be_bytes());
        info.extend_from_slice(part);
    }
    info
}

/// One keyed transform of one table.
pub(crate) struct Pseudonyms {
    transform: Keyed,
    origin: String,
    destination: String,
    /// Of which keys the derived ones are.
    version: u64,
    /// The one used last comes first.
    derived: Vec<Derived>,
}

/// A derived key and what was named with it.
struct Derived {
    /// The times of arrival that fall into its epoch, in nanoseconds since the Unix epoch.
    nanos: Range<u64>,
    key: PseudonymKey,
    /// `tg1.<key id>.`
    prefix: String,
    memo: Memo,
}

impl Pseudonyms {
    pub(crate) fn new(transform: Keyed, origin: String, destination: String) -> Self {
        Self { transform, origin, destination, version: 0, derived: Vec::new() }
    }

    /// Forgets all that was derived if a root has come or gone since.
    pub(crate) fn refresh(&mut self, keys: &dyn Keys) {
        let version = keys.version();
        if version != self.version {
            self.version = version;
            self.derived.clear();
        }
    }

    /// Returns the name of a value that arrived then, in nanoseconds since the Unix epoch, with what stands before it.
    pub(crate) fn name(&mut self, value: &[u8], arrival: u64, keys: &dyn Keys) -> Result<(&[u8], Name), NoPseudonym> {
        if self.derived.first().is_none_or(|derived| !derived.nanos.contains(&arrival)) {
            self.turn_to(arrival, keys)?;
        }
        self.derived.first_mut().ok_or(NoPseudonym::KeyMissing)?.name(value)
    }

    /// Puts the key of the epoch of this arrival first; without it, none of another epoch stands in.
    #[cold]
    fn turn_to(&mut self, arrival: u64, keys: &dyn Keys) -> Result<(), NoPseudonym> {
        if let Some(place) = self.derived.iter().position(|derived| derived.nanos.contains(&arrival)) {
            self.derived.swap(0, place);
            return Ok(());
        }
        let epoch = Epoch::at(arrival, self.transform.epoch);
        let root = keys.root(&self.transform.key, epoch).ok_or(NoPseudonym::KeyMissing)?;
        let key = PseudonymKey::derive(&self.transform, &self.origin, &self.destination, epoch, &root);
        let key = key.ok_or(NoPseudonym::KeyMissing)?;
        self.derived.truncate(EPOCHS - 1);
        let prefix = key.prefix();
        self.derived.insert(0, Derived { nanos: epoch.nanos(), key, prefix, memo: Memo::new() });
        Ok(())
    }
}

impl Derived {
    fn name(&mut self, value: &[u8]) -> Result<(&[u8], Name), NoPseudonym> {
        let name = match self.memo.get(value) {
            Some(name) => *name,
            None => {
                let name = self.key.compute(std::str::from_utf8(value).map_err(|_| NoPseudonym::NoText)?)?;
                self.memo.insert(value, name);
                name
            }
        };
        Ok((self.prefix.as_bytes(), name))
    }
}

#[cfg(test)]
mod tests;
