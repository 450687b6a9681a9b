//! Every now and then a position with its time, so that age can be told without reading.

use std::time::Duration;

use tollgate_runtime::Timestamp;

use crate::position::Position;

/// No two marks are farther apart than this, if there are records between.
const APART: Duration = Duration::from_secs(60);

/// A place between records and the arrival of the record that begins there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) position: Position,
    pub(crate) arrival: Timestamp,
}

/// The marks of one segment, ascending; the first is at its first record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks(Vec<Mark>);

impl Marks {
    /// Takes note of a record; `spacing` bytes is as far as two marks may be apart.
    pub(crate) fn note(&mut self, position: Position, arrival: Timestamp, spacing: u64) {
        let due = self
            .0
            .last()
            .is_none_or(|last| position.since(last.position) >= spacing || arrival.since(last.arrival) >= APART);
        if due {
            self.0.push(Mark { position, arrival });
        }
    }

    pub(crate) fn all(&self) -> &[Mark] {
        &self.0
    }

    /// The last mark not after `position`.
    pub(crate) fn before(&self, position: Position) -> Option<Mark> {
        let count = self.0.partition_point(|mark| mark.position <= position);
        self.0.get(..count)?.last().copied()
    }
}
