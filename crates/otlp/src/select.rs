//! Makes new requests of chosen items by copying ranges under their resource and scope.
//!
//! Promises:
//! 1. Items are copied byte for byte, in order, each once and into one part at most, with all that stands beside them
//!    in their resource and scope, also fields that nobody here knows.
//! 2. Lengths are known before they are written: the shortest form, and no byte moves twice.
//! 3. Each result is a request on its own, and results put one behind the other are one request too.
//!
//! Not here: leaving out or changing what stands inside an item (`tollgate_redaction`).

use crate::{
    Batch, Item, ResourceGroup, TraceId, Writer,
    index::Slice,
    wire::{Fields, framed_len},
};

/// A request under construction.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// The encoded request; what it held before is kept.
    pub bytes: Vec<u8>,
    /// How many items were added.
    pub items: usize,
}

/// Appends a request of the items whose number `keep` wants, and returns how many those were.
pub fn select(batch: Batch<'_>, mut keep: impl FnMut(usize) -> bool, out: &mut Vec<u8>) -> usize {
    in_one(out, |part| Copier::new(batch, part).run(|item| keep(item.number).then_some(0), copy_header))
}

/// Does as [`select`], but each `Resource` message with chosen items is written anew: `resource` is shown the
/// resource's number and body and appends the new body.
pub fn select_with(
    batch: Batch<'_>,
    mut keep: impl FnMut(usize) -> bool,
    resource: impl FnMut(usize, &[u8], &mut Vec<u8>),
    out: &mut Vec<u8>,
) -> usize {
    in_one(out, |part| split_with(batch, part, |item| keep(item).then_some(0), resource))
}

/// Copies each item into the part that `part_of` names for its number, with each `Resource` message written anew as in
/// [`select_with`], and returns how many found one. An item whose part does not exist has none.
pub fn split_with(
    batch: Batch<'_>,
    parts: &mut [Part],
    mut part_of: impl FnMut(usize) -> Option<usize>,
    mut resource: impl FnMut(usize, &[u8], &mut Vec<u8>),
) -> usize {
    let mut body = Vec::new();
    let rewrite = |group: &ResourceGroup<'_>, header: &mut Vec<u8>| {
        body.clear();
        resource(group.number, group.resource(), &mut body);
        if !body.is_empty() {
            Writer::new(header).bytes(RESOURCE, &body);
        }
        for slice in group.bounds.headers {
            let others = Fields::new(slice.of(group.batch.payload)).flatten().filter(|field| field.number != RESOURCE);
            others.for_each(|field| header.extend_from_slice(field.raw));
        }
    };
    Copier::new(batch, parts).run(|item| part_of(item.number), rewrite)
}

/// Copies each item into the part that `part_of` names for its number and trace, and returns how many found one.
///
/// An item without a trace has no part; neither has one whose part does not exist.
pub fn split(batch: Batch<'_>, parts: &mut [Part], mut part_of: impl FnMut(usize, TraceId) -> Option<usize>) -> usize {
    let part_of = |item: &Item<'_>| item.trace_id().and_then(|trace| part_of(item.number, trace));
    Copier::new(batch, parts).run(part_of, copy_header)
}

/// Copies each item into the part that `part_of` names for its number, and returns how many found one. An item whose
/// part does not exist has none.
pub fn split_by_number(batch: Batch<'_>, parts: &mut [Part], mut part_of: impl FnMut(usize) -> Option<usize>) -> usize {
    Copier::new(batch, parts).run(|item| part_of(item.number), copy_header)
}

/// The numbers of the fields that hold a request's resources, their message, and children at both levels below.
const RESOURCES: u32 = 1;
const RESOURCE: u32 = 1;
const CHILDREN: u32 = 2;

fn in_one(out: &mut Vec<u8>, copy: impl FnOnce(&mut [Part]) -> usize) -> usize {
    let mut part = [Part { bytes: std::mem::take(out), items: 0 }];
    let copied = copy(&mut part);
    let [part] = part;
    *out = part.bytes;
    copied
}

fn copy_header(group: &ResourceGroup<'_>, header: &mut Vec<u8>) {
    for slice in group.bounds.headers {
        header.extend_from_slice(slice.of(group.batch.payload));
    }
}

/// An item that no part takes.
const NOWHERE: usize = usize::MAX;

struct Copier<'a, 'p> {
    batch: Batch<'a>,
    parts: &'p mut [Part],
    /// The part of each item of the resource at hand.
    chosen: Vec<usize>,
    scope: Tally,
    resource: Tally,
}

impl<'a, 'p> Copier<'a, 'p> {
    fn new(batch: Batch<'a>, parts: &'p mut [Part]) -> Self {
        let (scope, resource) = (Tally::new(parts.len()), Tally::new(parts.len()));
        Self { batch, parts, chosen: Vec::new(), scope, resource }
    }

    fn run(
        mut self,
        mut part_of: impl FnMut(&Item<'_>) -> Option<usize>,
        mut write_header: impl FnMut(&ResourceGroup<'_>, &mut Vec<u8>),
    ) -> usize {
        let before: usize = self.parts.iter().map(|part| part.items).sum();
        let mut header = Vec::new();
        for group in self.batch.resources() {
            self.choose(&group, &mut part_of);
            if self.resource.touched.is_empty() {
                continue;
            }
            header.clear();
            write_header(&group, &mut header);
            let parts = &mut *self.parts;
            self.resource.drain(|part, children| {
                begin(parts.get_mut(part), RESOURCES, header.len() + children, [header.as_slice()].into_iter());
            });
            self.copy(&group);
        }
        self.parts.iter().map(|part| part.items).sum::<usize>() - before
    }

    /// Asks for the part of each item of a resource, and so learns how long the resource will be in each part.
    fn choose(&mut self, group: &ResourceGroup<'a>, part_of: &mut impl FnMut(&Item<'_>) -> Option<usize>) {
        self.chosen.clear();
        for scope in group.scopes() {
            for item in scope.items() {
                let part = part_of(&item).filter(|part| *part < self.parts.len()).unwrap_or(NOWHERE);
                self.chosen.push(part);
                self.scope.add(part, item.field().len());
            }
            let header: usize = scope.bounds.headers.iter().map(Slice::len).sum();
            let resource = &mut self.resource;
            self.scope.drain(|part, items| resource.add(part, framed_len(CHILDREN, header + items)));
        }
    }

    /// Copies the scopes and items of a resource whose head stands in every part concerned.
    fn copy(&mut self, group: &ResourceGroup<'a>) {
        let mut rest = self.chosen.as_slice();
        for scope in group.scopes() {
            let items = scope.items();
            let (chosen, after) = rest.split_at_checked(items.len()).unwrap_or_default();
            rest = after;
            for (item, part) in items.zip(chosen) {
                self.scope.add(*part, item.field().len());
            }
            let (parts, payload) = (&mut *self.parts, self.batch.payload);
            let headers = scope.bounds.headers;
            let header: usize = headers.iter().map(Slice::len).sum();
            self.scope.drain(|part, items| {
                let fields = headers.iter().map(|slice| slice.of(payload));
                begin(parts.get_mut(part), CHILDREN, header + items, fields);
            });
            copy_items(scope.items().zip(chosen), payload, parts);
        }
    }
}

/// Copies items, those that lie side by side and go to the same part at once.
fn copy_items<'a, 'c>(items: impl Iterator<Item = (Item<'a>, &'c usize)>, payload: &[u8], parts: &mut [Part]) {
    let mut run = (NOWHERE, Slice::default());
    for (item, part) in items {
        let slice = item.slice();
        if run.0 == *part && run.1.end == slice.start {
            run.1.end = slice.end;
        } else {
            copy_run(run, payload, parts);
            run = (*part, slice);
        }
        if let Some(part) = parts.get_mut(*part) {
            part.items += 1;
        }
    }
    copy_run(run, payload, parts);
}

fn copy_run((part, slice): (usize, Slice), payload: &[u8], parts: &mut [Part]) {
    if let Some(part) = parts.get_mut(part) {
        part.bytes.extend_from_slice(slice.of(payload));
    }
}

/// Begins a message of a known length with the fields that stand beside its children.
fn begin<'h>(part: Option<&mut Part>, number: u32, length: usize, header: impl Iterator<Item = &'h [u8]>) {
    if let Some(part) = part {
        Writer::new(&mut part.bytes).message_of(number, length);
        header.for_each(|fields| part.bytes.extend_from_slice(fields));
    }
}

/// How many bytes each part gets, and which parts get any: most resources touch few of many parts.
struct Tally {
    bytes: Vec<usize>,
    touched: Vec<usize>,
}

impl Tally {
    fn new(parts: usize) -> Self {
        Self { bytes: vec![0; parts], touched: Vec::new() }
    }

    fn add(&mut self, part: usize, bytes: usize) {
        if let Some(sum) = self.bytes.get_mut(part) {
            if *sum == 0 {
                self.touched.push(part);
            }
            *sum += bytes;
        }
    }

    /// Hands out every sum and begins anew.
    fn drain(&mut self, mut each: impl FnMut(usize, usize)) {
        for part in self.touched.drain(..) {
            each(part, self.bytes.get_mut(part).map(std::mem::take).unwrap_or_default());
        }
    }
}
