//! What we do otherwise on purpose, one by one: the Collector's answer is recorded, and each has a rule that says ours.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use serde_json::{Value, json};

use crate::policies::Case;
use crate::traffic::Seen;

/// A difference: policies, and which traces they are for, worked out here from the spans.
pub(crate) struct Known {
    pub(crate) why: &'static str,
    policy: Value,
    pub(crate) wanted: fn(&[&Seen]) -> bool,
}

impl Known {
    pub(crate) fn case(&self) -> Case {
        let mut policy = self.policy.clone();
        policy["name"] = json!("known");
        Case::defect(json!([policy]))
    }
}

/// In the order of the recording, behind all others.
pub(crate) fn cases() -> Vec<Case> {
    differences().iter().map(Known::case).collect()
}

pub(crate) fn differences() -> Vec<Known> {
    attributes().into_iter().chain(conditions()).collect()
}

/// Values are read by their type there without a look at it.
fn attributes() -> Vec<Known> {
    vec![
        Known {
            why: "latency: the Collector asks after each span, so one that was in the range on the way is kept",
            policy: json!({"type": "latency", "latency": {"threshold_ms": 300, "upper_threshold_ms": 1_500}}),
            wanted: |spans| {
                let start = spans.iter().map(|seen| seen.span.start_time_unix_nano).min().unwrap_or(0);
                let end = spans.iter().map(|seen| seen.span.end_time_unix_nano).max().unwrap_or(0);
                (301..=1_500).contains(&((end - start) / 1_000_000))
            },
        },
        Known {
            why: "numeric_attribute: what is no integer is zero to the Collector",
            policy: json!({"type": "numeric_attribute", "numeric_attribute":
                {"key": "mixed", "min_value": -1, "max_value": 1}}),
            wanted: |spans| on_span(spans, "mixed", |value| matches!(value, Any::IntValue(-1..=1))),
        },
        Known {
            why: "numeric_attribute: a bound of zero is no bound to the Collector",
            policy: json!({"type": "numeric_attribute", "numeric_attribute":
                {"key": "num.status", "min_value": 0, "max_value": 300}}),
            wanted: |spans| on_span(spans, "num.status", |value| matches!(value, Any::IntValue(0..=300))),
        },
        Known {
            why: "boolean_attribute: what is no boolean is false to the Collector",
            policy: json!({"type": "boolean_attribute", "boolean_attribute": {"key": "mixed", "value": false}}),
            wanted: |spans| on_span(spans, "mixed", |value| matches!(value, Any::BoolValue(false))),
        },
        Known {
            why: "string_attribute: what is no text on a resource is empty text to the Collector's expressions",
            policy: json!({"type": "string_attribute", "string_attribute":
                {"key": "num.replica", "values": ["^$"], "enabled_regex_matching": true}}),
            wanted: |_| false,
        },
    ]
}

fn conditions() -> Vec<Known> {
    let condition = |mode: &str, key: &str, condition: &str| json!({"type": "ottl_condition", "ottl_condition": {"error_mode": mode, key: [condition]}});
    vec![
        Known {
            why: "ottl_condition: an event has no number in the Collector's sampler",
            policy: condition("ignore", "spanevent", "event_index == 1"),
            wanted: |spans| spans.iter().any(|seen| seen.span.events.len() > 1),
        },
        Known {
            why: "ottl_condition: the schema URL of a resource is lost before the Collector's sampler looks",
            policy: condition("ignore", "span", "resource.schema_url != \"\""),
            wanted: |spans| spans.iter().any(|seen| !seen.resource.schema_url.is_empty()),
        },
        Known {
            why: "ottl_condition: the schema URL of a scope is lost too",
            policy: condition("ignore", "span", "scope.schema_url != \"\""),
            wanted: |spans| spans.iter().any(|seen| !seen.scope.schema_url.is_empty()),
        },
        Known {
            why: "ottl_condition: what cannot be evaluated is lost in silence there, and kept here",
            policy: condition("propagate", "span", "attributes[\"num.status\"][\"key\"] == 1"),
            wanted: |spans| on_span(spans, "num.status", |_| true),
        },
    ]
}

fn on_span(spans: &[&Seen], key: &str, wanted: fn(&Any) -> bool) -> bool {
    let mut all = spans.iter().flat_map(|seen| first(&seen.span.attributes, key));
    all.any(wanted)
}

/// Where a key stands twice the first counts.
fn first<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Any> {
    attributes.iter().find(|pair| pair.key == key)?.value.as_ref()?.value.as_ref()
}
