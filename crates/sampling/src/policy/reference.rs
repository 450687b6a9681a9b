//! Judges decoded spans by policies as data, the simplest way there is: what the real thing is compared with.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use prost::Message;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Datum {
    Text(&'static str),
    Integer(i64),
    Flag(bool),
    Double(f64),
}

type Attributes = Vec<(&'static str, Datum)>;

/// A span, decoded.
#[derive(Debug, Clone)]
pub(super) struct PlainSpan {
    pub(super) status: i32,
    pub(super) start_ms: u64,
    pub(super) end_ms: u64,
    pub(super) flags: u32,
    pub(super) state: &'static str,
    pub(super) own: Attributes,
    pub(super) resource: Attributes,
}

/// A policy as data.
#[derive(Debug, Clone)]
pub(super) enum Spec {
    Always,
    Latency(u64, u64),
    Count(u32, u64),
    Status(Vec<&'static str>),
    Text {
        key: &'static str,
        values: Vec<&'static str>,
        regex: bool,
        invert: bool,
    },
    Number {
        key: &'static str,
        min: i64,
        max: Option<i64>,
        invert: bool,
    },
    Flag {
        key: &'static str,
        value: bool,
        invert: bool,
    },
    State(&'static str, Vec<&'static str>),
    Sampled,
    /// One of [`CONDITIONS`].
    Condition(usize),
    Share(u8, &'static str),
    And(Vec<Spec>),
    Or(Vec<Spec>),
    Not(Box<Spec>),
    Drop(Vec<Spec>),
}

type Means = fn(&PlainSpan) -> bool;

/// Conditions in words, and what they mean.
const CONDITIONS: [(&str, Means); 5] = [
    (r#"attributes["tier"] == "gold""#, |span| span.own.contains(&("tier", Datum::Text("gold")))),
    (r#"resource.attributes["k"] == 1 or resource.attributes["k"] == 2"#, |span| {
        [1, 2].iter().any(|n| span.resource.contains(&("k", Datum::Integer(*n))))
            || span.resource.contains(&("k", Datum::Double(1.0)))
    }),
    ("status.code == STATUS_CODE_ERROR and kind == SPAN_KIND_UNSPECIFIED", |span| span.status == 2),
    ("end_time_unix_nano - start_time_unix_nano > 3000000", |span| span.end_ms > span.start_ms + 3),
    (r#"not (trace_state["a"] == "1") and attributes["key"] != nil"#, |span| {
        span.own.iter().any(|(key, _)| *key == "key") && !["a=1", "b=1,a=1"].contains(&span.state)
    }),
];

/// What a policy says of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Nothing,
    Keep,
    Drop,
}

fn keep_if(wanted: bool) -> Says {
    if wanted { Says::Keep } else { Says::Nothing }
}

impl Spec {
    pub(super) fn says(&self, spans: &[PlainSpan], id: &[u8; 16]) -> Says {
        let somewhere = |key: &str, test: &dyn Fn(&Datum) -> bool| {
            let of = |attributes: &Attributes| {
                attributes.iter().find(|(name, _)| *name == key).is_some_and(|(_, datum)| test(datum))
            };
            spans.iter().any(|span| of(&span.own) || of(&span.resource))
        };
        let all = |specs: &[Spec]| {
            let said = specs.iter().map(|spec| spec.says(spans, id)).find(|said| *said != Says::Keep);
            said.unwrap_or(Says::Keep)
        };
        match self {
            Self::Always => Says::Keep,
            Self::Latency(above, up_to) => {
                let start = spans.iter().map(|span| span.start_ms).min().unwrap_or(0);
                let took = spans.iter().map(|span| span.end_ms).max().unwrap_or(0).saturating_sub(start);
                keep_if(took > *above && (*up_to == 0 || took <= *up_to))
            }
            Self::Count(min, max) => keep_if(spans.len() >= *min as usize && (*max == 0 || spans.len() as u64 <= *max)),
            Self::Status(codes) => {
                let names = ["UNSET", "OK", "ERROR"];
                keep_if(
                    spans.iter().any(|span| names.get(span.status as usize).is_some_and(|name| codes.contains(name))),
                )
            }
            Self::Text { key, values, regex, invert } => {
                let matches =
                    |text: &str| values.iter().any(|value| if *regex { text.contains(value) } else { text == *value });
                keep_if(somewhere(key, &|datum| matches!(datum, Datum::Text(text) if matches(text))) != *invert)
            }
            Self::Number { key, min, max, invert } => {
                let max = max.unwrap_or(i64::MAX);
                keep_if(somewhere(key, &|datum| matches!(datum, Datum::Integer(n) if n >= min && *n <= max)) != *invert)
            }
            Self::Flag { key, value, invert } => {
                keep_if(somewhere(key, &|datum| *datum == Datum::Flag(*value)) != *invert)
            }
            Self::State(key, values) => {
                let is_one = |member: &str| values.iter().any(|value| member == format!("{key}={value}"));
                let is_valid = |state: &str| state != "a=1,a=2" && state != "A=1";
                keep_if(spans.iter().any(|span| is_valid(span.state) && span.state.split(',').any(is_one)))
            }
            Self::Sampled => keep_if(spans.iter().any(|span| span.flags % 2 == 1)),
            Self::Condition(number) => keep_if(spans.iter().any(CONDITIONS[*number].1)),
            Self::Share(percent, salt) => keep_if(share_has(*percent, salt, id)),
            Self::And(specs) => all(specs),
            Self::Or(specs) => {
                let (drops, others): (Vec<&Self>, Vec<&Self>) =
                    specs.iter().partition(|spec| matches!(spec, Self::Drop(_)));
                let said = drops.into_iter().chain(others).map(|spec| spec.says(spans, id));
                said.into_iter().find(|said| *said != Says::Nothing).unwrap_or(Says::Nothing)
            }
            Self::Not(spec) => match spec.says(spans, id) {
                Says::Keep => Says::Nothing,
                Says::Nothing => Says::Keep,
                Says::Drop => Says::Drop,
            },
            Self::Drop(specs) => match all(specs) {
                Says::Nothing => Says::Nothing,
                Says::Keep | Says::Drop => Says::Drop,
            },
        }
    }

    /// As it stands in a document, without its braces.
    pub(super) fn yaml(&self) -> String {
        let texts = |values: &[&str]| values.iter().map(|value| format!("'{value}'")).collect::<Vec<_>>().join(", ");
        let subs = |kind: &str, specs: &[Self]| {
            let subs: Vec<_> = specs.iter().map(|spec| format!("{{name: s, {}}}", spec.yaml())).collect();
            format!("type: {kind}, {kind}: {{{kind}_sub_policy: [{}]}}", subs.join(", "))
        };
        match self {
            Self::Always => "type: always_sample".to_owned(),
            Self::Sampled => "type: trace_flags".to_owned(),
            Self::Latency(above, up_to) => {
                format!("type: latency, latency: {{threshold_ms: {above}, upper_threshold_ms: {up_to}}}")
            }
            Self::Count(min, max) => format!("type: span_count, span_count: {{min_spans: {min}, max_spans: {max}}}"),
            Self::Status(codes) => format!("type: status_code, status_code: {{status_codes: [{}]}}", texts(codes)),
            Self::Text { key, values, regex, invert } => format!(
                "type: string_attribute, string_attribute: {{key: {key}, values: [{}], enabled_regex_matching: {regex}, \
                 invert_match: {invert}}}",
                texts(values)
            ),
            Self::Number { key, min, max, invert } => {
                let max = max.map_or_else(String::new, |max| format!("max_value: {max}, "));
                format!(
                    "type: numeric_attribute, numeric_attribute: {{key: {key}, min_value: {min}, {max}invert_match: {invert}}}"
                )
            }
            Self::Flag { key, value, invert } => format!(
                "type: boolean_attribute, boolean_attribute: {{key: {key}, value: {value}, invert_match: {invert}}}"
            ),
            Self::State(key, values) => {
                format!("type: trace_state, trace_state: {{key: {key}, values: [{}]}}", texts(values))
            }
            Self::Condition(number) => {
                format!("type: ottl_condition, ottl_condition: {{span: ['{}']}}", CONDITIONS[*number].0)
            }
            Self::Share(percent, salt) => {
                format!("type: probabilistic, probabilistic: {{sampling_percentage: {percent}, hash_salt: '{salt}'}}")
            }
            Self::And(specs) => subs("and", specs),
            Self::Or(specs) => subs("or", specs),
            Self::Drop(specs) => subs("drop", specs),
            Self::Not(spec) => format!("type: not, not: {{not_sub_policy: {{name: s, {}}}}}", spec.yaml()),
        }
    }
}

/// FNV-1a in 128 bits, and thresholds that were worked out by hand.
fn share_has(percent: u8, salt: &str, id: &[u8; 16]) -> bool {
    let salt = if salt.is_empty() { "default-hash-seed" } else { salt };
    let hash = salt
        .bytes()
        .chain(*id)
        .fold(14_695_981_039_346_656_037_u128, |hash, byte| (hash ^ u128::from(byte)) * 1_099_511_628_211 % (1 << 64));
    hash <= match percent {
        0 => 0,
        50 => 9_223_372_036_854_775_807,
        _ => u64::MAX.into(),
    }
}

/// What the whole list says: a veto beats every wish.
pub(super) fn is_kept(specs: &[Spec], spans: &[PlainSpan], id: &[u8; 16]) -> bool {
    let said: Vec<Says> = specs.iter().map(|spec| spec.says(spans, id)).collect();
    said.contains(&Says::Keep) && !said.contains(&Says::Drop)
}

const KEYS: [&str; 3] = ["k", "key", "tier"];
const TEXTS: [&str; 4] = ["gold", "old", "x", ""];

fn datum() -> impl Strategy<Value = Datum> {
    prop_oneof![
        4 => select(TEXTS.to_vec()).prop_map(Datum::Text),
        3 => (-3_i64..4).prop_map(Datum::Integer),
        2 => any::<bool>().prop_map(Datum::Flag),
        1 => Just(Datum::Double(1.0)),
    ]
}

fn attributes() -> impl Strategy<Value = Attributes> {
    btree_map(select(KEYS.to_vec()), datum(), 0..3).prop_map(|map| map.into_iter().collect())
}

pub(super) fn span() -> impl Strategy<Value = PlainSpan> {
    let states = vec!["", "", "a=1", "a=2,b=1", "b=1, a=1", "a=1,a=2", "A=1"];
    (select(vec![0, 0, 1, 2, 7]), 0_u64..5, 0_u64..9, 0_u32..4, select(states), attributes(), attributes()).prop_map(
        |(status, start_ms, end_ms, flags, state, own, resource)| {
            let state = if state == "b=1, a=1" { "b=1,a=1" } else { state };
            PlainSpan { status, start_ms, end_ms, flags, state, own, resource }
        },
    )
}

fn leaf(rising: bool) -> impl Strategy<Value = Spec> {
    let free = move |flag: bool| flag && !rising;
    let bound = move |bound: u64| if rising { 0 } else { bound };
    let key = || select(KEYS.to_vec());
    prop_oneof![
        Just(Spec::Always),
        (0..CONDITIONS.len()).prop_map(Spec::Condition),
        Just(Spec::Sampled),
        (0_u64..6, 0_u64..9).prop_map(move |(above, up_to)| Spec::Latency(above, bound(up_to))),
        (0_u32..4, 0_u64..6).prop_map(move |(min, max)| Spec::Count(min, bound(max))),
        subsequence(vec!["UNSET", "OK", "ERROR"], 1..3).prop_map(Spec::Status),
        (key(), subsequence(TEXTS.to_vec(), 1..3), any::<bool>(), any::<bool>()).prop_map(
            move |(key, values, regex, invert)| {
                // Empty text: the real thing follows the Collector, which has a test of its own.
                let values: Vec<_> =
                    values.into_iter().map(|value| if value.is_empty() { "z" } else { value }).collect();
                Spec::Text { key, values, regex, invert: free(invert) }
            }
        ),
        (key(), -3_i64..3, prop::option::of(0_i64..3), any::<bool>()).prop_map(move |(key, min, more, invert)| {
            Spec::Number { key, min, max: more.map(|more| min + more), invert: free(invert) }
        }),
        (key(), any::<bool>(), any::<bool>()).prop_map(move |(key, value, invert)| Spec::Flag {
            key,
            value,
            invert: free(invert)
        }),
        (select(vec!["a", "b"]), subsequence(vec!["1", "2", "3"], 1..3))
            .prop_map(|(key, values)| Spec::State(key, values)),
        (select(vec![0, 50, 100]), select(vec!["", "salt"])).prop_map(|(percent, salt)| Spec::Share(percent, salt)),
    ]
}

/// Any policy without a limit, nested to any depth.
pub(super) fn spec() -> impl Strategy<Value = Spec> {
    leaf(false).prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(Spec::And),
            vec(inner.clone(), 1..4).prop_map(Spec::Or),
            vec(inner.clone(), 1..4).prop_map(Spec::Drop),
            inner.prop_map(|spec| Spec::Not(Box::new(spec))),
        ]
    })
}

/// One that more evidence only makes want a trace more.
pub(super) fn rising() -> impl Strategy<Value = Spec> {
    leaf(true).prop_recursive(2, 8, 3, |inner| {
        prop_oneof![vec(inner.clone(), 1..4).prop_map(Spec::And), vec(inner, 1..4).prop_map(Spec::Or)]
    })
}

/// A request of one trace, with a resource for each span.
pub(super) fn request(id: [u8; 16], spans: &[PlainSpan]) -> Vec<u8> {
    let resource_spans = spans.iter().map(|span| ResourceSpans {
        resource: Some(Resource { attributes: key_values(&span.resource), ..Resource::default() }),
        scope_spans: vec![ScopeSpans { spans: vec![proto(id, span)], ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }.encode_to_vec()
}

fn proto(id: [u8; 16], span: &PlainSpan) -> Span {
    Span {
        trace_id: id.to_vec(),
        span_id: vec![1; 8],
        trace_state: span.state.to_owned(),
        flags: span.flags,
        start_time_unix_nano: span.start_ms * 1_000_000,
        end_time_unix_nano: span.end_ms * 1_000_000,
        attributes: key_values(&span.own),
        status: Some(Status { code: span.status, message: String::new() }),
        ..Span::default()
    }
}

fn key_values(attributes: &Attributes) -> Vec<KeyValue> {
    let value = |datum: &Datum| match *datum {
        Datum::Text(text) => any_value::Value::StringValue(text.to_owned()),
        Datum::Integer(number) => any_value::Value::IntValue(number),
        Datum::Flag(flag) => any_value::Value::BoolValue(flag),
        Datum::Double(number) => any_value::Value::DoubleValue(number),
    };
    let key_value = |(key, datum): &(&str, Datum)| KeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue { value: Some(value(datum)) }),
        ..KeyValue::default()
    };
    attributes.iter().map(key_value).collect()
}
