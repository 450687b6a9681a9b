//! What a sampler tells of one request and of one judged trace.

use std::time::Duration;

use tollgate_otlp::TraceId;

use crate::policy::Votes;
use crate::summary::Summary;
use crate::verdict::{Coverage, Verdict};

/// Whether a verdict came in its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// After `decision_wait`, with the evidence of everybody.
    Due,
    /// On what had arrived by then.
    Early(Cause),
}

/// Why a trace was judged before all evidence was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// `num_traces` were pending.
    Room,
    /// A sender lags, and was waited for as long as the configuration says.
    Lag,
    /// The log in which spans wait was about to be full.
    Disk,
}

/// How long a trace waits for its verdict, as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// From its first span to its verdict.
    pub due: Duration,
    /// After so long everybody has had a say; a verdict before that is early.
    pub whole: Duration,
    /// Why the one is shorter than the other.
    pub cause: Cause,
}

impl Waits {
    /// As long for everybody.
    pub fn of(wait: Duration) -> Self {
        Self { due: wait, whole: wait, cause: Cause::Room }
    }
}

impl Cause {
    /// As metrics and reports say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Room => "num_traces",
            Self::Lag => "lag",
            Self::Disk => "disk",
        }
    }
}

impl Timing {
    /// Whether all evidence was there.
    pub fn coverage(self) -> Coverage {
        match self {
            Self::Due => Coverage::Complete,
            Self::Early(_) => Coverage::Incomplete,
        }
    }
}

/// One trace that was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The trace.
    pub trace: TraceId,
    /// The verdict on it, to be journalled before a span of it leaves.
    pub verdict: Verdict,
    /// What it was judged by.
    pub summary: Summary,
    /// How each policy voted.
    pub votes: Votes,
    /// Uptime of its first span's arrival.
    pub arrived: Duration,
    /// Whether it could wait its time.
    pub timing: Timing,
}

/// What one request added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folded {
    /// Spans of traces that are pending.
    pub pending_spans: u64,
    /// Spans of traces that were kept before they came.
    pub late_kept: u64,
    /// Spans of traces that were dropped before they came.
    pub late_dropped: u64,
    /// For each trace that was judged before, how long before.
    pub late_by: Vec<Duration>,
    /// Traces seen for the first time, or for the first time since they were forgotten.
    pub new_traces: u64,
    /// Traces that were judged early to make room.
    pub judged_early: u64,
    /// Spans that could not be evaluated; their traces will be kept.
    pub unreadable: u64,
    /// How many times a policy had no answer for a span; their traces will be kept unless a policy drops them.
    pub evaluation_errors: u64,
    /// How many times a condition failed on a span and was passed over, as its `error_mode` says.
    pub passed_over: u64,
    /// Spans that name no trace; no verdict will be given for them.
    pub without_trace: u64,
}
