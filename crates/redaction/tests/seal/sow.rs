//! Random requests with a unique marker in every place that holds text or bytes, and a ledger of what may come out.

// Named, because end-to-end tests sow too, from a folder of their own.
#[path = "sow/kind.rs"]
mod kind;
#[path = "sow/logs.rs"]
mod logs;
#[path = "sow/metrics.rs"]
mod metrics;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use tollgate_otlp::Writer;
use tollgate_otlp::wire::{Fields, Wire};

pub(crate) use kind::Kind;

/// Operational whatever the resource, so that their values must arrive.
const OP: &[&str] =
    &["http.route", "http.request.method", "service.version", "rpc.method", "k8s.pod.name", "error.type"];
/// In the catalogue, and closed, keyed or generalised: their values must not arrive.
const CLOSED: &[&str] = &[
    "user.id",
    "user.email",
    "client.address",
    "session.id",
    "url.full",
    "http.request.header.authorization",
    "exception.message",
    "db.statement",
    "client.port",
    "gen_ai.input.messages",
];
/// Templates under which the sender chooses the key.
const PREFIXES: &[&str] = &["http.request.header.", "k8s.pod.label.", "acme.", "baggage.", ""];

/// Sows markers and remembers each.
pub(crate) struct Sower {
    state: u64,
    sown: usize,
    /// Markers that must arrive.
    pub(crate) open: Vec<String>,
    /// Markers that must not.
    pub(crate) closed: Vec<String>,
}

impl Sower {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, sown: 0, open: Vec::new(), closed: Vec::new() }
    }

    /// SplitMix64.
    pub(crate) fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random() % bound as u64).unwrap()
    }

    fn one_of(&mut self, list: &[&str]) -> String {
        list[self.below(list.len())].to_owned()
    }

    /// Looks operational itself, so that nothing but the policy keeps it back.
    pub(super) fn marker(&mut self) -> String {
        self.sown += 1;
        format!("zq{:05}x", self.sown)
    }

    /// A marker that must arrive.
    pub(super) fn shown(&mut self) -> String {
        let marker = self.marker();
        self.open.push(marker.clone());
        marker
    }

    pub(super) fn hidden(&mut self) -> String {
        let marker = self.marker();
        self.closed.push(marker.clone());
        marker
    }

    pub(super) fn hidden_value(&mut self, depth: usize) -> AnyValue {
        let value = match self.below(if depth == 0 { 3 } else { 5 }) {
            0 | 1 => Value::StringValue(self.hidden()),
            2 => Value::BytesValue(self.hidden().into_bytes()),
            3 => Value::ArrayValue(ArrayValue { values: (0..2).map(|_| self.hidden_value(depth - 1)).collect() }),
            _ => {
                let pair = |sower: &mut Self| KeyValue {
                    key: sower.hidden(),
                    value: Some(sower.hidden_value(depth - 1)),
                    ..KeyValue::default()
                };
                Value::KvlistValue(KeyValueList { values: (0..2).map(|_| pair(self)).collect() })
            }
        };
        AnyValue { value: Some(value) }
    }

    fn open_value(&mut self) -> AnyValue {
        let text = |sower: &mut Self| AnyValue { value: Some(Value::StringValue(sower.shown())) };
        if self.below(3) > 0 {
            return text(self);
        }
        AnyValue { value: Some(Value::ArrayValue(ArrayValue { values: (0..2).map(|_| text(self)).collect() })) }
    }

    pub(super) fn attributes(&mut self) -> Vec<KeyValue> {
        let mut list = Vec::new();
        let mut used: Vec<String> = Vec::new();
        for _ in 0..self.below(6) {
            let (key, value) = match self.below(6) {
                0 | 1 => {
                    let key = self.one_of(OP);
                    if used.contains(&key) {
                        continue;
                    }
                    (key, self.open_value())
                }
                2 => (self.one_of(CLOSED), self.hidden_value(2)),
                3 => (format!("{}{}", self.one_of(PREFIXES), self.hidden()), self.hidden_value(2)),
                // A nested value under an operational key.
                4 => {
                    let key = self.one_of(OP);
                    if used.contains(&key) {
                        continue;
                    }
                    let pair =
                        KeyValue { key: self.hidden(), value: Some(self.hidden_value(1)), ..KeyValue::default() };
                    (key, AnyValue { value: Some(Value::KvlistValue(KeyValueList { values: vec![pair] })) })
                }
                // The same operational key twice: neither may arrive.
                _ => {
                    let key = self.one_of(OP);
                    if used.contains(&key) {
                        continue;
                    }
                    let value = AnyValue { value: Some(Value::StringValue(self.hidden())) };
                    list.push(KeyValue { key: key.clone(), value: Some(value), ..KeyValue::default() });
                    (key, AnyValue { value: Some(Value::StringValue(self.hidden())) })
                }
            };
            used.push(key.clone());
            list.push(KeyValue { key, value: Some(value), ..KeyValue::default() });
        }
        list
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Vec<u8> {
        (0..N).map(|_| u8::try_from(self.random() % 255 + 1).unwrap()).collect()
    }

    fn event(&mut self) -> Event {
        Event {
            time_unix_nano: self.random(),
            name: self.hidden(),
            attributes: self.attributes(),
            dropped_attributes_count: 1,
        }
    }

    fn link(&mut self) -> Link {
        Link {
            trace_id: self.bytes::<16>(),
            span_id: self.bytes::<8>(),
            trace_state: format!("vendor={}", self.hidden()),
            attributes: self.attributes(),
            dropped_attributes_count: 0,
            flags: 1,
        }
    }

    fn span(&mut self) -> Span {
        Span {
            trace_id: self.bytes::<16>(),
            span_id: self.bytes::<8>(),
            parent_span_id: if self.below(2) == 0 { Vec::new() } else { self.bytes::<8>() },
            trace_state: format!("{}={},ot=th:8;x:{}", "vendor", self.hidden(), self.hidden()),
            name: self.hidden(),
            kind: 2,
            start_time_unix_nano: self.random(),
            end_time_unix_nano: self.random(),
            attributes: self.attributes(),
            dropped_attributes_count: 0,
            events: (0..self.below(3)).map(|_| self.event()).collect(),
            dropped_events_count: 0,
            links: (0..self.below(3)).map(|_| self.link()).collect(),
            dropped_links_count: 0,
            status: Some(Status { message: self.hidden(), code: 2 }),
            flags: 0x101,
        }
    }

    pub(super) fn scope(&mut self) -> InstrumentationScope {
        InstrumentationScope {
            name: self.shown(),
            version: format!("jane@{}", self.hidden()),
            attributes: self.attributes(),
            dropped_attributes_count: 0,
        }
    }

    pub(super) fn scope_url(&mut self) -> String {
        format!("https://opentelemetry.io/schemas/{}", self.hidden())
    }

    pub(super) fn resource(&mut self) -> Resource {
        let entity = EntityRef {
            schema_url: self.hidden(),
            r#type: self.hidden(),
            id_keys: vec![self.hidden()],
            description_keys: vec![self.hidden()],
        };
        Resource { attributes: self.attributes(), dropped_attributes_count: 0, entity_refs: vec![entity] }
    }

    fn scope_spans(&mut self) -> ScopeSpans {
        ScopeSpans {
            scope: Some(self.scope()),
            spans: (0..=self.below(3)).map(|_| self.span()).collect(),
            schema_url: self.scope_url(),
        }
    }

    fn resource_spans(&mut self) -> ResourceSpans {
        ResourceSpans {
            resource: Some(self.resource()),
            scope_spans: (0..=self.below(2)).map(|_| self.scope_spans()).collect(),
            schema_url: self.hidden(),
        }
    }

    pub(crate) fn request(&mut self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest { resource_spans: (0..=self.below(2)).map(|_| self.resource_spans()).collect() }
    }

    /// Copies an encoded request and appends an unknown field with a marker to every message in it.
    pub(crate) fn with_unknown_fields(&mut self, body: &[u8], kind: Kind) -> Vec<u8> {
        let mut out = Vec::new();
        for field in Fields::new(body) {
            let field = field.unwrap();
            match (kind.child(field.number), field.value) {
                (Some(child), Wire::Bytes(message)) => {
                    let message = self.with_unknown_fields(message, child);
                    Writer::new(&mut out).bytes(field.number, &message);
                }
                _ => Writer::new(&mut out).raw(field.raw),
            }
        }
        Writer::new(&mut out).string(1000, &self.hidden());
        out
    }
}
