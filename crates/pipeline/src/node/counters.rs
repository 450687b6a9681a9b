//! What a node counts, as metric families whose handles are taken once.
//!
//! Promises:
//! 1. Every way in which data can stop has a counter of its own; offered = sent + withheld + dropped + rejected +
//!    quarantined + taken back + what is on its way (expired and corrupt bytes are counted as bytes: their items are
//!    unknown). What was taken back is offered again.
//! 2. Labels are names from the documents, never values from payloads.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tollgate_federation::Signal;
use tollgate_runtime::Metrics;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Received {
    signal: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Consumed {
    consumer: String,
    signal: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Held {
    consumer: String,
    signal: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SealedValues {
    link: String,
    class: &'static str,
    form: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Verdicts {
    policy: String,
    sampled: &'static str,
    decision: &'static str,
}

/// All families of a node.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    received: Family<Received, Counter>,
    consumed_items: Family<Consumed, Counter>,
    consumed_bytes: Family<Consumed, Counter>,
    held: Family<Held, Gauge>,
    sealed: Family<SealedValues, Counter>,
    verdicts: Family<Verdicts, Counter>,
    pub(crate) sampling: SamplingCounters,
}

/// What the door counts for one signal.
#[derive(Clone, Debug)]
pub(crate) struct ReceiverCounters {
    /// Items that are ours.
    pub(crate) accepted: Counter,
    /// Items left out of an accepted request, each reported to its sender.
    pub(crate) rejected: Counter,
    /// Requests not taken.
    pub(crate) refused: Counter,
}

/// What tail sampling counts.
#[derive(Debug, Default)]
pub(crate) struct SamplingCounters {
    pub(crate) pending: Gauge,
    pub(crate) remembered: Gauge,
    pub(crate) judged_early: Counter,
    pub(crate) spans_kept: Counter,
    pub(crate) spans_dropped: Counter,
    pub(crate) spans_unjudged: Counter,
}

impl Counters {
    pub(crate) fn register(metrics: &Metrics) -> Arc<Self> {
        let counters = Arc::new(Self::default());
        metrics.register(|registry| {
            let c = &counters;
            registry.register("tollgate_received", "Items and refused requests at the door", c.received.clone());
            registry.register("tollgate_consumer_items", "Items by what became of them", c.consumed_items.clone());
            registry.register("tollgate_consumer_bytes", "Bytes by what became of them", c.consumed_bytes.clone());
            registry.register("tollgate_consumer_held", "Nodes of the destination that refuse us", c.held.clone());
            registry.register("tollgate_sealed_values", "Values by class and form on a link", c.sealed.clone());
            let name = "otelcol_processor_tail_sampling_count_traces_sampled";
            registry.register(name, "Verdicts by policy", c.verdicts.clone());
            let name = "otelcol_processor_tail_sampling_sampling_traces_on_memory";
            registry.register(name, "Traces that wait for their verdict", c.sampling.pending.clone());
            let name = "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early";
            registry.register(
                name,
                "Traces judged before their time for want of room",
                c.sampling.judged_early.clone(),
            );
            let name = "tollgate_sampling_verdicts_remembered";
            registry.register(name, "Verdicts that late spans can follow", c.sampling.remembered.clone());
            registry.register("tollgate_sampling_spans_kept", "Spans of kept traces", c.sampling.spans_kept.clone());
            let name = "tollgate_sampling_spans_dropped";
            registry.register(name, "Spans of dropped traces", c.sampling.spans_dropped.clone());
            let name = "tollgate_sampling_spans_unjudged";
            registry.register(
                name,
                "Spans kept because their verdict was forgotten",
                c.sampling.spans_unjudged.clone(),
            );
        });
        counters
    }

    pub(crate) fn receiver(&self, signal: Signal) -> ReceiverCounters {
        let outcome = |outcome| {
            let labels = Received { signal: signal.as_str(), outcome };
            self.received.get_or_create(&labels).clone()
        };
        ReceiverCounters { accepted: outcome("accepted"), rejected: outcome("rejected"), refused: outcome("refused") }
    }

    pub(crate) fn consumer(&self, name: &str, signal: Signal) -> Arc<ConsumerCounters> {
        let labels = |outcome| Consumed { consumer: name.to_owned(), signal: signal.as_str(), outcome };
        let items = |outcome| self.consumed_items.get_or_create(&labels(outcome)).clone();
        let bytes = |outcome| self.consumed_bytes.get_or_create(&labels(outcome)).clone();
        Arc::new(ConsumerCounters {
            name: name.to_owned(),
            signal,
            offered: items("offered"),
            sent: items("sent"),
            sent_bytes: bytes("sent"),
            withheld: items("withheld"),
            dropped: items("dropped"),
            rejected: items("rejected"),
            quarantined: items("quarantined"),
            taken_back: items("taken_back"),
            failed: items("failed"),
            expired_bytes: bytes("expired"),
            corrupt_bytes: bytes("corrupt"),
            held: self.held.get_or_create(&Held { consumer: name.to_owned(), signal: signal.as_str() }).clone(),
            sealed: self.sealed.clone(),
        })
    }

    /// One verdict; `policy` is the name of the policy that decided, or empty.
    pub(crate) fn verdict(&self, policy: &str, keep: bool) {
        let (sampled, decision) = if keep { ("true", "sampled") } else { ("false", "not_sampled") };
        self.verdicts.get_or_create(&Verdicts { policy: policy.to_owned(), sampled, decision }).inc();
    }
}

/// What one consumer counts.
#[derive(Debug)]
pub(crate) struct ConsumerCounters {
    name: String,
    signal: Signal,
    offered: Counter,
    sent: Counter,
    sent_bytes: Counter,
    withheld: Counter,
    dropped: Counter,
    rejected: Counter,
    quarantined: Counter,
    taken_back: Counter,
    failed: Counter,
    expired_bytes: Counter,
    corrupt_bytes: Counter,
    held: Gauge,
    sealed: Family<SealedValues, Counter>,
}

impl ConsumerCounters {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn signal(&self) -> Signal {
        self.signal
    }

    /// Items that reached this consumer.
    pub(crate) fn offered(&self, items: u64) {
        self.offered.inc_by(items);
    }

    /// Items that a destination acknowledged.
    pub(crate) fn sent(&self, items: u64, bytes: usize) {
        self.sent.inc_by(items);
        self.sent_bytes.inc_by(bytes as u64);
    }

    /// Items that a policy did not let through.
    pub(crate) fn withheld(&self, items: u64) {
        self.withheld.inc_by(items);
    }

    /// Items that a drop rule of the documents took out.
    pub(crate) fn dropped(&self, items: u64) {
        self.dropped.inc_by(items);
    }

    /// Items that a destination refused in a partial success.
    pub(crate) fn rejected(&self, items: u64) {
        self.rejected.inc_by(items);
    }

    /// Items put aside because a destination refused them for good.
    pub(crate) fn quarantined(&self, items: u64) {
        self.quarantined.inc_by(items);
    }

    /// Items in attempts that failed; they are tried again.
    pub(crate) fn failed(&self, items: u64) {
        self.failed.inc_by(items);
    }

    /// Bytes that were let go because they were too old or too many.
    pub(crate) fn expired(&self, bytes: u64) {
        tracing::error!(consumer = self.name, signal = %self.signal, bytes, "expired: let go past share or age");
        self.expired_bytes.inc_by(bytes);
    }

    /// Bytes that the disk gave back damaged.
    pub(crate) fn corrupt(&self, bytes: u64) {
        tracing::error!(consumer = self.name, signal = %self.signal, bytes, "skipped damaged records of the spool");
        self.corrupt_bytes.inc_by(bytes);
    }

    /// How many nodes of the destination refuse us: an operator must act.
    pub(crate) fn held(&self, nodes: usize) {
        self.held.set(i64::try_from(nodes).unwrap_or(i64::MAX));
    }

    /// Items of parcels that were taken back because the policy that sealed them is no longer in force.
    pub(crate) fn taken_back(&self, items: u64) {
        self.taken_back.inc_by(items);
    }

    /// Values of a class that crossed a link in a form, or were withheld (`absent`).
    pub(crate) fn sealed_values(&self, class: &'static str, form: &'static str, count: u64) {
        let labels = SealedValues { link: self.name.clone(), class, form };
        self.sealed.get_or_create(&labels).inc_by(count);
    }
}
