//! The conditions of `ottl_condition`: the boolean part of the Collector's transformation language (OTTL), read once and
//! evaluated on the bytes of a span.
//!
//! Promises:
//! 1. A condition means what it means to the Collector, whose answers to hundreds of them are recorded beside the tests.
//! 2. What is not supported is an error with its column when the condition is read, never when a span arrives.
//! 3. No bytes cause a panic; what has no answer is an [`EvaluationError`]. The effort is proportional to the span.
//!
//! Not here: what a policy makes of an answer (`policy/`).

mod compare;
mod convert;
mod duration;
mod error;
mod evaluate;
mod float;
mod functions;
mod lexer;
mod parser;
mod paths;
mod reads;
mod syntax;
mod trace_state;
mod values;
mod view;

pub(crate) use error::{EvaluationError, SyntaxError};
pub(crate) use view::{Event, View};

/// What conditions are evaluated on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    Span,
    SpanEvent,
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition(syntax::Test);

/// What an error of one condition means for those after it, and for the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorMode {
    /// The condition does not hold; the Collector also logs why.
    Ignore,
    /// The condition does not hold.
    Silent,
    /// The policy has no answer.
    Propagate,
}

impl Condition {
    /// Reads a condition.
    pub(crate) fn parse(text: &str, context: Context) -> Result<Self, SyntaxError> {
        parser::parse(text, context).map(Self)
    }

    /// Whether it holds for what is seen.
    pub(crate) fn holds(&self, view: &View<'_>) -> Result<bool, EvaluationError> {
        evaluate::holds(&self.0, view)
    }
}

impl ErrorMode {
    /// Whether any condition holds, and how many failed and were passed over. What cannot be read has no answer in any mode.
    pub(crate) fn any(
        self,
        conditions: &[Condition],
        view: &View<'_>,
        passed_over: &mut u64,
    ) -> Result<bool, EvaluationError> {
        for condition in conditions {
            match condition.holds(view) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error @ EvaluationError::Unreadable(_)) => return Err(error),
                Err(error) if self == Self::Propagate => return Err(error),
                Err(_) => *passed_over += 1,
            }
        }
        Ok(false)
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests;
