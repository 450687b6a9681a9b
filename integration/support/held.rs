//! What a place holds, item by item, with attributes as plain values: `"GET"`, `200`, `["a", "b"]`.
//!
//! File exporters and fake backends speak of the same things in two ways; tests compare both with what was sent.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value as Any};
use serde_json::{Value, json};

/// Attributes by key.
pub type Attributes = BTreeMap<String, Value>;

/// One span, metric or log record in the file of a file exporter.
#[derive(Clone, Debug)]
pub struct Held {
    /// The attributes of its resource.
    pub resource: Attributes,
    /// Its own attributes.
    pub attributes: Attributes,
    /// All of it, as OTLP/JSON writes it.
    pub item: Value,
}

impl Held {
    /// A text of the item, such as `spanId`; empty if there is none.
    pub fn text(&self, key: &str) -> &str {
        self.item.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Reads every file of a folder; one that is not there yet holds nothing.
pub fn read(folder: &Path, signal: &str) -> Vec<Held> {
    let (groups, scopes, items) = match signal {
        "traces" => ("resourceSpans", "scopeSpans", "spans"),
        "metrics" => ("resourceMetrics", "scopeMetrics", "metrics"),
        _ => ("resourceLogs", "scopeLogs", "logRecords"),
    };
    let mut held = Vec::new();
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        // A last line may be on its way.
        let text = fs::read_to_string(file.path()).unwrap_or_default();
        for request in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            for group in list(&request, groups) {
                let resource = group.get("resource").map(attributes).unwrap_or_default();
                let items = list(group, scopes).flat_map(|scope| list(scope, items));
                held.extend(items.map(|item| Held {
                    resource: resource.clone(),
                    attributes: attributes(item),
                    item: item.clone(),
                }));
            }
        }
    }
    held
}

/// The attributes of something in OTLP/JSON.
#[track_caller]
pub fn attributes(of: &Value) -> Attributes {
    once(list(of, "attributes").map(|attribute| {
        let key = attribute.get("key").and_then(Value::as_str).unwrap_or_default();
        (key.to_owned(), attribute.get("value").map_or(Value::Null, from_json))
    }))
}

/// The attributes of something in protobuf.
#[track_caller]
pub fn attributes_of(list: &[KeyValue]) -> Attributes {
    once(list.iter().map(|attribute| {
        let value = attribute.value.as_ref().map_or(Value::Null, from_protobuf);
        (attribute.key.clone(), value)
    }))
}

/// What a program of another language printed of its attributes.
pub fn printed(attributes: &Value) -> Attributes {
    let entries = attributes.as_object().into_iter().flatten();
    entries.map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[track_caller]
fn once(entries: impl Iterator<Item = (String, Value)>) -> Attributes {
    let mut attributes = Attributes::new();
    for (key, value) in entries {
        assert!(attributes.insert(key.clone(), value).is_none(), "{key} stands twice");
    }
    attributes
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn from_json(value: &Value) -> Value {
    let Some((kind, value)) = value.as_object().and_then(|members| members.iter().next()) else { return Value::Null };
    match kind.as_str() {
        // 64-bit integers are texts in OTLP/JSON.
        "intValue" => value.as_str().and_then(|text| text.parse::<i64>().ok()).map_or(value.clone(), Value::from),
        "arrayValue" => list(value, "values").map(from_json).collect(),
        "kvlistValue" => {
            let entries = list(value, "values");
            entries.map(|entry| (text(entry, "key"), entry.get("value").map_or(Value::Null, from_json))).collect()
        }
        _ => value.clone(),
    }
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn from_protobuf(value: &AnyValue) -> Value {
    match &value.value {
        None => Value::Null,
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(bool)) => json!(bool),
        Some(Any::IntValue(int)) => json!(int),
        Some(Any::DoubleValue(double)) => json!(double),
        Some(Any::BytesValue(bytes)) => json!(bytes),
        Some(Any::ArrayValue(list)) => list.values.iter().map(from_protobuf).collect(),
        Some(Any::KvlistValue(list)) => attributes_of(&list.values).into_iter().collect(),
        Some(other) => Value::from(format!("{other:?}")),
    }
}
