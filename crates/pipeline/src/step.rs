//! What becomes of a record on its way to the lanes of a consumer: one implementation for each kind of way out.
//!
//! - [`crate::prepare::Prepare`]: a collector stamps and filters; nothing leaves the region.
//! - [`crate::pass::Pass`]: a copy for a place inside the region, complete.
//! - [`crate::seal::Seal`]: what a link's policy lets through, newly constructed.

use std::cell::Cell;
use std::time::Duration;

use tollgate_federation::Listener;
use tollgate_otlp::Batch;
use tollgate_routing::Owners;
use tollgate_spool::{Name, Record};

use crate::load::Load;

/// Turns records into loads.
pub(crate) trait Step: Send + 'static {
    /// What it makes.
    type Load: Load;

    /// The part of the record for each lane of the share, in the order of [`Share::lanes`]; `None` where there is none.
    fn run(&mut self, record: &Record, batch: Batch<'_>, share: &Share<'_>) -> Vec<Option<Self::Load>>;

    /// A request without items, and the origin it goes under: what is sent to whom else nothing is, so that it knows how far
    /// we are. `None` where nobody waits for that.
    fn pulse(&mut self) -> Option<(Name, Self::Load)> {
        None
    }

    /// By which listener of this collector a record came, where what came by several must not share a parcel because rules
    /// of the policy ask for it; `None` where none does.
    fn listener(&self, _: &Record) -> Option<Listener> {
        None
    }

    /// Takes in that time has passed. Whether what was made before must not be sent any more, but made anew.
    fn renew(&mut self) -> bool {
        false
    }

    /// Returns when [`Step::renew`] has something to take in that is not the time. Cancel safe.
    fn outdated(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// When to ask [`Step::renew`] again at the latest, if ever.
    fn renews_in(&self) -> Option<Duration> {
        None
    }
}

/// Which lanes sweep a record now, and who owns what of it.
pub(crate) struct Share<'a> {
    /// The owners in force at the record's position.
    pub(crate) owners: &'a Owners,
    /// For each member of `owners`, which of `lanes` it is, if it takes part in this convoy.
    part_of_member: Vec<Option<usize>>,
    /// Lane numbers that take part.
    lanes: Vec<usize>,
    asked: Asked,
}

impl<'a> Share<'a> {
    pub(crate) fn new(owners: &'a Owners, part_of_member: Vec<Option<usize>>, lanes: Vec<usize>) -> Self {
        let asked = Asked::for_members(part_of_member.len());
        Self { owners, part_of_member, lanes, asked }
    }

    /// The lanes that take part.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = usize> {
        self.lanes.iter().copied()
    }

    /// How many lanes take part.
    pub(crate) fn parts(&self) -> usize {
        self.lanes.len()
    }

    /// Whether every owner takes part: then each item goes to some lane of this convoy.
    pub(crate) fn is_complete(&self) -> bool {
        self.part_of_member.iter().all(Option::is_some)
    }

    /// Which part a routing key (all bytes of a trace id, or a resource) belongs to; `None` for a lane that is not here now.
    pub(crate) fn part_of(&self, key: &[u8]) -> Option<usize> {
        if let [only] = *self.part_of_member {
            return only; // there is no other owner to look for
        }
        let ask = || self.part_of_member.get(self.owners.owner(key)?).copied().flatten();
        match key.try_into() {
            Ok(trace) => self.asked.recall(trace, ask),
            Err(_) => ask(),
        }
    }
}

/// The parts of the traces just asked for. Every span asks, and finding an owner costs a hash for each member.
struct Asked(Box<[Cell<Option<Answer>>]>);

type Answer = ([u8; 16], Option<usize>);

impl Asked {
    /// Fewer members are hashed sooner than looked up.
    const WORTH_IT: usize = 3;
    /// So many traces are remembered at most.
    const TRACES: usize = 256;

    fn for_members(members: usize) -> Self {
        let traces = if members < Self::WORTH_IT { 0 } else { Self::TRACES };
        Self(vec![Cell::new(None); traces].into())
    }

    fn recall(&self, trace: [u8; 16], ask: impl FnOnce() -> Option<usize>) -> Option<usize> {
        // Ids are random, at least in their last bytes; where they are not, it is asked more often.
        let [.., second, last] = trace;
        let at = usize::from(last) ^ (usize::from(second) << 4);
        let Some(slot) = self.0.get(at % Self::TRACES) else { return ask() };
        match slot.get() {
            Some((known, part)) if known == trace => part,
            _ => {
                let part = ask();
                slot.set(Some((trace, part)));
                part
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_routing::{Members, ROUTING_SEED};

    use super::*;

    /// Guarantees: whatever was asked before, a trace goes to its owner; traces that share a place are asked for anew.
    #[test]
    fn an_answer_is_only_of_the_trace_that_was_asked_for() {
        let owners = Owners::new(Members::new(["a", "b", "c", "d", "e"]), ROUTING_SEED);
        let part_of_member = vec![Some(1), Some(0), None, Some(2), Some(3)];
        let share = Share::new(&owners, part_of_member.clone(), (0..4).collect());
        for turn in 0..3 {
            for number in 0..5_000_u128 {
                let trace = ((number << 64) | (number % 7)).to_be_bytes();
                let expected = part_of_member[owners.owner(&trace).unwrap()];
                assert_eq!((share.part_of(&trace), turn), (expected, turn));
            }
        }
        assert_eq!(share.part_of(b"a resource"), part_of_member[owners.owner(b"a resource").unwrap()]);
    }
}
