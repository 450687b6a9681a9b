//! What goes through a door: a request, sealed or local, that can be joined with others and taken apart again.

mod chunks;
pub(crate) mod local;
pub(crate) mod sealed;

use tollgate_federation::Signal;
use tollgate_otlp::{Batch, Limits, select};
use tollgate_transport::Local;

use crate::admit::walk;

/// A request on its way out.
pub(crate) trait Load: Sized + Send + Sync + 'static {
    /// Items in it.
    fn items(&self) -> u64;

    /// Bytes of its encoding.
    fn bytes(&self) -> usize;

    /// The digest of the policy it was sealed by; zero for what stays in the region.
    fn policy(&self) -> [u8; 32];

    /// The digest of the policy that was in force then, if another; it lets through at least as much.
    fn in_force(&self) -> [u8; 32] {
        self.policy()
    }

    /// Appends its encoding.
    fn write(&self, out: &mut Vec<u8>);

    /// Adds another request; gives it back when the two may not share a parcel.
    fn join(&mut self, other: Self) -> Result<(), Self>;

    /// Takes it apart by the key that routes: the trace id, or the resource where there is none; gives it back when its
    /// items cannot be told apart.
    fn split(self, signal: Signal, parts: usize, part_of: PartOfKey<'_>) -> Result<Vec<Option<Self>>, Self>;

    /// Takes it apart in the middle; gives it back when it holds a single item.
    fn halve(self, signal: Signal) -> Result<(Self, Self), Self>;
}

/// Which part a routing key belongs to.
pub(crate) type PartOfKey<'a> = &'a mut dyn FnMut(&[u8]) -> Option<usize>;

impl Load for Local {
    fn items(&self) -> u64 {
        self.items as u64
    }

    fn bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.len()).sum()
    }

    fn policy(&self) -> [u8; 32] {
        [0; 32]
    }

    fn write(&self, out: &mut Vec<u8>) {
        for chunk in &self.chunks {
            out.extend_from_slice(chunk);
        }
    }

    fn join(&mut self, other: Self) -> Result<(), Self> {
        if other.place != self.place {
            return Err(other);
        }
        // Requests one after another are one request.
        other.chunks.into_iter().for_each(|chunk| chunks::add(&mut self.chunks, chunk));
        self.items += other.items;
        Ok(())
    }

    fn split(self, signal: Signal, parts: usize, part_of: PartOfKey<'_>) -> Result<Vec<Option<Self>>, Self> {
        match take_apart(signal, &self, parts, |batch| map_keys(batch, part_of)) {
            Some(made) => Ok(made.into_iter().map(|(bytes, items)| local(bytes, items, &self.place)).collect()),
            None => Err(self),
        }
    }

    fn halve(self, signal: Signal) -> Result<(Self, Self), Self> {
        let half = self.items.div_ceil(2);
        let in_halves = |batch: Batch<'_>| batch.items().map(|item| Some(usize::from(item.number >= half))).collect();
        let made = if self.items > 1 { take_apart(signal, &self, 2, in_halves) } else { None };
        let mut halves = made.into_iter().flatten().map(|(bytes, items)| local(bytes, items, &self.place));
        match (halves.next().flatten(), halves.next().flatten()) {
            (Some(first), Some(second)) => Ok((first, second)),
            _ => Err(self),
        }
    }
}

fn local(bytes: Vec<u8>, items: usize, place: &tollgate_federation::LocalPlace) -> Option<Local> {
    (items > 0).then(|| Local { chunks: vec![bytes.into()], items, place: place.clone() })
}

/// Asks for each item with the bytes that route it: its trace id, or its resource where there is none.
pub(crate) fn map_keys<T>(batch: Batch<'_>, ask: &mut dyn FnMut(&[u8]) -> T) -> Vec<T> {
    let mut answers = Vec::with_capacity(batch.index.items());
    for resource in batch.resources() {
        for item in resource.scopes().flat_map(|scope| scope.items()) {
            answers.push(match item.trace_id() {
                Some(trace) => ask(trace.as_bytes()),
                None => ask(resource.resource()),
            });
        }
    }
    answers
}

/// Takes a request apart, or nothing: an item that would be in no part is a reason to leave it whole.
fn take_apart(
    signal: Signal,
    load: &Local,
    parts: usize,
    part_of_items: impl FnOnce(Batch<'_>) -> Vec<Option<usize>>,
) -> Option<Vec<(Vec<u8>, usize)>> {
    let mut request = Vec::with_capacity(load.bytes());
    load.write(&mut request);
    let walked = walk(signal, &request, &Limits::JOINED).ok()?;
    let batch = Batch::new(&request, &walked.index);
    let part_of_items = part_of_items(batch);
    let make = |part| {
        let mut out = Vec::new();
        let items = select(batch, |item| part_of_items.get(item).copied().flatten() == Some(part), &mut out);
        (out, items)
    };
    let made: Vec<_> = (0..parts).map(make).collect();
    let complete = made.iter().map(|(_, items)| items).sum::<usize>() == load.items;
    complete.then_some(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::{self, numbers, spans};

    fn parts(load: Local) -> Vec<Vec<u64>> {
        let parts = load.split(Signal::Traces, 3, &mut |trace| Some(usize::from(trace[15] % 3))).unwrap();
        parts.into_iter().map(|part| part.map_or_else(Vec::new, |part| numbers(&part.chunks.concat()))).collect()
    }

    #[test]
    fn joined_requests_are_parted_by_trace_and_nothing_is_lost() {
        let mut load = rig::local(spans(0..10));
        assert!(load.join(rig::local(spans(10..20))).is_ok());
        assert_eq!(load.items, 20);
        let expected = |rest| (0..20).filter(|number| number % 3 == rest).collect::<Vec<_>>();
        assert_eq!(parts(load), [expected(0), expected(1), expected(2)]);
    }

    #[test]
    fn halves_add_up_and_end_at_one_item() {
        for items in 2..9 {
            let (first, second) = rig::local(spans(0..items)).halve(Signal::Traces).unwrap();
            assert_eq!((first.items + second.items) as u64, items);
            let all = [numbers(&first.chunks.concat()), numbers(&second.chunks.concat())].concat();
            assert_eq!(all, (0..items).collect::<Vec<_>>());
        }
        assert!(rig::local(spans([1])).halve(Signal::Traces).is_err());
    }

    /// Guarantees: what cannot be told apart is given back as it was, never in part.
    #[test]
    fn what_does_not_add_up_stays_whole() {
        let broken = || Local { items: 5, ..rig::local(spans([1, 2])) };
        let whole = broken().split(Signal::Traces, 2, &mut |_| Some(0)).err().unwrap();
        assert_eq!((whole.items, whole.chunks.concat()), (5, spans([1, 2])));
        assert_eq!(broken().halve(Signal::Traces).err().unwrap().items, 5);
        let nowhere = rig::local(spans([1])).split(Signal::Traces, 2, &mut |_| None);
        assert_eq!(nowhere.err().unwrap().items, 1, "an item that no part takes");
    }
}
