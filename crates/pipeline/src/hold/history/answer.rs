//! The answer to "why was this trace kept or dropped", as JSON.

use serde_json::{Value, json};
use tollgate_otlp::TraceId;
use tollgate_runtime::Timestamp;
use tollgate_sampling::{Coverage, Decision, Timing};

use super::{Arrival, Given, History, Kept, Known};

impl History {
    /// What is known of a trace.
    pub(crate) fn why(&self, trace: &TraceId) -> Value {
        let kept = self.lock();
        // Of several verdicts, the one before was forgotten when its trace came again; what holds is the last.
        let given: Vec<&Given> = kept.verdicts.iter().filter(|given| given.trace == *trace).collect();
        let arrivals: Vec<&Arrival> = kept.arrivals.iter().filter(|arrival| arrival.trace == *trace).collect();
        let last = given.last().copied();
        let state = match last.map(|given| given.decision) {
            Some(Decision::Keep) => "kept",
            Some(Decision::Drop) => "dropped",
            None if arrivals.is_empty() => "unknown",
            None if self.may_be_forgotten(&kept, &arrivals) => "pending or forgotten",
            None => "pending",
        };
        let mut answer = json!({
            "trace_id": trace.to_string(),
            "state": state,
            "verdict": last.map(|given| kept.verdict(given)),
            "earlier_verdicts": given.iter().rev().skip(1).map(|given| kept.verdict(given)).collect::<Value>(),
            "arrived": kept.arrived(arrivals.iter().copied(), last),
            "history": self.reach(&kept),
        });
        if let (Some(note), Some(answer)) = (self.note(&kept, state, last, &arrivals), answer.as_object_mut()) {
            answer.insert("note".to_owned(), note.into());
        }
        answer
    }

    /// How much is known, for a status page.
    pub(crate) fn status(&self) -> Value {
        self.reach(&self.lock())
    }

    fn reach(&self, kept: &Kept) -> Value {
        json!({
            "traces": kept.verdicts.len(),
            "most_traces": self.most(),
            "verdicts_since": time(self.verdicts_since(kept)),
            "arrivals_since": time(self.arrivals_since(kept)),
        })
    }

    pub(super) fn verdicts_since(&self, kept: &Kept) -> Timestamp {
        let oldest = kept.verdicts.front().map(|given| given.at);
        oldest.filter(|oldest| kept.verdicts.len() >= self.most() || *oldest < kept.began).unwrap_or(kept.began)
    }

    pub(super) fn arrivals_since(&self, kept: &Kept) -> Timestamp {
        let oldest = kept.arrivals.front().map(|arrival| arrival.at);
        let is_full = kept.arrivals.len() >= self.most().saturating_mul(super::REQUESTS);
        oldest.filter(|_| is_full).unwrap_or(kept.began)
    }

    /// Its verdict would stand behind those that are kept, if it was given.
    fn may_be_forgotten(&self, kept: &Kept, arrivals: &[&Arrival]) -> bool {
        let is_full = kept.verdicts.len() >= self.most();
        let first = arrivals.first().map(|arrival| arrival.at);
        is_full && first.is_some_and(|first| first < self.verdicts_since(kept))
    }

    fn note(&self, kept: &Kept, state: &str, last: Option<&Given>, arrivals: &[&Arrival]) -> Option<&'static str> {
        match (state, last) {
            ("unknown", _) => Some(
                "this node has not seen the trace since the history begins: another node of the tier may own it, or it is forgotten",
            ),
            ("pending or forgotten", _) => {
                Some("no verdict is in the history: either it has yet to be given or it is older than the history")
            }
            (_, Some(Given { known: Known::Journal(_), .. })) => Some(
                "the verdict was given before this process started: votes and earlier arrivals are not known any more",
            ),
            (_, Some(Given { known: Known::Here { spans, .. }, at, .. })) => {
                let known =
                    arrivals.iter().filter(|arrival| arrival.folded <= *at).map(|arrival| u64::from(arrival.spans));
                let is_partial = known.sum::<u64>() < u64::from(*spans) || self.arrivals_since(kept) > *at;
                is_partial.then_some("some of the arrivals before the verdict are older than the history")
            }
            _ => None,
        }
    }
}

impl Arrival {
    /// What the process before took in is taken in anew: there only its arrival tells.
    fn is_after(&self, given: &Given) -> bool {
        match given.known {
            Known::Here { .. } => self.folded > given.at,
            Known::Journal(_) => self.at > given.at,
        }
    }
}

impl Kept {
    fn verdict(&self, given: &Given) -> Value {
        let decision = match given.decision {
            Decision::Keep => "keep",
            Decision::Drop => "drop",
        };
        let reason = usize::try_from(given.reason).ok().and_then(|reason| self.reasons.get(reason));
        let (coverage, cause) = match given.known {
            Known::Here { timing: Timing::Early(cause), .. } => (Coverage::Incomplete, Some(cause.as_str())),
            Known::Here { timing: Timing::Due, .. } => (Coverage::Complete, None),
            Known::Journal(coverage) => (coverage, None),
        };
        let mut verdict = json!({
            "decision": decision,
            "reason": reason.map(|reason| &**reason),
            "at": time(given.at),
            "incomplete": coverage == Coverage::Incomplete,
            "judged_early_by": cause,
        });
        if let (Known::Here { policies, votes, waited, spans, .. }, Some(verdict)) =
            (&given.known, verdict.as_object_mut())
        {
            let vote = |(place, policy): (usize, &str)| json!({"policy": policy, "vote": votes.of(place).as_str()});
            verdict.insert("waited_seconds".to_owned(), waited.as_secs_f64().into());
            verdict.insert("spans".to_owned(), (*spans).into());
            verdict.insert("votes".to_owned(), policies.iter().map(AsRef::as_ref).enumerate().map(vote).collect());
        }
        verdict
    }

    /// By sender and origin, and by whether they could be judged by.
    fn arrived<'a>(&self, arrivals: impl Iterator<Item = &'a Arrival>, last: Option<&Given>) -> Value {
        let mut groups: Vec<(u32, bool, u64, u64, Timestamp, Timestamp)> = Vec::new();
        for arrival in arrivals {
            let is_late = last.is_some_and(|given| arrival.is_after(given));
            let spans = u64::from(arrival.spans);
            match groups.iter_mut().find(|group| (group.0, group.1) == (arrival.source, is_late)) {
                Some((.., requests, sum, _, until)) => {
                    (*requests, *sum, *until) = (*requests + 1, *sum + spans, arrival.at);
                }
                None => groups.push((arrival.source, is_late, 1, spans, arrival.at, arrival.at)),
            }
        }
        let fate = |is_late| match (last.map(|given| given.decision), is_late) {
            (Some(Decision::Keep), true) => "late: followed the verdict and kept",
            (Some(Decision::Drop), true) => "late: followed the verdict and dropped",
            _ => "in time",
        };
        let one = |(source, is_late, requests, spans, first, until)| {
            let source = usize::try_from(source).ok().and_then(|source| self.sources.get(source));
            json!({
                "from": source.map(|source| source.peer.as_str()),
                "origin": source.map(|source| source.origin.as_str()),
                "requests": requests,
                "spans": spans,
                "first": time(first),
                "last": time(until),
                "fate": fate(is_late),
            })
        };
        groups.into_iter().map(one).collect()
    }
}

/// Milliseconds are enough for people, and sort.
pub(in crate::hold) fn time(at: Timestamp) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.nanos()));
    let Ok(at) = at else { return String::new() };
    format!("{}T{:02}:{:02}:{:02}.{:03}Z", at.date(), at.hour(), at.minute(), at.second(), at.millisecond())
}
