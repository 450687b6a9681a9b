//! What one sender said: up to when, by our clock, it has sent everything, and where that lies in our log.

use std::collections::VecDeque;
use std::time::Duration;

use tollgate_federation::{Presence, Progress};
use tollgate_spool::Position;

/// Words that come closer together count as one.
const APART: Duration = Duration::from_millis(100);
/// Words that are kept of one sender.
const MOST: usize = 1024;
/// Clocks drift: how far two are apart is looked for in the words of this long.
const OFFSET: Duration = Duration::from_secs(60);

/// What one sender said.
#[derive(Debug)]
pub(super) struct Heard {
    boot: u64,
    last: Duration,
    offset: Option<Offset>,
    words: VecDeque<Said>,
    /// All that it had sent when it said goodbye lies before this.
    left: Option<Position>,
}

/// Whatever reached the sender before `sent_before` lies in our log before `end`.
#[derive(Debug, Clone, Copy)]
struct Said {
    at: Duration,
    end: Position,
    sent_before: Duration,
}

/// Our uptime less the sender's time, in nanoseconds: the least that was seen is the one with the least delay in it.
#[derive(Debug)]
struct Offset {
    since: Duration,
    now: i128,
    before: i128,
}

impl Offset {
    fn least(offset: &mut Option<Self>, seen: i128, at: Duration) -> i128 {
        let offset = offset.get_or_insert(Self { since: at, now: seen, before: seen });
        if at.saturating_sub(offset.since) > OFFSET {
            *offset = Self { since: at, now: seen, before: offset.now };
        }
        offset.now = offset.now.min(seen);
        offset.now.min(offset.before)
    }
}

impl Heard {
    /// Of somebody who has said nothing yet, and is silent from now on.
    pub(super) fn new(boot: u64, now: Duration) -> Self {
        Self { boot, last: now, offset: None, words: VecDeque::new(), left: None }
    }

    pub(super) fn add(&mut self, boot: u64, progress: Progress, end: Position, now: Duration) {
        if boot != self.boot {
            (self.boot, self.offset) = (boot, None);
        }
        let uptime = nanos(now);
        let offset = Offset::least(&mut self.offset, uptime - i128::from(progress.now), now);
        let sent = (i128::from(progress.oldest_unsent) + offset).clamp(0, uptime);
        let sent_before = Duration::from_nanos(u64::try_from(sent).unwrap_or_default());
        self.last = now;
        self.left = (progress.presence == Presence::Leaves).then_some(end);
        self.put(Said { at: now, end, sent_before });
    }

    fn put(&mut self, said: Said) {
        // What was true once stays true, and words may overtake each other.
        let newest = self.words.back().copied();
        let end = newest.map_or(said.end, |newest| newest.end.max(said.end));
        let sent_before = newest.map_or(said.sent_before, |newest| newest.sent_before.max(said.sent_before));
        if newest.is_some_and(|newest| newest.sent_before == sent_before) {
            return;
        }
        let before = self.words.len().checked_sub(2).and_then(|before| self.words.get(before));
        if before.is_some_and(|before| said.at.saturating_sub(before.at) < APART) {
            self.words.pop_back();
        }
        if self.words.len() == MOST {
            self.words.pop_front();
        }
        self.words.push_back(Said { at: said.at, end, sent_before });
    }

    /// Up to where all lies that it had sent, if it said goodbye.
    pub(super) fn left(&self) -> Option<Position> {
        self.left
    }

    /// When it said something last.
    pub(super) fn last(&self) -> Duration {
        self.last
    }

    /// Up to when it has sent everything, wherever that lies.
    pub(super) fn newest(&self) -> Duration {
        self.words.back().map_or(Duration::ZERO, |said| said.sent_before)
    }

    /// Up to when it has sent everything, as far as that lies before `position`.
    pub(super) fn sent_before(&self, position: Position) -> Duration {
        let known = self.words.partition_point(|said| said.end <= position).checked_sub(1);
        known.and_then(|known| self.words.get(known)).map_or(Duration::ZERO, |said| said.sent_before)
    }
}

fn nanos(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
impl Heard {
    /// How many words are kept.
    pub(super) fn kept(&self) -> usize {
        self.words.len()
    }
}
