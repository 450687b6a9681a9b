//! The policies that hold no others.

use std::collections::BTreeSet;

use tollgate_config::{Fields, Located, Value};

use super::{Notes, done, or_default};
use crate::policy::ask::ATTRIBUTES;
use crate::policy::attribute::Matcher;
use crate::policy::limits::Rate;
use crate::policy::pattern;
use crate::policy::probabilistic::Share;
use crate::policy::rule::{Latency, Leaf, Rule, SpanCount, StatusCode, Wanted};

pub(crate) const STATUS_CODES: [(&str, StatusCode); 3] =
    [("UNSET", StatusCode::Unset), ("OK", StatusCode::Ok), ("ERROR", StatusCode::Error)];

/// A member of a W3C trace state with its `=` is no longer than this.
const LONGEST_MEMBER: usize = 256;

pub(super) fn trace_flags(value: Value<'_>, notes: &Notes) -> Rule {
    notes.ask(value, &["span.flags"], None);
    Rule::Look(Leaf::SampledFlag, Wanted::Match)
}

pub(super) fn latency(value: Value<'_>, notes: &Notes) -> Option<Rule> {
    notes.ask(value, &["span.start_time"], None);
    notes.ask(value, &["span.end_time"], None);
    let mut fields = value.fields()?;
    let bounds = one_of(&mut fields, ["threshold_ms", "upper_threshold_ms"]);
    done(fields);
    let [above_ms, up_to_ms] = bounds?;
    // Zero means no upper bound, as for the Collector.
    let (above_ms, up_to_ms) = (above_ms?, Some(up_to_ms?).filter(|up_to| *up_to > 0));
    if up_to_ms.is_some_and(|up_to| up_to <= above_ms) {
        notes.add(
            value,
            "wants no trace: none takes longer than `threshold_ms` and no longer than `upper_threshold_ms`",
        );
    }
    Some(Rule::Latency(Latency { above_ms, up_to_ms }))
}

pub(super) fn span_count(value: Value<'_>, notes: &Notes) -> Option<Rule> {
    let mut fields = value.fields()?;
    let bounds = one_of(&mut fields, ["min_spans", "max_spans"]);
    done(fields);
    let [least, most] = bounds?;
    let (least, most) = (least?, Some(most?).filter(|most| *most > 0));
    if most.is_some_and(|most| most < least) {
        notes.add(value, "wants no trace: none has at least `min_spans` and at most `max_spans`");
    }
    Some(Rule::SpanCount(SpanCount { least, most }))
}

/// Two numbers of which the one that is missing is zero; `None` with a fault if both are.
fn one_of<T: tollgate_config::Read + Default>(
    fields: &mut Fields<'_>,
    keys: [&'static str; 2],
) -> Option<[Option<T>; 2]> {
    let values = keys.map(|key| fields.value(key));
    if values.iter().all(Option::is_none) {
        let [one, other] = keys;
        fields.mapping().fault(format_args!("missing key {one:?} or {other:?}"));
        return None;
    }
    Some(values.map(|value| value.map_or_else(|| Some(T::default()), Value::read)))
}

pub(super) fn numeric_attribute(value: Value<'_>, notes: &Notes) -> Option<Rule> {
    let mut fields = value.fields()?;
    let key = key(&mut fields, ATTRIBUTES, notes);
    let wanted = wanted(&mut fields);
    let bounds = ["min_value", "max_value"].map(|key| fields.value(key));
    done(fields);
    for bound in bounds.into_iter().flatten().filter(|bound| bound.as_text() == Some("0")) {
        notes.add(bound, "is a bound; for the Collector zero is none");
    }
    if bounds.iter().all(Option::is_none) {
        value.fault("missing key \"min_value\" or \"max_value\"");
        return None;
    }
    let [least, most] = bounds.map(|bound| bound.map_or(Some(None), |bound| bound.read::<i64>().map(Some)));
    let (least, most) = (least?.unwrap_or(i64::MIN), most?.unwrap_or(i64::MAX));
    if least > most {
        value.fault("`min_value` is greater than `max_value`");
        return None;
    }
    Some(Rule::Look(Leaf::Attribute { key: key?, matcher: Matcher::Integers(least..=most) }, wanted?))
}

pub(super) fn boolean_attribute(value: Value<'_>, notes: &Notes) -> Option<Rule> {
    let mut fields = value.fields()?;
    let (key, wanted) = (key(&mut fields, ATTRIBUTES, notes), wanted(&mut fields));
    let looked_for = or_default(&mut fields, "value", false);
    done(fields);
    Some(Rule::Look(Leaf::Attribute { key: key?, matcher: Matcher::Boolean(looked_for?) }, wanted?))
}

pub(super) fn string_attribute(value: Value<'_>, notes: &Notes) -> Option<Rule> {
    let mut fields = value.fields()?;
    let key = key(&mut fields, ATTRIBUTES, notes);
    let expressions = or_default(&mut fields, "enabled_regex_matching", false);
    let wanted = wanted(&mut fields);
    let matcher = fields.required_value("values").and_then(|values| matcher(values, expressions));
    // Sizes a cache of match results. Our expressions run in linear time and need none.
    let _: Option<i64> = fields.optional("cache_max_size");
    done(fields);
    Some(Rule::Look(Leaf::Attribute { key: key?, matcher: matcher? }, wanted?))
}

fn key(fields: &mut Fields<'_>, carriers: &[&'static str], notes: &Notes) -> Option<String> {
    let key = fields.required_value("key")?;
    let read: String = key.read()?;
    if read.is_empty() {
        key.fault("an attribute has a name");
        return None;
    }
    notes.ask(key, carriers, Some(&read));
    Some(read)
}

fn wanted(fields: &mut Fields<'_>) -> Option<Wanted> {
    let inverted = or_default(fields, "invert_match", false)?;
    Some(if inverted { Wanted::NoMatch } else { Wanted::Match })
}

fn matcher(value: Value<'_>, as_expressions: Option<bool>) -> Option<Matcher> {
    let values: Vec<Located<String>> = value.read()?;
    if !as_expressions? {
        return Some(Matcher::values(values.into_iter().map(|located| located.value).collect()));
    }
    let mut valid = true;
    for located in &values {
        if let Err(refused) = pattern::compile(std::slice::from_ref(&located.value)) {
            let fault = format_args!("is no regular expression of the Collector's: {refused}");
            value.faults().report(&located.at, fault);
            valid = false;
        }
    }
    if !valid {
        return None;
    }
    let expressions: Vec<String> = values.into_iter().map(|located| located.value).collect();
    pattern::compile(&expressions)
        .map(Matcher::Expressions)
        .map_err(|_| value.fault("the regular expressions together take more memory than they may"))
        .ok()
}

pub(super) fn status_code(value: Value<'_>, notes: &Notes) -> Option<Rule> {
    notes.ask(value, &["span.status.code"], None);
    let mut fields = value.fields()?;
    let codes = fields.required_value("status_codes").and_then(|codes| {
        let items = codes.items()?;
        if items.is_empty() {
            codes.fault("there is no status code to look for");
            return None;
        }
        let codes: Vec<_> = items.into_iter().map(|item| item.choice(&STATUS_CODES)).collect();
        codes.into_iter().collect::<Option<Vec<StatusCode>>>()
    });
    done(fields);
    let codes = codes?;
    let looked_for = [StatusCode::Unset, StatusCode::Ok, StatusCode::Error].map(|code| codes.contains(&code));
    Some(Rule::Look(Leaf::Status(looked_for), Wanted::Match))
}

pub(super) fn trace_state(value: Value<'_>, notes: &Notes) -> Option<Rule> {
    let mut fields = value.fields()?;
    let key = key(&mut fields, &["span.trace_state"], notes);
    let values = fields.required_value("values").and_then(|values| {
        let read: Vec<String> = values.read()?;
        if read.is_empty() {
            values.fault("there is no value to look for");
            return None;
        }
        Some(read)
    });
    done(fields);
    let (key, values) = (key?, values?);
    // Values that no trace state can hold are left out, as the Collector does.
    let fits = |value: &String| !value.is_empty() && key.len() + value.len() < LONGEST_MEMBER;
    let values: BTreeSet<Box<str>> = values.into_iter().filter(fits).map(String::into_boxed_str).collect();
    Some(Rule::Look(Leaf::TraceState { key, values }, Wanted::Match))
}

pub(super) fn probabilistic(value: Value<'_>) -> Option<Rule> {
    let mut fields = value.fields()?;
    let percentage = fields.required_value("sampling_percentage").and_then(|percentage| {
        let read: f64 = percentage.read()?;
        if read < 0.0 {
            percentage.fault("a percentage cannot be negative");
            return None;
        }
        Some(read)
    });
    let salt = or_default(&mut fields, "hash_salt", String::new());
    done(fields);
    Some(Rule::Share(Share::new(percentage?, &salt?)))
}

pub(super) fn rate_limiting(value: Value<'_>) -> Option<Rule> {
    rate(value, "spans_per_second").map(Rule::SpansLimited)
}

pub(super) fn bytes_limiting(value: Value<'_>) -> Option<Rule> {
    rate(value, "bytes_per_second").map(Rule::BytesLimited)
}

/// Without a capacity a bucket holds what two seconds bring, as for the Collector.
fn rate(value: Value<'_>, key: &'static str) -> Option<Rate> {
    let mut fields = value.fields()?;
    let per_second: Option<u64> = fields.required(key);
    let burst: Option<u64> = or_default(&mut fields, "burst_capacity", 0);
    done(fields);
    let (per_second, burst) = (per_second?, burst?);
    Some(Rate { per_second, burst: if burst > 0 { burst } else { per_second.saturating_mul(2) } })
}
