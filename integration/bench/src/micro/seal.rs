//! Sealing, beside the same edits on prost's structs: `user.id` keyed, `user.email` left out, `client.address` shortened,
//! every other attribute looked up.

use std::collections::HashMap;
use std::hint::black_box;
use std::net::Ipv4Addr;

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message;
use sha2::Sha256;
use tollgate_otlp::{Index, Limits, RawAttribute, messages, raw_attributes, walk_traces};
use tollgate_residency::{Action, Carrier, Resource, Table};

use super::codec::{decode, walk_and_floor};
use super::policy;
use super::requests::{NOW, Request, Requests, Shape};
use crate::measure::{Pair, Side};

const FEW: usize = 10;
const MANY: usize = 1000;

/// What a consumer does with a record of the log: reads its index, and seals.
pub(crate) fn seal(shape: Shape) -> Pair<'static> {
    Pair { ours: ours(FEW, shape), peer: prost_seal(shape) }
}

/// The same from bytes that nobody has seen before.
pub(crate) fn walk_and_seal(shape: Shape) -> Pair<'static> {
    let (mut requests, mut sealer) = (Requests::of(shape), policy::sealer(FEW));
    let ours = move || {
        let bytes = &requests.next().bytes;
        let walked = walk_traces(bytes, &Limits::default()).unwrap();
        black_box(sealer.seal(bytes, &walked.index, NOW).whole());
    };
    Pair { ours: Side::new(Requests::of(shape).spans(), ours), peer: prost_seal(shape) }
}

pub(crate) fn seal_and_floor(shape: Shape) -> Pair<'static> {
    Pair { ours: ours(FEW, shape), peer: walk_and_floor(shape).peer }
}

/// Many rules against few.
pub(crate) fn rules(shape: Shape) -> Pair<'static> {
    Pair { ours: ours(MANY, shape), peer: ours(FEW, shape) }
}

/// A hundred attributes a span against ten, for each attribute.
pub(crate) fn attributes(_: Shape) -> Pair<'static> {
    let side = |count: usize| {
        let (mut requests, mut sealer) = (Requests::few(Shape::Attributes(count)), policy::sealer(FEW));
        Side::new(requests.spans() * count as u64, move || sealed(&mut sealer, requests.next()))
    };
    Pair { ours: side(100), peer: side(10) }
}

/// Two thousand users, of whom nearly all are remembered, against eight thousand, of whom few are when they come again.
pub(crate) fn memo(_: Shape) -> Pair<'static> {
    let side = |mut requests: Requests| {
        let mut sealer = policy::sealer(FEW);
        Side::new(requests.spans(), move || sealed(&mut sealer, requests.next()))
    };
    let shape = Shape::Attributes(10);
    Pair { ours: side(Requests::few(shape)), peer: side(Requests::of(shape)) }
}

fn ours(rules: usize, shape: Shape) -> Side<'static> {
    let (mut requests, mut sealer) = (Requests::of(shape), policy::sealer(rules));
    Side::new(requests.spans(), move || sealed(&mut sealer, requests.next()))
}

fn sealed(sealer: &mut tollgate_redaction::Sealer, request: &Request) {
    let index = Index::decode(&request.encoded, request.bytes.len()).unwrap();
    black_box(sealer.seal(&request.bytes, &index, NOW).whole());
}

fn prost_seal(shape: Shape) -> Side<'static> {
    let mut requests = Requests::of(shape);
    let mut editor = Editor::new(&policy::table(FEW), requests.next());
    Side::new(requests.spans(), move || {
        let mut request = decode(&requests.next().bytes);
        editor.request(&mut request);
        black_box(request.encode_to_vec());
    })
}

/// What one would write with the generated types: edits in place, one table of keys, a ready key, a memo.
struct Editor {
    actions: HashMap<String, Action>,
    mac: Hmac<Sha256>,
    memo: HashMap<String, String>,
}

/// As many names as ours remembers.
const MEMO: usize = 4096;

impl Editor {
    /// Knows what the table says of every key in the request; others are left out.
    fn new(table: &Table, request: &Request) -> Self {
        let mut actions = HashMap::new();
        let mut learn = |carrier, attribute: RawAttribute<'_>| {
            let cell = table.attribute(carrier, attribute.key, Resource::Server);
            actions.insert(String::from_utf8(attribute.key.to_vec()).unwrap(), cell.action);
        };
        for group in tollgate_otlp::Batch::new(&request.bytes, &request.index).resources() {
            raw_attributes(group.resource(), 1).for_each(|raw| learn(Carrier::ResourceAttributes, raw));
            for span in group.scopes().flat_map(|scope| scope.items()) {
                raw_attributes(span.body(), 9).for_each(|raw| learn(Carrier::SpanAttributes, raw));
                let events = messages(span.body(), 11).flat_map(|event| raw_attributes(event, 3));
                events.for_each(|raw| learn(Carrier::EventAttributes, raw));
            }
        }
        Self { actions, mac: Hmac::new_from_slice(&[7; 32]).unwrap(), memo: HashMap::new() }
    }

    fn request(&mut self, request: &mut ExportTraceServiceRequest) {
        for group in &mut request.resource_spans {
            group.resource.iter_mut().for_each(|resource| self.attributes(&mut resource.attributes));
            for scope in &mut group.scope_spans {
                scope.scope.iter_mut().for_each(|scope| self.attributes(&mut scope.attributes));
                for span in &mut scope.spans {
                    self.attributes(&mut span.attributes);
                    span.events.iter_mut().for_each(|event| self.attributes(&mut event.attributes));
                    span.links.iter_mut().for_each(|link| self.attributes(&mut link.attributes));
                }
            }
        }
    }

    fn attributes(&mut self, attributes: &mut Vec<KeyValue>) {
        attributes.retain_mut(|attribute| match self.actions.get(attribute.key.as_str()).copied() {
            Some(Action::Raw) => true,
            Some(Action::Hmac(_)) => text(attribute).map(|value| *value = self.name(value)).is_some(),
            Some(Action::Truncate { .. }) => text(attribute).is_some_and(shorten),
            Some(Action::Absent | Action::Blind(_)) | None => false,
        });
    }

    fn name(&mut self, value: &str) -> String {
        if let Some(name) = self.memo.get(value) {
            return name.clone();
        }
        let tag = self.mac.clone().chain_update(value).finalize().into_bytes();
        let name = format!("tg1.{}", BASE32_NOPAD.encode(&tag[..16]));
        if self.memo.len() >= MEMO {
            self.memo.clear();
        }
        self.memo.insert(value.to_owned(), name.clone());
        name
    }
}

fn text(attribute: &mut KeyValue) -> Option<&mut String> {
    match attribute.value.as_mut() {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => Some(text),
        _ => None,
    }
}

fn shorten(value: &mut String) -> bool {
    let Ok(address) = value.parse::<Ipv4Addr>() else { return false };
    *value = Ipv4Addr::from_bits(address.to_bits() & 0xffff_ff00).to_string();
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_let_the_same_attributes_through() {
        for shape in [Shape::usual(100), Shape::Attributes(30)] {
            let mut requests = Requests::of(shape);
            let request = requests.next();
            let ours = policy::sealer(FEW).seal(&request.bytes, &request.index, NOW).whole();
            let mut theirs = decode(&request.bytes);
            Editor::new(&policy::table(FEW), request).request(&mut theirs);
            assert_eq!(crossed(&decode(&ours.bytes())), crossed(&theirs));
        }
    }

    #[test]
    fn the_three_edits_are_made_on_every_span() {
        let mut requests = Requests::of(Shape::usual(100));
        let mut request = decode(&requests.next().bytes);
        Editor::new(&policy::table(FEW), requests.next()).request(&mut request);
        for span in crossed(&request) {
            let found = |key: &str| span.iter().find(|(found, _)| found == key).and_then(|(_, value)| value.clone());
            assert_eq!(found("user.email"), None);
            assert!(found("client.address").is_some_and(|value| value.ends_with(".0/24") || value.ends_with(".0")));
            assert_eq!(span.len(), 9);
        }
    }

    /// Keys in order, with the values of those that are not named by a key.
    fn crossed(request: &ExportTraceServiceRequest) -> Vec<Vec<(String, Option<String>)>> {
        let scopes = request.resource_spans.iter().flat_map(|group| &group.scope_spans);
        let spans = scopes.flat_map(|scope| &scope.spans);
        let mut all = Vec::new();
        for span in spans {
            let pairs = span.attributes.iter().map(|attribute| {
                let value = attribute.value.clone().filter(|_| attribute.key != "user.id");
                (
                    attribute.key.clone(),
                    value.map(|value| match value.value {
                        Some(Value::StringValue(text)) => text,
                        other => format!("{other:?}"),
                    }),
                )
            });
            all.push(pairs.collect());
        }
        all
    }
}
