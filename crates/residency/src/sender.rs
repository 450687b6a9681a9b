//! What is proved of who sent data inside its region: what a rule may be narrowed by.

use std::fmt;

/// What is proved of who sent data inside its region.
///
/// A gateway takes data without a link from the collectors of its own region alone, and each proves its cluster by its
/// certificate. Of what came over a link, or from another tier, nothing is proved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Sender {
    /// Nothing: whatever rules hold back for any cluster they hold back for it.
    #[default]
    Unproved,
    /// A collector of this cluster.
    Cluster(String),
    /// A collector of a cluster that no rule names.
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

/// The senders that rules tell apart on one crossing, and the clusters that can be among them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    /// The first is always the one of whom nothing is proved.
    pub(crate) senders: Vec<Sender>,
    pub(crate) clusters: Vec<String>,
}

impl Told {
    /// What a cluster's collector is to the rules.
    pub(crate) fn sender(&self, cluster: Option<&str>) -> Sender {
        let Some(cluster) = cluster.filter(|cluster| self.clusters.iter().any(|name| name == cluster)) else {
            return Sender::Unproved;
        };
        let own = Sender::Cluster(cluster.to_owned());
        [own, Sender::OtherCluster].into_iter().find(|sender| self.senders.contains(sender)).unwrap_or_default()
    }

    /// The clusters that rules name.
    pub(crate) fn named(&self) -> impl Iterator<Item = &str> {
        self.senders.iter().filter_map(|sender| match sender {
            Sender::Cluster(name) => Some(name.as_str()),
            Sender::Unproved | Sender::OtherCluster => None,
        })
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unproved => f.write_str("no proved cluster"),
            Self::Cluster(name) => write!(f, "cluster {name}"),
            Self::OtherCluster => f.write_str("any other cluster"),
        }
    }
}
