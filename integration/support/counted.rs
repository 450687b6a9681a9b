//! What processes counted of items: under the Collector's names where the meaning is its, under ours elsewhere.

use tollgate_federation::Signal;

use crate::fleet::Fleet;

impl Fleet {
    /// Items of a signal that became this of what a consumer of a process was offered.
    #[track_caller]
    pub fn items(&self, name: &str, consumer: &str, signal: Signal, outcome: &str) -> f64 {
        let exporter = [&format!("exporter=\"{consumer}\"")[..]];
        let found = match outcome {
            "sent" => self.metric(name, &family("exporter_sent", signal), &exporter),
            "quarantined" => self.metric(name, &family("exporter_send_failed", signal), &exporter),
            outcome => {
                let labels = [
                    format!("consumer=\"{consumer}\""),
                    format!("signal=\"{signal}\""),
                    format!("outcome=\"{outcome}\""),
                ];
                self.metric(name, "tollgate_consumer_items_total", &labels.each_ref().map(String::as_str))
            }
        };
        found.unwrap_or_default()
    }

    /// Items of a signal that a process took in.
    #[track_caller]
    pub fn accepted(&self, name: &str, signal: Signal) -> f64 {
        self.metric(name, &family("receiver_accepted", signal), &[]).unwrap_or_default()
    }
}

/// The Collector counts points of metrics, we count metrics.
fn family(stem: &str, signal: Signal) -> String {
    match signal {
        Signal::Traces => format!("otelcol_{stem}_spans_total"),
        Signal::Metrics => format!("tollgate_{stem}_metrics_total"),
        Signal::Logs => format!("otelcol_{stem}_log_records_total"),
    }
}
