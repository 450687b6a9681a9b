//! What a sampler tells of one request and of one judged trace.

use tollgate_otlp::TraceId;

use crate::summary::Summary;
use crate::verdict::Verdict;

/// Whether a verdict came in its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// After `decision_wait`.
    Due,
    /// Before it, because `num_traces` were pending: on what had arrived by then.
    Early,
}

/// One trace that was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The trace.
    pub trace: TraceId,
    /// The verdict on it, to be journalled before a span of it leaves.
    pub verdict: Verdict,
    /// What it was judged by.
    pub summary: Summary,
    /// Whether it could wait its time.
    pub timing: Timing,
}

/// What one request added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Folded {
    /// Spans of traces that are pending.
    pub pending_spans: u64,
    /// Spans of traces that were kept before they came.
    pub late_kept: u64,
    /// Spans of traces that were dropped before they came.
    pub late_dropped: u64,
    /// Traces seen for the first time, or for the first time since they were forgotten.
    pub new_traces: u64,
    /// Traces that were judged early to make room.
    pub judged_early: u64,
    /// Spans that could not be evaluated; their traces will be kept.
    pub unreadable: u64,
    /// How many times a policy had no answer for a span; their traces will be kept unless a policy drops them.
    pub evaluation_errors: u64,
    /// Spans that name no trace; no verdict will be given for them.
    pub without_trace: u64,
}
