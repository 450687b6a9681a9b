//! What crosses of one list of attributes, as it is written.
//!
//! Promises:
//! 1. A value is copied only where the table lets it cross as it is and it looks as it must.
//! 2. What is left out is counted.

use tollgate_otlp::Fault;
use tollgate_otlp::wire::delimited;
use tollgate_residency::{Action, Carrier, Cell, Form};

use crate::hints::Hint;
use crate::value::Judge;
use crate::verbatim::{self, Read, Run};

/// The fields of one list after the other.
#[derive(Default)]
pub(crate) struct List<'a> {
    number: u32,
    bytes: Vec<u8>,
    run: Run<'a>,
    withheld: u32,
    /// The texts of the list at hand that crossed raw and that span names are composed of, by slot.
    slots: Vec<(u8, &'a [u8])>,
    text: Vec<u8>,
}

/// How an attribute was written, if it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Copied,
    Otherwise,
}

impl<'a> List<'a> {
    /// Begins the list that stands under this field number of a message.
    #[inline]
    pub(crate) fn begin(&mut self, number: u32, message: &'a [u8]) {
        self.number = number;
        self.bytes.clear();
        self.run = Run::of(message);
        self.withheld = 0;
        self.slots.clear();
    }

    /// Takes the next attribute of the list, if one stands at the front, with what follows it.
    #[inline]
    pub(crate) fn next(&self, rest: &'a [u8]) -> Result<Option<(Read<'a>, &'a [u8])>, Fault> {
        match verbatim::take(self.number, rest) {
            Some(next) => Ok(Some(next)),
            None => self.next_long(rest),
        }
    }

    fn next_long(&self, rest: &'a [u8]) -> Result<Option<(Read<'a>, &'a [u8])>, Fault> {
        // Numbers of lists are below 16, so the tag is one byte; in another form it is left to the general way.
        match rest.split_first() {
            Some((tag, framed)) if u32::from(*tag) == self.number << 3 | 2 => {
                let (body, after) = delimited(framed)?;
                let field = rest.get(..rest.len() - after.len()).unwrap_or_default();
                Ok(Some((self.read(field, body)?, after)))
            }
            _ => Ok(None),
        }
    }

    /// Splits a field of the list with its body.
    pub(crate) fn read(&self, field: &'a [u8], body: &'a [u8]) -> Result<Read<'a>, Fault> {
        verbatim::read(self.number, field, body)
    }

    /// Writes an attribute as its cell says.
    #[inline]
    pub(crate) fn write(
        &mut self,
        read: &Read<'a>,
        cell: Cell,
        carrier: Carrier,
        judge: &mut Judge<'_>,
    ) -> Result<Written, Fault> {
        let Read { field, raw, whole } = *read;
        match cell.action {
            Action::Absent => self.leave_out(cell, judge),
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
        self.count(value, cell, judge)
    }

    /// Copies fields whose values are those that crossed as they were before.
    #[inline]
    pub(crate) fn copy_again(
        &mut self,
        fields: &'a [u8],
        hints: &[Hint<'a>],
        judge: &mut Judge<'_>,
    ) -> Result<(), Fault> {
        self.run.add(fields, &mut self.bytes);
        for hint in hints {
            self.count(hint.raw.value, hint.found.0, judge)?;
        }
        Ok(())
    }

    #[inline]
    fn count(&mut self, value: &'a [u8], cell: Cell, judge: &mut Judge<'_>) -> Result<(), Fault> {
        judge.counts.value(cell.class, Form::Raw);
        match cell.slot {
            Some(slot) => self.fill(slot, value),
            None => Ok(()),
        }
    }

    /// Never inline: few attributes have a slot.
    #[inline(never)]
    fn fill(&mut self, slot: u8, value: &'a [u8]) -> Result<(), Fault> {
        if let Some(text) = verbatim::text(value)? {
            self.slots.push((slot, text));
        }
        Ok(())
    }

    fn construct(&mut self, read: &Read<'a>, cell: Cell, judge: &mut Judge<'_>) -> Result<(), Fault> {
        self.run.end(&mut self.bytes);
        if !judge.write(read.raw, cell, self.number, &mut self.text, &mut self.bytes)? {
            self.leave_out(cell, judge);
            return Ok(());
        }
        judge.counts.value(cell.class, cell.action.form());
        match (cell.action, cell.slot) {
            (Action::Raw, Some(slot)) => self.fill(slot, read.raw.value),
            _ => Ok(()),
        }
    }

    #[inline]
    pub(crate) fn leave_out(&mut self, cell: Cell, judge: &mut Judge<'_>) {
        judge.counts.value(cell.class, Form::Absent);
        self.withheld += 1;
    }

    /// Ends the list; says how many attributes were left out.
    #[inline]
    pub(crate) fn end(&mut self) -> u32 {
        self.run.end(&mut self.bytes);
        self.withheld
    }

    /// The fields that may cross.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn slots(&self) -> &[(u8, &'a [u8])] {
        &self.slots
    }
}
