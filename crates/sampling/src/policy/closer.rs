//! What few policies look for in a span, in a pass of its own: who does not ask for it does not pay for it.

use std::collections::BTreeSet;

use tollgate_otlp::SpanView;

use super::observe::Surroundings;
use super::rule::Conditions;
use crate::ottl::{EvaluationError, Event, View};
use crate::summary::{Mark, Marks};
use crate::tracestate;

/// What is looked for beyond status and attributes.
#[derive(Debug, Default)]
pub(crate) struct Closer {
    trace_states: Vec<(Mark, String, BTreeSet<Box<str>>)>,
    sampled_flag: Option<Mark>,
    conditions: Vec<Asked>,
}

/// The conditions of one policy.
#[derive(Debug)]
struct Asked {
    conditions: Conditions,
    holds: Mark,
    /// If it matters to the policy.
    unanswered: Option<Mark>,
}

/// How many times a condition could not be evaluated on a span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Failed {
    /// So that its policy has no answer for the span.
    pub(crate) unanswered: u64,
    /// And was passed over, as its `error_mode` says.
    pub(crate) passed_over: u64,
}

/// The bit of W3C trace flags that says that the caller recorded the trace.
const SAMPLED: u32 = 1;

/// Where part of a span could not be read.
const UNREADABLE: Mark = Mark { group: 0, bit: Marks::UNREADABLE };

impl Closer {
    pub(crate) fn trace_state(&mut self, key: String, values: BTreeSet<Box<str>>, mark: Mark) {
        self.trace_states.push((mark, key, values));
    }

    pub(crate) fn sampled_flag(&mut self, mark: Mark) {
        self.sampled_flag = Some(mark);
    }

    pub(crate) fn condition(&mut self, conditions: Conditions, holds: Mark) {
        self.conditions.push(Asked { conditions, holds, unanswered: None });
    }

    /// The mark of what the condition with the mark `holds` cannot answer.
    pub(crate) fn unanswered(&mut self, holds: Mark, mark: Mark) {
        if let Some(asked) = self.conditions.iter_mut().find(|asked| asked.holds == holds) {
            asked.unanswered = Some(mark);
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.trace_states.is_empty() && self.sampled_flag.is_none() && self.conditions.is_empty()
    }

    /// Gives out the marks that a span earns, and counts what could not be evaluated.
    pub(crate) fn look(
        &self,
        span: &SpanView<'_>,
        around: &Surroundings<'_>,
        failed: &mut Failed,
        mut earned: impl FnMut(Mark),
    ) {
        if let Some(mark) = self.sampled_flag.filter(|_| span.flags & SAMPLED != 0) {
            earned(mark);
        }
        self.look_at_trace_state(span.trace_state, &mut earned);
        for asked in &self.conditions {
            match asked.conditions.hold(span, around, &mut failed.passed_over) {
                Ok(true) => earned(asked.holds),
                Ok(false) => {}
                Err(error) => {
                    failed.unanswered += 1;
                    asked.unanswered.into_iter().for_each(&mut earned);
                    if matches!(error, EvaluationError::Unreadable(_)) {
                        earned(UNREADABLE);
                    }
                }
            }
        }
    }

    fn look_at_trace_state(&self, state: &str, earned: &mut impl FnMut(Mark)) {
        if self.trace_states.is_empty() || state.is_empty() {
            return;
        }
        let Some(members) = tracestate::members(state) else { return };
        for (mark, key, values) in &self.trace_states {
            if members.iter().any(|(name, value)| name == key && values.contains(*value)) {
                earned(*mark);
            }
        }
    }
}

impl Conditions {
    /// Whether a condition holds for the span or for one of its events. One that holds decides whatever had no answer.
    fn hold(
        &self,
        span: &SpanView<'_>,
        around: &Surroundings<'_>,
        passed_over: &mut u64,
    ) -> Result<bool, EvaluationError> {
        let view = View {
            resource: around.resource.0,
            resource_schema_url: around.resource.1,
            scope: around.scope.0,
            scope_schema_url: around.scope.1,
            span: span.body(),
            event: None,
        };
        let mut answer = self.mode.any(&self.span, &view, passed_over);
        if self.event.is_empty() {
            return answer;
        }
        for (index, body) in span.events().enumerate() {
            if matches!(answer, Ok(true)) {
                break;
            }
            let event = View { event: Some(Event { index, body }), ..view };
            answer = match self.mode.any(&self.event, &event, passed_over) {
                Ok(false) => answer,
                Err(error) => answer.and(Err(error)),
                holds => holds,
            };
        }
        answer
    }
}
