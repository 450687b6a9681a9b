//! The lanes of one consumer by name: one for each member of the next tier, with window, cursor and share.
//!
//! Promises:
//! 1. A member that joins owns records from where the convoy stands; older records keep the owners they had.
//! 2. The lane of a member that left goes on until everything it owned is acknowledged.
//! 3. What is journalled is on the disk with the cursors: a restart routes old records as before, and a member that is
//!    away meanwhile is still one.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tollgate_routing::{Epochs, Members};
use tollgate_runtime::Timestamp;
use tollgate_spool::{Consumer, Lanes, Name, Plan, Position};

use crate::load::Load;
use crate::send::delivery::{Covers, Delivered, Parcel};
use crate::send::hop::Hop;
use crate::send::window::Window;
use crate::step::Share;

/// Bytes on their way in one lane before it falls behind the convoy.
const WINDOW: usize = 4 << 20;

/// Without its journal a consumer cannot know who owned what, so everything that is still there is swept again.
fn restore_epochs(log: &Consumer, seed: u64) -> Epochs {
    let journal = log.journal();
    Epochs::decode(&journal, seed).unwrap_or_else(|error| {
        if !journal.is_empty() {
            tracing::error!(consumer = log.name(), %error, "the journal of members cannot be read: all is sent again");
        }
        // The foremost first: the log lets go of whatever no remaining lane needs.
        let mut lanes: Vec<_> = log.cursors().into_iter().collect();
        lanes.sort_by_key(|(_, cursor)| std::cmp::Reverse(*cursor));
        lanes.iter().for_each(|(lane, _)| log.remove_lane(lane));
        Epochs::new(seed)
    })
}

/// Starts the senders of a lane.
pub(crate) type StartSenders<L> = Box<dyn Fn(Arc<str>, Window<L>) + Send>;

/// The lanes of one consumer.
pub(crate) struct Roster<L> {
    hop: Arc<Hop>,
    changed: watch::Receiver<()>,
    epochs: Epochs,
    lanes: Lanes,
    entries: BTreeMap<usize, Lane<L>>,
    start: StartSenders<L>,
}

struct Lane<L> {
    node: Arc<str>,
    window: Window<L>,
    persisted: Position,
}

impl<L: Load> Roster<L> {
    /// Restores lanes and epochs from what the log's cursors hold.
    pub(crate) fn restore(log: &Consumer, hop: Arc<Hop>, start: StartSenders<L>) -> Self {
        let epochs = restore_epochs(log, hop.seed());
        let mut changed = hop.subscribe();
        if let Some(members) = epochs.members_at(u64::MAX) {
            hop.remember(members);
        }
        changed.mark_changed();
        let (lanes, entries) = (Lanes::new(), BTreeMap::new());
        let mut roster = Self { changed, hop, epochs, lanes, entries, start };
        for (node, cursor) in log.cursors() {
            roster.add(&node, cursor);
        }
        // Whoever the journal names owns something until all lanes are past it, also if a crash took its cursor.
        let missing = Members::new(roster.epochs.nodes());
        roster.add_missing(&missing, log.floor());
        roster
    }

    fn add(&mut self, node: &str, at: Position) {
        let node: Arc<str> = Arc::from(node);
        let window = Window::new();
        (self.start)(Arc::clone(&node), window.clone());
        let lane = self.lanes.join(at);
        self.entries.insert(lane, Lane { node, window, persisted: at });
    }

    /// Waits for a change of members. Cancel safe.
    pub(crate) async fn members_changed(&mut self) {
        // The hop lives as long as its roster, so its sender is never gone.
        let _ = self.changed.changed().await;
        self.changed.mark_changed();
    }

    /// Takes in a change of members: a new epoch begins where the foremost lane stands.
    ///
    /// It is durable before a record is routed by it, or a crash would give what is sent anew to other owners.
    pub(crate) async fn adopt_members(&mut self, log: &Consumer) {
        if !self.changed.has_changed().unwrap_or(false) {
            return;
        }
        self.changed.mark_unchanged();
        let members = self.hop.members();
        if members.is_empty() {
            return; // nobody to give records to: they wait in the log
        }
        let known = self.epochs.members_at(u64::MAX) == Some(&members);
        let swept = self.entries.keys().filter_map(|lane| self.lanes.swept_to(*lane)).max();
        // After a restart all lanes may stand before the last change: what lies between keeps its owners.
        let convoy = swept.unwrap_or_else(|| log.floor()).max(Position::new(self.epochs.newest().unwrap_or_default()));
        if let Err(error) = self.epochs.begin(convoy.value(), members.clone()) {
            tracing::error!(consumer = log.name(), %error, "a change of members was not taken in");
            return;
        }
        self.add_missing(&members, convoy);
        // First the lanes, then the journal: a record that routes to a node must not be passed before its lane is there.
        for lane in self.entries.values() {
            log.advance(&lane.node, lane.persisted);
        }
        self.retire(log);
        self.journal(log);
        if !known && let Err(error) = log.persist().await {
            tracing::warn!(consumer = log.name(), %error, "the new members may be forgotten in a crash");
        }
    }

    fn add_missing(&mut self, members: &Members, at: Position) {
        for node in members.iter() {
            if !self.entries.values().any(|lane| &*lane.node == node) {
                self.add(node, at);
            }
        }
    }

    fn journal(&self, log: &Consumer) {
        let mut journal = Vec::new();
        self.epochs.encode(&mut journal);
        log.set_journal(journal.into());
    }

    /// The next stretch of the log: for the lanes furthest behind whose window, with what `filling` adds, has room.
    pub(crate) fn plan(&mut self, filling: impl Fn(usize) -> usize) -> Option<Plan> {
        let entries = &self.entries;
        let has_credit = |lane| entries.get(&lane).is_some_and(|entry| entry.window.bytes() + filling(lane) < WINDOW);
        self.lanes.plan(has_credit)
    }

    /// Who owns what of a record among the lanes of the plan.
    pub(crate) fn share(&self, plan: &Plan, position: Position) -> Option<Share<'_>> {
        let owners = self.epochs.owners_at(position.value())?;
        let mut part_of_member = vec![None; owners.members().len()];
        for (part, lane) in plan.members.iter().enumerate() {
            let number = self.entries.get(lane).and_then(|entry| owners.members().number(&entry.node));
            if let Some(place) = number.and_then(|number| part_of_member.get_mut(number)) {
                *place = Some(part);
            }
        }
        Some(Share::new(owners, part_of_member, plan.members.clone()))
    }

    /// Begins a parcel that holds the lane's cursor at this record.
    pub(crate) fn begin(&mut self, lane: usize, covers: Covers, load: L) -> Option<Parcel<L>> {
        let ticket = self.lanes.sent(lane, covers.from, covers.to)?;
        let owner = Arc::clone(&self.entries.get(&lane)?.node);
        Some(Parcel { ticket, owner, bytes: load.bytes(), load, covers })
    }

    /// The lanes that have nothing on their way nor, but for what begins with `filling`, anything swept that has not
    /// arrived; each with where it stands.
    pub(crate) fn idle(&self, filling: impl Fn(usize) -> bool) -> Vec<(usize, Position)> {
        let is_idle = |lane: &usize, entry: &Lane<L>| entry.window.oldest().is_none() && !filling(*lane);
        let idle = self.entries.iter().filter(|(lane, entry)| is_idle(lane, entry));
        idle.filter_map(|(lane, _)| Some((*lane, self.lanes.swept_to(*lane)?))).collect()
    }

    /// Sends what tells of a lane that stands at `at`, where nothing that arrived before `arrived` is left.
    pub(crate) fn pulse(&mut self, lane: usize, at: Position, arrived: Timestamp, (origin, load): (Name, L)) {
        let Some((ticket, entry)) = self.lanes.sent(lane, at, at).zip(self.entries.get(&lane)) else { return };
        let (owner, covers) =
            (Arc::clone(&entry.node), Covers { origin, listener: None, from: at, to: at, arrived: (arrived, arrived) });
        entry.window.send(Parcel { ticket, owner, load, covers, bytes: 0 });
    }

    /// Hands a parcel to the lane's senders.
    pub(crate) fn send(&self, parcel: Parcel<L>) {
        if let Some(entry) = self.entries.get(&parcel.ticket.lane()) {
            entry.window.send(parcel);
        }
    }

    /// The plan's records were handled up to here: what they held for a lane is in a parcel with a ticket.
    pub(crate) fn swept(&mut self, plan: &Plan, to: Position) {
        for lane in self.lanes.swept(plan, to) {
            self.lanes.passed(lane, to);
        }
    }

    /// All records before this position are gone.
    pub(crate) fn skip(&mut self, to: Position) {
        self.lanes.skip(to);
    }

    /// A parcel got through.
    pub(crate) fn settle(&mut self, done: Delivered) {
        let Delivered { ticket, from, bytes, items } = done;
        let lane = ticket.lane();
        let counts = self.lanes.acknowledged(ticket);
        if let Some(entry) = self.entries.get(&lane).filter(|_| counts) {
            entry.window.settle(from, bytes, items);
        }
    }

    /// Takes back whatever is not acknowledged, to be made anew; says how many items that is.
    pub(crate) fn take_back(&mut self) -> u64 {
        let mut items = 0;
        for (&lane, entry) in &mut self.entries {
            items += entry.window.items();
            entry.window.close();
            entry.window = Window::new();
            (self.start)(Arc::clone(&entry.node), entry.window.clone());
            self.lanes.rewind(lane);
        }
        items
    }

    /// Moves the cursors on the disk, forgets epochs that no record needs, and lets go of lanes that are done.
    pub(crate) fn move_cursors(&mut self, log: &Consumer) {
        for (&lane, entry) in &mut self.entries {
            if let Some(cursor) = self.lanes.cursor(lane).filter(|cursor| *cursor > entry.persisted) {
                entry.persisted = cursor;
                log.advance(&entry.node, cursor);
            }
        }
        let slowest = self.entries.values().map(|entry| entry.persisted).min();
        let before = self.epochs.len();
        if let Some(slowest) = slowest {
            self.epochs.prune(slowest.value());
        }
        if self.epochs.len() < before {
            self.retire(log);
            self.journal(log);
        }
    }

    /// Lanes of nodes that no remaining epoch names own nothing any more.
    fn retire(&mut self, log: &Consumer) {
        let named = Members::new(self.epochs.nodes());
        let (lanes, entries) = (&mut self.lanes, &mut self.entries);
        entries.retain(|&lane, entry| {
            let stays = named.number(&entry.node).is_some();
            if !stays {
                entry.window.close();
                lanes.leave(lane);
                log.remove_lane(&entry.node);
            }
            stays
        });
    }

    /// Whether anything is on its way.
    pub(crate) fn is_busy(&self) -> bool {
        self.entries.values().any(|entry| entry.window.items() > 0)
    }

    /// Whether anything is not acknowledged, or only told.
    pub(crate) fn is_waiting(&self) -> bool {
        self.entries.values().any(|entry| entry.window.oldest().is_some())
    }

    /// Ends the senders.
    pub(crate) fn close(&self) {
        for entry in self.entries.values() {
            entry.window.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tollgate_federation::Signal;
    use tollgate_runtime::Clock;
    use tollgate_transport::Local;

    use super::*;
    use crate::rig::{self, cursors, entry, spans};

    /// Sweeps the log's next record into a parcel on its way.
    async fn sweep(roster: &mut Roster<Local>, log: &Consumer) {
        let plan = roster.plan(|_| 0).unwrap();
        let chunk = log.read(plan.from, 1, None).await.unwrap();
        let parcel =
            roster.begin(plan.members[0], Covers::of(&chunk.records[0], None), rig::local(spans([1]))).unwrap();
        roster.swept(&plan, chunk.end);
        roster.send(parcel);
    }

    /// Scenario: a parcel arrives just when it was taken back. Guarantees: its late acknowledgement gives no credit for
    /// what was made anew, and moves no cursor past it.
    #[tokio::test]
    async fn an_acknowledgement_of_what_was_taken_back_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let spool = rig::log(dir.path(), "there", &Clock::system());
        spool.append(entry(spans([1]))).await.unwrap();
        let (log, windows) = (spool.consumer("there").unwrap(), Arc::new(Mutex::new(Vec::new())));
        let hop = Arc::new(Hop::to_one("a", Signal::Traces, Clock::system()));
        let started = Arc::clone(&windows);
        let start = Box::new(move |_: Arc<str>, window| started.lock().unwrap().push(window));
        let mut roster = Roster::<Local>::restore(&log, hop, start);
        roster.adopt_members(&log).await;
        let taken = async |number: usize| {
            let window: Window<Local> = windows.lock().unwrap()[number].clone();
            let Parcel { ticket, bytes, load, covers, .. } = window.next().await.unwrap();
            Delivered { ticket, from: covers.from, bytes, items: load.items() }
        };

        sweep(&mut roster, &log).await;
        let late = taken(0).await;
        assert_eq!(roster.take_back(), 1);
        sweep(&mut roster, &log).await;
        roster.settle(late);
        roster.move_cursors(&log);
        assert!(roster.is_busy());
        assert_eq!(cursors(&spool)["a"], Position::ZERO);

        roster.settle(taken(1).await);
        roster.move_cursors(&log);
        assert!(!roster.is_busy());
        assert_eq!(cursors(&spool)["a"], spool.durable_end());
    }
}
