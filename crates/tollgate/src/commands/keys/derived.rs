//! The keys that are derived from a root: one for each origin, group and destination of this region's links.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tollgate_federation::{NodeId, Origin};
use tollgate_pipeline::node_of;
use tollgate_redaction::{Epoch, PseudonymKey, RootKey};
use tollgate_residency::{Keyed, Makes};
use tollgate_runtime::Clock;

use super::Place;
use crate::cli::Set;
use crate::cli::keys::Node;
use crate::exit::Exit;

/// One key, and where its pseudonyms go.
pub(in crate::commands) struct Derived<'a> {
    pub(in crate::commands) keyed: &'a Keyed,
    pub(in crate::commands) origin: String,
    pub(in crate::commands) destination: &'a str,
    pub(in crate::commands) key: PseudonymKey,
}

impl Derived<'_> {
    pub(super) fn to_json(&self) -> Value {
        let (group, destination) = (&self.keyed.group, self.destination);
        json!({"key_id": self.key.id(), "group": group, "origin": self.origin, "destination": destination})
    }
}

/// Where pseudonyms made in a region go. Which of them today's policy makes is not asked: another day's made others.
pub(in crate::commands) struct Ways {
    origin: String,
    destinations: BTreeSet<String>,
}

impl Ways {
    /// The ways out of the region of a node.
    pub(in crate::commands) fn of(place: &Place, set: &Set, node: &Node) -> Result<Self, Exit> {
        let me = match &node.node {
            Some(node) => node.clone(),
            None => by_certificate(place, set)?,
        };
        let region = place.federation.region(me.region());
        let region = region.ok_or_else(|| Exit::Config(format!("the documents have no region {}", me.region())))?;
        // The keys of a region are for what comes from its regime alone.
        let origin = Origin::of(region.regime().clone()).to_string();
        let destinations = place.federation.links_from(me.region()).map(|link| link.to().to_string()).collect();
        Ok(Self { origin, destinations })
    }

    /// What is derived from a root of a key.
    pub(in crate::commands) fn derived<'a>(
        &'a self,
        place: &'a Place,
        key: &str,
        epoch: Epoch,
        root: &RootKey,
    ) -> Vec<Derived<'a>> {
        // What blinds ids names nobody.
        let uses = place.uses.iter().map(|one| &one.keyed).filter(|keyed| keyed.makes == Makes::Pseudonyms);
        let mut seen = BTreeSet::new();
        let uses = uses.filter(|keyed| keyed.key == key && keyed.epoch == epoch.length() && seen.insert(&keyed.group));
        let uses: Vec<_> = uses.collect();
        let derive = |keyed: &'a Keyed, destination: &'a String| {
            let key = PseudonymKey::derive(keyed, &self.origin, destination, epoch, root)?;
            Some(Derived { keyed, origin: self.origin.clone(), destination, key })
        };
        uses.into_iter().flat_map(|keyed| self.destinations.iter().filter_map(move |to| derive(keyed, to))).collect()
    }
}

fn by_certificate(place: &Place, set: &Set) -> Result<NodeId, Exit> {
    let node = node_of(&place.node_file, &place.federation, &set.dir, &Clock::system());
    node.map_err(|unfit| Exit::Config(format!("{unfit}\n--node says which node it is without a certificate")))
}
