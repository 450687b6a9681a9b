//! The JSON Schema of `policies/sampling.yaml`, made of the lists that its reader knows.
//!
//! Promises:
//! 1. A key or type that the reader takes is in the schema and no other; a test reads the known keys back from its faults.

use serde_json::{Map, Value, json};

use crate::policy::read::{ERROR_MODES, KINDS, Kind, STATUS_CODES, STRATEGIES};

fn object<'k>(required: &[&str], keys: impl IntoIterator<Item = (&'k str, Value)>) -> Value {
    let properties: Map<String, Value> = keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

fn number(about: &str) -> Value {
    json!({"type": "integer", "minimum": 0, "description": about})
}

fn duration(about: &str) -> Value {
    json!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$", "description": about})
}

fn flag(about: &str) -> Value {
    json!({"type": "boolean", "description": about})
}

fn text(about: &str) -> Value {
    json!({"type": "string", "description": about})
}

fn list(of: &Value) -> Value {
    json!({"type": "array", "minItems": 1, "items": of})
}

/// The schema of `policies/sampling.yaml`.
#[must_use]
pub fn sampling() -> Value {
    let wait_max = "for a link that lags a verdict waits up to this; four times decision_wait unless said";
    let history = "traces for which `tollgate trace why` has an answer; 20000 unless said, 0 for none";
    let keys = [
        ("tail_sampling", tail_sampling()),
        ("decision_wait_max", duration(wait_max)),
        ("history", number(history)),
        ("record_policy", flag("kept spans name the policy that kept them")),
        (
            "use_tracestate",
            flag("shares go by the randomness of a trace, and kept spans say by which probability (`ot=th`)"),
        ),
    ];
    let mut top = object(&["tail_sampling"], keys);
    top["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    top["title"] = json!("Sampling policy: which whole traces the central tier keeps");
    let blocks = KINDS.into_iter().filter_map(|(word, kind)| Some((word.to_owned(), block(kind)?)));
    let mut defs: Map<String, Value> = blocks.collect();
    defs.insert("sub_policy".to_owned(), policies(Name::Optional));
    top["$defs"] = Value::Object(defs);
    top
}

fn tail_sampling() -> Value {
    let cache = object(
        &[],
        [
            ("sampled_cache_size", number("traces that were kept and are remembered")),
            ("non_sampled_cache_size", number("traces that were dropped and are remembered")),
        ],
    );
    let policies = json!({
        "type": "array", "minItems": 1, "items": policies(Name::Required),
        "description": "a trace is kept if any of them wants it and none drops it",
    });
    let unused = "nothing is decided by it here; `tollgate check` says what happens";
    object(
        &["policies"],
        [
            ("decision_wait", duration("from a trace's first span to its verdict, such as 30s")),
            ("decision_wait_after_root_received", duration("what comes later than this after a root is not judged by")),
            ("num_traces", number("traces that are pending at most")),
            ("expected_new_traces_per_sec", number("what `tollgate check` measures the sizes by")),
            ("decision_cache", cache),
            ("maximum_trace_size_bytes", number("a trace with more bytes is dropped; 0 is no bound")),
            (
                "sample_on_first_match",
                flag("no policy is asked, or charged, after one that wants the trace, but for those that may drop it"),
            ),
            ("sampling_strategy", json!({"enum": STRATEGIES.map(|(word, _)| word), "description": unused})),
            ("block_on_overflow", flag(unused)),
            ("drop_pending_traces_on_shutdown", flag(unused)),
            ("num_shards", number(unused)),
            ("tail_storage", text(unused)),
            ("policies", policies),
        ],
    )
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Required,
    Optional,
}

/// One policy of any type.
fn policies(name: Name) -> Value {
    json!({"oneOf": KINDS.map(|(word, kind)| policy(word, kind, name))})
}

fn policy(word: &str, kind: Kind, name: Name) -> Value {
    let block = block(kind).map(|_| (word, json!({"$ref": format!("#/$defs/{word}")})));
    let about = json!({"type": "string", "minLength": 1, "description": "the reason that is reported"});
    let required = [(name == Name::Required).then_some("name"), Some("type"), block.as_ref().map(|_| word)];
    let keys = [("name", about), ("type", json!({"const": word}))];
    object(&required.into_iter().flatten().collect::<Vec<_>>(), keys.into_iter().chain(block))
}

/// What a type says under its own name, if anything.
fn block(kind: Kind) -> Option<Value> {
    let subs = |key: &'static str| object(&[key], [(key, list(&json!({"$ref": "#/$defs/sub_policy"})))]);
    match kind {
        Kind::AlwaysSample | Kind::TraceFlags => None,
        Kind::And => Some(subs("and_sub_policy")),
        Kind::Or => Some(subs("or_sub_policy")),
        Kind::Drop => Some(subs("drop_sub_policy")),
        Kind::Not => Some(object(&["not_sub_policy"], [("not_sub_policy", json!({"$ref": "#/$defs/sub_policy"}))])),
        Kind::Composite => Some(composite()),
        Kind::NumericAttribute | Kind::BooleanAttribute | Kind::StringAttribute => Some(attribute(kind)),
        _ => Some(simple(kind)),
    }
}

fn attribute(kind: Kind) -> Value {
    let key = ("key", json!({"type": "string", "minLength": 1, "description": "an attribute's key"}));
    let invert = ("invert_match", flag("wants traces in which nothing matches"));
    let integer = |about: &str| json!({"type": "integer", "description": about});
    let (required, keys): (&[&str], Vec<_>) = match kind {
        Kind::NumericAttribute => {
            (&["key"], vec![("min_value", integer("the smallest that matches")), ("max_value", integer("the largest"))])
        }
        Kind::BooleanAttribute => (&["key"], vec![("value", flag("what matches"))]),
        _ => (
            &["key", "values"],
            vec![
                ("values", json!({"type": "array", "items": {"type": "string"}})),
                ("enabled_regex_matching", flag("values are expressions that match anywhere")),
                ("cache_max_size", integer("not needed: matching takes linear time")),
            ],
        ),
    };
    object(required, [key, invert].into_iter().chain(keys))
}

fn composite() -> Value {
    let allocation = object(
        &["policy"],
        [
            ("policy", text("the name of a sub-policy")),
            ("percent", number("of the whole rate; those without one share the rest")),
        ],
    );
    object(
        &["max_total_spans_per_second", "composite_sub_policy"],
        [
            ("max_total_spans_per_second", number("spans a second that all of them keep at most")),
            ("policy_order", json!({"type": "array", "items": {"type": "string"}})),
            ("composite_sub_policy", list(&json!({"$ref": "#/$defs/sub_policy"}))),
            ("rate_allocation", json!({"type": "array", "items": allocation})),
        ],
    )
}

fn simple(kind: Kind) -> Value {
    let strings = || list(&json!({"type": "string"}));
    let burst = "what may be kept at once; what two seconds bring unless given";
    let (required, keys): (&[&str], Vec<_>) = match kind {
        Kind::Latency => (
            &[],
            vec![
                ("threshold_ms", number("a trace that lasts longer is kept")),
                ("upper_threshold_ms", number("unless it lasts longer than this; 0 is no bound")),
            ],
        ),
        Kind::SpanCount => (
            &[],
            vec![
                ("min_spans", number("so many or more")),
                ("max_spans", number("and not more than this; 0 is no bound")),
            ],
        ),
        Kind::StatusCode => {
            (&["status_codes"], vec![("status_codes", list(&json!({"enum": STATUS_CODES.map(|(word, _)| word)})))])
        }
        Kind::TraceState => (&["key", "values"], vec![("key", text("a member's key")), ("values", strings())]),
        Kind::RateLimiting => (
            &["spans_per_second"],
            vec![("spans_per_second", number("spans that are kept a second")), ("burst_capacity", number(burst))],
        ),
        Kind::BytesLimiting => (
            &["bytes_per_second"],
            vec![("bytes_per_second", number("bytes that are kept a second")), ("burst_capacity", number(burst))],
        ),
        Kind::OttlCondition => (
            &[],
            vec![
                ("error_mode", json!({"enum": ERROR_MODES.map(|(word, _)| word)})),
                ("span", strings()),
                ("spanevent", strings()),
            ],
        ),
        _ => (
            &["sampling_percentage"],
            vec![
                ("sampling_percentage", json!({"type": "number", "minimum": 0})),
                ("hash_salt", text("keeps the choice apart from others'")),
            ],
        ),
    };
    object(required, keys)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tollgate_config::Set;

    use super::*;
    use crate::PolicySet;

    /// The keys that the reader knows where it finds one that nobody knows.
    fn known_beside(text: &str) -> BTreeSet<String> {
        let (set, faults) = Set::from_texts([("policies/sampling.yaml", text)]);
        let _ = PolicySet::load(&set, &faults);
        let said = faults.iter().find(|fault| fault.at.path.ends_with("qqqqqqqq")).map(|fault| fault.message);
        let said = said.unwrap_or_else(|| panic!("no reader met the key in\n{text}\n{faults}"));
        let keys = said.strip_prefix("unknown key, known here: ").unwrap_or_else(|| panic!("{said}"));
        let keys = keys.split_once(" (").map_or(keys, |(keys, _)| keys);
        keys.split(", ").map(str::to_owned).collect()
    }

    fn keys_of(schema: &Value) -> BTreeSet<String> {
        schema["properties"].as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn the_schema_has_the_keys_that_the_reader_knows() {
        let schema = sampling();
        assert_eq!(keys_of(&schema), known_beside("tail_sampling: {policies: []}\nqqqqqqqq: 1"));
        let block = &schema["properties"]["tail_sampling"];
        assert_eq!(keys_of(block), known_beside("tail_sampling: {qqqqqqqq: 1}"));
        let cache = &block["properties"]["decision_cache"];
        assert_eq!(keys_of(cache), known_beside("tail_sampling: {decision_cache: {qqqqqqqq: 1}}"));
        for policy in block["properties"]["policies"]["items"]["oneOf"].as_array().unwrap() {
            let kind = policy["properties"]["type"]["const"].as_str().unwrap();
            let of =
                |rest: &str| known_beside(&format!("tail_sampling: {{policies: [{{name: a, type: {kind}, {rest}}}]}}"));
            assert_eq!(keys_of(policy), of("qqqqqqqq: 1"), "{kind}");
            if policy["properties"].get(kind).is_some() {
                assert_eq!(keys_of(&schema["$defs"][kind]), of(&format!("{kind}: {{qqqqqqqq: 1}}")), "{kind}");
            }
        }
    }

    /// Guarantees: the schema beside the example is the one that this gives. `tollgate policy schema sampling` prints it.
    #[test]
    fn the_shipped_schema_is_the_generated_one() {
        let shipped = include_str!("../../../policies/schema/sampling.json");
        assert!(format!("{:#}\n", sampling()) == shipped, "print policies/schema/sampling.json anew");
    }
}
