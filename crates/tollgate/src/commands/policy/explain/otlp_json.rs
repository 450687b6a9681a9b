//! Where values stand in OTLP/JSON: which carrier, under which key. Values are not looked at, but for what a resource says of
//! itself.
//!
//! What the tables here do not name is unknown, and unknown things never cross. What sealing could not read is refused.

use serde_json::{Map, Value};
use tollgate_federation::Signal;
use tollgate_otlp::Limits;
use tollgate_otlp::json::{self, JsonFault, Message};
use tollgate_residency::{Carrier, Claims, Resource};

/// A place where a value stands.
pub(super) struct Found {
    pub(super) carrier: Carrier,
    pub(super) key: Option<String>,
    pub(super) resource: Resource,
    /// What the resource says of itself.
    pub(super) claims: Claims,
    /// Fields and numbers from the top of the request.
    pub(super) path: String,
}

/// Why a text is no OTLP/JSON.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotOtlp {
    #[error("line {line}: not json")]
    Json { line: usize },
    #[error("request {request}: {fault}")]
    Refused { request: usize, fault: JsonFault },
    #[error("neither resourceSpans, resourceMetrics nor resourceLogs is here")]
    NoRequest,
    #[error("it holds several signals: keep each in a file of its own")]
    Mixed,
}

/// What a field holds.
#[derive(Clone, Copy)]
enum Field {
    /// A value of the carrier.
    One(Carrier),
    /// Attributes.
    Attributes(Carrier),
    /// A message, or a list of messages.
    In(&'static [(&'static str, Field)]),
}

use Carrier as C;
use Field::{Attributes, In, One};

const RESOURCE: &[(&str, Field)] = &[
    ("attributes", Attributes(C::ResourceAttributes)),
    ("droppedAttributesCount", One(C::ResourceDropped)),
    ("entityRefs", One(C::ResourceEntityRefs)),
];
const SCOPE: &[(&str, Field)] = &[
    ("name", One(C::ScopeName)),
    ("version", One(C::ScopeVersion)),
    ("attributes", Attributes(C::ScopeAttributes)),
    ("droppedAttributesCount", One(C::ScopeDropped)),
];
const EVENT: &[(&str, Field)] = &[
    ("timeUnixNano", One(C::EventTime)),
    ("name", One(C::EventName)),
    ("attributes", Attributes(C::EventAttributes)),
    ("droppedAttributesCount", One(C::EventDropped)),
];
const LINK: &[(&str, Field)] = &[
    ("traceId", One(C::LinkTraceId)),
    ("spanId", One(C::LinkSpanId)),
    ("traceState", One(C::LinkTraceState)),
    ("attributes", Attributes(C::LinkAttributes)),
    ("droppedAttributesCount", One(C::LinkDropped)),
    ("flags", One(C::LinkFlags)),
];
const STATUS: &[(&str, Field)] = &[("code", One(C::StatusCode)), ("message", One(C::StatusMessage))];
const SPAN: &[(&str, Field)] = &[
    ("traceId", One(C::SpanTraceId)),
    ("spanId", One(C::SpanId)),
    ("parentSpanId", One(C::SpanParentId)),
    ("traceState", One(C::SpanTraceState)),
    ("flags", One(C::SpanFlags)),
    ("name", One(C::SpanName)),
    ("kind", One(C::SpanKind)),
    ("startTimeUnixNano", One(C::SpanStart)),
    ("endTimeUnixNano", One(C::SpanEnd)),
    ("attributes", Attributes(C::SpanAttributes)),
    ("droppedAttributesCount", One(C::SpanDropped)),
    ("droppedEventsCount", One(C::SpanDropped)),
    ("droppedLinksCount", One(C::SpanDropped)),
    ("events", In(EVENT)),
    ("links", In(LINK)),
    ("status", In(STATUS)),
];
const LOG: &[(&str, Field)] = &[
    ("timeUnixNano", One(C::LogTime)),
    ("observedTimeUnixNano", One(C::LogObservedTime)),
    ("severityNumber", One(C::LogSeverityNumber)),
    ("severityText", One(C::LogSeverityText)),
    ("body", One(C::LogBody)),
    ("attributes", Attributes(C::LogAttributes)),
    ("droppedAttributesCount", One(C::LogDropped)),
    ("flags", One(C::LogFlags)),
    ("traceId", One(C::LogTraceId)),
    ("spanId", One(C::LogSpanId)),
    ("eventName", One(C::LogEventName)),
];
const EXEMPLAR: &[(&str, Field)] = &[
    ("filteredAttributes", Attributes(C::ExemplarAttributes)),
    ("timeUnixNano", One(C::ExemplarTime)),
    ("asDouble", One(C::ExemplarValue)),
    ("asInt", One(C::ExemplarValue)),
    ("traceId", One(C::ExemplarTraceId)),
    ("spanId", One(C::ExemplarSpanId)),
];
const POINT: &[(&str, Field)] = &[
    ("attributes", Attributes(C::PointAttributes)),
    ("startTimeUnixNano", One(C::PointTimes)),
    ("timeUnixNano", One(C::PointTimes)),
    ("asDouble", One(C::PointValue)),
    ("asInt", One(C::PointValue)),
    ("count", One(C::PointTotals)),
    ("sum", One(C::PointTotals)),
    ("min", One(C::PointExtremes)),
    ("max", One(C::PointExtremes)),
    ("bucketCounts", One(C::PointBuckets)),
    ("explicitBounds", One(C::PointBuckets)),
    ("scale", One(C::PointBuckets)),
    ("zeroCount", One(C::PointBuckets)),
    ("zeroThreshold", One(C::PointBuckets)),
    ("positive", One(C::PointBuckets)),
    ("negative", One(C::PointBuckets)),
    ("quantileValues", One(C::PointQuantiles)),
    ("exemplars", In(EXEMPLAR)),
    ("flags", One(C::PointFlags)),
];
const DATA: &[(&str, Field)] =
    &[("dataPoints", In(POINT)), ("aggregationTemporality", One(C::MetricKind)), ("isMonotonic", One(C::MetricKind))];
const METRIC: &[(&str, Field)] = &[
    ("name", One(C::MetricName)),
    ("description", One(C::MetricDescription)),
    ("unit", One(C::MetricUnit)),
    ("metadata", Attributes(C::MetricMetadata)),
    ("gauge", In(DATA)),
    ("sum", In(DATA)),
    ("histogram", In(DATA)),
    ("exponentialHistogram", In(DATA)),
    ("summary", In(DATA)),
];

/// A signal, the fields of its resources and of their scopes, and what a scope holds.
type Shape = (Signal, &'static str, &'static str, &'static [(&'static str, Field)]);

/// What a request of each signal is made of: its resources, their scopes, and the items of a scope.
const SIGNALS: [Shape; 3] = [
    (
        Signal::Traces,
        "resourceSpans",
        "scopeSpans",
        &[("scope", In(SCOPE)), ("schemaUrl", One(C::ScopeSchemaUrl)), ("spans", In(SPAN))],
    ),
    (
        Signal::Metrics,
        "resourceMetrics",
        "scopeMetrics",
        &[("scope", In(SCOPE)), ("schemaUrl", One(C::ScopeSchemaUrl)), ("metrics", In(METRIC))],
    ),
    (
        Signal::Logs,
        "resourceLogs",
        "scopeLogs",
        &[("scope", In(SCOPE)), ("schemaUrl", One(C::ScopeSchemaUrl)), ("logRecords", In(LOG))],
    ),
];

/// Finds every value of a text of one request, or of one a line.
pub(super) fn read(text: &str, marks_device: impl Fn(&str) -> bool) -> Result<(Signal, Vec<Found>), NotOtlp> {
    let requests: Vec<Value> = match serde_json::from_str(text) {
        Ok(request) => vec![request],
        Err(_) => {
            let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            let parsed = lines.map(|(at, line)| serde_json::from_str(line).map_err(|_| NotOtlp::Json { line: at + 1 }));
            parsed.collect::<Result<_, _>>()?
        }
    };
    let (mut signal, mut found) = (None, Vec::new());
    let texts: Vec<&str> = match requests.len() {
        1 => vec![text],
        _ => text.lines().filter(|line| !line.trim().is_empty()).collect(),
    };
    for (number, (request, text)) in requests.iter().zip(texts).enumerate() {
        let of = |(_, field, ..): &&Shape| member(request, field).is_some();
        let (own, field, scopes, scope) = SIGNALS.iter().find(of).ok_or(NotOtlp::NoRequest)?;
        json::decode(message(*own), text.as_bytes(), &Limits::default())
            .map_err(|fault| NotOtlp::Refused { request: number + 1, fault })?;
        if signal.is_some_and(|signal| signal != *own) {
            return Err(NotOtlp::Mixed);
        }
        signal = Some(*own);
        let line = if requests.len() > 1 { format!("line {}: ", number + 1) } else { String::new() };
        for (at, resource) in member(request, field).and_then(Value::as_array).into_iter().flatten().enumerate() {
            let owner = owner(resource, &marks_device);
            let mut walk = Walk { owner, claims: claims(resource), found: &mut found };
            for (name, value) in resource.as_object().into_iter().flatten() {
                let path = format!("{line}{field}[{at}].{name}");
                match name.as_str() {
                    "resource" => walk.field(value, In(RESOURCE), &path),
                    name if is_spelt(name, "schemaUrl") => walk.field(value, One(C::ResourceSchemaUrl), &path),
                    name if is_spelt(name, scopes) => walk.field(value, In(scope), &path),
                    _ => walk.found(C::Unknown, None, path),
                }
            }
        }
    }
    signal.map(|signal| (signal, found)).ok_or(NotOtlp::NoRequest)
}

fn message(signal: Signal) -> Message {
    match signal {
        Signal::Traces => Message::Traces,
        Signal::Metrics => Message::Metrics,
        Signal::Logs => Message::Logs,
    }
}

/// Whether a name is that of a field: as OTLP spells it, or as its protobuf file does. Readers take both.
fn is_spelt(name: &str, field: &str) -> bool {
    let snake = || -> String {
        let letters = field.chars();
        letters
            .flat_map(|letter| {
                letter.is_ascii_uppercase().then_some('_').into_iter().chain([letter.to_ascii_lowercase()])
            })
            .collect()
    };
    name == field || name.contains('_') && name == snake()
}

/// The value of a field; a field that stands twice is refused before.
fn member<'v>(message: &'v Value, field: &str) -> Option<&'v Value> {
    message.as_object()?.iter().find(|(name, _)| is_spelt(name, field)).map(|(_, value)| value)
}

fn claims(resource: &Value) -> Claims {
    let attributes = resource.pointer("/resource/attributes").and_then(Value::as_array);
    let said = attributes.into_iter().flatten().filter_map(|one| {
        let text = one.get("value").and_then(|value| member(value, "stringValue")).and_then(Value::as_str);
        Some((one.get("key")?.as_str()?.as_bytes(), text))
    });
    Claims::of(said)
}

fn owner(resource: &Value, marks_device: impl Fn(&str) -> bool) -> Resource {
    let attributes = resource.pointer("/resource/attributes").and_then(Value::as_array);
    let mut keys = attributes.into_iter().flatten().filter_map(|one| one.get("key")?.as_str());
    if keys.any(marks_device) { Resource::Device } else { Resource::Server }
}

struct Walk<'f> {
    owner: Resource,
    claims: Claims,
    found: &'f mut Vec<Found>,
}

impl Walk<'_> {
    fn found(&mut self, carrier: Carrier, key: Option<String>, path: String) {
        self.found.push(Found { carrier, key, resource: self.owner, claims: self.claims.clone(), path });
    }

    fn field(&mut self, value: &Value, field: Field, path: &str) {
        match (field, value) {
            (_, Value::Null) => {}
            (One(carrier), _) => self.found(carrier, None, path.to_owned()),
            (Attributes(carrier), Value::Array(attributes)) => {
                for (at, attribute) in attributes.iter().enumerate() {
                    let key = attribute.get("key").and_then(Value::as_str).unwrap_or_default();
                    self.found(carrier, Some(key.to_owned()), format!("{path}[{at}]"));
                }
            }
            (In(fields), Value::Array(messages)) => {
                for (at, message) in messages.iter().enumerate() {
                    self.field(message, In(fields), &format!("{path}[{at}]"));
                }
            }
            (In(fields), Value::Object(message)) => self.message(message, fields, path),
            (Attributes(_) | In(_), _) => self.found(Carrier::Unknown, None, path.to_owned()),
        }
    }

    fn message(&mut self, message: &Map<String, Value>, fields: &[(&str, Field)], path: &str) {
        for (name, value) in message {
            let path = format!("{path}.{name}");
            match fields.iter().find(|(field, _)| is_spelt(name, field)) {
                Some((_, field)) => self.field(value, *field, &path),
                None => self.found(Carrier::Unknown, None, path),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}}]},"scopeSpans":[{"schemaUrl":"x","spans":[{"traceId":"01020304050607080102030405060708","startTimeUnixNano":"1","status":{"code":1},"own":7}]}]}]}"#;

    fn found(text: &str) -> Vec<(Carrier, Option<String>, Claims)> {
        let (_, found) = read(text, |_| false).unwrap();
        found.into_iter().map(|one| (one.carrier, one.key, one.claims)).collect()
    }

    /// Guarantees: names are understood in both spellings that sealing understands, and an unknown one is said to be that.
    #[test]
    fn both_spellings_of_a_field_are_one_field() {
        let mut snake = SPAN.to_owned();
        for name in ["resourceSpans", "scopeSpans", "schemaUrl", "traceId", "startTimeUnixNano", "stringValue"] {
            let letters = name.chars().map(|letter| match letter.is_ascii_uppercase() {
                true => format!("_{}", letter.to_ascii_lowercase()),
                false => letter.to_string(),
            });
            snake = snake.replace(name, &letters.collect::<String>());
        }
        assert!(snake.contains("start_time_unix_nano") && snake.contains("string_value"), "{snake}");
        let mut both = [found(SPAN), found(&snake)];
        both.iter_mut().for_each(|found| found.sort_by_key(|(carrier, ..)| *carrier));
        assert_eq!(both[0], both[1]);
        assert!(both[0].iter().any(|(carrier, ..)| *carrier == C::Unknown));
        assert!(both[0].iter().all(|(_, _, claims)| *claims != Claims::default()));
    }

    /// Guarantees: what sealing refuses to read is not explained either.
    #[test]
    fn what_sealing_could_not_read_is_refused() {
        for (text, says) in [
            (SPAN.replace(r#""own":7"#, r#""trace_id":"""#), "request 1: line 1, column"),
            (SPAN.replace(r#""code":1"#, r#""code":"one""#), "request 1: line 1, column"),
            (format!("{SPAN}\n{}\n", SPAN.replace(r#"{"code":1}"#, "7")), "request 2: line 1, column"),
            (format!("{SPAN}\n{{\n"), "line 2: not json"),
            ("{}".to_owned(), "neither resourceSpans"),
        ] {
            let refused = read(&text, |_| false).map(|_| ()).unwrap_err().to_string();
            assert!(refused.starts_with(says), "{refused}");
        }
    }
}
