//! What the consumers of a node's logs count: each way out, and whoever reads a log without sending anything on.

use std::ops::Deref;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tollgate_federation::Signal;
use tollgate_runtime::Registry;

use super::of_items;
use crate::signals::BySignal;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Exporter {
    exporter: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Consumed {
    consumer: String,
    signal: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfConsumer {
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
struct InShadow {
    link: String,
    rule: String,
    now: &'static str,
    then: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfLink {
    link: String,
}

/// The families of all consumers.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    sent: BySignal<Family<Exporter, Counter>>,
    send_failed: BySignal<Family<Exporter, Counter>>,
    items: Family<Consumed, Counter>,
    bytes: Family<Consumed, Counter>,
    held: Family<OfConsumer, Gauge>,
    sealed: Family<SealedValues, Counter>,
    keys_missing: Family<OfLink, Counter>,
    in_shadow: Family<InShadow, Counter>,
    deleted_files: Family<OfConsumer, Counter>,
    deleted_bytes: Family<OfConsumer, Counter>,
}

impl Consumers {
    pub(super) fn register(&self, registry: &mut Registry) {
        for (signal, family) in self.sent.iter() {
            registry.register(of_items("exporter_sent", signal), "Items a destination acknowledged", family.clone());
        }
        for (signal, family) in self.send_failed.iter() {
            let help = "Items refused for good and put in quarantine";
            registry.register(of_items("exporter_send_failed", signal), help, family.clone());
        }
        registry.register("tollgate_consumer_items", "Items by what became of them", self.items.clone());
        registry.register("tollgate_consumer_bytes", "Bytes by what became of them", self.bytes.clone());
        registry.register("tollgate_consumer_held", "Nodes of the destination that refuse us", self.held.clone());
        registry.register("tollgate_sealed_values", "Values by class and form on a link", self.sealed.clone());
        let help = "Values and spans absent on a link because the key of their pseudonyms or blinded ids is not here";
        registry.register("tollgate_sealed_keys_missing", help, self.keys_missing.clone());
        let help = "Attributes that would cross a link otherwise if a rule in shadow held, by their form now and then";
        registry.register("tollgate_shadow_values", help, self.in_shadow.clone());
        let help = "Files of a file exporter deleted because it keeps no more of them";
        registry.register("tollgate_file_exporter_deleted_files", help, self.deleted_files.clone());
        let help = "Bytes in those files";
        registry.register("tollgate_file_exporter_deleted_bytes", help, self.deleted_bytes.clone());
    }

    pub(super) fn of(&self, name: &str, signal: Signal) -> ConsumerCounters {
        let exporter = Exporter { exporter: name.to_owned() };
        let labels = |outcome| Consumed { consumer: name.to_owned(), signal: signal.as_str(), outcome };
        let items = |outcome| self.items.get_or_create(&labels(outcome)).clone();
        let consumer = OfConsumer { consumer: name.to_owned(), signal: signal.as_str() };
        ConsumerCounters {
            losses: self.losses(name, signal),
            offered: items("offered"),
            sent: self.sent.of(signal).get_or_create(&exporter).clone(),
            sent_bytes: self.bytes.get_or_create(&labels("sent")).clone(),
            send_failed: self.send_failed.of(signal).get_or_create(&exporter).clone(),
            withheld: items("withheld"),
            dropped: items("dropped"),
            rejected: items("rejected"),
            taken_back: items("taken_back"),
            failed: items("failed"),
            held: self.held.get_or_create(&consumer).clone(),
            sealed: self.sealed.clone(),
            keys_missing: self.keys_missing.clone(),
            in_shadow: self.in_shadow.clone(),
            deleted: (self.deleted_files.clone(), self.deleted_bytes.clone()),
        }
    }

    pub(super) fn losses(&self, name: &str, signal: Signal) -> Losses {
        let labels = Consumed { consumer: name.to_owned(), signal: signal.as_str(), outcome: "corrupt" };
        Losses { name: name.to_owned(), signal, corrupt_bytes: self.bytes.get_or_create(&labels).clone() }
    }
}

/// What a consumer lost before it could read it.
#[derive(Debug)]
pub(crate) struct Losses {
    name: String,
    signal: Signal,
    corrupt_bytes: Counter,
}

impl Losses {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn signal(&self) -> Signal {
        self.signal
    }

    /// Bytes that were let go because they were too old or too many; the log counted them when it did.
    pub(crate) fn expired(&self, bytes: u64) {
        tracing::error!(consumer = self.name, signal = %self.signal, bytes, "expired: let go past share or age");
    }

    /// Bytes that the disk gave back damaged.
    pub(crate) fn corrupt(&self, bytes: u64) {
        tracing::error!(consumer = self.name, signal = %self.signal, bytes, "skipped damaged records of the spool");
        self.corrupt_bytes.inc_by(bytes);
    }
}

/// What one way out counts.
#[derive(Debug)]
pub(crate) struct ConsumerCounters {
    losses: Losses,
    offered: Counter,
    sent: Counter,
    sent_bytes: Counter,
    send_failed: Counter,
    withheld: Counter,
    dropped: Counter,
    rejected: Counter,
    taken_back: Counter,
    failed: Counter,
    held: Gauge,
    sealed: Family<SealedValues, Counter>,
    keys_missing: Family<OfLink, Counter>,
    in_shadow: Family<InShadow, Counter>,
    deleted: (Family<OfConsumer, Counter>, Family<OfConsumer, Counter>),
}

impl Deref for ConsumerCounters {
    type Target = Losses;

    fn deref(&self) -> &Losses {
        &self.losses
    }
}

impl ConsumerCounters {
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

    /// Items that a drop rule or thinning of the documents took out.
    pub(crate) fn dropped(&self, items: u64) {
        self.dropped.inc_by(items);
    }

    /// Items that a destination refused in a partial success.
    pub(crate) fn rejected(&self, items: u64) {
        self.rejected.inc_by(items);
    }

    /// Items put aside because a destination refused them for good: what the Collector calls failed, and drops.
    pub(crate) fn quarantined(&self, items: u64) {
        self.send_failed.inc_by(items);
    }

    /// Items in attempts that failed; they are tried again.
    pub(crate) fn failed(&self, items: u64) {
        self.failed.inc_by(items);
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
        let labels = SealedValues { link: self.name().to_owned(), class, form };
        self.sealed.get_or_create(&labels).inc_by(count);
    }

    /// Values that should have crossed a link as a pseudonym and are absent, for want of the key.
    pub(crate) fn keys_missing(&self, count: u64) {
        self.keys_missing.get_or_create(&OfLink { link: self.name().to_owned() }).inc_by(count);
    }

    /// Attributes that would cross a link in another form if a rule in shadow held.
    pub(crate) fn in_shadow(&self, rule: &str, now: &'static str, then: &'static str, count: u64) {
        let labels = InShadow { link: self.name().to_owned(), rule: rule.to_owned(), now, then };
        self.in_shadow.get_or_create(&labels).inc_by(count);
    }

    /// What a file exporter counts of the files that it does not keep; other ways out have no such series.
    pub(crate) fn deleted(&self) -> Deleted {
        let labels = OfConsumer { consumer: self.name().to_owned(), signal: self.signal().as_str() };
        let (files, bytes) = &self.deleted;
        Deleted { files: files.get_or_create(&labels).clone(), bytes: bytes.get_or_create(&labels).clone() }
    }
}

/// What was deleted to stay within the number of files that are kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deleted {
    pub(crate) files: Counter,
    pub(crate) bytes: Counter,
}
