//! Which spans and log records a collector leaves out, such as health checks.
//!
//! Promises:
//! 1. A rule matches the text of one attribute of the item; other types and other attributes never match.
//! 2. Matching takes linear time, whatever the expression.

use regex::Regex;
use tollgate_federation::{DropRule, Signal};
use tollgate_otlp::{Item, RawAttribute, ValueView, raw_attributes};

/// Field of `Span` that holds attributes (`trace.proto`).
const SPAN_ATTRIBUTES: u32 = 9;
/// Field of `LogRecord` that holds attributes (`logs.proto`).
const LOG_ATTRIBUTES: u32 = 6;

/// The rules of one signal.
#[derive(Debug, Default)]
pub(crate) struct DropRules {
    field: u32,
    rules: Vec<(String, Regex)>,
}

impl DropRules {
    /// Takes the rules of this signal.
    pub(crate) fn new(rules: &[DropRule], signal: Signal) -> Self {
        let field = if signal == Signal::Logs { LOG_ATTRIBUTES } else { SPAN_ATTRIBUTES };
        let of_signal = rules.iter().filter(|rule| rule.signal == signal);
        Self { field, rules: of_signal.map(|rule| (rule.attribute.clone(), rule.matches.clone())).collect() }
    }

    /// Whether there is any rule.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a rule takes this item out.
    pub(crate) fn matches(&self, item: &Item<'_>) -> bool {
        raw_attributes(item.body(), self.field).any(|RawAttribute { key, value }| {
            // Read as text only where a rule names it: most attributes are of no rule.
            let mut named = self.rules.iter().filter(|(name, _)| name.as_bytes() == key);
            named.any(
                |(_, regex)| matches!(ValueView::parse(value), Ok(ValueView::String(text)) if regex.is_match(text)),
            )
        })
    }
}
