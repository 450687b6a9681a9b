//! The Collector's `tail_sampling` block, unchanged: same keys, same types, same defaults.
//!
//! Promises:
//! 1. Every fault of the block is reported, each where it stands.
//! 2. Nothing is ignored: a key or policy type of the Collector that is not supported yet is a fault that says so, unless
//!    it is set to what happens anyway.
//!
//! Stricter than the Collector: numbers that a policy needs have no silent zero, and a block of another policy type than
//! the stated one is an unknown key.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use tollgate_config::{Faults, Fields, Located, Read, Set, Value};

use super::attribute::Matcher;
use super::pattern;
use super::probabilistic::Share;
use super::{Bounds, Latency, PolicySet, Rule, StatusCode, Wanted};
use crate::summary::Marks;

const DOCUMENT: &str = "policies/sampling.yaml";

const DEFAULT_WAIT: Duration = Duration::from_secs(30);
const DEFAULT_TRACES: usize = 50_000;
/// The Collector's caches are off by default; ours holds this many verdicts for each trace that may be pending.
const REMEMBERED_PER_TRACE: usize = 10;
/// More do not fit the memory of any machine, so the number is a slip.
const MAX_TRACES: usize = 1 << 27;

/// The policy types of the Collector.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    AlwaysSample,
    Latency,
    StatusCode,
    StringAttribute,
    Probabilistic,
    NotYet(&'static str),
}

pub(crate) const KINDS: [(&str, Kind); 17] = [
    ("always_sample", Kind::AlwaysSample),
    ("latency", Kind::Latency),
    ("status_code", Kind::StatusCode),
    ("string_attribute", Kind::StringAttribute),
    ("probabilistic", Kind::Probabilistic),
    ("numeric_attribute", Kind::NotYet("numeric_attribute")),
    ("boolean_attribute", Kind::NotYet("boolean_attribute")),
    ("rate_limiting", Kind::NotYet("rate_limiting")),
    ("bytes_limiting", Kind::NotYet("bytes_limiting")),
    ("span_count", Kind::NotYet("span_count")),
    ("trace_state", Kind::NotYet("trace_state")),
    ("trace_flags", Kind::NotYet("trace_flags")),
    ("ottl_condition", Kind::NotYet("ottl_condition")),
    ("and", Kind::NotYet("and")),
    ("not", Kind::NotYet("not")),
    ("drop", Kind::NotYet("drop")),
    ("composite", Kind::NotYet("composite")),
];

pub(crate) const STATUS_CODES: [(&str, StatusCode); 3] =
    [("UNSET", StatusCode::Unset), ("OK", StatusCode::Ok), ("ERROR", StatusCode::Error)];

impl PolicySet {
    /// Reads `policies/sampling.yaml`, whose one key is `tail_sampling`.
    pub fn load(set: &Set, faults: &Faults) -> Option<Self> {
        let mut fields = set.require(DOCUMENT, faults)?.root(faults).fields()?;
        let policies = fields.required("tail_sampling");
        fields.done();
        policies
    }
}

impl Read for PolicySet {
    fn read(value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let bounds = bounds(&mut fields);
        refuse_unsupported(&mut fields);
        let rules = fields.required_value("policies").and_then(rules);
        fields.done();
        Some(Self::new(bounds?, rules?))
    }
}

fn bounds(fields: &mut Fields<'_>) -> Option<Bounds> {
    let decision_wait = or_default(fields, "decision_wait", DEFAULT_WAIT);
    let num_traces = or_default(fields, "num_traces", Located { value: DEFAULT_TRACES, at: fields.mapping().at() });
    let expected_new_traces_per_sec = or_default(fields, "expected_new_traces_per_sec", 0);
    let cached = fields.value("decision_cache").map_or(Some(0), decision_cache);
    let num_traces = num_traces.filter(|traces| {
        let fits = (1..=MAX_TRACES).contains(&traces.value);
        if !fits {
            fields.mapping().faults().report(&traces.at, format_args!("out of range, expected 1 to {MAX_TRACES}"));
        }
        fits
    });
    let num_traces = num_traces?.value;
    let remembered = match cached? {
        0 => num_traces.saturating_mul(REMEMBERED_PER_TRACE).min(MAX_TRACES),
        cached => cached,
    };
    Some(Bounds {
        decision_wait: decision_wait?,
        wait_after_root: None,
        num_traces,
        remembered,
        expected_new_traces_per_sec: expected_new_traces_per_sec?,
    })
}

/// The Collector keeps kept and dropped traces in two caches; one memory of both sizes holds at least as many of each.
fn decision_cache(value: Value<'_>) -> Option<usize> {
    let mut fields = value.fields()?;
    let sampled = or_default(&mut fields, "sampled_cache_size", 0_usize);
    let non_sampled = or_default(&mut fields, "non_sampled_cache_size", 0_usize);
    fields.done();
    let both = sampled?.saturating_add(non_sampled?);
    if both > MAX_TRACES {
        value.fault(format_args!("the sizes add up to more than {MAX_TRACES}"));
        return None;
    }
    Some(both)
}

/// `None` only if a fault was reported.
fn or_default<T: Read>(fields: &mut Fields<'_>, key: &'static str, default: T) -> Option<T> {
    fields.value(key).map_or(Some(default), Value::read)
}

/// Keys of the Collector that may stand here only with the value that describes what happens anyway.
fn refuse_unsupported(fields: &mut Fields<'_>) {
    only(fields, "decision_wait_after_root_received", Duration::ZERO, "0s");
    only(fields, "sampling_strategy", "trace-complete".to_owned(), "trace-complete");
    only(fields, "block_on_overflow", false, "false");
    only(fields, "drop_pending_traces_on_shutdown", false, "false");
    only(fields, "maximum_trace_size_bytes", 0_u64, "0");
    only(fields, "num_shards", 1_u64, "1");
    // Without `drop` policies the first match decides whether or not the others are asked.
    let _: Option<bool> = fields.optional("sample_on_first_match");
    if let Some(storage) = fields.value("tail_storage") {
        storage.fault("not supported: pending spans wait in the log, which needs no extension");
    }
}

fn only<T: Read + PartialEq>(fields: &mut Fields<'_>, key: &'static str, supported: T, shown: impl Display) {
    let Some(value) = fields.value(key) else { return };
    if value.read::<T>().is_some_and(|read| read != supported) {
        value.fault(format_args!("not supported yet, only {shown} is"));
    }
}

fn rules(value: Value<'_>) -> Option<Vec<(String, Rule)>> {
    let items = value.items()?;
    if items.is_empty() {
        value.fault("there is no policy: every trace would be dropped");
        return None;
    }
    let fits = items.len() <= Marks::POLICIES;
    if !fits {
        value.fault(format_args!("more than {} policies are not supported yet", Marks::POLICIES));
    }
    let mut names = BTreeSet::new();
    // Collected before it is judged, so that every policy's faults are reported.
    let rules: Vec<Option<(String, Rule)>> = items.into_iter().map(|item| rule(item, &mut names)).collect();
    rules.into_iter().collect::<Option<_>>().filter(|_| fits)
}

fn rule(value: Value<'_>, names: &mut BTreeSet<String>) -> Option<(String, Rule)> {
    let mut fields = value.fields()?;
    let name = fields.required_value("name").and_then(|name| unique_name(name, names));
    let kind = fields.required_value("type").and_then(|kind| kind.choice(&KINDS).map(|chosen| (kind, chosen)));
    let rule = match kind {
        Some((written, Kind::NotYet(word))) => {
            written.fault(format_args!("policy type {word:?} is not supported yet"));
            block(Kind::NotYet(word), &mut fields)
        }
        Some((_, kind)) => block(kind, &mut fields),
        None => {
            // Which type is meant is open: whatever block stands there is read for its own faults.
            let said: Vec<&str> = fields.keys().collect();
            for (_, kind) in KINDS.into_iter().filter(|(word, _)| said.contains(word)) {
                let _ = block(kind, &mut fields);
            }
            None
        }
    };
    fields.done();
    Some((name?, rule?))
}

fn block(kind: Kind, fields: &mut Fields<'_>) -> Option<Rule> {
    match kind {
        Kind::AlwaysSample => Some(Rule::AlwaysSample),
        Kind::Latency => fields.required_value("latency").and_then(latency),
        Kind::StatusCode => fields.required_value("status_code").and_then(status_code),
        Kind::StringAttribute => fields.required_value("string_attribute").and_then(string_attribute),
        Kind::Probabilistic => fields.required_value("probabilistic").and_then(probabilistic),
        Kind::NotYet(word) => {
            let _ = fields.value(word);
            None
        }
    }
}

fn unique_name(value: Value<'_>, names: &mut BTreeSet<String>) -> Option<String> {
    let name: String = value.read()?;
    if name.is_empty() {
        value.fault("a policy needs a name");
        return None;
    }
    if !names.insert(name.clone()) {
        value.fault("another policy has this name");
        return None;
    }
    Some(name)
}

fn latency(value: Value<'_>) -> Option<Rule> {
    let mut fields = value.fields()?;
    let above_ms = fields.required("threshold_ms");
    let up_to_ms = or_default(&mut fields, "upper_threshold_ms", 0_u64);
    fields.done();
    // Zero means no upper bound, as for the Collector.
    let up_to_ms = Some(up_to_ms?).filter(|up_to| *up_to > 0);
    Some(Rule::Latency(Latency { above_ms: above_ms?, up_to_ms }))
}

fn status_code(value: Value<'_>) -> Option<Rule> {
    let mut fields = value.fields()?;
    let codes = fields.required_value("status_codes").and_then(|codes| {
        let items = codes.items()?;
        if items.is_empty() {
            codes.fault("there is no status code to look for");
            return None;
        }
        let codes: Vec<_> = items.into_iter().map(|item| item.choice(&STATUS_CODES)).collect();
        codes.into_iter().collect()
    });
    fields.done();
    Some(Rule::StatusCode(codes?))
}

fn string_attribute(value: Value<'_>) -> Option<Rule> {
    let mut fields = value.fields()?;
    let key: Option<String> = fields.required_value("key").and_then(|key| {
        let read: String = key.read()?;
        if read.is_empty() {
            key.fault("an attribute has a name");
            return None;
        }
        Some(read)
    });
    let expressions = or_default(&mut fields, "enabled_regex_matching", false);
    let inverted = or_default(&mut fields, "invert_match", false);
    let matcher = fields.required_value("values").and_then(|values| matcher(values, expressions));
    // Sizes a cache of match results. Our expressions run in linear time and need none.
    let _: Option<i64> = fields.optional("cache_max_size");
    fields.done();
    let wanted = if inverted? { Wanted::NoMatch } else { Wanted::Match };
    Some(Rule::StringAttribute { key: key?, matcher: matcher?, wanted })
}

fn matcher(value: Value<'_>, as_expressions: Option<bool>) -> Option<Matcher> {
    let values: Vec<Located<String>> = value.read()?;
    if !as_expressions? {
        return Some(Matcher::values(values.into_iter().map(|located| located.value).collect()));
    }
    let mut valid = true;
    for located in &values {
        if pattern::compile(std::slice::from_ref(&located.value)).is_err() {
            value.faults().report(&located.at, "is not a regular expression that can be matched in linear time");
            valid = false;
        }
    }
    if !valid {
        return None;
    }
    let expressions: Vec<String> = values.into_iter().map(|located| located.value).collect();
    pattern::compile(&expressions)
        .map(Matcher::Expressions)
        .map_err(|_| value.fault("the regular expressions together are too large"))
        .ok()
}

fn probabilistic(value: Value<'_>) -> Option<Rule> {
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
    fields.done();
    Some(Rule::Probabilistic(Share::new(percentage?, &salt?)))
}

#[cfg(test)]
mod tests;
