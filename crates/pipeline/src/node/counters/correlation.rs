//! What is counted of how traces join across regions. Labels name regions of the documents: services come from payloads.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tollgate_runtime::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Looked {
    regions: &'static str,
    roots: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Broken {
    kind: &'static str,
    from: String,
    to: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Boundary {
    from: String,
    to: String,
}

/// What is counted of traces that are followed.
#[derive(Debug, Default)]
pub(crate) struct CorrelationCounters {
    traces: Family<Looked, Counter>,
    breaks: Family<Broken, Counter>,
    joins: Family<Boundary, Counter>,
    pub(crate) too_large: Counter,
    spans_held: Gauge,
    share: Gauge<f64, AtomicU64>,
}

impl CorrelationCounters {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Traces looked at, by the number of regions that reported and of roots seen";
        registry.register("tollgate_correlation_traces", help, self.traces.clone());
        let help = "Spans that do not join their trace, by why, the region where the trace began, and theirs";
        registry.register("tollgate_correlation_breaks", help, self.breaks.clone());
        let help = "Spans whose parent is of another service or region, by the regions of both";
        registry.register("tollgate_correlation_joins", help, self.joins.clone());
        let help = "Traces with more spans than are followed";
        registry.register("tollgate_correlation_traces_too_large", help, self.too_large.clone());
        registry.register("tollgate_correlation_spans", "Spans that are held", self.spans_held.clone());
        registry.register("tollgate_correlation_share", "The share of traces that is followed", self.share.clone());
    }

    /// A trace was looked at.
    pub(crate) fn trace(&self, regions: usize, roots: usize) {
        let regions = match regions {
            0 | 1 => "1",
            2 => "2",
            3 => "3",
            _ => "4 or more",
        };
        let roots = match roots {
            0 => "0",
            1 => "1",
            _ => "2 or more",
        };
        self.traces.get_or_create(&Looked { regions, roots }).inc();
    }

    /// Spans do not join; where their trace began may not be known.
    pub(crate) fn broken(&self, kind: &'static str, from: Option<&str>, to: &str, spans: u32) {
        let labels = Broken { kind, from: from.unwrap_or_default().to_owned(), to: to.to_owned() };
        self.breaks.get_or_create(&labels).inc_by(spans.into());
    }

    /// Spans join over the border of a service or region.
    pub(crate) fn joined(&self, from: &str, to: &str, spans: u32) {
        self.joins.get_or_create(&Boundary { from: from.to_owned(), to: to.to_owned() }).inc_by(spans.into());
    }

    /// What is held, and the share that is followed.
    pub(crate) fn held(&self, spans: usize, share: f64) {
        self.spans_held.set(i64::try_from(spans).unwrap_or(i64::MAX));
        self.share.set(share);
    }
}
