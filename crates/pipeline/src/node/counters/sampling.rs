//! What tail sampling counts; registered where traces are judged and nowhere else.
//!
//! Promises:
//! 1. Names and labels of `otelcol_processor_tail_sampling_*` are the Collector's, and so is what they count.
//! 2. Why traces are kept or dropped, and what of them, is told by reason in families of ours.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use tollgate_runtime::Registry;
use tollgate_sampling::Cause;

/// What became of a trace, in the Collector's words.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Sampled,
    NotSampled,
    /// By a policy that drops.
    Dropped,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfPolicy {
    policy: String,
    sampled: &'static str,
    decision: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfAll {
    sampled: &'static str,
    decision: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Asked {
    policy: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfCache {
    sampled: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByReason {
    reason: String,
    sampled: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Early {
    cause: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Failing {
    then: &'static str,
}

/// What tail sampling counts.
#[derive(Debug)]
pub(crate) struct SamplingCounters {
    traces: Family<OfPolicy, Counter>,
    spans: Family<OfPolicy, Counter>,
    asked: Family<Asked, Counter>,
    all: Family<OfAll, Counter>,
    late: Family<OfCache, Counter>,
    late_age: Histogram,
    latency: Histogram,
    removal_age: Histogram,
    pub(crate) new_traces: Counter,
    pub(crate) errors: Counter,
    pub(crate) too_large: Counter,
    pub(crate) pending: Gauge,
    pub(crate) judged_early: Counter,
    verdicts: Family<ByReason, Counter>,
    bytes: Family<ByReason, Counter>,
    spans_of: Family<ByReason, Counter>,
    incomplete: Family<Early, Counter>,
    failures: Family<Failing, Counter>,
    pub(crate) remembered: Gauge,
    pub(crate) spans_kept: Counter,
    pub(crate) spans_dropped: Counter,
    pub(crate) spans_unjudged: Counter,
    pub(crate) renewals: Counter,
    pub(crate) renewal_behind: Gauge,
}

/// The Collector's buckets, in milliseconds.
const LATENCIES: [f64; 23] = [
    1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 400.0, 500.0, 750.0, 1e3, 2e3, 3e3, 4e3, 5e3,
    1e4, 2e4, 3e4, 5e4,
];
/// In seconds.
const AGES: [f64; 14] = [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];

impl Default for SamplingCounters {
    fn default() -> Self {
        Self {
            traces: Family::default(),
            spans: Family::default(),
            asked: Family::default(),
            all: Family::default(),
            late: Family::default(),
            late_age: Histogram::new(AGES),
            latency: Histogram::new(LATENCIES),
            removal_age: Histogram::new(AGES),
            new_traces: Counter::default(),
            errors: Counter::default(),
            too_large: Counter::default(),
            pending: Gauge::default(),
            judged_early: Counter::default(),
            verdicts: Family::default(),
            bytes: Family::default(),
            spans_of: Family::default(),
            incomplete: Family::default(),
            failures: Family::default(),
            remembered: Gauge::default(),
            spans_kept: Counter::default(),
            spans_dropped: Counter::default(),
            spans_unjudged: Counter::default(),
            renewals: Counter::default(),
            renewal_behind: Gauge::default(),
        }
    }
}

impl SamplingCounters {
    pub(super) fn register(&self, registry: &mut Registry) {
        self.register_collectors(registry);
        self.register_ours(registry);
    }

    fn register_collectors(&self, registry: &mut Registry) {
        let name = |name: &str| format!("otelcol_processor_tail_sampling_{name}");
        registry.register(name("count_traces_sampled"), "Votes of each policy on traces", self.traces.clone());
        registry.register(name("count_spans_sampled"), "Spans of the traces voted on", self.spans.clone());
        registry.register(name("global_count_traces_sampled"), "Verdicts on traces", self.all.clone());
        registry.register(name("sampling_policy_execution_count"), "Votes of each policy", self.asked.clone());
        let help = "Votes that could not be given because part of a trace could not be evaluated";
        registry.register(name("sampling_policy_evaluation_error"), help, self.errors.clone());
        registry.register(name("new_trace_id_received"), "Traces seen for the first time", self.new_traces.clone());
        let help = "Spans that came after the verdict and follow it";
        registry.register(name("early_releases_from_cache_decision"), help, self.late.clone());
        let help = "Seconds from a verdict to a request with late spans of its trace";
        registry.register(name("sampling_late_span_age"), help, self.late_age.clone());
        let help = "Milliseconds that the verdicts of one round took";
        registry.register(name("sampling_decision_timer_latency"), help, self.latency.clone());
        let help = "Seconds from a trace's first span to its verdict, when its summary is let go";
        registry.register(name("sampling_trace_removal_age"), help, self.removal_age.clone());
        registry.register(
            name("sampling_traces_on_memory"),
            "Traces that wait for their verdict",
            self.pending.clone(),
        );
        let help = "Traces judged before their time for want of room";
        registry.register(name("sampling_trace_dropped_too_early"), help, self.judged_early.clone());
        let help = "Traces dropped because they were too large";
        registry.register(name("traces_dropped_too_large"), help, self.too_large.clone());
    }

    fn register_ours(&self, registry: &mut Registry) {
        let help = "Verdicts by the policy that decided, or why none did";
        registry.register("tollgate_sampling_verdicts", help, self.verdicts.clone());
        let help = "Spans swept, by the reason of their trace's verdict";
        registry.register("tollgate_sampling_reason_spans", help, self.spans_of.clone());
        let help = "Bytes of spans swept, by the reason of their trace's verdict";
        registry.register("tollgate_sampling_reason_bytes", help, self.bytes.clone());
        let help = "Traces judged before all evidence was there, by what kept it from being waited for";
        registry.register("tollgate_sampling_traces_incomplete", help, self.incomplete.clone());
        let help = "Times that a policy's conditions could not be evaluated on a span, by what that meant";
        registry.register("tollgate_sampling_condition_failures", help, self.failures.clone());
        let name = "tollgate_sampling_verdicts_remembered";
        registry.register(name, "Verdicts that late spans can follow", self.remembered.clone());
        registry.register("tollgate_sampling_spans_kept", "Spans of kept traces", self.spans_kept.clone());
        registry.register("tollgate_sampling_spans_dropped", "Spans of dropped traces", self.spans_dropped.clone());
        let help = "Spans kept because their verdict was forgotten";
        registry.register("tollgate_sampling_spans_unjudged", help, self.spans_unjudged.clone());
        let help = "Times that other policies took over in the running process";
        registry.register("tollgate_sampling_takeovers", help, self.renewals.clone());
        let help = "Bytes of the log that policies which are about to take over have not read yet";
        registry.register("tollgate_sampling_takeover_behind_bytes", help, self.renewal_behind.clone());
    }

    /// A policy voted so on so many traces of so many spans.
    pub(crate) fn voted(&self, policy: &str, outcome: Outcome, traces: u64, spans: u64) {
        let (sampled, decision) = outcome.labels();
        let labels = OfPolicy { policy: policy.to_owned(), sampled, decision };
        self.traces.get_or_create(&labels).inc_by(traces);
        self.spans.get_or_create(&labels).inc_by(spans);
    }

    /// Conditions failed on spans so often: so that their policies had no answer, and so that they were passed over.
    pub(crate) fn not_evaluated(&self, unanswered: u64, passed_over: u64) {
        for (then, times) in [("no_answer", unanswered), ("passed_over", passed_over)] {
            if times > 0 {
                self.failures.get_or_create(&Failing { then }).inc_by(times);
            }
        }
    }

    /// A policy was asked so often.
    pub(crate) fn asked(&self, policy: &str, times: u64) {
        self.asked.get_or_create(&Asked { policy: policy.to_owned() }).inc_by(times);
    }

    /// So many verdicts for this reason.
    pub(crate) fn verdicts(&self, reason: &str, outcome: Outcome, traces: u64) {
        let (sampled, decision) = outcome.labels();
        self.all.get_or_create(&OfAll { sampled, decision }).inc_by(traces);
        self.verdicts.get_or_create(&ByReason { reason: reason.to_owned(), sampled }).inc_by(traces);
    }

    /// So much was swept of traces whose verdict has this reason.
    pub(crate) fn swept(&self, reason: &str, outcome: Outcome, spans: u64, bytes: u64) {
        let labels = ByReason { reason: reason.to_owned(), sampled: outcome.labels().0 };
        self.spans_of.get_or_create(&labels).inc_by(spans);
        self.bytes.get_or_create(&labels).inc_by(bytes);
    }

    /// So many spans follow a verdict that was there.
    pub(crate) fn late(&self, outcome: Outcome, spans: u64) {
        if spans > 0 {
            self.late.get_or_create(&OfCache { sampled: outcome.labels().0 }).inc_by(spans);
        }
    }

    /// A request brought spans so long after their trace's verdict.
    pub(crate) fn late_by(&self, age: Duration) {
        self.late_age.observe(age.as_secs_f64());
    }

    /// A round of verdicts took so long.
    pub(crate) fn judged_in(&self, time: Duration) {
        self.latency.observe(time.as_secs_f64() * 1e3);
    }

    /// A trace was judged so long after its first span.
    pub(crate) fn judged_after(&self, age: Duration) {
        self.removal_age.observe(age.as_secs_f64());
    }

    /// A trace was judged before all evidence was there.
    pub(crate) fn incomplete(&self, cause: Cause) {
        self.incomplete.get_or_create(&Early { cause: cause.as_str() }).inc();
    }
}

impl Outcome {
    /// The values of `sampled` and `decision`.
    fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Sampled => ("true", "sampled"),
            Self::NotSampled => ("false", "not_sampled"),
            Self::Dropped => ("false", "dropped"),
        }
    }
}
