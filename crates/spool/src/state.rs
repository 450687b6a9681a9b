//! What the log's thread and its consumers share: the segments, the recent records, the backlogs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tollgate_runtime::{Buffers, Clock, Timestamp};

use crate::backlog::Backlog;
use crate::config::WhenFull;
use crate::marks::{Mark, Marks};
use crate::name::Name;
use crate::position::Position;
use crate::quarantine::Quarantine;
use crate::recent::{Chunk, Recent};
use crate::segment::Segment;

/// So many bytes of buffers for reading are kept at hand.
const READING: usize = 4 << 20;

/// Shared by the log's thread, its handles and its consumers.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) durable: watch::Sender<Durable>,
    pub(crate) clock: Clock,
    pub(crate) quarantine: Quarantine,
    pub(crate) buffers: Buffers,
}

/// What everyone waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Durable {
    pub(crate) end: Position,
    pub(crate) closed: bool,
}

#[derive(Debug)]
pub(crate) struct State {
    /// Ascending; the last one may be growing.
    pub(crate) segments: VecDeque<Live>,
    pub(crate) recent: Recent,
    pub(crate) backlogs: Vec<Backlog>,
    /// All before this is durable, and nothing is after it.
    pub(crate) end: Position,
    /// The last arrival stamp.
    pub(crate) stamp: Timestamp,
    /// Segments on the disk that wait to be used again.
    pub(crate) spares: usize,
    /// Progress was made that no cursor file holds yet.
    pub(crate) dirty: bool,
    pub(crate) counts: Counts,
}

/// What happened to the log since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records appended.
    pub appended: u64,
    /// Commits, each one write and at most one sync.
    pub commits: u64,
    /// Appends refused because a budget was spent.
    pub refused: u64,
    /// Writes and syncs that failed; each moved the log to a new segment.
    pub failed_writes: u64,
    /// Segments found damaged.
    pub quarantined: u64,
    /// Bytes of log lost to damage.
    pub damaged_bytes: u64,
}

/// A segment with records in it.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) segment: Arc<Segment>,
    /// The end of its last durable record.
    pub(crate) end: Position,
    pub(crate) names: Arc<Vec<Name>>,
    pub(crate) marks: Marks,
    pub(crate) damage: Option<Damage>,
    /// A file that failed once is not used again.
    pub(crate) reuse: Reuse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    Recycle,
    Delete,
}

/// Unreadable positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) from: Position,
    pub(crate) resume: Position,
}

/// Where the records from some position on are.
#[derive(Debug)]
pub(crate) enum Found {
    Memory(Chunk),
    Disk(OnDisk),
    /// Nowhere; go on at the given position.
    Lost(Position),
    NotYet,
}

/// A durable part of a segment. Holding it keeps the file from being recycled.
#[derive(Clone, Debug)]
pub(crate) struct OnDisk {
    pub(crate) segment: Arc<Segment>,
    pub(crate) names: Arc<Vec<Name>>,
    pub(crate) from: Position,
    pub(crate) end: Position,
}

impl Shared {
    pub(crate) fn new(state: State, clock: Clock, quarantine: Quarantine) -> Self {
        let (durable, _) = watch::channel(Durable { end: state.end, closed: false });
        Self { state: Mutex::new(state), durable, clock, quarantine, buffers: Buffers::new(READING) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(crate) fn find(&self, from: Position, max_bytes: u64, until: Option<Position>) -> Found {
        if until.is_some_and(|until| until <= from) {
            return Found::Memory(Chunk { records: Vec::new(), end: from });
        }
        if from >= self.end {
            return Found::NotYet;
        }
        if let Some(chunk) = self.recent.chunk(from, max_bytes, until) {
            return Found::Memory(chunk);
        }
        let next = self.segments.partition_point(|live| live.segment.header.base <= from);
        let resume = self.segments.get(next).map_or(self.end, |live| live.segment.header.base);
        match next.checked_sub(1).and_then(|last| self.segments.get(last)).filter(|live| from < live.end) {
            Some(live) => live.find(from),
            None => Found::Lost(resume),
        }
    }

    /// The lowest position that some consumer still needs.
    pub(crate) fn floor(&self) -> Position {
        self.backlogs.iter().map(|backlog| backlog.progress.floor).min().unwrap_or(self.end)
    }

    /// Disk held by whoever still needs `from`; a segment that no longer grows counts whole.
    pub(crate) fn held(&self, from: Position) -> u64 {
        let Some(last) = self.segments.back() else { return 0 };
        let begin = self.segments.partition_point(|live| live.end <= from);
        let holding = self.segments.iter().skip(begin);
        let whole: u64 = holding.clone().map(|live| live.segment.capacity).sum();
        let read = holding.take(1).map(|live| from.since(live.segment.header.base)).sum::<u64>();
        let free = if from < last.end { last.segment.capacity - last.used() } else { 0 };
        whole.saturating_sub(read + free)
    }

    /// Lets every consumer that is past its limits go of its oldest. `closing` more bytes are about to be held: the
    /// free rest of a segment that will not grow further.
    pub(crate) fn expire(&mut self, now: Timestamp, closing: u64) {
        for number in 0..self.backlogs.len() {
            let Some(target) = self.backlogs.get(number).and_then(|backlog| self.expired(backlog, now, closing)) else {
                continue;
            };
            if let Some(backlog) = self.backlogs.get_mut(number) {
                self.dirty = true;
                let first = backlog.expired == 0;
                let bytes = backlog.expire(target);
                // Goes on for as long as the consumer is stuck: the count tells the rest.
                if first {
                    tracing::warn!(consumer = %backlog.name, bytes, "backlog is past its limits, its oldest records expire");
                }
            }
        }
    }

    fn expired(&self, backlog: &Backlog, now: Timestamp, closing: u64) -> Option<Position> {
        let floor = backlog.progress.floor;
        if backlog.when_full == WhenFull::Refuse || floor >= self.end {
            return None;
        }
        let aged = self.aged(now, backlog.max_age);
        let fits = |position: Position| position >= self.end || self.held(position) + closing <= backlog.share;
        let target = if fits(floor.max(aged)) {
            aged
        } else {
            let marks = self.boundaries().filter(|mark| mark.position > floor);
            marks.map(|mark| mark.position).find(|position| fits(*position)).unwrap_or(self.end).max(aged)
        };
        (target > floor).then_some(target)
    }

    /// Whether a consumer that rather stops intake does so for `bytes` more.
    pub(crate) fn refuses(&self, now: Timestamp, bytes: u64) -> bool {
        self.backlogs.iter().filter(|backlog| backlog.when_full == WhenFull::Refuse).any(|backlog| {
            let floor = backlog.progress.floor;
            floor < self.end && (self.held(floor) + bytes > backlog.share || floor < self.aged(now, backlog.max_age))
        })
    }

    /// Everything before this arrived longer than `max_age` ago.
    fn aged(&self, now: Timestamp, max_age: Duration) -> Position {
        let old = |mark: &Mark| now.since(mark.arrival) > max_age;
        let end = Mark { position: self.end, arrival: self.stamp };
        if old(&end) {
            return self.end;
        }
        // Stamps ascend: what lies before a mark arrived no later than the mark.
        self.boundaries().take_while(old).last().map_or(Position::ZERO, |mark| mark.position)
    }

    fn boundaries(&self) -> impl Iterator<Item = Mark> {
        self.segments.iter().flat_map(|live| live.marks.all().iter().copied())
    }

    /// How long the oldest record from `position` on has waited, at most a minute too much.
    pub(crate) fn age(&self, position: Position, now: Timestamp) -> Duration {
        if position >= self.end {
            return Duration::ZERO;
        }
        let exact = self.recent.record_at(position).map(|record| record.arrival);
        let begin = self.segments.partition_point(|live| live.end <= position);
        let marked = self.segments.get(begin).and_then(|live| {
            live.marks.before(position).or_else(|| live.marks.all().first().copied()).map(|mark| mark.arrival)
        });
        exact.or(marked).map_or(Duration::ZERO, |arrival| now.since(arrival))
    }
}

impl Live {
    pub(crate) fn used(&self) -> u64 {
        self.segment.header.offset(self.end)
    }

    fn find(&self, from: Position) -> Found {
        let damage = self.damage.filter(|damage| from < damage.resume);
        if damage.is_some_and(|damage| damage.from <= from) {
            return damage.map_or(Found::NotYet, |damage| Found::Lost(damage.resume));
        }
        let end = damage.map_or(self.end, |damage| damage.from);
        Found::Disk(OnDisk { segment: Arc::clone(&self.segment), names: Arc::clone(&self.names), from, end })
    }
}
