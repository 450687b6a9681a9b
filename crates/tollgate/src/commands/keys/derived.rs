//! The keys that are derived from a root: one for each origin, group and destination of this region's links.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};
use tollgate_federation::{Federation, NodeId, Origin};
use tollgate_pipeline::node_of;
use tollgate_redaction::{Epoch, PseudonymKey, RootKey};
use tollgate_residency::{KeyUse, Keyed, Makes};
use tollgate_runtime::Clock;

use super::Place;
use crate::cli::Set;
use crate::cli::keys::Node;
use crate::commands::unproved;
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

/// Where pseudonyms made in a region go, by the documents of today and by all that were in force here before. Which of them
/// a policy makes, and for how long, is not asked: another day's made others.
pub(in crate::commands) struct Ways {
    today: Way,
    earlier: Vec<Way>,
    /// What keeps other documents from being known.
    pub(in crate::commands) unknown: Vec<String>,
}

/// The same by one set of documents.
struct Way {
    uses: Vec<Keyed>,
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
        let today = Way::of(&place.federation, &place.uses, &me);
        let today = today.ok_or_else(|| Exit::Config(format!("the documents have no region {}", me.region())))?;
        let mut ways = Self { today, earlier: Vec::new(), unknown: Vec::new() };
        let archive = place.node_file.archive();
        if let Err(fault) = ways.look_back(&archive, &me) {
            let (archive, kind) = (archive.display(), fault.kind());
            ways.unknown.push(format!("cannot read the earlier documents in {archive}: {kind}"));
        }
        Ok(ways)
    }

    /// Takes every set of documents that a node has kept.
    fn look_back(&mut self, archive: &Path, me: &NodeId) -> io::Result<()> {
        for entry in fs::read_dir(archive)? {
            let dir = entry?.path();
            if !dir.is_dir() {
                continue;
            }
            match unproved::load(&dir) {
                // A set that has no such region took nothing out of it.
                Ok(kept) => self.earlier.extend(Way::of(&kept.federation, kept.policy.key_uses(), me)),
                Err(Exit::Failed(fault) | Exit::Config(fault)) => {
                    self.unknown.push(format!("cannot read the earlier documents in {}: {fault}", dir.display()));
                }
            }
        }
        Ok(())
    }

    /// The keys that the pseudonyms of a group are made with today.
    pub(in crate::commands) fn keys_today(&self, group: &str) -> BTreeSet<&str> {
        self.today.keys(group).collect()
    }

    /// The keys that they were ever made with, as far as is known.
    pub(in crate::commands) fn keys(&self, group: &str) -> BTreeSet<&str> {
        self.all().flat_map(|way| way.keys(group)).collect()
    }

    /// What is derived from a root of a key.
    pub(in crate::commands) fn derived(&self, key: &str, epoch: Epoch, root: &RootKey) -> Vec<Derived<'_>> {
        let (mut seen, mut all) = (BTreeSet::new(), Vec::new());
        for (keyed, origin, destination) in self.all().flat_map(|way| way.of_key(key)) {
            if seen.insert((&keyed.group, origin, destination)) {
                let key = PseudonymKey::derive(keyed, origin, destination, epoch, root);
                all.extend(key.map(|key| Derived { keyed, origin: origin.to_owned(), destination, key }));
            }
        }
        all
    }

    fn all(&self) -> impl Iterator<Item = &Way> {
        std::iter::once(&self.today).chain(&self.earlier)
    }
}

impl Way {
    fn of(federation: &Federation, uses: &[KeyUse], me: &NodeId) -> Option<Self> {
        // The keys of a region are for what comes from its regime alone.
        let origin = Origin::of(federation.region(me.region())?.regime().clone()).to_string();
        let destinations = federation.links_from(me.region()).map(|link| link.to().to_string()).collect();
        Some(Self { uses: uses.iter().map(|one| one.keyed.clone()).collect(), origin, destinations })
    }

    /// What blinds ids names nobody.
    fn pseudonyms(&self) -> impl Iterator<Item = &Keyed> {
        self.uses.iter().filter(|keyed| keyed.makes == Makes::Pseudonyms)
    }

    /// What a key names: for which transform, from which origin, to which destination.
    fn of_key(&self, key: &str) -> impl Iterator<Item = (&Keyed, &str, &str)> {
        let uses = self.pseudonyms().filter(move |keyed| keyed.key == key);
        uses.flat_map(move |keyed| self.destinations.iter().map(move |to| (keyed, self.origin.as_str(), to.as_str())))
    }

    fn keys(&self, group: &str) -> impl Iterator<Item = &str> {
        self.pseudonyms().filter(move |keyed| keyed.group == group).map(|keyed| keyed.key.as_str())
    }
}

fn by_certificate(place: &Place, set: &Set) -> Result<NodeId, Exit> {
    let node = node_of(&place.node_file, &place.federation, &set.dir, &Clock::system());
    node.map_err(|unfit| Exit::Config(format!("{unfit}\n--node says which node it is without a certificate")))
}
