//! A sealed request as a load: the seal stays on whatever it is taken apart into.

use tollgate_federation::Signal;
use tollgate_otlp::Batch;
use tollgate_redaction::Sealed;

use crate::load::{Load, PartOfKey, map_keys};

impl Load for Sealed {
    fn items(&self) -> u64 {
        Sealed::items(self)
    }

    fn bytes(&self) -> usize {
        self.len()
    }

    fn policy(&self) -> [u8; 32] {
        self.digest()
    }

    fn in_force(&self) -> [u8; 32] {
        Sealed::in_force(self)
    }

    fn write(&self, out: &mut Vec<u8>) {
        for chunk in self.chunks() {
            out.extend_from_slice(chunk);
        }
    }

    fn join(&mut self, other: Self) -> Result<(), Self> {
        self.append(other).map_err(|(_, other)| other)
    }

    fn split(self, _: Signal, parts: usize, part_of: PartOfKey<'_>) -> Result<Vec<Option<Self>>, Self> {
        self.rearrange(parts, |batch| map_keys(batch, part_of))
    }

    fn halve(self, _: Signal) -> Result<(Self, Self), Self> {
        let half = self.items().div_ceil(2);
        if half == self.items() {
            return Err(self);
        }
        let whole = self.clone();
        let choose =
            |batch: Batch<'_>| batch.items().map(|item| Some(usize::from(item.number as u64 >= half))).collect();
        let mut halves = self.rearrange(2, choose)?.into_iter().flatten();
        halves.next().zip(halves.next()).ok_or(whole)
    }
}
