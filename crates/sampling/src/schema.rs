//! The JSON Schema of `policies/sampling.yaml`, made of the lists that its reader knows.
//!
//! Promises:
//! 1. A key or type that the reader takes is in the schema and no other; a test reads the known keys back from its faults.

use serde_json::{Map, Value, json};

use crate::policy::read::{KINDS, Kind, STATUS_CODES};

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

/// The schema of `policies/sampling.yaml`.
#[must_use]
pub fn sampling() -> Value {
    let cache = object(
        &[],
        [
            ("sampled_cache_size", number("traces that were kept and are remembered")),
            ("non_sampled_cache_size", number("traces that were dropped and are remembered")),
        ],
    );
    let policies = json!({
        "type": "array", "minItems": 1, "items": {"oneOf": KINDS.into_iter().filter_map(policy).collect::<Vec<_>>()},
        "description": "a trace is kept if any of them wants it",
    });
    let block = object(
        &["policies"],
        [
            ("decision_wait", duration("from a trace's first span to its verdict, such as 30s")),
            ("num_traces", number("traces that are pending at most")),
            ("expected_new_traces_per_sec", number("taken as it is; nothing has to be sized by it")),
            ("decision_cache", cache),
            ("decision_wait_after_root_received", json!({"const": "0s"})),
            ("sampling_strategy", json!({"const": "trace-complete"})),
            ("block_on_overflow", json!({"const": false})),
            ("drop_pending_traces_on_shutdown", json!({"const": false})),
            ("maximum_trace_size_bytes", json!({"const": 0})),
            ("num_shards", json!({"const": 1})),
            ("sample_on_first_match", json!({"type": "boolean"})),
            ("policies", policies),
        ],
    );
    let mut top = object(&["tail_sampling"], [("tail_sampling", block)]);
    top["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    top["title"] = json!("Sampling policy: which whole traces the central tier keeps");
    top
}

/// A policy of one type; types of the Collector that are not supported yet have none.
fn policy((word, kind): (&str, Kind)) -> Option<Value> {
    let block = block(kind)?;
    let name = json!({"type": "string", "minLength": 1, "description": "the reason that is reported"});
    let keys = [("name", name), ("type", json!({"const": word}))];
    let required = if block.is_null() { vec!["name", "type"] } else { vec!["name", "type", word] };
    let block = (!block.is_null()).then_some((word, block));
    Some(object(&required, keys.into_iter().chain(block)))
}

/// What a type says under its own name; null if nothing.
fn block(kind: Kind) -> Option<Value> {
    let text = |about: &str| json!({"type": "string", "description": about});
    match kind {
        Kind::AlwaysSample => Some(Value::Null),
        Kind::Latency => Some(object(
            &["threshold_ms"],
            [
                ("threshold_ms", number("a trace that lasts longer is kept")),
                ("upper_threshold_ms", number("unless it lasts longer than this; 0 is no bound")),
            ],
        )),
        Kind::StatusCode => {
            let codes = STATUS_CODES.map(|(word, _)| word);
            Some(object(
                &["status_codes"],
                [("status_codes", json!({"type": "array", "minItems": 1, "items": {"enum": codes}}))],
            ))
        }
        Kind::StringAttribute => Some(object(
            &["key", "values"],
            [
                ("key", json!({"type": "string", "minLength": 1, "description": "an attribute's key"})),
                ("values", json!({"type": "array", "items": {"type": "string"}})),
                ("enabled_regex_matching", json!({"type": "boolean"})),
                ("invert_match", json!({"type": "boolean"})),
                ("cache_max_size", json!({"type": "integer", "description": "not needed: matching takes linear time"})),
            ],
        )),
        Kind::Probabilistic => Some(object(
            &["sampling_percentage"],
            [
                ("sampling_percentage", json!({"type": "number", "minimum": 0})),
                ("hash_salt", text("keeps the choice apart from others'")),
            ],
        )),
        Kind::NotYet(_) => None,
    }
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
        let mut known = known_beside("tail_sampling: {qqqqqqqq: 1}");
        assert!(known.remove("tail_storage"), "it is known, and refused whatever it says");
        assert_eq!(keys_of(block), known);
        let cache = &block["properties"]["decision_cache"];
        assert_eq!(keys_of(cache), known_beside("tail_sampling: {decision_cache: {qqqqqqqq: 1}}"));
        for policy in block["properties"]["policies"]["items"]["oneOf"].as_array().unwrap() {
            let kind = policy["properties"]["type"]["const"].as_str().unwrap();
            let of =
                |rest: &str| known_beside(&format!("tail_sampling: {{policies: [{{name: a, type: {kind}, {rest}}}]}}"));
            assert_eq!(keys_of(policy), of("qqqqqqqq: 1"), "{kind}");
            if let Some(inner) = policy["properties"].get(kind) {
                assert_eq!(keys_of(inner), of(&format!("{kind}: {{qqqqqqqq: 1}}")), "{kind}");
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
