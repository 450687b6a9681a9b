//! The common combination: services sample 10 % at their root and everyone follows it, central keeps errors, slow traces and
//! 10 % of the rest. How much is stored in the end?
//!
//! Guarantees: what the SDKs leave out is gone, errors too; by the Collector's hash the two shares multiply, by the trace state
//! they are one share. Simulated with the sampler itself; `--nocapture` prints the table.
#![allow(clippy::unwrap_used, reason = "a test stops where its premise fails")]

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use tollgate_config::Set;
use tollgate_otlp::{Batch, Limits, TraceId, walk_traces};
use tollgate_sampling::tracestate::Arrived;
use tollgate_sampling::{Decision, Fate, PolicySet, Sampler, Terms, Thinner};

const TRACES: u32 = 60_000;
const POLICIES: &str = "\
tail_sampling:
  decision_wait: 1s
  num_traces: 1000000
  policies:
    - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
    - {name: slow, type: latency, latency: {threshold_ms: 1000}}
    - {name: rest, type: probabilistic, probabilistic: {sampling_percentage: 10}}
";
const ERRORS: f64 = 0.04;
const SLOW: f64 = 0.03;

/// One trace as it happened, whoever saw it.
struct Happened {
    id: TraceId,
    is_error: bool,
    is_slow: bool,
}

/// How the SDKs decide at the root.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sdk {
    All,
    /// `TraceIdRatioBased` of before consistent sampling: the low eight bytes of the id are below a bound, nothing is written.
    Older,
    /// Consistent probability sampling, with `ot=th`.
    Consistent,
}

/// The same traces in every run.
fn traces() -> impl Iterator<Item = Happened> {
    let mut state = 0x1234_5678_9abc_def0_u64;
    let mut next = move || {
        // SplitMix64, by its reference.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    (0..TRACES).map(move |_| {
        let id = (u128::from(next()) << 64) | u128::from(next());
        let mut chance = || next() as f64 / 2.0_f64.powi(64);
        Happened { id: TraceId(id.to_be_bytes()), is_error: chance() < ERRORS, is_slow: chance() < SLOW }
    })
}

impl Sdk {
    /// The trace state of what it samples.
    fn samples(self, id: &TraceId, consistent: &mut Thinner) -> Option<&'static str> {
        match self {
            Self::All => Some(""),
            Self::Older => {
                let [.., a, b, c, d, e, f, g, h] = *id.as_bytes();
                (u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1 < (1 << 63) / 10).then_some("")
            }
            Self::Consistent => {
                let arrived = Arrived::read("", id);
                let cut = consistent.cut(0, Duration::ZERO, std::iter::empty());
                matches!(cut.fate(&arrived), Fate::Stays(_)).then_some("ot=th:e666")
            }
        }
    }
}

/// A root in one service and a child in another, which bears the error.
fn request(trace: &Happened, state: &str) -> Vec<u8> {
    let end = if trace.is_slow { 1_500 } else { 150 };
    let span = |number: u8, parent: Vec<u8>| Span {
        trace_id: trace.id.as_bytes().to_vec(),
        span_id: vec![number; 8],
        parent_span_id: parent,
        trace_state: state.to_owned(),
        start_time_unix_nano: 1_000_000_000,
        end_time_unix_nano: 1_000_000_000 + end * 1_000_000,
        status: Some(Status { code: if trace.is_error && number == 2 { 2 } else { 0 }, message: String::new() }),
        ..Span::default()
    };
    let spans = vec![span(1, Vec::new()), span(2, vec![1; 8])];
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }
        .encode_to_vec()
}

/// What is stored, of all traces and of those with errors.
fn stored(sdk: Sdk, mode: &str) -> (f64, f64) {
    let text = format!("{mode}{POLICIES}");
    let (set, faults) = Set::from_texts([("policies/sampling.yaml", text.as_str())]);
    let mut sampler = Sampler::new(PolicySet::load(&set, &faults).unwrap(), 1);
    let mut consistent = Thinner::new(Terms { share: Some(0.1), ..Terms::default() });
    let (mut errors, mut kept, mut kept_errors) = (0_u32, 0_u32, 0_u32);
    for (number, trace) in (0_u64..).zip(traces()) {
        errors += u32::from(trace.is_error);
        let Some(state) = sdk.samples(&trace.id, &mut consistent) else { continue };
        let payload = request(&trace, state);
        let walked = walk_traces(&payload, &Limits::default()).unwrap();
        // Each trace is judged before the next one begins.
        let now = Duration::from_secs(10 * number);
        sampler.fold(now, Batch::new(&payload, &walked.index));
        for judged in sampler.due(now + Duration::from_secs(5)) {
            let is_kept = judged.verdict.decision == Decision::Keep;
            kept += u32::from(is_kept);
            kept_errors += u32::from(is_kept && trace.is_error);
        }
    }
    (f64::from(kept) / f64::from(TRACES), f64::from(kept_errors) / f64::from(errors))
}

/// Whether a share is what is expected, within five standard deviations.
fn is_about(found: f64, expected: f64, of: f64) -> bool {
    (found - expected).abs() <= 5.0 * (expected * (1.0 - expected) / of).sqrt()
}

#[test]
fn ten_percent_at_the_sdk_before_errors_slow_and_ten_percent_of_the_rest() {
    let wanted = 1.0 - (1.0 - ERRORS) * (1.0 - SLOW);
    let rest = 1.0 - wanted;
    // An older SDK keeps ids whose ninth byte is below 25.6 of 256; randomness lies behind that byte, so only the last of these
    // values is not independent of it: there nothing with high randomness is left.
    let older_and_consistent = 25.0 / 256.0 * 0.1;
    println!("{:<12} {:<14} {:>8} {:>9} {:>8}", "at the SDK", "at central", "stored", "expected", "errors");
    for (sdk, mode, expected) in [
        (Sdk::All, "", wanted + rest * 0.1),
        (Sdk::All, "use_tracestate: true\n", wanted + rest * 0.1),
        (Sdk::Older, "", 0.1 * (wanted + rest * 0.1)),
        (Sdk::Older, "use_tracestate: true\n", 0.1 * wanted + rest * older_and_consistent),
        (Sdk::Consistent, "", 0.1 * (wanted + rest * 0.1)),
        (Sdk::Consistent, "use_tracestate: true\n", 0.1),
    ] {
        let (share, errors) = stored(sdk, mode);
        let name = match sdk {
            Sdk::All => "all",
            Sdk::Older => "10 %, older",
            Sdk::Consistent => "10 %, th",
        };
        let by = if mode.is_empty() { "hash" } else { "trace state" };
        println!("{name:<12} {by:<14} {:>6.3} % {:>7.3} % {:>6.1} %", share * 100.0, expected * 100.0, errors * 100.0);
        assert!(is_about(share, expected, f64::from(TRACES)), "{sdk:?} {mode}: {share}, not {expected}");
        let reach = if sdk == Sdk::All { 1.0 } else { 0.1 };
        assert!(is_about(errors, reach, f64::from(TRACES) * ERRORS * 0.9), "{sdk:?} {mode}: {errors} of the errors");
    }
}
