//! Writes lists of attributes anew, as far as the table lets them cross.
//!
//! Promises:
//! 1. What is written was looked up under the very key it is written with.
//! 2. A key that stands twice in one list is left out each time: receivers disagree about which one counts.
//!
//! Not here: how one attribute is written (`list.rs`).

use tollgate_otlp::{Fault, raw_attributes};
use tollgate_residency::{Action, Carrier, Cell};

use crate::detect;
use crate::hints::{self, Hints};
use crate::list::{List, Written};
use crate::operational;
use crate::repeats::Repeats;
use crate::same::is_same;
use crate::value::Judge;
use crate::verbatim::Read;

/// One list of attributes after the other. An attribute is written as soon as it is seen, and a key that stands twice
/// is known too late: then [`are_suspect`](Self::are_suspect), and the lists are to be written once more, warily.
#[derive(Default)]
pub(crate) struct Attributes<'a> {
    list: List<'a>,
    repeats: Repeats<'a>,
    suspect: bool,
    care: Care,
    /// Keys that stand more than once in the list at hand, in order.
    repeated: Vec<&'a [u8]>,
    /// What was found for the span before.
    hints: Hints<'a>,
    /// So many attributes of the list at hand have a place among the hints.
    position: usize,
    /// The keys of the list at hand, if they are as many first ones of the hints; else they are among `repeats`.
    followed: Option<usize>,
}

/// Whether a list is searched for keys that stand twice before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Care {
    #[default]
    Swift,
    Wary,
}

impl<'a> Attributes<'a> {
    /// Begins the list that stands under this field number of a message.
    #[inline]
    pub(crate) fn begin(&mut self, number: u32, message: &'a [u8]) {
        self.list.begin(number, message);
        self.repeats.clear();
        (self.position, self.followed) = (0, Some(0));
        if self.care == Care::Wary {
            self.find_repeated(number, message);
        }
    }

    /// Adds an attribute: a field of the message with its body, a `KeyValue`.
    pub(crate) fn add(
        &mut self,
        (field, body): (&'a [u8], &'a [u8]),
        carrier: Carrier,
        judge: &mut Judge<'_>,
    ) -> Result<(), Fault> {
        let read = self.list.read(field, body)?;
        let found = look_up(read.raw.key, carrier, judge);
        self.note(read.raw.key, found, judge);
        self.write(&read, found.0, carrier, judge).map(drop)
    }

    /// Adds the attributes of a span that stand next in it, and returns what follows them.
    #[inline]
    pub(crate) fn add_next(&mut self, rest: &'a [u8], judge: &mut Judge<'_>) -> Result<&'a [u8], Fault> {
        let mut rest = self.add_known(rest, judge)?;
        while let Some((read, after)) = self.list.next(rest)? {
            self.add_one(read, judge)?;
            self.position += 1;
            rest = after;
        }
        if self.care == Care::Swift && !self.repeats.are_possible() {
            self.hints.differ(self.position);
        }
        Ok(rest)
    }

    /// Adds those that have the keys of the span before, in the same order and none of them twice.
    #[inline]
    fn add_known(&mut self, mut rest: &'a [u8], judge: &mut Judge<'_>) -> Result<&'a [u8], Fault> {
        if self.care == Care::Wary || self.followed != Some(self.position) {
            return Ok(rest);
        }
        let mut position = self.position;
        // All fields from here on were the same.
        let (mut first, mut same) = (position, rest);
        while let Some(hint) = self.hints.distinct_at(position) {
            if let Some((fields, after)) = hint.again(rest) {
                let (joined, begins) = (hint.joined(), first == position);
                self.list.copy_again(fields, self.hints.some(position, joined), judge)?;
                (position, rest) = (position + joined, after);
                if !begins {
                    let fields = same.get(..same.len() - rest.len()).unwrap_or_default();
                    self.hints.join(first, position - first, fields);
                }
            } else if hint.joined() > 1 {
                self.hints.part(position);
            } else if let Some((read, after)) = self.list.next(rest)?
                && is_same(read.raw.key, hint.raw.key)
            {
                if self.list.write(&read, hint.found.0, Carrier::SpanAttributes, judge)? == Written::Copied {
                    self.remember(position, &read);
                }
                (position, rest) = (position + 1, after);
                (first, same) = (position, rest);
            } else {
                break;
            }
        }
        (self.position, self.followed) = (position, Some(position));
        Ok(rest)
    }

    /// Remembers a field that was copied. Where other fields lie before it, the attributes before those were passed by.
    #[inline]
    fn remember(&mut self, position: usize, read: &Read<'a>) {
        if self.position > 0 {
            self.hints.part_all();
        }
        self.hints.copied(position, read);
    }

    fn add_one(&mut self, read: Read<'a>, judge: &mut Judge<'_>) -> Result<(), Fault> {
        self.hints.part_all();
        let key = read.raw.key;
        let found = match self.hints.of(self.position, key) {
            Some(found) => {
                self.follow(judge);
                found
            }
            None => {
                let found = look_up(key, Carrier::SpanAttributes, judge);
                self.note(key, found, judge);
                self.hints.replace(self.position, read.raw, found);
                found
            }
        };
        if self.write(&read, found.0, Carrier::SpanAttributes, judge)? == Written::Copied {
            self.hints.copied(self.position, &read);
        }
        Ok(())
    }

    /// Takes in that the next key is that of its hint.
    #[inline]
    fn follow(&mut self, judge: &Judge<'_>) {
        if self.followed == Some(self.position) && self.position < self.hints.distinct() {
            self.followed = Some(self.position + 1);
        } else if let Some((key, found)) = self.hints.at(self.position) {
            self.note(key, found, judge);
        }
    }

    /// Takes in a key that may be one of those before it.
    fn note(&mut self, key: &'a [u8], (cell, number): hints::Found, judge: &Judge<'_>) {
        for (key, (cell, number)) in self.hints.first(self.followed.take().unwrap_or(0)) {
            if cell.action != Action::Absent {
                self.repeats.note(key, number, judge.table.keys());
            }
        }
        if cell.action != Action::Absent {
            self.repeats.note(key, number, judge.table.keys());
        }
    }

    /// Forgets what was found for keys: a server's resource and a device's are judged otherwise.
    pub(crate) fn forget(&mut self) {
        self.hints.clear();
    }

    #[inline]
    fn write(
        &mut self,
        read: &Read<'a>,
        cell: Cell,
        carrier: Carrier,
        judge: &mut Judge<'_>,
    ) -> Result<Written, Fault> {
        if !self.repeated.is_empty() && self.repeated.binary_search(&read.raw.key).is_ok() {
            self.list.leave_out(cell, judge);
            return Ok(Written::Otherwise);
        }
        self.list.write(read, cell, carrier, judge)
    }

    /// Ends the list; says how many attributes were left out.
    #[inline]
    pub(crate) fn end(&mut self) -> u32 {
        self.suspect |= self.care == Care::Swift && self.repeats.are_possible();
        self.list.end()
    }

    /// The fields that may cross.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.list.bytes()
    }

    pub(crate) fn slots(&self) -> &[(u8, &'a [u8])] {
        self.list.slots()
    }

    /// Whether a key may have stood twice in a list since this was asked for last.
    #[inline]
    pub(crate) fn are_suspect(&mut self) -> bool {
        std::mem::take(&mut self.suspect)
    }

    pub(crate) fn take_care(&mut self, care: Care) {
        self.care = care;
        self.repeated.clear();
    }

    /// Sorted, because a sender chooses how many there are.
    fn find_repeated(&mut self, number: u32, message: &'a [u8]) {
        let mut keys: Vec<_> = raw_attributes(message, number).map(|raw| raw.key).collect();
        keys.sort_unstable();
        self.repeated.clear();
        let repeated = keys.chunk_by(|one, two| one == two).filter(|equal| equal.len() > 1);
        self.repeated.extend(repeated.filter_map(|equal| equal.first()));
    }
}

#[inline]
fn look_up(key: &[u8], carrier: Carrier, judge: &Judge<'_>) -> hints::Found {
    match judge.table.listed(carrier, key, judge.resource) {
        Some((cell, number)) => (cell, Some(number)),
        // Looked for only if it could be a key: that takes one step for each dot of what the sender wrote.
        None if operational::is_key(key) => (below_template(key, carrier, judge), None),
        None => (Cell::UNKNOWN, None),
    }
}

/// What a template answers for a key that the sender chose, unless the key itself tells what it may not.
fn below_template(key: &[u8], carrier: Carrier, judge: &Judge<'_>) -> Cell {
    let cell = judge.table.below_template(carrier, key, judge.resource);
    let tells = || detect::in_text(key) != detect::Found::NOTHING || judge.tells_id(key);
    if cell.action != Action::Absent && tells() { Cell::UNKNOWN } else { cell }
}
