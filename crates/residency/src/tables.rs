//! The compiled answers for one link, signal and origin: layers for each sender that rules tell apart, as a rule just one table.
//!
//! Promises:
//! 1. A cluster that is not one of the sealing region has no table of its own: it gets that of which nothing is proved.
//! 2. One is within another exactly if for every sender what it lets through the other does too.
//! 3. Where no rule tells senders apart, or none of them would be answered otherwise, there is one table and its digest.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::closed::Closed;
use crate::layers::Layers;
use crate::sender::Sender;

type Answer = Result<Layers, Closed>;

/// What one link's policy says of one signal from one origin, by who sent it inside the region.
#[derive(Debug, Clone)]
pub struct Tables {
    unproved: Answer,
    /// For the clusters that rules tell apart, then for the others; none where all are answered alike.
    proved: Vec<(Sender, Answer)>,
    /// Every cluster of the region that seals, and where its table lies in `proved`.
    clusters: BTreeMap<String, usize>,
    digest: [u8; 32],
}

impl Tables {
    /// Takes an answer for each sender, that of which nothing is proved first, and the clusters of the region that seals.
    pub(crate) fn new<'c>(
        unproved: Answer,
        mut proved: Vec<(Sender, Answer)>,
        clusters: impl Iterator<Item = &'c str>,
    ) -> Self {
        let others = proved.iter().find(|(sender, _)| *sender == Sender::OtherCluster);
        let others = others.map(|(_, answer)| digest_of(answer));
        // A rule in shadow names clusters too, and must change nothing.
        proved.retain(|(sender, answer)| *sender == Sender::OtherCluster || Some(digest_of(answer)) != others);
        if proved.iter().all(|(_, answer)| digest_of(answer) == digest_of(&unproved)) {
            proved.clear();
        }
        let place = |name: &str| {
            let own = proved.iter().position(|(sender, _)| matches!(sender, Sender::Cluster(own) if own == name));
            own.or_else(|| proved.iter().position(|(sender, _)| *sender == Sender::OtherCluster))
        };
        let clusters = clusters.filter_map(|name| Some((name.to_owned(), place(name)?))).collect();
        let digest = digest(&unproved, &proved);
        Self { unproved, proved, clusters, digest }
    }

    /// Says whether it matters who sent something.
    #[must_use]
    pub fn tell_apart(&self) -> bool {
        !self.proved.is_empty()
    }

    /// Returns where the table lies for what a cluster's collector sent, or for what nothing is proved of.
    #[must_use]
    pub fn place(&self, cluster: Option<&str>) -> Option<usize> {
        self.clusters.get(cluster?).copied()
    }

    /// Returns the answers at a place that [`place`](Self::place) gave.
    ///
    /// # Errors
    /// Says why nothing may cross at all.
    pub fn at(&self, place: Option<usize>) -> Result<&Layers, &Closed> {
        let proved = place.and_then(|place| self.proved.get(place)).map(|(_, answer)| answer);
        proved.unwrap_or(&self.unproved).as_ref()
    }

    /// Each sender that is told apart, with its answers or why nothing of it crosses.
    pub fn iter(&self) -> impl Iterator<Item = (&Sender, Result<&Layers, &Closed>)> {
        let proved = self.proved.iter().map(|(sender, answer)| (sender, answer));
        std::iter::once((&Sender::Unproved, &self.unproved)).chain(proved).map(|(who, answer)| (who, answer.as_ref()))
    }

    /// Returns the identity of all tables together.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Says whether all that these tables let through the others do too, sender by sender, in no stricter form.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let clusters = self.clusters.keys().chain(other.clusters.keys()).map(|name| Some(name.as_str()));
        let within = |cluster| match (self.at(self.place(cluster)), other.at(other.place(cluster))) {
            (Err(_), _) => true,
            (Ok(_), Err(_)) => false,
            (Ok(own), Ok(others)) => own.is_within(others),
        };
        self.digest == other.digest || std::iter::once(None).chain(clusters).all(within)
    }
}

/// All zeros where nothing crosses: which no table hashes to.
fn digest_of(answer: &Answer) -> [u8; 32] {
    answer.as_ref().map_or([0; 32], Layers::digest)
}

fn digest(unproved: &Answer, proved: &[(Sender, Answer)]) -> [u8; 32] {
    if proved.is_empty() {
        return digest_of(unproved);
    }
    let mut hash = Sha256::new();
    hash.update("tollgate tables 1");
    hash.update(digest_of(unproved));
    for (sender, answer) in proved {
        // The name of a cluster has no blanks, so none is written like the others.
        let sender = sender.to_string();
        hash.update((sender.len() as u64).to_le_bytes());
        hash.update(sender);
        hash.update(digest_of(answer));
    }
    hash.finalize().into()
}
