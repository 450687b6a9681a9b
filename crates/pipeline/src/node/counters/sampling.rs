//! What tail sampling counts; registered where traces are judged and nowhere else.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tollgate_runtime::Registry;
use tollgate_sampling::Cause;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Verdicts {
    policy: String,
    sampled: &'static str,
    decision: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Early {
    cause: &'static str,
}

/// What tail sampling counts.
#[derive(Debug, Default)]
pub(crate) struct SamplingCounters {
    verdicts: Family<Verdicts, Counter>,
    pub(crate) pending: Gauge,
    pub(crate) remembered: Gauge,
    incomplete: Family<Early, Counter>,
    pub(crate) judged_early: Counter,
    pub(crate) spans_kept: Counter,
    pub(crate) spans_dropped: Counter,
    pub(crate) spans_unjudged: Counter,
}

impl SamplingCounters {
    pub(super) fn register(&self, registry: &mut Registry) {
        let name = "otelcol_processor_tail_sampling_count_traces_sampled";
        registry.register(name, "Verdicts by policy", self.verdicts.clone());
        let name = "otelcol_processor_tail_sampling_sampling_traces_on_memory";
        registry.register(name, "Traces that wait for their verdict", self.pending.clone());
        let name = "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early";
        registry.register(name, "Traces judged before their time for want of room", self.judged_early.clone());
        let help = "Traces judged before all evidence was there, by what kept it from being waited for";
        registry.register("tollgate_sampling_traces_incomplete", help, self.incomplete.clone());
        let name = "tollgate_sampling_verdicts_remembered";
        registry.register(name, "Verdicts that late spans can follow", self.remembered.clone());
        registry.register("tollgate_sampling_spans_kept", "Spans of kept traces", self.spans_kept.clone());
        registry.register("tollgate_sampling_spans_dropped", "Spans of dropped traces", self.spans_dropped.clone());
        let help = "Spans kept because their verdict was forgotten";
        registry.register("tollgate_sampling_spans_unjudged", help, self.spans_unjudged.clone());
    }

    /// A trace was judged before all evidence was there.
    pub(crate) fn incomplete(&self, cause: Cause) {
        self.incomplete.get_or_create(&Early { cause: cause.as_str() }).inc();
    }

    pub(super) fn verdicts(&self, policy: &str, keep: bool, count: u64) {
        let (sampled, decision) = if keep { ("true", "sampled") } else { ("false", "not_sampled") };
        self.verdicts.get_or_create(&Verdicts { policy: policy.to_owned(), sampled, decision }).inc_by(count);
    }
}
