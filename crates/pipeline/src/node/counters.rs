//! What a node counts, as metric families whose handles are taken once.
//!
//! Promises:
//! 1. Every way in which data can stop has a counter of its own. Of each consumer: offered = sent + send failed + withheld +
//!    dropped + rejected + taken back + what is on its way (expired and corrupt bytes are counted as bytes: their items are
//!    unknown). What was taken back is offered again.
//! 2. Where the meaning is the Collector's the name and the labels are too; all else is `tollgate_*`.
//! 3. Labels are names from the documents and reasons from the code, never values from payloads.
//!
//! Not here: what a log itself knows, such as its backlog (`backlogs.rs`).

mod consumer;
mod correlation;
mod reload;
mod sampling;
mod thinning;

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tollgate_federation::Signal;
use tollgate_runtime::{Metrics, Registry};
use tollgate_transport::Transport;

use crate::node::logs::Division;
use crate::signals::BySignal;
use consumer::Consumers;
pub(crate) use consumer::{ConsumerCounters, Deleted, Losses};
pub(crate) use correlation::CorrelationCounters;
pub(crate) use reload::ReloadCounters;
pub(crate) use sampling::{Outcome, SamplingCounters};
pub(crate) use thinning::{OfConsumer, ThinningCounters};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Receiver {
    receiver: &'static str,
    transport: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfSignal {
    signal: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RefusedRequest {
    signal: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RefusedConnection {
    reason: &'static str,
}

/// All families of a node.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    accepted: BySignal<Family<Receiver, Counter>>,
    refused: BySignal<Family<Receiver, Counter>>,
    rejected: Family<OfSignal, Counter>,
    refused_requests: Family<RefusedRequest, Counter>,
    refused_connections: Family<RefusedConnection, Counter>,
    consumers: Consumers,
    pub(crate) reload: ReloadCounters,
    pub(crate) sampling: SamplingCounters,
    pub(crate) correlation: CorrelationCounters,
    pub(crate) thinning: ThinningCounters,
}

/// What the door counts of one signal and transport.
#[derive(Clone, Debug)]
pub(crate) struct ReceiverCounters {
    /// Items that are ours.
    pub(crate) accepted: Counter,
    /// Items of requests that were read and could not be taken.
    pub(crate) refused: Counter,
    /// Items left out of an accepted request, each reported to its sender.
    pub(crate) rejected: Counter,
}

/// The name of a family that counts items. The Collector counts the points of metrics; our items are whole metrics, so
/// their families are not its.
fn of_items(stem: &str, signal: Signal) -> String {
    match signal {
        Signal::Traces => format!("otelcol_{stem}_spans"),
        Signal::Metrics => format!("tollgate_{stem}_metrics"),
        Signal::Logs => format!("otelcol_{stem}_log_records"),
    }
}

impl Counters {
    /// A node that does not judge traces shows no families about that.
    pub(crate) fn register(metrics: &Metrics, division: Division) -> Arc<Self> {
        let counters = Arc::new(Self::default());
        metrics.register(|registry| {
            counters.register_receivers(registry);
            counters.consumers.register(registry);
            counters.reload.register(registry);
            counters.thinning.register(registry);
            if division != Division::Passing {
                counters.sampling.register(registry);
            }
            if division == Division::Central {
                counters.correlation.register(registry);
            }
        });
        counters
    }

    fn register_receivers(&self, registry: &mut Registry) {
        for (signal, family) in self.accepted.iter() {
            registry.register(of_items("receiver_accepted", signal), "Items that are durable here", family.clone());
        }
        for (signal, family) in self.refused.iter() {
            let help = "Items of requests that were read and could not be stored";
            registry.register(of_items("receiver_refused", signal), help, family.clone());
        }
        let help = "Items left out of accepted requests, reported by partial success";
        registry.register("tollgate_rejected_items", help, self.rejected.clone());
        let help = "Requests that were not taken, by reason";
        registry.register("tollgate_refused_requests", help, self.refused_requests.clone());
        let help = "Connections that proved no identity, by reason";
        registry.register("tollgate_refused_connections", help, self.refused_connections.clone());
    }

    pub(crate) fn receiver(&self, signal: Signal, transport: Transport) -> ReceiverCounters {
        let labels = Receiver { receiver: "otlp", transport: transport.as_str() };
        ReceiverCounters {
            accepted: self.accepted.of(signal).get_or_create(&labels).clone(),
            refused: self.refused.of(signal).get_or_create(&labels).clone(),
            rejected: self.rejected.get_or_create(&OfSignal { signal: signal.as_str() }).clone(),
        }
    }

    /// A request that was not taken.
    pub(crate) fn refused_request(&self, signal: Signal, reason: &'static str) {
        self.refused_requests.get_or_create(&RefusedRequest { signal: signal.as_str(), reason }).inc();
    }

    /// A connection that proved nothing.
    pub(crate) fn refused_connection(&self, reason: &'static str) {
        self.refused_connections.get_or_create(&RefusedConnection { reason }).inc();
    }

    /// What one way out counts.
    pub(crate) fn consumer(&self, name: &str, signal: Signal) -> Arc<ConsumerCounters> {
        Arc::new(self.consumers.of(name, signal))
    }

    /// What a consumer that leads nowhere counts.
    pub(crate) fn losses(&self, name: &str, signal: Signal) -> Losses {
        self.consumers.losses(name, signal)
    }
}

#[cfg(test)]
mod tests;
