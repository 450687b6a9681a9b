//! Who sends traces here, and how far behind each of them is: what sampling waits for.
//!
//! A sender tells by its own clock how long its oldest item has waited. Where it falls silent (stopped, frozen, cut off) it
//! is behind by as long as it is silent: senders with nothing to send say so twice a second.
//!
//! Promises:
//! 1. What a sender says counts from where it was in our log: never before what it had sent until then is read.
//! 2. Only differences of times of one clock count. The moment at which something arrived is corrected by the delay of its
//!    way, so that what was held up on it tells nothing that is no longer true.
//! 3. Nobody is waited for longer than `patience`, whatever it says and however long it is silent.
//! 4. Who said goodbye is not missed until it says something again, if another of its tier is here: what the last one would have got
//!    waits where it comes from.
//! 5. Memory is bounded: by senders and by what is kept of each.
//!
//! Not here: who may send (`admit.rs`), what is done about it (`hold.rs`), who sent to the process before (`node/senders.rs`).

mod heard;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tollgate_federation::{Manifest, NodeId, Progress, Role, Signal};
use tollgate_runtime::{Clock, Timestamp};
use tollgate_spool::Position;

use heard::Heard;

/// How often a sender that has nothing to send says so.
pub(crate) const PULSE: Duration = Duration::from_millis(500);
/// After so long without a word a sender is no longer expected back.
const FORGOTTEN: Duration = Duration::from_secs(3600);
/// Senders that are remembered at most: many times what a tier has.
const MOST: usize = 4096;

/// Everybody who was heard of since this process started, and whom it expects from before.
#[derive(Debug)]
pub(crate) struct Attendance {
    clock: Clock,
    began: Duration,
    /// Since its start a process knows of no sender; from when it can be reached it tells nothing, for this long, of those
    /// who have yet to come back.
    settling: Duration,
    opened: OnceLock<Duration>,
    patience: Mutex<Duration>,
    senders: Mutex<BTreeMap<NodeId, Heard>>,
    /// Counts how often somebody came or went.
    comings: AtomicU64,
}

/// What a manifest says of its sender.
pub(crate) struct Word {
    node: NodeId,
    boot: u64,
    progress: Progress,
}

/// How far behind the senders of traces are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lag {
    /// Of the last of those who are waited for.
    pub(crate) awaited: Duration,
    /// Of the last of all, also of those who were waited for in vain.
    pub(crate) of_all: Duration,
}

/// One sender, for metrics and status.
#[derive(Clone, Debug)]
pub(crate) struct Attendee {
    pub(crate) node: NodeId,
    pub(crate) lag: Duration,
    pub(crate) silent: Duration,
    pub(crate) is_awaited: bool,
}

impl Word {
    /// What a parcel of traces says; none if its sender says nothing.
    pub(crate) fn of(manifest: &Manifest) -> Option<Self> {
        let progress = manifest.progress.filter(|_| manifest.signal == Signal::Traces)?;
        Some(Self { node: manifest.node.clone(), boot: manifest.boot, progress })
    }

    /// Who says it.
    pub(crate) fn node(&self) -> &NodeId {
        &self.node
    }
}

impl Attendance {
    pub(crate) fn new(clock: Clock, settling: Duration, patience: Duration) -> Arc<Self> {
        let (began, senders, patience) = (clock.uptime(), Mutex::default(), Mutex::new(patience));
        let (opened, comings) = (OnceLock::new(), AtomicU64::new(0));
        Arc::new(Self { clock, began, settling, opened, patience, senders, comings })
    }

    /// Senders can reach us from now on.
    pub(crate) fn open(&self) {
        let _ = self.opened.set(self.clock.uptime());
    }

    /// Senders are waited for as long as this from now on.
    pub(crate) fn wait_for(&self, patience: Duration) {
        *self.patience.lock().unwrap_or_else(PoisonError::into_inner) = patience;
    }

    fn patience(&self) -> Duration {
        *self.patience.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Expects somebody who was heard of by the process before: as if silent from now on, with nothing known of what is left there.
    pub(crate) fn expect(&self, node: NodeId) {
        let mut senders = self.lock();
        if senders.len() < MOST {
            senders.entry(node).or_insert_with(|| Heard::new(0, self.clock.uptime()));
        }
    }

    /// Forgets everybody else: nothing comes from them any more.
    pub(crate) fn keep(&self, belongs: impl Fn(&NodeId) -> bool) {
        self.retain(&mut self.lock(), |node, _| belongs(node));
    }

    /// Who sends, and how often somebody came or went until then.
    pub(crate) fn names(&self) -> (u64, Vec<NodeId>) {
        let (now, patience, senders) = (self.clock.uptime(), self.patience(), self.lock());
        let staying = Staying::of(&senders, now, patience);
        let missed = senders.iter().filter(|(node, heard)| staying.gone(node, heard).is_none());
        (self.comings.load(Ordering::Relaxed), missed.map(|(node, _)| node.clone()).collect())
    }

    fn retain(&self, senders: &mut BTreeMap<NodeId, Heard>, stays: impl Fn(&NodeId, &Heard) -> bool) {
        let before = senders.len();
        senders.retain(|node, heard| stays(node, heard));
        self.comings.fetch_add((before - senders.len()) as u64, Ordering::Relaxed);
    }

    /// Takes in what a sender said; all that it had sent before lies in our log before `end`.
    pub(crate) fn heard(&self, word: &Word, end: Position) {
        let now = self.clock.uptime();
        let mut senders = self.lock();
        if let Some(heard) = senders.get_mut(&word.node) {
            let before = heard.left().is_some();
            heard.add(word.boot, word.progress, end, now);
            self.comings.fetch_add(u64::from(before != heard.left().is_some()), Ordering::Relaxed);
            return;
        }
        if senders.len() < MOST {
            let mut heard = Heard::new(word.boot, now);
            heard.add(word.boot, word.progress, end, now);
            senders.insert(word.node.clone(), heard);
            self.comings.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How far behind they are for who has read our log up to `position`.
    pub(crate) fn lag(&self, position: Position) -> Lag {
        let (now, patience) = (self.clock.uptime(), self.patience());
        let mut senders = self.lock();
        self.retain(&mut senders, |_, heard| now.saturating_sub(heard.last()) <= FORGOTTEN);
        let has_settled = self.opened.get().is_some_and(|opened| now.saturating_sub(*opened) >= self.settling);
        let settling = if has_settled { Duration::ZERO } else { now.saturating_sub(self.began) };
        let mut lag = Lag { awaited: settling, of_all: settling };
        let staying = Staying::of(&senders, now, patience);
        let is_missed = |node: &NodeId, heard: &Heard| staying.gone(node, heard).is_none_or(|end| position < end);
        for (_, heard) in senders.iter().filter(|(node, heard)| is_missed(node, heard)) {
            let of_sender = now.saturating_sub(heard.sent_before(position));
            lag.of_all = lag.of_all.max(of_sender);
            if now.saturating_sub(heard.last()) <= patience {
                lag.awaited = lag.awaited.max(of_sender);
            }
        }
        lag
    }

    /// Up to when all that reached any of them was sent on to us, and lies in our log before `position`.
    pub(crate) fn sent_before(&self, position: Position) -> Timestamp {
        let lag = u64::try_from(self.lag(position).awaited.as_nanos()).unwrap_or(u64::MAX);
        Timestamp::from_nanos(self.clock.now().nanos().saturating_sub(lag))
    }

    /// Each of them.
    pub(crate) fn all(&self) -> Vec<Attendee> {
        let (now, patience) = (self.clock.uptime(), self.patience());
        let attendee = |(node, heard): (&NodeId, &Heard)| {
            let silent = now.saturating_sub(heard.last());
            let lag = now.saturating_sub(heard.newest());
            Attendee { node: node.clone(), lag, silent, is_awaited: silent <= patience }
        };
        let senders = self.lock();
        let staying = Staying::of(&senders, now, patience);
        senders.iter().filter(|(node, heard)| staying.gone(node, heard).is_none()).map(attendee).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, Heard>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tiers of which somebody is here for what comes now: of their others goodbyes count.
#[derive(Debug)]
struct Staying<'s>(BTreeSet<(&'s str, Role, Option<&'s str>)>);

impl<'s> Staying<'s> {
    fn of(senders: &'s BTreeMap<NodeId, Heard>, now: Duration, patience: Duration) -> Self {
        let asked = senders.values().any(|heard| heard.left().is_some());
        let is_here = |heard: &Heard| heard.left().is_none() && now.saturating_sub(heard.last()) <= patience;
        let here = senders.iter().filter(|(_, heard)| asked && is_here(heard));
        Self(here.map(|(node, _)| tier(node)).collect())
    }

    /// Up to where all lies that somebody sent who is gone.
    fn gone(&self, node: &NodeId, heard: &Heard) -> Option<Position> {
        heard.left().filter(|_| self.0.contains(&tier(node)))
    }
}

fn tier(node: &NodeId) -> (&str, Role, Option<&str>) {
    (node.region().as_str(), node.role(), node.cluster())
}

#[cfg(test)]
mod tests;
