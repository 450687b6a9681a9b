//! What narrows a rule to a part of the data: what is authenticated, or what the data says of itself.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_config::{Faults, Located, Value};

use crate::claims::{About, Asks, Claims};
use crate::reading::{one_or_more, unknown};
use crate::sender::{Sender, Speaks};

/// What is authenticated: any rule can be narrowed by it.
const AUTHENTICATED: [&str; 2] = ["cluster", "listener"];

/// The part of the data that a rule speaks of. Clusters can be told apart where a collector proved its own; what a resource
/// says of itself can narrow what holds data back, never what lets it cross. Of listeners nothing downstream of a collector
/// knows, so what the rule holds back is held back for all data, and what it allows is allowed for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Narrowing {
    by: BTreeMap<&'static str, Vec<Located<String>>>,
    asks: Option<Asks>,
}

impl Narrowing {
    /// The keys of `where`.
    pub(crate) const KEYS: [&str; 5] = ["cluster", "listener", "service", "namespace", "environment"];

    pub(crate) fn read(value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let mut named = |key| Some(one_or_more::<Located<String>>(fields.value(key)?));
        let read: Vec<_> = AUTHENTICATED.into_iter().filter_map(|key| Some((key, named(key)?))).collect();
        let asked: Vec<_> = About::ALL.into_iter().filter_map(|about| Some((about, named(about.as_str())?))).collect();
        let listeners = fields.value("listener").map_or(Some(()), listeners);
        fields.done().and(listeners)?;
        if read.is_empty() && asked.is_empty() {
            value.fault(
                "`where` narrows by cluster, listener, service, namespace or environment; leave it out otherwise",
            );
            return None;
        }
        let by = read.into_iter().map(|(key, names)| Some((key, names?))).collect::<Option<_>>()?;
        let names = |names: Vec<Located<String>>| names.into_iter().map(|name| name.value).collect::<BTreeSet<_>>();
        let asked = asked.into_iter().map(|(about, list)| Some((about, names(list?)))).collect::<Option<_>>()?;
        Some(Self { by, asks: Asks::new(asked) })
    }

    /// What it is narrowed by that only the sender vouches for.
    pub(crate) fn asks(&self) -> Option<&Asks> {
        self.asks.as_ref()
    }

    /// The clusters it names; none where it is not narrowed by cluster.
    pub(crate) fn clusters(&self) -> impl Iterator<Item = &str> {
        self.by.get("cluster").into_iter().flatten().map(|name| name.value.as_str())
    }

    /// Whether it is narrowed by listener, which the data path cannot tell.
    pub(crate) fn names_listener(&self) -> bool {
        self.by.contains_key("listener")
    }

    /// Whether the rule speaks of what this sender sent and a resource that says this.
    pub(crate) fn speaks_of(&self, sender: &Sender, claims: &Claims) -> Speaks {
        if self.asks.as_ref().is_some_and(|asks| !asks.may_mean(claims)) {
            return Speaks::Not;
        }
        let excluded = self.by.contains_key("cluster")
            && match sender {
                Sender::Unproved => return Speaks::Partly,
                Sender::Cluster(name) => !self.clusters().any(|cluster| cluster == name),
                Sender::OtherCluster => true,
            };
        match self.names_listener() {
            _ if excluded => Speaks::Not,
            true => Speaks::Partly,
            false => Speaks::Wholly,
        }
    }

    /// Reports the clusters that no region of the rule's origin has: no other data can be proved to come from them.
    pub(crate) fn check_clusters<'c>(
        &self,
        (origin, clusters): (&str, impl Iterator<Item = &'c String> + Clone),
        faults: &Faults,
    ) {
        for name in self.by.get("cluster").into_iter().flatten() {
            if !clusters.clone().any(|cluster| *cluster == name.value) {
                faults.report(&name.at, unknown(&format!("cluster of {origin}"), &name.value, clusters.clone()));
            }
        }
    }
}

/// Every listener by its name; `None` if one is no listener.
fn listeners(value: Value<'_>) -> Option<()> {
    const WORDS: [(&str, ()); 2] = [("otlp_grpc", ()), ("otlp_http", ())];
    if !value.is_sequence() {
        return value.choice(&WORDS);
    }
    let all: Vec<Option<()>> = value.items()?.into_iter().map(|item| item.choice(&WORDS)).collect();
    all.into_iter().collect()
}
