//! Where each destination of a consumer stands, and what to read next for whom.
//!
//! Promises:
//! 1. A lane's cursor never passes a position whose parcel is not acknowledged.
//! 2. Every position is swept for every lane exactly once, until the lane is rewound.
//! 3. Lanes that stand at the same position are swept together; a lane that fell behind stops where others stand, and
//!    goes on with them.
//! 4. No I/O and no clock: what is planned depends only on what was said.
//!
//! Not here: windows in bytes (the caller's `credit`), names of lanes and cursor files (`consumer.rs`).

use std::collections::BTreeMap;

use crate::position::Position;

/// The lanes of one consumer.
#[derive(Debug, Default)]
pub struct Lanes {
    lanes: BTreeMap<usize, Lane>,
    next_lane: usize,
    next_ticket: u64,
    /// How often a lane was rewound.
    turns: u64,
}

#[derive(Debug)]
struct Lane {
    /// Everything before this was swept.
    next: Position,
    /// Everything before this was sent, or held nothing for this lane.
    sent: Position,
    /// Where each parcel that is not acknowledged begins, by ticket.
    flying: BTreeMap<u64, Position>,
    /// The turn of its last rewind: plans made before it do not count for it.
    turn: u64,
}

/// What to read next, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where the convoy stands.
    pub from: Position,
    /// Where the next lanes stand, to be met there.
    pub until: Option<Position>,
    /// The lanes of the convoy.
    pub members: Vec<usize>,
    turn: u64,
}

/// A parcel on its way; given back when it is acknowledged.
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket {
    lane: usize,
    number: u64,
}

impl Ticket {
    /// The lane it belongs to.
    pub fn lane(&self) -> usize {
        self.lane
    }
}

impl Lane {
    fn cursor(&self) -> Position {
        self.flying.values().copied().fold(self.sent, Position::min)
    }
}

impl Lanes {
    /// No lanes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a lane that has acknowledged everything before `at`; the number it gets is not used again.
    pub fn join(&mut self, at: Position) -> usize {
        let number = self.next_lane;
        self.next_lane += 1;
        self.lanes.insert(number, Lane { next: at, sent: at, flying: BTreeMap::new(), turn: 0 });
        number
    }

    /// Removes a lane; its tickets mean nothing any more.
    pub fn leave(&mut self, lane: usize) {
        self.lanes.remove(&lane);
    }

    /// The group that is furthest back among those with credit.
    pub fn plan(&self, mut credit: impl FnMut(usize) -> bool) -> Option<Plan> {
        let mut groups: BTreeMap<Position, Vec<usize>> = BTreeMap::new();
        for (number, lane) in &self.lanes {
            groups.entry(lane.next).or_default().push(*number);
        }
        let mut ahead: Vec<Position> = groups.keys().copied().collect();
        ahead.reverse();
        for (from, mut members) in groups {
            ahead.pop();
            members.retain(|lane| credit(*lane));
            if !members.is_empty() {
                return Some(Plan { from, until: ahead.last().copied(), members, turn: self.turns });
            }
        }
        None
    }

    /// The plan's records were handled up to `to`. Says which lanes that counts for: not for those that were rewound
    /// or left meanwhile.
    pub fn swept(&mut self, plan: &Plan, to: Position) -> Vec<usize> {
        let mut moved = Vec::new();
        for number in &plan.members {
            if let Some(lane) =
                self.lanes.get_mut(number).filter(|lane| lane.next == plan.from && lane.turn <= plan.turn)
            {
                lane.next = lane.next.max(to);
                moved.push(*number);
            }
        }
        moved
    }

    /// A parcel with all that the lane had between `from` and `to` is on its way. `None` if there is no such lane.
    ///
    /// A parcel that ends within a record ends, for this, where the record begins.
    pub fn sent(&mut self, lane: usize, from: Position, to: Position) -> Option<Ticket> {
        let lane_state = self.lanes.get_mut(&lane)?;
        let number = self.next_ticket;
        self.next_ticket += 1;
        lane_state.flying.insert(number, from);
        lane_state.sent = lane_state.sent.max(to.min(lane_state.next));
        Some(Ticket { lane, number })
    }

    /// The lane has nothing unsent before `to`.
    pub fn passed(&mut self, lane: usize, to: Position) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.sent = lane.sent.max(to.min(lane.next));
        }
    }

    /// The parcel arrived. Says whether that still counts: not after a rewind.
    pub fn acknowledged(&mut self, ticket: Ticket) -> bool {
        self.lanes.get_mut(&ticket.lane).is_some_and(|lane| lane.flying.remove(&ticket.number).is_some())
    }

    /// The lowest position that is not acknowledged.
    pub fn cursor(&self, lane: usize) -> Option<Position> {
        self.lanes.get(&lane).map(Lane::cursor)
    }

    /// Up to where the lane was swept.
    pub fn swept_to(&self, lane: usize) -> Option<Position> {
        self.lanes.get(&lane).map(|lane| lane.next)
    }

    /// Parcels of the lane that are not acknowledged.
    pub fn unacknowledged(&self, lane: usize) -> usize {
        self.lanes.get(&lane).map_or(0, |lane| lane.flying.len())
    }

    /// Takes back all that is not acknowledged: it will be swept again from the cursor on.
    pub fn rewind(&mut self, lane: usize) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            self.turns += 1;
            let cursor = lane.cursor();
            *lane = Lane { next: cursor, sent: cursor, flying: BTreeMap::new(), turn: self.turns };
        }
    }

    /// Records before `to` are gone (expired or damaged): lanes behind it go on there. Their parcels may still arrive.
    pub fn skip(&mut self, to: Position) {
        for lane in self.lanes.values_mut().filter(|lane| lane.next < to) {
            (lane.next, lane.sent) = (to, to);
        }
    }
}

#[cfg(test)]
mod tests;
