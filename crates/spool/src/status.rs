//! What a log says of itself while it runs.

use std::time::Duration;

use tollgate_runtime::Timestamp;

use crate::backlog::Backlog;
use crate::name::Name;
use crate::position::Position;
use crate::state::{Counts, State};

/// A log at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Segments with records that somebody may still need.
    pub segments: usize,
    /// Segments that wait to be used again.
    pub spares: usize,
    /// Disk taken by both.
    pub disk_bytes: u64,
    /// Where the oldest record begins.
    pub oldest: Position,
    /// The end of what is durable.
    pub end: Position,
    /// What happened since the log was opened.
    pub counts: Counts,
    /// Every consumer, in the order of the configuration.
    pub consumers: Vec<ConsumerStatus>,
}

/// A consumer at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerStatus {
    /// Its name.
    pub name: Name,
    /// Bytes of log that its slowest lane has not passed.
    pub lag: u64,
    /// Disk that is held for it.
    pub held: u64,
    /// The most disk it may hold.
    pub share: u64,
    /// How long the oldest record it has not passed has waited.
    pub age: Duration,
    /// Bytes of log let go since the log was opened, past share or age.
    pub expired: u64,
    /// Its lanes.
    pub lanes: Vec<LaneStatus>,
}

/// A lane at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneStatus {
    /// Its name.
    pub name: Name,
    /// Its cursor.
    pub position: Position,
    /// Bytes of log that it has not passed.
    pub lag: u64,
    /// How long the oldest record it has not passed has waited.
    pub age: Duration,
}

impl State {
    pub(crate) fn status(&self, now: Timestamp, segment_bytes: u64) -> Status {
        let taken: u64 = self.segments.iter().map(|live| live.segment.capacity).sum();
        Status {
            segments: self.segments.len(),
            spares: self.spares,
            disk_bytes: taken + self.spares as u64 * segment_bytes,
            oldest: self.segments.front().map_or(self.end, |live| live.segment.header.base),
            end: self.end,
            counts: self.counts,
            consumers: self.backlogs.iter().map(|backlog| self.consumer_status(backlog, now)).collect(),
        }
    }

    fn consumer_status(&self, backlog: &Backlog, now: Timestamp) -> ConsumerStatus {
        let floor = backlog.progress.floor;
        let lanes = backlog.progress.lanes.iter().map(|(name, position)| LaneStatus {
            name: name.clone(),
            position: *position,
            lag: self.end.since(*position),
            age: self.age(*position, now),
        });
        ConsumerStatus {
            name: backlog.name.clone(),
            lag: self.end.since(floor),
            held: self.held(floor),
            share: backlog.share,
            age: self.age(floor, now),
            expired: backlog.expired,
            lanes: lanes.collect(),
        }
    }
}
