//! Writes lists of attributes anew, as far as the table lets them cross.
//!
//! Promises:
//! 1. What is written was looked up under the very key it is written with.
//! 2. A key that stands twice in one list is left out each time: receivers disagree about which one counts.

use tollgate_otlp::wire::delimited;
use tollgate_otlp::{Fault, raw_attributes};
use tollgate_residency::{Action, Carrier, Cell, Form};

use crate::detect;
use crate::hints::{self, Hints};
use crate::operational;
use crate::repeats::Repeats;
use crate::value::Judge;
use crate::verbatim::{self, Read, Run};

/// One list of attributes after the other. An attribute is written as soon as it is seen, and a key that stands twice
/// is known too late: then [`are_suspect`](Self::are_suspect), and the lists are to be written once more, warily.
#[derive(Default)]
pub(crate) struct Attributes<'a> {
    number: u32,
    bytes: Vec<u8>,
    run: Run<'a>,
    withheld: u32,
    repeats: Repeats<'a>,
    suspect: bool,
    care: Care,
    /// Keys that stand more than once in the list at hand, in order.
    repeated: Vec<&'a [u8]>,
    /// The texts of the list at hand that crossed raw and that span names are composed of, by slot.
    slots: Vec<(u8, &'a [u8])>,
    text: Vec<u8>,
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

/// How an attribute was written, if it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Copied,
    Otherwise,
}

impl<'a> Attributes<'a> {
    /// Begins the list that stands under this field number of a message.
    #[inline]
    pub(crate) fn begin(&mut self, number: u32, message: &'a [u8]) {
        self.number = number;
        self.bytes.clear();
        self.run = Run::of(message);
        self.withheld = 0;
        self.repeats.clear();
        (self.position, self.followed) = (0, Some(0));
        self.slots.clear();
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
        let read = verbatim::read(self.number, field, body)?;
        let found = look_up(read.raw.key, carrier, judge);
        self.note(read.raw.key, found, judge);
        self.write(read, found.0, carrier, judge).map(drop)
    }

    /// Adds the attributes of a span that stand next in it, and returns what follows them.
    #[inline]
    pub(crate) fn add_next(&mut self, mut rest: &'a [u8], judge: &mut Judge<'_>) -> Result<&'a [u8], Fault> {
        loop {
            rest = match self.hints.again(self.position, rest) {
                Some((hint, field, after)) if self.care == Care::Swift => {
                    let (value, (cell, _)) = (hint.value(), hint.found);
                    self.follow(judge);
                    self.copy(field, value, cell, judge)?;
                    after
                }
                _ => match self.next(rest)? {
                    Some((read, after)) => {
                        self.add_one(read, judge)?;
                        after
                    }
                    None => break,
                },
            };
            self.position += 1;
        }
        if self.care == Care::Swift && !self.repeats.are_possible() {
            self.hints.differ(self.position);
        }
        Ok(rest)
    }

    #[inline]
    fn next(&self, rest: &'a [u8]) -> Result<Option<(Read<'a>, &'a [u8])>, Fault> {
        if let Some(next) = verbatim::take(self.number, rest) {
            return Ok(Some(next));
        }
        // Numbers of lists are below 16, so the tag is one byte; in another form it is left to the general way.
        match rest.split_first() {
            Some((tag, framed)) if u32::from(*tag) == self.number << 3 | 2 => {
                let (body, after) = delimited(framed)?;
                let field = rest.get(..rest.len() - after.len()).unwrap_or_default();
                Ok(Some((verbatim::read(self.number, field, body)?, after)))
            }
            _ => Ok(None),
        }
    }

    #[inline]
    fn add_one(&mut self, read: Read<'a>, judge: &mut Judge<'_>) -> Result<(), Fault> {
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
        if self.write(read, found.0, Carrier::SpanAttributes, judge)? == Written::Copied {
            self.hints.copied(self.position, read);
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
    fn write(&mut self, read: Read<'a>, cell: Cell, carrier: Carrier, judge: &mut Judge<'_>) -> Result<Written, Fault> {
        let Read { field, raw, whole } = read;
        match cell.action {
            Action::Absent => self.leave_out(cell, judge),
            _ if !self.repeated.is_empty() && self.repeated.binary_search(&raw.key).is_ok() => {
                self.leave_out(cell, judge);
            }
            Action::Raw if whole && judge.copies(raw, cell, carrier)? => {
                self.copy(field, raw.value, cell, judge)?;
                return Ok(Written::Copied);
            }
            _ => {
                let may_be_raised = matches!(cell.action, Action::Raw);
                let cell = if may_be_raised { judge.raised(raw, cell, carrier)? } else { cell };
                self.construct(read, cell, judge)?;
            }
        }
        Ok(Written::Otherwise)
    }

    /// Copies a field whose value may cross as it is.
    #[inline]
    fn copy(&mut self, field: &'a [u8], value: &'a [u8], cell: Cell, judge: &mut Judge<'_>) -> Result<(), Fault> {
        self.run.add(field, &mut self.bytes);
        judge.counts.value(cell.class, Form::Raw);
        if let Some(slot) = cell.slot {
            self.slots.extend(verbatim::text(value)?.map(|text| (slot, text)));
        }
        Ok(())
    }

    fn construct(&mut self, read: Read<'a>, cell: Cell, judge: &mut Judge<'_>) -> Result<(), Fault> {
        self.run.end(&mut self.bytes);
        if !judge.write(read.raw, cell, self.number, &mut self.text, &mut self.bytes)? {
            self.leave_out(cell, judge);
            return Ok(());
        }
        judge.counts.value(cell.class, cell.action.form());
        if let (Action::Raw, Some(slot)) = (cell.action, cell.slot) {
            self.slots.extend(verbatim::text(read.raw.value)?.map(|text| (slot, text)));
        }
        Ok(())
    }

    #[inline]
    fn leave_out(&mut self, cell: Cell, judge: &mut Judge<'_>) {
        judge.counts.value(cell.class, Form::Absent);
        self.withheld += 1;
    }

    /// Ends the list; says how many attributes were left out.
    #[inline]
    pub(crate) fn end(&mut self) -> u32 {
        self.run.end(&mut self.bytes);
        self.suspect |= self.care == Care::Swift && self.repeats.are_possible();
        self.withheld
    }

    /// The fields that may cross.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn slots(&self) -> &[(u8, &'a [u8])] {
        &self.slots
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
