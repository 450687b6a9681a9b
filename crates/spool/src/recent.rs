//! The bytes just appended, in memory: whoever keeps up never reads the disk.

use std::collections::VecDeque;

use crate::position::Position;
use crate::record::Record;

/// What a read yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Records in order; none if nothing lies before the bound that was given.
    pub records: Vec<Record>,
    /// Where to go on.
    pub end: Position,
}

/// A bounded run of records up to the log's end.
#[derive(Debug)]
pub(crate) struct Recent {
    records: VecDeque<Record>,
    /// Everything from here on is in `records`.
    from: Position,
    bytes: u64,
    limit: u64,
}

impl Recent {
    pub(crate) fn new(from: Position, limit: u64) -> Self {
        Self { records: VecDeque::new(), from, bytes: 0, limit }
    }

    pub(crate) fn push(&mut self, record: Record) {
        self.bytes += record.weight();
        self.records.push_back(record);
        while self.bytes > self.limit {
            let Some(oldest) = self.records.pop_front() else { break };
            self.bytes -= oldest.weight();
            self.from = oldest.end;
        }
    }

    /// The records from `position` on, if all of them are here.
    pub(crate) fn chunk(&self, position: Position, max_bytes: u64, until: Option<Position>) -> Option<Chunk> {
        if position < self.from {
            return None;
        }
        let mut chunk = Chunk { records: Vec::new(), end: position };
        let mut bytes = 0;
        let first = self.records.partition_point(|record| record.end <= position);
        for record in self.records.iter().skip(first) {
            if bytes >= max_bytes || until.is_some_and(|until| record.position >= until) {
                break;
            }
            bytes += record.weight();
            chunk.end = record.end;
            chunk.records.push(record.clone());
        }
        Some(chunk)
    }

    /// The record that `position` lies before, if it is here.
    pub(crate) fn record_at(&self, position: Position) -> Option<&Record> {
        let first = self.records.partition_point(|record| record.end <= position);
        self.records.get(first).filter(|_| position >= self.from)
    }
}
