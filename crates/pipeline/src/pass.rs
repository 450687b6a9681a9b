//! A complete copy for a place inside the region: a backend, or the region's own central tier.

use std::sync::Arc;

use tollgate_otlp::Batch;
use tollgate_spool::Record;
use tollgate_transport::Local;

use crate::load::local::{LocalMaker, assign};
use crate::node::counters::ConsumerCounters;
use crate::records::{self, KEPT};
use crate::step::{Share, Step};

/// Which records a place gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// All that this node holds.
    All,
    /// Only what this region's own collectors sent, not what came over a link.
    Home,
}

/// The step for places inside the region.
pub(crate) struct Pass {
    pub(crate) maker: LocalMaker,
    pub(crate) which: Which,
    pub(crate) counters: Arc<ConsumerCounters>,
}

impl Step for Pass {
    type Load = Local;

    fn run(&mut self, record: &Record, batch: Batch<'_>, share: &Share<'_>) -> Vec<Option<Local>> {
        if self.which == Which::Home && !records::is_from_own_collector(record) {
            return share.lanes().map(|_| None).collect();
        }
        let part_of_item = assign(batch, share);
        self.counters.offered(part_of_item.iter().flatten().count() as u64);
        // The sampler wrote nothing but what goes out: where all of it goes to one, it needs no copy.
        if record.kind == KEPT && share.parts() == 1 && part_of_item.iter().all(|part| *part == Some(0)) {
            return vec![self.maker.whole(record.payload.clone(), part_of_item.len())];
        }
        let as_it_is = |resource: &[u8], out: &mut Vec<u8>| out.extend_from_slice(resource);
        self.maker.parts(batch, &part_of_item, share.parts(), &as_it_is)
    }
}
