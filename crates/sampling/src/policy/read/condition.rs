//! The `ottl_condition` policy.

use tollgate_config::{Fields, Value};

use super::{Notes, done};
use crate::ottl::{Condition, Context, ErrorMode};
use crate::policy::rule::{Conditions, Rule};

pub(crate) const ERROR_MODES: [(&str, ErrorMode); 3] =
    [("propagate", ErrorMode::Propagate), ("ignore", ErrorMode::Ignore), ("silent", ErrorMode::Silent)];

pub(super) fn ottl_condition(value: Value<'_>, notes: &Notes) -> Option<Rule> {
    let mut fields = value.fields()?;
    // The Collector's documents name no default, and its code passes errors over without one.
    let mode = fields.value("error_mode").map_or(Some(ErrorMode::Silent), error_mode);
    let span = conditions(&mut fields, "span", Context::Span, notes);
    let event = conditions(&mut fields, "spanevent", Context::SpanEvent, notes);
    done(fields);
    let (mode, span, event) = (mode?, span?, event?);
    if span.is_empty() && event.is_empty() {
        value.fault("there is no condition");
        return None;
    }
    Some(Rule::Condition(Conditions { mode, span, event }))
}

/// The Collector takes it in any case.
fn error_mode(value: Value<'_>) -> Option<ErrorMode> {
    let written = value.as_text().map(str::to_ascii_lowercase);
    let known = ERROR_MODES.into_iter().find(|(word, _)| written.as_deref() == Some(*word));
    known.map(|(_, mode)| mode).or_else(|| value.choice(&ERROR_MODES))
}

/// What is wrong with a condition is said with its column in the condition: where a document folds or quotes it, no line of
/// the file has that column.
fn conditions(fields: &mut Fields<'_>, key: &'static str, context: Context, notes: &Notes) -> Option<Vec<Condition>> {
    let Some(list) = fields.value(key) else { return Some(Vec::new()) };
    let read = |item: Value<'_>| {
        let text: String = item.read()?;
        let refused = |error| item.fault(format_args!("in the condition, {error}"));
        let condition = Condition::parse(&text, context).map_err(refused).ok()?;
        for read in condition.reads() {
            notes.ask(item, &[read.carrier], read.key);
        }
        Some(condition)
    };
    let conditions: Vec<Option<Condition>> = list.items()?.into_iter().map(read).collect();
    conditions.into_iter().collect()
}
