//! What a condition reads of a span, by the names of the federation's carriers: for whoever knows which of it arrives.

use super::Condition;
use super::functions::Call;
use super::paths::{Key, Owner, Path, What};
use super::syntax::{Expression, Test};

/// One thing that is read: a carrier, and the first key behind it if it is written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reads<'c> {
    pub(crate) carrier: &'static str,
    pub(crate) key: Option<&'c str>,
}

impl Condition {
    /// All that it may read.
    pub(crate) fn reads(&self) -> Vec<Reads<'_>> {
        let mut found = Vec::new();
        test(&self.0, &mut found);
        found
    }
}

fn test<'c>(asked: &'c Test, found: &mut Vec<Reads<'c>>) {
    match asked {
        Test::Always(_) => {}
        Test::Not(inner) => test(inner, found),
        Test::All(tests) | Test::Any(tests) => tests.iter().for_each(|inner| test(inner, found)),
        Test::Compare(_, left, right) => [left, right].into_iter().for_each(|side| expression(side, found)),
        Test::Call(inner) => call(inner, found),
    }
}

fn call<'c>(asked: &'c Call, found: &mut Vec<Reads<'c>>) {
    if asked.reads_parent() {
        found.push(Reads { carrier: "span.parent_span_id", key: None });
    }
    asked.arguments().iter().for_each(|argument| expression(argument, found));
}

fn expression<'c>(asked: &'c Expression, found: &mut Vec<Reads<'c>>) {
    match asked {
        Expression::Literal(_) => {}
        Expression::Path(inner) => path(inner, found),
        Expression::Call(inner) => call(inner, found),
        Expression::List(items) => items.iter().for_each(|item| expression(item, found)),
        Expression::Map(entries) => entries.iter().for_each(|(_, value)| expression(value, found)),
        Expression::Negative(inner) => expression(inner, found),
        Expression::Chain(first, rest) => {
            expression(first, found);
            rest.iter().for_each(|(_, next)| expression(next, found));
        }
    }
}

fn path<'c>(asked: &'c Path, found: &mut Vec<Reads<'c>>) {
    let key = match asked.keys.first() {
        Some(Key::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    for computed in &asked.keys {
        if let Key::Computed(inner) = computed {
            expression(inner, found);
        }
    }
    found.extend(carrier(asked).map(|carrier| Reads { carrier, key }));
}

fn carrier(asked: &Path) -> Option<&'static str> {
    Some(match (asked.place.owner, asked.place.what) {
        (Owner::Resource, What::Attributes(_)) => "resource.attributes",
        (Owner::Resource, What::SchemaUrl) => "resource.schema_url",
        (Owner::Resource, _) => "resource.dropped_attributes_count",
        (Owner::Scope, What::Attributes(_)) => "scope.attributes",
        (Owner::Scope, What::SchemaUrl) => "scope.schema_url",
        (Owner::Scope, What::Text(1)) => "scope.name",
        (Owner::Scope, What::Text(_)) => "scope.version",
        (Owner::Scope, _) => "scope.dropped_attributes_count",
        (Owner::Span, What::Attributes(_)) => "span.attributes",
        (Owner::Span, What::TraceId | What::IdText(1, _)) => "span.trace_id",
        (Owner::Span, What::SpanId(2) | What::IdText(2, _)) => "span.span_id",
        (Owner::Span, What::SpanId(_) | What::IdText(..)) => "span.parent_span_id",
        (Owner::Span, What::TraceState) => "span.trace_state",
        (Owner::Span, What::Text(_)) => "span.name",
        (Owner::Span, What::Kind(_)) => "span.kind",
        (Owner::Span, What::Time(7) | What::UnixNano(7)) => "span.start_time",
        (Owner::Span, What::Time(_) | What::UnixNano(_)) => "span.end_time",
        (Owner::Span, What::Count(_)) => "span.dropped_counts",
        (Owner::Span, What::StatusMessage) => "span.status.message",
        (Owner::Span, What::Status | What::StatusCode) => "span.status.code",
        (Owner::Span, What::Flags) => "span.flags",
        (Owner::Event, What::Attributes(_)) => "event.attributes",
        (Owner::Event, What::Text(_)) => "event.name",
        (Owner::Event, What::Time(_) | What::UnixNano(_)) => "event.time",
        (Owner::Event, What::Count(_)) => "event.dropped_attributes_count",
        (Owner::Span | Owner::Event, _) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Context;
    use super::*;

    #[test]
    fn everything_that_a_condition_may_read_is_named_with_its_key() {
        let text = r#"not (attributes["a"]["b"] == nil) and (Len(resource.attributes["r"]) + 1 > 2 or IsRootSpan()) and
            trace_state["x"] == "1" and span.status.message != name and instrumentation_scope.version == """#;
        let condition = Condition::parse(text, Context::Span).unwrap();
        let reads: Vec<_> = condition.reads().iter().map(|read| (read.carrier, read.key)).collect();
        assert_eq!(
            reads,
            [
                ("span.attributes", Some("a")),
                ("resource.attributes", Some("r")),
                ("span.parent_span_id", None),
                ("span.trace_state", Some("x")),
                ("span.status.message", None),
                ("span.name", None),
                ("scope.version", None),
            ]
        );
        let event = Condition::parse("name == \"e\" and event_index == 0", Context::SpanEvent).unwrap();
        assert_eq!(event.reads(), [Reads { carrier: "event.name", key: None }]);
        assert_eq!(Condition::parse("true", Context::Span).unwrap().reads(), []);
    }
}
