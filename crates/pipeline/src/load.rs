//! What goes through a door: a request, sealed or local, that can be joined with others and taken apart again.

use tollgate_federation::Signal;
use tollgate_otlp::{Batch, select};
use tollgate_transport::Local;

use crate::admit::{OWN_REQUESTS, walk};

/// A request on its way out.
pub(crate) trait Load: Sized + Send + Sync + 'static {
    /// Items in it.
    fn items(&self) -> u64;

    /// Bytes of its encoding.
    fn bytes(&self) -> usize;

    /// The digest of the policy it was sealed by; zero for what stays in the region.
    fn policy(&self) -> [u8; 32];

    /// Appends its encoding.
    fn write(&self, out: &mut Vec<u8>);

    /// Adds another request; gives it back when the two may not share a parcel.
    fn join(&mut self, other: Self) -> Result<(), Self>;

    /// Takes it apart by the key that routes: the trace id, or the resource where there is none.
    fn split(self, signal: Signal, parts: usize, part_of: PartOfKey<'_>) -> Vec<Option<Self>>;

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
        self.chunks.extend(other.chunks); // requests one after another are one request
        self.items += other.items;
        Ok(())
    }

    fn split(self, signal: Signal, parts: usize, part_of: PartOfKey<'_>) -> Vec<Option<Self>> {
        let place = self.place.clone();
        let made = take_apart(signal, &self, parts, |batch| map_keys(batch, part_of));
        let Some(made) = made else {
            // Our own bytes do not walk: they go as a whole, to where the first key would go.
            return (0..parts).map(|part| (part == 0).then(|| self.clone())).collect();
        };
        made.into_iter().map(|(bytes, items)| local(bytes, items, &place)).collect()
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

fn take_apart<L: Load>(
    signal: Signal,
    load: &L,
    parts: usize,
    part_of_items: impl FnOnce(Batch<'_>) -> Vec<Option<usize>>,
) -> Option<Vec<(Vec<u8>, usize)>> {
    let mut request = Vec::with_capacity(load.bytes());
    load.write(&mut request);
    let walked = walk(signal, &request, &OWN_REQUESTS).ok()?;
    let batch = Batch::new(&request, &walked.index);
    let part_of_items = part_of_items(batch);
    let make = |part| {
        let mut out = Vec::new();
        let items = select(batch, |item| part_of_items.get(item).copied().flatten() == Some(part), &mut out);
        (out, items)
    };
    Some((0..parts).map(make).collect())
}
