//! The compiled answers for one link, signal and origin: layers for each sender that rules tell apart, as a rule just one table.
//!
//! Promises:
//! 1. A cluster that is not one of the sealing region has no table of its own: it gets that of which nothing is proved. A
//!    listener that a cluster does not have is none that is known.
//! 2. One is within another exactly if for every sender what it lets through the other does too.
//! 3. Where no rule tells senders apart, or none of them would be answered otherwise, there is one table and its digest.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use tollgate_federation::Listener;

use crate::closed::Closed;
use crate::layers::Layers;
use crate::sender::{Proved, Sender, SentBy, Told};

type Answer = Result<Layers, Closed>;

/// What one link's policy says of one signal from one origin, by who sent it inside the region.
#[derive(Debug, Clone)]
pub struct Tables {
    unproved: Answer,
    /// For the senders that rules tell apart; none where all are answered alike.
    proved: Vec<(Sender, Answer)>,
    /// Where in `proved` the tables of each cluster of the region that seals lie, if anywhere.
    clusters: BTreeMap<String, Places>,
    /// Where those lie of which no cluster is proved.
    unnamed: Places,
    digest: [u8; 32],
}

/// Where tables lie, by the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Places {
    unknown: Option<usize>,
    grpc: Option<usize>,
    http: Option<usize>,
}

impl Places {
    fn new(of: impl Fn(Option<Listener>) -> Option<usize>) -> Self {
        Self { unknown: of(None), grpc: of(Some(Listener::OtlpGrpc)), http: of(Some(Listener::OtlpHttp)) }
    }

    fn of(self, listener: Option<Listener>) -> Option<usize> {
        match listener {
            None => self.unknown,
            Some(Listener::OtlpGrpc) => self.grpc,
            Some(Listener::OtlpHttp) => self.http,
        }
    }
}

impl Tables {
    /// Takes an answer for each sender that rules tell apart, that of which nothing is proved first.
    pub(crate) fn new(unproved: Answer, mut proved: Vec<(Sender, Answer)>, told: &Told) -> Self {
        merge_alike(&unproved, &mut proved);
        let at = |sender: &Sender| proved.iter().position(|(own, _)| own == sender);
        let place = |who: Proved<'_>| stand_ins(&told.sender(who)).iter().find_map(at);
        let places = |cluster: Option<&str>| Places::new(|listener| place(Proved { cluster, listener }));
        let clusters = told.clusters.keys().map(|name| (name.clone(), places(Some(name))));
        let clusters = clusters.filter(|(_, places)| *places != Places::default()).collect();
        let unnamed = places(None);
        let digest = digest(&unproved, &proved);
        Self { unproved, proved, clusters, unnamed, digest }
    }

    /// Says whether it matters who sent something.
    #[must_use]
    pub fn tell_apart(&self) -> bool {
        !self.proved.is_empty()
    }

    /// Returns where the table lies for that of which this is proved.
    #[must_use]
    pub fn place(&self, proved: Proved<'_>) -> Option<usize> {
        let places = match proved.cluster {
            Some(name) => *self.clusters.get(name)?,
            None => self.unnamed,
        };
        places.of(proved.listener)
    }

    /// Returns the answers at a place that [`place`](Self::place) gave.
    ///
    /// # Errors
    /// Says why nothing may cross at all.
    pub fn at(&self, place: Option<usize>) -> Result<&Layers, &Closed> {
        let proved = place.and_then(|place| self.proved.get(place)).map(|(_, answer)| answer);
        proved.unwrap_or(&self.unproved).as_ref()
    }

    /// Returns the first place at which anything may cross, if there is one.
    #[must_use]
    pub fn first_open(&self) -> Option<Option<usize>> {
        std::iter::once(None).chain((0..self.proved.len()).map(Some)).find(|place| self.at(*place).is_ok())
    }

    /// Each sender that is told apart, with its answers or why nothing of it crosses.
    pub fn iter(&self) -> impl Iterator<Item = (&Sender, Result<&Layers, &Closed>)> {
        let proved = self.proved.iter().map(|(sender, answer)| (sender, answer));
        std::iter::once((&Sender::UNPROVED, &self.unproved)).chain(proved).map(|(who, answer)| (who, answer.as_ref()))
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
        let listeners = || std::iter::once(None).chain(Listener::ALL.map(Some));
        let mut all = std::iter::once(None)
            .chain(clusters)
            .flat_map(|cluster| listeners().map(move |listener| Proved { cluster, listener }));
        let within = |proved| match (self.at(self.place(proved)), other.at(other.place(proved))) {
            (Err(_), _) => true,
            (Ok(_), Err(_)) => false,
            (Ok(own), Ok(others)) => own.is_within(others),
        };
        self.digest == other.digest || all.all(within)
    }
}

/// Leaves out whom it makes no difference to tell apart: a rule in shadow names clusters and listeners too, and must change
/// nothing.
fn merge_alike(unproved: &Answer, proved: &mut Vec<(Sender, Answer)>) {
    let digests: BTreeMap<Sender, [u8; 32]> = std::iter::once((Sender::UNPROVED, digest_of(unproved)))
        .chain(proved.iter().map(|(sender, answer)| (sender.clone(), digest_of(answer))))
        .collect();
    let is_as = |sender: &Sender, other: &Sender| digests.get(sender) == digests.get(other);
    let as_any = |sender: &Sender| Sender { cluster: None, ..sender.clone() };
    let as_other = |sender: &Sender| Sender { cluster: Some(SentBy::OtherCluster), ..sender.clone() };
    if digests.keys().all(|sender| is_as(sender, &sender.by(None))) {
        proved.retain(|(sender, _)| sender.listener.is_none());
    }
    if digests.keys().all(|sender| is_as(sender, &as_any(sender))) {
        proved.retain(|(sender, _)| sender.cluster.is_none());
    }
    let unlike = digests.keys().filter(|sender| !is_as(sender, &as_other(sender)));
    let unlike: BTreeSet<&SentBy> = unlike.filter_map(|sender| sender.cluster.as_ref()).collect();
    proved.retain(|(sender, _)| match &sender.cluster {
        Some(cluster @ SentBy::Cluster(_)) => unlike.contains(cluster),
        Some(SentBy::OtherCluster) | None => true,
    });
}

/// In whose place a sender's answers lie, by what is left out where it makes no difference.
fn stand_ins(sender: &Sender) -> [Sender; 6] {
    let of = |cluster: &Option<SentBy>, listener| Sender { cluster: cluster.clone(), listener };
    let other = sender.cluster.as_ref().map(|_| SentBy::OtherCluster);
    let (own, by) = (&sender.cluster, sender.listener);
    [of(own, by), of(&other, by), of(&None, by), of(own, None), of(&other, None), of(&None, None)]
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
        // The names of clusters have no blanks, so no two are written alike.
        let sender = sender.to_string();
        hash.update((sender.len() as u64).to_le_bytes());
        hash.update(sender);
        hash.update(digest_of(answer));
    }
    hash.finalize().into()
}
