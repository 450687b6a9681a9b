//! Where the sealed parts of a request lie, ready to be put together in any selection.

use std::ops::Range;

use bytes::Bytes;
use tollgate_otlp::wire::framed_len;
use tollgate_otlp::{TraceId, Writer};

use super::Route;

/// The number of a request's resources, and of the children of a resource and of a scope.
pub(crate) const RESOURCES: u32 = 1;
pub(crate) const CHILDREN: u32 = 2;
/// Neighbours of so many bytes together stay where they lie, as a chunk of their own; copying less costs less than that.
pub(super) const WORTH_A_CHUNK: usize = 32 << 10;

/// Spare room of less than this is not worth giving back.
const PAGE: usize = 4096;

/// The sealed bytes with their groups. As a rule they are a request as they lie: each group stands behind its tag and length.
#[derive(Default)]
pub(crate) struct Layout {
    pub(crate) bytes: Vec<u8>,
    form: Form,
    pub(crate) resources: Vec<Group>,
    /// The number in the request of each of the resources.
    pub(crate) numbers: Vec<usize>,
    pub(crate) scopes: Vec<Group>,
    pub(crate) items: Vec<Item>,
}

/// What the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Form {
    /// A request.
    #[default]
    Request,
    /// Parts: where the length of a group was to stand there was not as much room as it takes.
    Parts,
}

/// A group whose length is not known yet.
pub(crate) struct Opened {
    number: u32,
    head: Range<usize>,
}

/// A resource or a scope: its own fields, and its scopes or items.
pub(crate) struct Group {
    pub(crate) head: Range<usize>,
    pub(crate) children: Range<usize>,
}

/// An item's whole field: tag, length, body.
pub(crate) struct Item {
    /// The trace by which it is routed; a metric has none.
    pub(crate) trace: Option<TraceId>,
    pub(crate) field: Range<usize>,
}

impl Layout {
    /// Has room for so many items, and for what is sealed of so many bytes: less than those, as a rule.
    pub(crate) fn with_room_for(items: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), items: Vec::with_capacity(items), ..Self::default() }
    }

    /// Begins a group that will be about so long.
    pub(crate) fn open(&mut self, number: u32, about: usize) -> Opened {
        let start = self.bytes.len();
        Writer::new(&mut self.bytes).message_of(number, about);
        Opened { number, head: start..self.bytes.len() }
    }

    /// Ends the group that was begun last.
    pub(crate) fn close(&mut self, Opened { number, head }: Opened) {
        let mut found = Vec::new();
        Writer::new(&mut found).message_of(number, self.bytes.len() - head.end);
        match self.bytes.get_mut(head) {
            Some(room) if room.len() == found.len() => room.copy_from_slice(&found),
            // Moving the group would cost more than putting it together later.
            _ => self.form = Form::Parts,
        }
    }

    /// Has all bytes in place, to be selected from.
    pub(super) fn finish(self) -> Finished {
        let Self { mut bytes, form, resources, numbers, scopes, items } = self;
        // Room was taken for all that came in. Who shares these bytes is counted by what they are.
        if bytes.capacity() > 2 * bytes.len() + PAGE {
            bytes.shrink_to_fit();
        }
        Finished { bytes: bytes.into(), form, resources, numbers, scopes, items }
    }
}

/// A layout whose bytes can be shared.
pub(super) struct Finished {
    pub(super) bytes: Bytes,
    form: Form,
    resources: Vec<Group>,
    numbers: Vec<usize>,
    scopes: Vec<Group>,
    pub(super) items: Vec<Item>,
}

impl Finished {
    /// Makes a request of all items, in chunks, and says how many those are; copies nothing where it lies there already.
    pub(super) fn whole(&self) -> (Vec<Bytes>, u64) {
        match self.form {
            Form::Request if self.bytes.is_empty() => (Vec::new(), 0),
            Form::Request => (vec![self.bytes.clone()], self.items.len() as u64),
            Form::Parts => self.select(|_| true, self.bytes.len().min(2 * WORTH_A_CHUNK)),
        }
    }

    /// Makes a request of the chosen items under their resources and scopes, in chunks, and says how many those are.
    /// About so many bytes are expected.
    pub(super) fn select(&self, chosen: impl Fn(usize) -> bool, about: usize) -> (Vec<Bytes>, u64) {
        let mut out = Chunks { whole: &self.bytes, chunks: Vec::new(), copied: Vec::new(), about };
        let (mut items, mut scopes) = (0, Vec::new());
        for resource in &self.resources {
            scopes.clear();
            let below = self.scopes.get(resource.children.clone()).unwrap_or_default();
            scopes.extend(below.iter().map(|scope| (scope, self.items_len(scope, &chosen))));
            scopes.retain(|(_, length)| *length > 0);
            let length = |(scope, items): &(&Group, usize)| framed_len(CHILDREN, scope.head.len() + items);
            let children: usize = scopes.iter().map(length).sum();
            if children == 0 {
                continue;
            }
            out.group(RESOURCES, &resource.head, children);
            for (scope, length) in &scopes {
                out.group(CHILDREN, &scope.head, *length);
                items += self.select_items(scope, &chosen, &mut out);
            }
        }
        (out.finish(), items)
    }

    /// Asks for each item, in order, by what it is routed.
    pub(super) fn routes<T>(&self, mut ask: impl FnMut(Route) -> T) -> Vec<T> {
        let mut answers = Vec::with_capacity(self.items.len());
        for (resource, number) in self.resources.iter().zip(&self.numbers) {
            for scope in self.scopes.get(resource.children.clone()).unwrap_or_default() {
                let items = self.items.get(scope.children.clone()).unwrap_or_default();
                answers.extend(items.iter().map(|item| ask(item.trace.map_or(Route::Resource(*number), Route::Trace))));
            }
        }
        answers
    }

    /// The length of a scope's chosen items.
    fn items_len(&self, scope: &Group, chosen: &impl Fn(usize) -> bool) -> usize {
        self.items_of(scope, chosen).map(|item| item.field.len()).sum()
    }

    /// Takes a scope's chosen items, those that lie side by side at one go, and says how many those are.
    fn select_items(&self, scope: &Group, chosen: &impl Fn(usize) -> bool, out: &mut Chunks<'_>) -> u64 {
        let (mut items, mut run) = (0, 0..0);
        for item in self.items_of(scope, chosen) {
            if item.field.start != run.end {
                out.take(&run);
                run.start = item.field.start;
            }
            run.end = item.field.end;
            items += 1;
        }
        out.take(&run);
        items
    }

    fn items_of<'a>(&'a self, scope: &Group, chosen: &'a impl Fn(usize) -> bool) -> impl Iterator<Item = &'a Item> {
        let items = self.items.get(scope.children.clone()).unwrap_or_default();
        scope.children.clone().zip(items).filter(|(number, _)| chosen(*number)).map(|(_, item)| item)
    }
}

/// A request in the making.
struct Chunks<'a> {
    whole: &'a Bytes,
    chunks: Vec<Bytes>,
    copied: Vec<u8>,
    about: usize,
}

impl Chunks<'_> {
    /// Takes a group's own fields; so many bytes of children follow.
    fn group(&mut self, number: u32, head: &Range<usize>, children: usize) {
        Writer::new(&mut self.copied).message_of(number, head.len() + children);
        self.take(head);
    }

    fn take(&mut self, range: &Range<usize>) {
        if range.len() >= WORTH_A_CHUNK {
            self.close();
            self.chunks.push(self.whole.slice(range.clone()));
        } else {
            // Once: what is left after a chunk is not foreseen.
            self.copied.reserve(std::mem::take(&mut self.about));
            self.copied.extend_from_slice(self.whole.get(range.clone()).unwrap_or_default());
        }
    }

    fn close(&mut self) {
        if !self.copied.is_empty() {
            self.chunks.push(std::mem::take(&mut self.copied).into());
        }
    }

    fn finish(mut self) -> Vec<Bytes> {
        self.close();
        self.chunks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_that_crosses_does_not_hold_room_for_all_that_came() {
        for (came, crosses) in [(1 << 20, 10_000), (1 << 20, 900_000), (5000, 10), (3000, 10)] {
            let mut layout = Layout::with_room_for(1, came);
            layout.bytes.resize(crosses, 7);
            let bytes = layout.finish().bytes;
            let held = bytes.try_into_mut().unwrap().capacity();
            assert!(held <= 2 * crosses + PAGE, "{held} are held for {crosses}");
        }
    }
}
