//! What a collector does to its cluster's data before it leaves for the gateway: stamp the resources, drop what is noise, thin the rest.
//!
//! Promises:
//! 1. What a rule drops or the documents thin is counted; nothing else is left out.
//! 2. Everything but the resource's stamp stays byte for byte as received, unknown fields included.

pub(crate) mod drop_rules;
pub(crate) mod listeners;
pub(crate) mod stamp;

use std::sync::Arc;

use tollgate_federation::Listener;
use tollgate_otlp::Batch;
use tollgate_spool::{Name, Record};
use tollgate_transport::Local;

use crate::load::local::{LocalMaker, assign};
use crate::node::counters::ConsumerCounters;
use crate::prepare::drop_rules::DropRules;
use crate::prepare::listeners::Listeners;
use crate::prepare::stamp::Stamp;
use crate::step::{Share, Step};
use crate::thin::{Thin, Thinned};

/// The collector's step.
pub(crate) struct Prepare {
    pub(crate) stamp: Arc<Stamp>,
    pub(crate) drop: DropRules,
    pub(crate) thin: Option<Thin>,
    pub(crate) maker: LocalMaker,
    pub(crate) counters: Arc<ConsumerCounters>,
    pub(crate) listeners: Listeners,
}

impl Step for Prepare {
    type Load = Local;

    fn run(&mut self, record: &Record, batch: Batch<'_>, share: &Share<'_>) -> Vec<Option<Local>> {
        let mut part_of_item = assign(batch, share);
        let offered = part_of_item.iter().flatten().count();
        if !self.drop.is_empty() {
            for (item, part) in batch.items().zip(&mut part_of_item) {
                if part.is_some() && self.drop.matches(&item) {
                    *part = None;
                }
            }
        }
        let thinned = self.thin.as_mut().and_then(|thin| {
            let cut = thin.cut(record, batch, &|item| !self.drop.matches(item));
            thin.apply(cut, batch, &|item| part_of_item.get(item.number).copied().flatten().is_some())
        });
        let batch = thinned.as_ref().map_or(batch, Thinned::batch);
        if thinned.is_some() {
            part_of_item = assign(batch, share);
        }
        // Counted once: by the lane that would have sent it.
        let left = part_of_item.iter().flatten().count();
        self.counters.offered(offered as u64);
        self.counters.dropped((offered - left) as u64);
        let stamp = |resource: &[u8], out: &mut Vec<u8>| self.stamp.write(resource, out);
        self.maker.parts(batch, &part_of_item, share.parts(), &stamp)
    }

    fn pulse(&mut self) -> Option<(Name, Local)> {
        Some(self.maker.nothing())
    }

    fn listener(&self, record: &Record) -> Option<Listener> {
        self.listeners.of(record)
    }

    fn renew(&mut self) -> bool {
        self.listeners.renew();
        false // what is under way says no listener, and what rules hold back for any is held back
    }

    async fn outdated(&mut self) {
        self.listeners.outdated().await;
    }
}

#[cfg(test)]
mod tests {
    use tollgate_federation::{Signal, Thinning};
    use tollgate_otlp::{Limits, Writer};
    use tollgate_routing::{Members, Owners, ROUTING_SEED};
    use tollgate_spool::Position;

    use super::*;
    use crate::admit::walk;
    use crate::rig::{self, Counted};

    const ITEM_ATTRIBUTES: [(Signal, u32); 2] = [(Signal::Traces, 9), (Signal::Logs, 6)];

    /// A request of three items of any signal; the second is a health check, as far as its signal can say so.
    fn request(signal: Signal) -> Vec<u8> {
        rig::envelope(|scope| {
            for route in ["/cart", "/healthz", "/order"] {
                scope.message(2, |item| write_item(item, signal, route));
            }
        })
    }

    fn write_item(item: &mut Writer<'_>, signal: Signal, route: &str) {
        match signal {
            Signal::Traces => rig::identify(item, 1, 1),
            Signal::Logs => item.fixed64(1, 1),
            Signal::Metrics => {
                item.string(1, route);
                item.message(5, |gauge| gauge.message(1, |point| point.double(4, 1.0)));
            }
        }
        for (_, field) in ITEM_ATTRIBUTES.iter().filter(|(of, _)| *of == signal) {
            item.key_string(*field, "http.route", route);
        }
    }

    fn rules(signal: Signal) -> DropRules {
        let documents = rig::documents();
        let cluster = documents.federation.clusters("eu-west").next().unwrap();
        let rule = cluster.drop_rules()[0].clone();
        let rules = Signal::ALL.map(|signal| tollgate_federation::DropRule { signal, ..rule.clone() });
        DropRules::new(&rules, signal)
    }

    fn run(signal: Signal, drop: DropRules, counted: &Counted, here: &[&str]) -> Vec<Option<Local>> {
        run_thinned(signal, drop, None, counted, here)
    }

    fn run_thinned(
        signal: Signal,
        drop: DropRules,
        thin: Option<Thin>,
        counted: &Counted,
        here: &[&str],
    ) -> Vec<Option<Local>> {
        let payload = request(signal);
        let walked = walk(signal, &payload, &Limits::default()).unwrap();
        let stamp = rig::documents().federation.clusters("eu-west").next().unwrap().stamp().clone();
        let mut step = Prepare {
            stamp: Arc::new(Stamp::new(&stamp, |_| None)),
            drop,
            thin,
            maker: LocalMaker::new(rig::place()),
            counters: Arc::clone(&counted.consumer),
            listeners: Listeners::new(rig::in_force(&rig::documents()), &"EEA".parse().unwrap(), signal),
        };
        let owners = Owners::new(Members::new(["a", "b"]), ROUTING_SEED);
        let part = |node: &str| here.iter().position(|present| *present == node);
        let part_of_member = owners.members().iter().map(part).collect();
        let share = Share::new(&owners, part_of_member, (0..here.len()).collect());
        let record = Record {
            position: Position::ZERO,
            end: Position::new(1),
            kind: crate::records::RECEIVED,
            signal: Name::from(signal.as_str()),
            origin: Name::from("EEA"),
            peer: Name::from("service"),
            policy: [0; 32],
            arrival: tollgate_runtime::Timestamp::default(),
            payload: payload.clone().into(),
            index: bytes::Bytes::new(),
        };
        step.run(&record, Batch::new(&payload, &walked.index), &share)
    }

    fn contains(load: &Local, text: &str) -> bool {
        load.chunks.concat().windows(text.len()).any(|window| window == text.as_bytes())
    }

    #[test]
    fn every_signal_is_stamped_and_goes_to_its_owner() {
        for signal in Signal::ALL {
            let counted = Counted::new();
            let parts = run(signal, DropRules::default(), &counted, &["a", "b"]);
            let loads: Vec<_> = parts.iter().flatten().collect();
            assert_eq!(loads.iter().map(|load| load.items).sum::<usize>(), 3, "{signal}");
            assert_eq!(loads.len(), 1, "one trace, or one resource, has one owner: {signal}");
            let stamped = ["k8s.cluster.name", "eu-west-a", "deployment.environment.name", "service.name"];
            assert!(stamped.iter().all(|text| contains(loads[0], text)), "{signal}");
            assert!(walk(signal, &loads[0].chunks.concat(), &Limits::default()).unwrap().rejected.is_none());
        }
    }

    #[test]
    fn a_rule_drops_spans_and_logs_and_counts_them() {
        for (signal, _) in ITEM_ATTRIBUTES {
            let counted = Counted::new();
            let parts = run(signal, rules(signal), &counted, &["a", "b"]);
            let load = parts.iter().flatten().next().unwrap();
            assert!(load.items == 2 && !contains(load, "/healthz"), "{signal}");
            assert_eq!(["offered", "dropped"].map(|outcome| counted.items(&format!("\"{outcome}\""))), [3, 1]);
        }
    }

    /// Guarantees: what a rule drops is no part of a share or a rate; what stays is stamped and says by which threshold.
    #[test]
    fn what_no_rule_drops_is_thinned_by_whole_traces() {
        for (percentage, left) in [(99.0, 0), (100.0, 2)] {
            let counted = Counted::new();
            let thinning =
                Thinning { percentage: Some(percentage), spans_per_second: Some(1_000), bytes_per_second: None };
            let thin = |signal| Thin::new(Some(thinning), signal, "there", &counted.all.thinning);
            assert!(thin(Signal::Logs).is_none() && thin(Signal::Metrics).is_none());
            // The trace of these spans has nearly the lowest randomness.
            let parts = run_thinned(Signal::Traces, rules(Signal::Traces), thin(Signal::Traces), &counted, &["a", "b"]);
            let loads: Vec<_> = parts.iter().flatten().collect();
            assert_eq!(loads.iter().map(|load| load.items).sum::<usize>(), left, "{percentage}");
            assert!(loads.iter().all(|load| contains(load, "k8s.cluster.name") && !contains(load, "ot=th")));
            let expected = [3, 3 - left as u64];
            assert_eq!(["offered", "dropped"].map(|outcome| counted.items(&format!("\"{outcome}\""))), expected);
            let left_out = counted.read("tollgate_thinning_left_out_spans_total", "reason=\"share\"");
            assert_eq!(left_out, 2 - left as u64);
        }
    }

    #[test]
    fn no_rule_matches_a_metric() {
        let counted = Counted::new();
        let parts = run(Signal::Metrics, rules(Signal::Metrics), &counted, &["a", "b"]);
        assert_eq!(parts.iter().flatten().map(|load| load.items).sum::<usize>(), 3);
    }

    #[test]
    fn lanes_apart_offer_and_drop_each_item_once() {
        let counted = Counted::new();
        for lane in ["a", "b"] {
            run(Signal::Traces, rules(Signal::Traces), &counted, &[lane]);
        }
        assert_eq!(["offered", "dropped"].map(|outcome| counted.items(&format!("\"{outcome}\""))), [3, 1]);
    }
}
