//! Where thinning may have taken a part of a trace that stays.
//!
//! One share for all takes a trace whole or not at all. Where shares differ, a trace whose randomness lies between them comes in
//! part; a rate is a share of each node's own that changes, so that it may part even spans of one process.

use std::collections::BTreeSet;

use tollgate_federation::{Federation, Link, PlaceId, Region, Thinning, TierId};

/// What the documents thin on the way to one tier.
#[derive(Debug, Default)]
pub(super) struct Thinned {
    /// The regions on whose way there is a rate.
    rated: BTreeSet<String>,
    /// In hundred-millionths of a percent, what is let through of all traces, of any cluster on any way.
    shares: BTreeSet<u64>,
}

impl Thinned {
    pub(super) fn on_the_way_to(tier: &TierId, federation: &Federation) -> Self {
        let mut thinned = Self::default();
        for region in federation.regions() {
            let is_home = region.central().is_some_and(|central| central.id() == tier);
            let links = if is_home { Vec::new() } else { links(region, tier, federation) };
            thinned.add(region, &links);
        }
        thinned
    }

    /// Whether spans of one trace may have come without others.
    pub(super) fn parts_traces(&self) -> bool {
        !self.rated.is_empty() || self.shares.len() > 1
    }

    /// Whether even spans of one process of this region may have.
    pub(super) fn parts_processes(&self, region: &str) -> bool {
        self.rated.contains(region)
    }

    fn add(&mut self, region: &Region, links: &[&Link]) {
        for cluster in region.clusters().values() {
            // Of several links a trace may take any.
            let ways = links.iter().map(|link| link.thinning()).chain(links.is_empty().then_some(None));
            for of_link in ways {
                let both = [cluster.thinning(), of_link];
                if both.iter().flatten().any(has_rate) {
                    self.rated.insert(region.name().to_string());
                }
                self.shares.insert(both.iter().flatten().map(share).min().unwrap_or(WHOLE));
            }
        }
    }
}

/// The links that a region's spans may take: those to the tier, and those of others that bring them on.
fn links<'f>(region: &Region, tier: &TierId, federation: &'f Federation) -> Vec<&'f Link> {
    let leads_there = |link: &&Link| matches!(link.to(), PlaceId::Tier(to) if to == tier);
    let direct: Vec<&Link> = federation.links_from(region.name()).filter(leads_there).collect();
    if !direct.is_empty() {
        return direct;
    }
    let own = federation.links_from(region.name()).filter(|link| matches!(link.to(), PlaceId::Tier(_)));
    own.chain(federation.links().iter().filter(leads_there)).collect()
}

const WHOLE: u64 = 10_000_000_000;

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 100 percent")]
fn share(thinning: &Thinning) -> u64 {
    thinning.percentage.map_or(WHOLE, |percentage| (percentage / 100.0 * WHOLE as f64).round() as u64)
}

fn has_rate(thinning: &Thinning) -> bool {
    thinning.spans_per_second.is_some() || thinning.bytes_per_second.is_some()
}
