//! A complete copy for a place inside the region: a backend, or the region's own central tier.

mod home_ids;

use std::sync::Arc;
use std::time::Duration;

use tollgate_otlp::Batch;
use tollgate_spool::{Name, Record};
use tollgate_transport::Local;

use crate::load::local::{LocalMaker, assign};
use crate::node::counters::ConsumerCounters;
use crate::node::keys;
use crate::records::{self, KEPT};
use crate::step::{Share, Step};
pub(crate) use home_ids::HomeIds;
use home_ids::Ids;

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
    /// On the way to the region's own central tier.
    pub(crate) ids: Option<HomeIds>,
}

impl Step for Pass {
    type Load = Local;

    fn run(&mut self, record: &Record, batch: Batch<'_>, share: &Share<'_>) -> Vec<Option<Local>> {
        if self.which == Which::Home && records::FromCollector::of(record.peer.as_str()).is_none() {
            return share.lanes().map(|_| None).collect();
        }
        let ids = self.ids.as_mut().map_or(Ids::AsTheyAre, |ids| ids.of(record, batch));
        let came = batch.index.items();
        let batch = match &ids {
            Ids::AsTheyAre => batch,
            Ids::Blinded(payload, index) => Batch::new(payload, index),
            Ids::KeyMissing => return self.withhold(batch, share),
        };
        let lost = came.saturating_sub(batch.index.items()) as u64;
        self.counters.offered(lost);
        self.counters.withheld(lost);
        let part_of_item = assign(batch, share);
        self.counters.offered(part_of_item.iter().flatten().count() as u64);
        // The sampler wrote nothing but what goes out: where all of it goes to one, it needs no copy.
        if matches!(ids, Ids::AsTheyAre)
            && record.kind == KEPT
            && share.parts() == 1
            && part_of_item.iter().all(|part| *part == Some(0))
        {
            return vec![self.maker.whole(record.payload.clone(), part_of_item.len())];
        }
        let as_it_is = |resource: &[u8], out: &mut Vec<u8>| out.extend_from_slice(resource);
        self.maker.parts(batch, &part_of_item, share.parts(), &as_it_is)
    }

    fn pulse(&mut self) -> Option<(Name, Local)> {
        (self.which == Which::Home).then(|| self.maker.nothing())
    }

    fn renew(&mut self) -> bool {
        self.ids.as_mut().is_some_and(HomeIds::renew)
    }

    async fn outdated(&mut self) {
        match &mut self.ids {
            Some(ids) => ids.outdated().await,
            None => std::future::pending().await,
        }
    }

    fn renews_in(&self) -> Option<Duration> {
        self.ids.as_ref().filter(|ids| ids.is_on()).map(|_| keys::INTERVAL)
    }
}

impl Pass {
    /// What would be the share's goes nowhere, for want of the key that blinds its ids.
    fn withhold(&self, batch: Batch<'_>, share: &Share<'_>) -> Vec<Option<Local>> {
        let items = assign(batch, share).iter().flatten().count() as u64;
        self.counters.offered(items);
        self.counters.withheld(items);
        self.counters.keys_missing(items);
        share.lanes().map(|_| None).collect()
    }
}
