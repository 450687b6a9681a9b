//! How far behind those are who send traces here: read whenever somebody asks for the metrics or the status.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use serde_json::{Value, json};

use crate::admit::attendance::{Attendance, Attendee};

/// The senders of traces as metrics.
#[derive(Debug)]
pub(crate) struct Lags(pub(crate) Arc<Attendance>);

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Sender {
    sender: String,
}

impl Collector for Lags {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let senders = self.0.all();
        let lag = |sender: &Attendee| sender.lag.as_secs_f64();
        let awaited = |sender: &Attendee| f64::from(u8::from(sender.is_awaited));
        let lag_help = "Seconds that a sender of traces is behind, by its own clock and its silence";
        let awaited_help = "Whether verdicts wait for this sender: 0 once it was silent for decision_wait_max";
        for (name, help, value) in [
            ("tollgate_sender_lag_seconds", lag_help, &lag as &dyn Fn(&Attendee) -> f64),
            ("tollgate_sender_awaited", awaited_help, &awaited),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, ConstGauge::new(0.0_f64).metric_type())?;
            for sender in &senders {
                let labels = Sender { sender: sender.node.to_string() };
                ConstGauge::new(value(sender)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

/// The same for a status page.
pub(crate) fn status(attendance: &Attendance) -> Value {
    let sender = |sender: Attendee| {
        json!({
            "node": sender.node.to_string(),
            "lag_seconds": sender.lag.as_secs_f64(),
            "silent_seconds": sender.silent.as_secs_f64(),
            "awaited": sender.is_awaited,
        })
    };
    attendance.all().into_iter().map(sender).collect()
}
