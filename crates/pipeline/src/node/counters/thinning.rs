//! What thinning counts, of the ways out that the documents thin and of no other.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use serde_json::{Value, json};
use tollgate_runtime::Registry;
use tollgate_sampling::tracestate::Unmarked;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByReason {
    consumer: String,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Of {
    consumer: String,
}

/// The families, and what of them the status page shows.
#[derive(Debug, Default)]
pub(crate) struct ThinningCounters {
    spans: Family<ByReason, Counter>,
    bytes: Family<ByReason, Counter>,
    unmarked: Family<ByReason, Counter>,
    undeclared: Family<Of, Counter>,
    probability: Family<Of, Gauge<f64, AtomicU64>>,
    thinned: Mutex<BTreeMap<String, Arc<OfConsumer>>>,
}

/// What was left out for one reason.
#[derive(Debug)]
pub(crate) struct LeftOut {
    spans: Counter,
    bytes: Counter,
}

impl LeftOut {
    pub(crate) fn add(&self, spans: u64, bytes: u64) {
        self.spans.inc_by(spans);
        self.bytes.inc_by(bytes);
    }
}

/// What one way out counts.
#[derive(Debug)]
pub(crate) struct OfConsumer {
    /// By the share, and by the rate.
    pub(crate) share: LeftOut,
    pub(crate) rate: LeftOut,
    unmarked: [(Unmarked, Counter); Unmarked::ALL.len()],
    /// Spans judged by an id of which nobody says that it is random.
    pub(crate) undeclared: Counter,
    /// The share of all traces that stays now.
    pub(crate) probability: Gauge<f64, AtomicU64>,
}

impl OfConsumer {
    /// A span that stays and does not say by which threshold.
    pub(crate) fn unmarked(&self, why: Unmarked) {
        for (_, counter) in self.unmarked.iter().filter(|(known, _)| *known == why) {
            counter.inc();
        }
    }

    fn status(&self) -> Value {
        let unmarked: serde_json::Map<_, _> =
            self.unmarked.iter().map(|(why, counter)| (why.as_str().to_owned(), counter.get().into())).collect();
        json!({
            "probability": self.probability.get(),
            "left_out_spans": {"share": self.share.spans.get(), "rate": self.rate.spans.get()},
            "left_out_bytes": {"share": self.share.bytes.get(), "rate": self.rate.bytes.get()},
            "unmarked_spans": unmarked,
            "undeclared_random_spans": self.undeclared.get(),
        })
    }
}

impl ThinningCounters {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Spans left out of a way that the documents thin, by what they exceeded; they count as dropped";
        registry.register("tollgate_thinning_left_out_spans", help, self.spans.clone());
        registry.register("tollgate_thinning_left_out_bytes", "Bytes of those spans", self.bytes.clone());
        let help = "Spans that stay and do not say by which threshold, by reason";
        registry.register("tollgate_thinning_unmarked_spans", help, self.unmarked.clone());
        let help = "Spans thinned by a trace id that nobody declared random";
        registry.register("tollgate_thinning_undeclared_random_spans", help, self.undeclared.clone());
        let help = "The share of all traces that stays now";
        registry.register("tollgate_thinning_probability", help, self.probability.clone());
    }

    pub(crate) fn of(&self, consumer: &str) -> Arc<OfConsumer> {
        let labels = |reason| ByReason { consumer: consumer.to_owned(), reason };
        let left_out = |reason| LeftOut {
            spans: self.spans.get_or_create(&labels(reason)).clone(),
            bytes: self.bytes.get_or_create(&labels(reason)).clone(),
        };
        let of = Of { consumer: consumer.to_owned() };
        let made = Arc::new(OfConsumer {
            share: left_out("share"),
            rate: left_out("rate"),
            unmarked: Unmarked::ALL.map(|why| (why, self.unmarked.get_or_create(&labels(why.as_str())).clone())),
            undeclared: self.undeclared.get_or_create(&of).clone(),
            probability: self.probability.get_or_create(&of).clone(),
        });
        let mut thinned = self.thinned.lock().unwrap_or_else(PoisonError::into_inner);
        thinned.insert(consumer.to_owned(), Arc::clone(&made));
        made
    }

    /// Each way out that is thinned.
    pub(crate) fn status(&self) -> Option<Value> {
        let thinned = self.thinned.lock().unwrap_or_else(PoisonError::into_inner);
        let each = thinned.iter().map(|(name, counters)| (name.clone(), counters.status()));
        (!thinned.is_empty()).then(|| each.collect::<serde_json::Map<_, _>>().into())
    }
}
