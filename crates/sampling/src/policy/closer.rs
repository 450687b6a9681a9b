//! What few policies look for in a span, in a pass of its own: who does not ask for it does not pay for it.

use std::collections::BTreeSet;

use tollgate_otlp::SpanView;

use crate::summary::Mark;
use crate::tracestate;

/// What is looked for beyond status and attributes.
#[derive(Debug, Default)]
pub(crate) struct Closer {
    trace_states: Vec<(Mark, String, BTreeSet<Box<str>>)>,
    sampled_flag: Option<Mark>,
}

/// The bit of W3C trace flags that says that the caller recorded the trace.
const SAMPLED: u32 = 1;

impl Closer {
    pub(crate) fn trace_state(&mut self, key: String, values: BTreeSet<Box<str>>, mark: Mark) {
        self.trace_states.push((mark, key, values));
    }

    pub(crate) fn sampled_flag(&mut self, mark: Mark) {
        self.sampled_flag = Some(mark);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.trace_states.is_empty() && self.sampled_flag.is_none()
    }

    /// Gives out the marks that a span earns.
    pub(crate) fn look(&self, span: &SpanView<'_>, mut earned: impl FnMut(Mark)) {
        if let Some(mark) = self.sampled_flag.filter(|_| span.flags & SAMPLED != 0) {
            earned(mark);
        }
        if self.trace_states.is_empty() || span.trace_state.is_empty() {
            return;
        }
        let Some(members) = tracestate::members(span.trace_state) else { return };
        for (mark, key, values) in &self.trace_states {
            if members.iter().any(|(name, value)| name == key && values.contains(*value)) {
                earned(*mark);
            }
        }
    }
}
