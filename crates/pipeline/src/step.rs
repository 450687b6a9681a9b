//! What becomes of a record on its way to the lanes of a consumer: one implementation for each kind of way out.
//!
//! - [`crate::prepare::Prepare`]: a collector stamps and filters; nothing leaves the region.
//! - [`crate::pass::Pass`]: a copy for a place inside the region, complete.
//! - [`crate::seal::Seal`]: what a link's policy lets through, newly constructed.

use std::time::Duration;

use tollgate_otlp::Batch;
use tollgate_routing::Owners;
use tollgate_spool::Record;

use crate::load::Load;

/// Turns records into loads.
pub(crate) trait Step: Send + 'static {
    /// What it makes.
    type Load: Load;

    /// The part of the record for each lane of the share, in the order of [`Share::lanes`]; `None` where there is none.
    fn run(&mut self, record: &Record, batch: Batch<'_>, share: &Share<'_>) -> Vec<Option<Self::Load>>;

    /// Takes in that time has passed. Whether what was made before must not be sent any more, but made anew.
    fn renew(&mut self) -> bool {
        false
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
    pub(crate) part_of_member: Vec<Option<usize>>,
    /// Lane numbers that take part.
    pub(crate) lanes: Vec<usize>,
}

impl Share<'_> {
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
        self.part_of_member.get(self.owners.owner(key)?).copied().flatten()
    }
}
