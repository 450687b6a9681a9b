//! What a collector does to its cluster's data before it leaves for the gateway: stamp the resources, drop what is noise.
//!
//! Promises:
//! 1. What a rule drops is counted; nothing else is left out.
//! 2. Everything but the resource's stamp stays byte for byte as received, unknown fields included.

use std::sync::Arc;

use tollgate_otlp::Batch;
use tollgate_spool::Record;
use tollgate_transport::Local;

use crate::counters::ConsumerCounters;
use crate::drop_rules::DropRules;
use crate::local::{LocalMaker, assign};
use crate::records;
use crate::stamp::Stamp;
use crate::step::{Share, Step};

/// The collector's step.
pub(crate) struct Prepare {
    pub(crate) stamp: Arc<Stamp>,
    pub(crate) drop: DropRules,
    pub(crate) maker: LocalMaker,
    pub(crate) counters: Arc<ConsumerCounters>,
}

impl Step for Prepare {
    type Load = Local;

    fn run(&mut self, record: &Record, share: &Share<'_>) -> Vec<Option<Local>> {
        let Some(index) = records::payload_index(record) else {
            return share.lanes().map(|_| None).collect();
        };
        let batch = Batch { payload: &record.payload, index: &index };
        let mut part_of_item = assign(batch, share);
        let mut dropped = 0;
        if !self.drop.is_empty() {
            for (item, part) in batch.items().zip(&mut part_of_item) {
                // Counted once: by the lane that would have sent it.
                if part.is_some() && self.drop.matches(&item) {
                    *part = None;
                    dropped += 1;
                }
            }
        }
        self.counters.offered(part_of_item.iter().flatten().count() as u64 + dropped);
        self.counters.dropped(dropped);
        let stamp = |resource: &[u8], out: &mut Vec<u8>| self.stamp.write(resource, out);
        self.maker.parts(batch, &part_of_item, share.parts(), &stamp)
    }
}
