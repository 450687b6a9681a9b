//! How far each consumer is, and what it may leave unread.
//!
//! Promises:
//! 1. A consumer past its share or its age lets go of its own oldest; no other consumer's lanes move.
//! 2. What is let go is counted.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::config::{ConsumerConfig, WhenFull};
use crate::name::Name;
use crate::position::Position;

/// One consumer's lanes and limits.
#[derive(Debug)]
pub(crate) struct Backlog {
    pub(crate) name: Name,
    pub(crate) share: u64,
    pub(crate) max_age: Duration,
    pub(crate) when_full: WhenFull,
    pub(crate) progress: Progress,
    /// Bytes of log let go because of share or age.
    pub(crate) expired: u64,
    pub(crate) taken: bool,
}

/// What of a consumer survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Nothing before this is needed: the lowest lane, or where the lanes were last.
    pub(crate) floor: Position,
    pub(crate) lanes: BTreeMap<Name, Position>,
    /// What the consumer keeps with its cursors; opaque.
    pub(crate) journal: Bytes,
}

impl Backlog {
    pub(crate) fn new(config: &ConsumerConfig, largest_share: u64, progress: Progress) -> Self {
        let share = match config.when_full {
            // More would let this one consumer spend the ingest budget, and so stop everyone.
            WhenFull::Expire => config.share.0.min(largest_share),
            WhenFull::Refuse => config.share.0,
        };
        Self {
            name: config.name.as_str().into(),
            share,
            max_age: config.max_age,
            when_full: config.when_full,
            progress,
            expired: 0,
            taken: false,
        }
    }

    /// Lets go of everything before `target`; says how much that was.
    pub(crate) fn expire(&mut self, target: Position) -> u64 {
        let bytes = target.since(self.progress.floor);
        for lane in self.progress.lanes.values_mut() {
            *lane = (*lane).max(target);
        }
        self.progress.floor = self.progress.floor.max(target);
        self.progress.settle();
        self.expired += bytes;
        bytes
    }
}

impl Progress {
    /// Moves a lane forward, never back; one that is new joins at `to`, or at the floor if that has passed.
    pub(crate) fn advance(&mut self, lane: &str, to: Position) {
        let to = to.max(self.floor);
        match self.lanes.get_mut(lane) {
            Some(position) => *position = to.max(*position),
            None => drop(self.lanes.insert(lane.into(), to)),
        }
        self.settle();
    }

    pub(crate) fn remove(&mut self, lane: &str) {
        self.lanes.remove(lane);
        self.settle();
    }

    fn settle(&mut self) {
        if let Some(lowest) = self.lanes.values().min() {
            self.floor = self.floor.max(*lowest);
        }
    }

    /// The highest position that stands here.
    pub(crate) fn highest(&self) -> Position {
        self.lanes.values().copied().fold(self.floor, Position::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(value: u64) -> Position {
        Position::new(value)
    }

    #[test]
    fn floor_is_the_slowest_lane_and_never_goes_back() {
        let mut progress = Progress::default();
        progress.advance("a", at(5));
        assert_eq!(progress.floor, at(5));
        progress.advance("b", at(3));
        assert_eq!((progress.lanes["b"], progress.floor), (at(5), at(5)), "a lane cannot join where all is let go");
        progress.advance("b", at(9));
        progress.advance("a", at(4));
        assert_eq!((progress.lanes["a"], progress.floor), (at(5), at(5)));
        progress.remove("a");
        assert_eq!(progress.floor, at(9));
        progress.remove("b");
        assert_eq!((progress.floor, progress.highest()), (at(9), at(9)));
    }
}
