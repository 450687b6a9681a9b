//! What waits in the logs, and what they let go of: read from the logs themselves whenever somebody asks for the metrics.
//!
//! Promises:
//! 1. What expired is shown at once, also while its consumer reads nothing.
//! 2. A queue's size and capacity are in bytes, as the Collector's are with `sizer: bytes`.

use std::collections::BTreeSet;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tollgate_federation::Signal;
use tollgate_spool::{ConsumerStatus, Spool};

/// The logs of a node as metrics.
pub(crate) struct Backlogs(Vec<Watched>);

/// One log, and which of its consumers lead out of the node.
pub(crate) struct Watched {
    pub(crate) signal: Signal,
    pub(crate) log: Spool,
    pub(crate) exporters: BTreeSet<String>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Consumer {
    consumer: String,
    signal: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Queue {
    exporter: String,
    data_type: &'static str,
}

impl Backlogs {
    pub(crate) fn new(logs: Vec<Watched>) -> Self {
        Self(logs)
    }
}

impl fmt::Debug for Backlogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the backlogs of {} logs", self.0.len())
    }
}

impl Collector for Backlogs {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut consumers = Vec::new();
        for Watched { signal, log, exporters } in &self.0 {
            let of_log = log.status().consumers.into_iter();
            consumers
                .extend(of_log.map(|consumer| (signal.as_str(), exporters.contains(consumer.name.as_str()), consumer)));
        }
        let expired = ConstCounter::new(0_u64);
        let help = "Bytes let go of since the start, past share or age";
        let mut family =
            encoder.encode_descriptor("tollgate_consumer_expired_bytes", help, None, expired.metric_type())?;
        for (signal, _, consumer) in &consumers {
            let labels = Consumer { consumer: consumer.name.to_string(), signal };
            ConstCounter::new(consumer.expired).encode(family.encode_family(&labels)?)?;
        }
        let held = |consumer: &ConsumerStatus| consumer.held;
        let share = |consumer: &ConsumerStatus| consumer.share;
        for (name, help, value) in [
            (
                "otelcol_exporter_queue_size",
                "Bytes of disk held for what waits",
                &held as &dyn Fn(&ConsumerStatus) -> u64,
            ),
            ("otelcol_exporter_queue_capacity", "Bytes of disk that may be held", &share),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, ConstGauge::new(0_u64).metric_type())?;
            for (data_type, _, consumer) in consumers.iter().filter(|(_, leads_out, _)| *leads_out) {
                let labels = Queue { exporter: consumer.name.to_string(), data_type };
                ConstGauge::new(value(consumer)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
