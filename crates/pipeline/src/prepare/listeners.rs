//! Whether what leaves a collector says by which of its listeners it came.
//!
//! Promises:
//! 1. Where no rule for this region's data asks for listeners nothing is told apart, and no parcel is split for it.
//! 2. What came before the node wrote this down says no listener.

use std::sync::Arc;

use tollgate_federation::{Listener, Regime, Signal};
use tollgate_spool::Record;

use crate::documents::Documents;
use crate::node::in_force::InForce;
use crate::records;

/// Tells parcels apart by listener, if the documents in force ask for it.
pub(crate) struct Listeners {
    in_force: InForce,
    documents: Arc<Documents>,
    home: Regime,
    signal: Signal,
    asked: bool,
}

impl Listeners {
    pub(crate) fn new(mut in_force: InForce, home: &Regime, signal: Signal) -> Self {
        let documents = Arc::clone(&in_force.take().documents);
        let asked = documents.policy.names_listeners(home, signal);
        Self { in_force, documents, home: home.clone(), signal, asked }
    }

    /// The listener to tell of a record.
    pub(crate) fn of(&self, record: &Record) -> Option<Listener> {
        if self.asked { records::listener_of(record) } else { None }
    }

    /// Takes in what came into force.
    pub(crate) fn renew(&mut self) {
        let edition = self.in_force.take();
        if !Arc::ptr_eq(&edition.documents, &self.documents) {
            self.documents = Arc::clone(&edition.documents);
            self.asked = self.documents.policy.names_listeners(&self.home, self.signal);
        }
    }

    /// Returns when there is something to take in. Cancel safe.
    pub(crate) async fn outdated(&mut self) {
        self.in_force.changed().await;
    }
}

#[cfg(test)]
mod tests {
    use tollgate_routing::{HopKind, Seen};
    use tollgate_runtime::Clock;
    use tollgate_spool::Name;

    use super::*;
    use crate::load::local::LocalMaker;
    use crate::node::in_force::{Borders, Edition};
    use crate::prepare::Prepare;
    use crate::prepare::drop_rules::DropRules;
    use crate::prepare::stamp::Stamp;
    use crate::records::service_at;
    use crate::rig::{self, Counted, Far, Running, entry, spans, until};
    use crate::send::hop::Hop;

    const ASKING: &str = "rules:\n  - {id: http, origin: EEA, reaching: US, signal: traces, where: {listener: otlp_http}, \
                          deny: [online]}\n";

    /// The example with a rule that asks for a listener.
    fn asking() -> (tempfile::TempDir, Arc<Documents>) {
        rig::edited(|name, text| match name {
            "policies/residency.yaml" => text.replacen("rules:\n", ASKING, 1),
            _ => text,
        })
    }

    fn prepare(in_force: InForce, counted: &Counted) -> Prepare {
        let stamp = rig::documents().federation.clusters("eu-west").next().unwrap().stamp().clone();
        Prepare {
            stamp: Arc::new(Stamp::new(&stamp, |_| None)),
            drop: DropRules::default(),
            thin: None,
            maker: LocalMaker::new(rig::place()),
            counters: Arc::clone(&counted.consumer),
            listeners: Listeners::new(in_force, &"EEA".parse().unwrap(), Signal::Traces),
        }
    }

    /// How many items came in parcels that say each listener, or none.
    fn by_listener(far: &Far) -> [u64; 3] {
        let far = far.lock();
        [None, Some(Listener::OtlpGrpc), Some(Listener::OtlpHttp)].map(|listener| {
            let own = far.manifests.iter().filter(|manifest| manifest.listener == listener);
            own.map(|manifest| u64::from(manifest.items)).sum()
        })
    }

    /// Scenario: a policy asks by which listener data came, then the next one does not. Guarantees: while it is asked, what came
    /// by different listeners shares no parcel and each says its own; what came before that was written down says none. While
    /// nothing asks, no parcel says any.
    #[tokio::test]
    async fn parcels_say_their_listener_only_while_a_rule_asks() {
        let ((_dir, asking), plain) = (asking(), rig::documents());
        let publisher = rig::publisher(&asking);
        let (dir, counted, far) = (tempfile::tempdir().unwrap(), Counted::new(), Far::default());
        let log = rig::log(&dir.path().join("log"), "there", &Clock::system());
        let hop = Hop::new(HopKind::FailOver, std::time::Duration::ZERO, Signal::Traces, Clock::system());
        hop.observe(Seen::Nodes([("a".to_owned(), "127.0.0.1:1".to_owned())].into()));
        let step = prepare(publisher.follow(), &counted);
        let running = Running::with(step, &log, &far, &Arc::new(hop), &counted, dir.path());
        let peers = [service_at(Listener::OtlpGrpc), service_at(Listener::OtlpHttp), Name::from("service")];
        let append = async |numbers: std::ops::Range<u64>| {
            for (number, peer) in numbers.zip(peers.iter().cycle()) {
                log.append(tollgate_spool::Entry { peer: peer.clone(), ..entry(spans([number])) }).await.unwrap();
            }
        };
        append(0..30).await;
        until("all 30", || far.taken().len() == 30).await;
        assert_eq!(by_listener(&far), [10, 10, 10]);
        let previous = vec![asking];
        publisher.publish(Edition { documents: plain, previous, borders: Borders::Open });
        append(30..60).await;
        until("all 60", || far.taken().len() == 60).await;
        running.stop().await;
        assert_eq!(by_listener(&far), [40, 10, 10]);
    }

    /// Guarantees: a rule for another region's data, or for another signal, tells nothing apart here.
    #[test]
    fn only_rules_for_this_data_ask() {
        let (_dir, documents) = asking();
        let asked =
            |home: &str, signal| Listeners::new(rig::in_force(&documents), &home.parse().unwrap(), signal).asked;
        assert!(asked("EEA", Signal::Traces) && !asked("EEA", Signal::Logs) && !asked("UK", Signal::Traces));
        assert!(!Listeners::new(rig::in_force(&rig::documents()), &"EEA".parse().unwrap(), Signal::Traces).asked);
    }
}
