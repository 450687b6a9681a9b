//! Blinded ids: trace and span ids under one keyed function of the whole federation.
//!
//! Promises:
//! 1. Alike in every region that holds the root: neither origin nor destination counts.
//! 2. Equal span ids of two traces are blinded to unrelated ones. No id becomes all zeros, and zeros, which are no id, stay.
//! 3. Without the root of its epoch there is no blinded id, and what was derived is forgotten with its root.

use std::ops::Range;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tollgate_residency::Keyed;
use zeroize::Zeroizing;

use crate::epoch::Epoch;
use crate::keys::{Keys, RootKey};

/// Of what stands here pseudonyms are made of nothing: their contexts are framed, and this one is not.
const INFO: &[u8] = b"tollgate blinded ids 1";
/// Around a turn records of both epochs come.
const EPOCHS: usize = 2;
/// The spans of one trace stand together, as a rule.
const TRACES: usize = 8;

/// The key of one epoch, derived from the epoch's root.
pub struct IdKey(Hmac<Sha256>);

impl IdKey {
    /// Derives it. The epoch counts too, lest two of them share a root.
    #[must_use]
    pub fn derive(epoch: Epoch, root: &RootKey) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        let info = [INFO, &epoch.number().to_be_bytes()].concat();
        root.hkdf().expand(&info, key.as_mut_slice()).ok()?;
        Hmac::new_from_slice(key.as_slice()).ok().map(Self)
    }

    /// Blinds a trace id.
    #[must_use]
    pub fn trace(&self, trace: [u8; 16]) -> [u8; 16] {
        self.blind(&[b"trace", &trace], trace)
    }

    /// Blinds the id of a span of a trace.
    #[must_use]
    pub fn span(&self, trace: [u8; 16], span: [u8; 8]) -> [u8; 8] {
        self.blind(&[b"span", &trace, &span], span)
    }

    fn blind<const N: usize>(&self, parts: &[&[u8]], id: [u8; N]) -> [u8; N] {
        if id == [0; N] {
            return id;
        }
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        let tag = mac.finalize().into_bytes();
        let mut blinded = [0; N];
        blinded.iter_mut().zip(tag).for_each(|(to, from)| *to = from);
        if blinded == [0; N] {
            blinded.iter_mut().for_each(|byte| *byte = 1);
        }
        blinded
    }
}

/// Blinds ids under the roots of one key.
pub struct Blinder {
    keyed: Keyed,
    /// Of which keys the derived ones are.
    version: u64,
    /// The one used last comes first.
    derived: Vec<Derived>,
}

/// A derived key, and the traces that were blinded with it last.
pub(crate) struct Derived {
    /// The times of arrival that fall into its epoch, in nanoseconds since the Unix epoch.
    nanos: Range<u64>,
    key: IdKey,
    recent: [([u8; 16], [u8; 16]); TRACES],
    next: usize,
}

impl Blinder {
    /// Takes what a policy says of the key.
    #[must_use]
    pub fn new(keyed: Keyed) -> Self {
        Self { keyed, version: 0, derived: Vec::new() }
    }

    /// Forgets all that was derived if a root has come or gone since.
    pub fn refresh(&mut self, keys: &dyn Keys) {
        let version = keys.version();
        if version != self.version {
            self.version = version;
            self.derived.clear();
        }
    }

    /// The key for what arrived then; none of another epoch stands in.
    pub(crate) fn at(&mut self, arrival: u64, keys: &dyn Keys) -> Option<&mut Derived> {
        if self.derived.first().is_none_or(|derived| !derived.nanos.contains(&arrival)) {
            self.turn_to(arrival, keys)?;
        }
        self.derived.first_mut()
    }

    #[cold]
    fn turn_to(&mut self, arrival: u64, keys: &dyn Keys) -> Option<()> {
        if let Some(place) = self.derived.iter().position(|derived| derived.nanos.contains(&arrival)) {
            self.derived.swap(0, place);
            return Some(());
        }
        let epoch = Epoch::at(arrival, self.keyed.epoch);
        let key = IdKey::derive(epoch, &keys.root(&self.keyed.key, epoch)?)?;
        self.derived.truncate(EPOCHS - 1);
        // Zeros are blinded to zeros: this is true of every key.
        let recent = [([0; 16], [0; 16]); TRACES];
        self.derived.insert(0, Derived { nanos: epoch.nanos(), key, recent, next: 0 });
        Some(())
    }
}

impl Derived {
    pub(crate) fn trace(&mut self, trace: [u8; 16]) -> [u8; 16] {
        if let Some((_, blinded)) = self.recent.iter().find(|(known, _)| *known == trace) {
            return *blinded;
        }
        let blinded = self.key.trace(trace);
        if let Some(oldest) = self.recent.get_mut(self.next) {
            *oldest = (trace, blinded);
        }
        self.next = (self.next + 1) % TRACES;
        blinded
    }

    pub(crate) fn span(&self, trace: [u8; 16], span: [u8; 8]) -> [u8; 8] {
        self.key.span(trace, span)
    }
}

#[cfg(test)]
mod tests;
