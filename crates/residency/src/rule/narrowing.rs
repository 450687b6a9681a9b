//! What narrows a rule to a part of the data: what is authenticated, or what the data says of itself.

use std::collections::BTreeSet;

use tollgate_config::{Faults, Located, Value};
use tollgate_federation::{Cluster, Listener};

use crate::claims::{About, Asks, Claims};
use crate::reading::{if_there, one_or_more, unknown};
use crate::sender::{Sender, SentBy, Speaks};

/// The part of the data that a rule speaks of. Clusters and their listeners can be told apart where a collector proved who it
/// is; what a resource says of itself can narrow what holds data back, never what lets it cross.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Narrowing {
    /// None where it is not narrowed by them.
    clusters: Option<Vec<Located<String>>>,
    listeners: Option<BTreeSet<Listener>>,
    asks: Option<Asks>,
}

impl Narrowing {
    /// The keys of `where`.
    pub(crate) const KEYS: [&str; 5] = ["cluster", "listener", "service", "namespace", "environment"];

    pub(crate) fn read(value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let clusters = if_there(fields.value("cluster"), one_or_more::<Located<String>>);
        let listeners = if_there(fields.value("listener"), one_or_more::<Listener>);
        let mut named = |key| Some(one_or_more::<Located<String>>(fields.value(key)?));
        let asked: Vec<_> = About::ALL.into_iter().filter_map(|about| Some((about, named(about.as_str())?))).collect();
        fields.done()?;
        let (clusters, listeners) = (clusters?, listeners?.map(BTreeSet::from_iter));
        if clusters.is_none() && listeners.is_none() && asked.is_empty() {
            value.fault(
                "`where` narrows by cluster, listener, service, namespace or environment; leave it out otherwise",
            );
            return None;
        }
        let names = |names: Vec<Located<String>>| names.into_iter().map(|name| name.value).collect::<BTreeSet<_>>();
        let asked = asked.into_iter().map(|(about, list)| Some((about, names(list?)))).collect::<Option<_>>()?;
        Some(Self { clusters, listeners, asks: Asks::new(asked) })
    }

    /// What it is narrowed by that only the sender vouches for.
    pub(crate) fn asks(&self) -> Option<&Asks> {
        self.asks.as_ref()
    }

    /// The clusters it names; none where it is not narrowed by cluster.
    pub(crate) fn clusters(&self) -> impl Iterator<Item = &str> {
        self.clusters.iter().flatten().map(|name| name.value.as_str())
    }

    /// Whether it is narrowed by listener.
    pub(crate) fn names_listeners(&self) -> bool {
        self.listeners.is_some()
    }

    /// Whether collectors of a cluster can receive what the rule speaks of.
    pub(crate) fn may_come_by(&self, cluster: &Cluster) -> bool {
        let is_named = self.clusters.is_none() || self.clusters().any(|name| cluster.name().as_str() == name);
        let has = |own: &BTreeSet<Listener>| cluster.listen().listeners().any(|listener| own.contains(&listener));
        is_named && self.listeners.as_ref().is_none_or(has)
    }

    /// Whether the rule speaks of what this sender sent and a resource that says this.
    pub(crate) fn speaks_of(&self, sender: &Sender, claims: &Claims) -> Speaks {
        if self.asks.as_ref().is_some_and(|asks| !asks.may_mean(claims)) {
            return Speaks::Not;
        }
        let is_named = |sent_by: &SentBy| match sent_by {
            SentBy::Cluster(name) => self.clusters().any(|cluster| cluster == name),
            SentBy::OtherCluster => false,
        };
        let of_cluster = self.clusters.as_ref().map(|_| sender.cluster.as_ref().map(is_named));
        let by_listener = self.listeners.as_ref().map(|own| sender.listener.map(|listener| own.contains(&listener)));
        // What is asked for, as far as it is known of the sender.
        let known = [of_cluster, by_listener].into_iter().flatten();
        known.fold(Speaks::Wholly, |speaks, known| match (speaks, known) {
            (Speaks::Not, _) | (_, Some(false)) => Speaks::Not,
            (Speaks::Partly, _) | (_, None) => Speaks::Partly,
            (Speaks::Wholly, Some(true)) => Speaks::Wholly,
        })
    }

    /// Reports the clusters that no region of the rule's origin has: no other data can be proved to come from them.
    pub(crate) fn check_clusters<'c>(
        &self,
        (origin, clusters): (&str, impl Iterator<Item = &'c String> + Clone),
        faults: &Faults,
    ) {
        for name in self.clusters.iter().flatten() {
            if !clusters.clone().any(|cluster| *cluster == name.value) {
                faults.report(&name.at, unknown(&format!("cluster of {origin}"), &name.value, clusters.clone()));
            }
        }
    }
}
