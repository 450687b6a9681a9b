//! The policy types, each with the block of its name, and those that hold others.

use tollgate_config::{Fields, Value};

use super::{Notes, composite, condition, done, simple};
use crate::policy::rule::Rule;

/// The policy types of the Collector, and `or`, which is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    AlwaysSample,
    Latency,
    NumericAttribute,
    BooleanAttribute,
    StringAttribute,
    StatusCode,
    Probabilistic,
    RateLimiting,
    BytesLimiting,
    SpanCount,
    TraceState,
    TraceFlags,
    OttlCondition,
    And,
    Or,
    Not,
    Drop,
    Composite,
}

pub(crate) const KINDS: [(&str, Kind); 18] = [
    ("always_sample", Kind::AlwaysSample),
    ("latency", Kind::Latency),
    ("numeric_attribute", Kind::NumericAttribute),
    ("boolean_attribute", Kind::BooleanAttribute),
    ("string_attribute", Kind::StringAttribute),
    ("status_code", Kind::StatusCode),
    ("probabilistic", Kind::Probabilistic),
    ("rate_limiting", Kind::RateLimiting),
    ("bytes_limiting", Kind::BytesLimiting),
    ("span_count", Kind::SpanCount),
    ("trace_state", Kind::TraceState),
    ("trace_flags", Kind::TraceFlags),
    ("ottl_condition", Kind::OttlCondition),
    ("and", Kind::And),
    ("or", Kind::Or),
    ("not", Kind::Not),
    ("drop", Kind::Drop),
    ("composite", Kind::Composite),
];

/// Reads type and block of a policy whose name was read.
pub(super) fn rule(mut fields: Fields<'_>, notes: &Notes) -> Option<Rule> {
    let kind = fields.required_value("type").and_then(|kind| kind.choice(&KINDS));
    let rule = kind.and_then(|kind| block(kind, &mut fields, notes));
    let said: Vec<&str> = fields.keys().collect();
    for (word, other) in KINDS.into_iter().filter(|(word, other)| said.contains(word) && Some(*other) != kind) {
        // Where the type is a slip, which is meant is open: the block is read for its own faults.
        let is_open = kind.is_none().then(|| block(other, &mut fields, notes));
        if let Some(value) = fields.value(word).filter(|_| is_open.is_none()) {
            notes.add(value, "is not looked at: the policy is of another type");
        }
    }
    done(fields);
    rule
}

fn block(kind: Kind, fields: &mut Fields<'_>, notes: &Notes) -> Option<Rule> {
    let policy = fields.mapping();
    let mut of = |key: &'static str| fields.required_value(key);
    match kind {
        Kind::AlwaysSample => Some(Rule::Always),
        Kind::TraceFlags => Some(simple::trace_flags(policy, notes)),
        Kind::Latency => of("latency").and_then(|value| simple::latency(value, notes)),
        Kind::NumericAttribute => of("numeric_attribute").and_then(|value| simple::numeric_attribute(value, notes)),
        Kind::BooleanAttribute => of("boolean_attribute").and_then(|value| simple::boolean_attribute(value, notes)),
        Kind::StringAttribute => of("string_attribute").and_then(|value| simple::string_attribute(value, notes)),
        Kind::StatusCode => of("status_code").and_then(|value| simple::status_code(value, notes)),
        Kind::Probabilistic => of("probabilistic").and_then(simple::probabilistic),
        Kind::RateLimiting => of("rate_limiting").and_then(simple::rate_limiting),
        Kind::BytesLimiting => of("bytes_limiting").and_then(simple::bytes_limiting),
        Kind::SpanCount => of("span_count").and_then(|value| simple::span_count(value, notes)),
        Kind::TraceState => of("trace_state").and_then(|value| simple::trace_state(value, notes)),
        Kind::OttlCondition => of("ottl_condition").and_then(|value| condition::ottl_condition(value, notes)),
        Kind::And => of("and").and_then(|value| several(value, "and_sub_policy", notes)).map(Rule::And),
        Kind::Or => of("or").and_then(|value| several(value, "or_sub_policy", notes)).map(Rule::Or),
        Kind::Drop => of("drop").and_then(|value| several(value, "drop_sub_policy", notes)).map(Rule::Drop),
        Kind::Not => of("not").and_then(|value| one(value, notes)),
        Kind::Composite => of("composite").and_then(|value| composite::composite(value, notes)),
    }
}

/// The sub-policies of a block whose one key they are.
fn several(value: Value<'_>, key: &'static str, notes: &Notes) -> Option<Vec<Rule>> {
    let mut fields = value.fields()?;
    let subs = fields.required_value(key).and_then(|list| subs(list, notes));
    done(fields);
    Some(subs?.into_iter().map(|(_, rule)| rule).collect())
}

fn one(value: Value<'_>, notes: &Notes) -> Option<Rule> {
    let mut fields = value.fields()?;
    let sub = fields.required_value("not_sub_policy").and_then(|item| sub(item, notes));
    done(fields);
    Some(Rule::Not(Box::new(sub?.1)))
}

/// A list of sub-policies, whose names may be missing or alike.
pub(super) fn subs(list: Value<'_>, notes: &Notes) -> Option<Vec<(String, Rule)>> {
    let items = list.items()?;
    if items.is_empty() {
        list.fault("there is no policy");
        return None;
    }
    // Collected before it is judged, so that every policy's faults are reported.
    let subs: Vec<Option<(String, Rule)>> = items.into_iter().map(|item| sub(item, notes)).collect();
    subs.into_iter().collect()
}

fn sub(item: Value<'_>, notes: &Notes) -> Option<(String, Rule)> {
    let mut fields = item.fields()?;
    let name = super::or_default(&mut fields, "name", String::new());
    let rule = rule(fields, notes);
    Some((name?, rule?))
}
