//! What is proved of who sent data inside its region: what a rule may be narrowed by.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tollgate_federation::{Listener, Region};

/// What is proved of one request, as who applies rules knows it.
///
/// A gateway takes data without a link from the collectors of its own region alone. Each proves its cluster by its
/// certificate, and says by which of its listeners it received what it sends. Of what came over a link, or from another
/// tier, nothing is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Proved<'p> {
    /// The cluster whose collector sent it.
    pub cluster: Option<&'p str>,
    /// The listener by which that collector received it; unknown if it did not say so.
    pub listener: Option<Listener>,
}

impl Proved<'_> {
    /// Says whether a collector of this region can have proved it.
    #[must_use]
    pub fn is_of(self, region: &Region) -> bool {
        let own = region.clusters().values().filter(|own| self.cluster.is_none_or(|name| own.name().as_str() == name));
        let by = |listener: Listener| own.clone().any(|own| own.listen().listeners().any(|one| one == listener));
        self.listener.map_or_else(|| own.clone().next().is_some(), by)
    }
}

/// A kind of senders that rules tell apart, by what is proved of them. Of what is not proved the strictest holds: what rules
/// hold back for any is held back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Sender {
    /// Whose collector it is; none where nobody knows, or no rule asks.
    pub cluster: Option<SentBy>,
    /// By which listener it came; none where nobody knows, or no rule asks.
    pub listener: Option<Listener>,
}

/// A cluster, as rules tell it from others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SentBy {
    /// This one.
    Cluster(String),
    /// One that no rule names.
    OtherCluster,
}

/// Whether a rule speaks of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// Of all of it.
    Wholly,
    /// Of a part that cannot be told: it holds back for all, and lets nothing cross by itself.
    Partly,
    /// Of none of it.
    Not,
}

/// The clusters that can be proved to have sent something, each with its listeners.
pub(crate) type Clusters = BTreeMap<String, BTreeSet<Listener>>;

/// The senders that rules tell apart on one crossing, and the clusters that can be among them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    /// The first is always the one of whom nothing is proved.
    pub(crate) senders: Vec<Sender>,
    pub(crate) clusters: Clusters,
}

impl Sender {
    /// One of whom nothing is proved.
    pub(crate) const UNPROVED: Self = Self { cluster: None, listener: None };

    /// The same by another listener, or by none that is known.
    pub(crate) fn by(&self, listener: Option<Listener>) -> Self {
        Self { listener, ..self.clone() }
    }

    /// Whether it stands for a collector of this cluster, where rules name these.
    pub(crate) fn may_be_of(&self, cluster: &str, named: &BTreeSet<&str>) -> bool {
        match &self.cluster {
            None => true,
            Some(SentBy::Cluster(own)) => own == cluster,
            Some(SentBy::OtherCluster) => !named.contains(cluster),
        }
    }
}

impl Told {
    /// Those of the senders that there can be among the clusters.
    pub(crate) fn among(senders: Vec<Sender>, clusters: Clusters) -> Self {
        let all = Self { senders, clusters };
        let named: BTreeSet<&str> = all.named().collect();
        let is_there = |sender: &&Sender| {
            let mut own = all.clusters.keys().filter(|name| sender.may_be_of(name, &named));
            **sender == Sender::UNPROVED || own.any(|name| all.has(name, sender.listener))
        };
        let senders = all.senders.iter().filter(is_there).cloned().collect();
        Self { senders, ..all }
    }

    /// Whether there is such a cluster, with this listener if one is asked for.
    pub(crate) fn has(&self, cluster: &str, by: Option<Listener>) -> bool {
        self.clusters.get(cluster).is_some_and(|own| by.is_none_or(|listener| own.contains(&listener)))
    }

    /// What it is to the rules of whom this is proved. A cluster that is not one of these proves nothing, and a listener
    /// that its collectors do not have is none that is known.
    pub(crate) fn sender(&self, proved: Proved<'_>) -> Sender {
        if proved.cluster.is_some_and(|name| !self.has(name, None)) {
            return Sender::UNPROVED;
        }
        let tells = |cluster: &SentBy| self.senders.iter().any(|sender| sender.cluster.as_ref() == Some(cluster));
        let own = proved.cluster.map(|name| SentBy::Cluster(name.to_owned()));
        let cluster = own.into_iter().chain(proved.cluster.map(|_| SentBy::OtherCluster)).find(tells);
        let is_there = |listener: &Listener| proved.cluster.is_none_or(|name| self.has(name, Some(*listener)));
        let sender = Sender { cluster, listener: proved.listener.filter(is_there) };
        if self.senders.contains(&sender) { sender } else { sender.by(None) }
    }

    /// The clusters that rules name.
    pub(crate) fn named(&self) -> impl Iterator<Item = &str> {
        self.senders.iter().filter_map(|sender| match &sender.cluster {
            Some(SentBy::Cluster(name)) => Some(name.as_str()),
            Some(SentBy::OtherCluster) | None => None,
        })
    }

    /// The listeners that rules tell apart.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = Listener> {
        self.senders.iter().filter_map(|sender| sender.listener)
    }
}

impl fmt::Display for SentBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(name) => write!(f, "cluster {name}"),
            Self::OtherCluster => f.write_str("any other cluster"),
        }
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.cluster, self.listener) {
            (None, None) => f.write_str("no proved cluster"),
            (Some(cluster), None) => cluster.fmt(f),
            (None, Some(listener)) => write!(f, "listener {listener}"),
            (Some(cluster), Some(listener)) => write!(f, "{cluster} by {listener}"),
        }
    }
}
