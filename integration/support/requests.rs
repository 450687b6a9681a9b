//! Requests written field by field, for tests that must know every byte of them.

use tollgate_otlp::{SpanId, TraceId, Writer};

use crate::ledger::Span;

/// A request with these items, of whatever signal they are, under one resource with nothing but its service's name.
pub fn request(items: &[Vec<u8>]) -> Vec<u8> {
    request_of(|resource| resource.key_string(1, "service.name", "by-hand"), items)
}

/// A request with these items under one resource.
pub fn request_of(resource: impl FnOnce(&mut Writer<'_>), items: &[Vec<u8>]) -> Vec<u8> {
    let mut request = Vec::new();
    Writer::new(&mut request).message(1, |group| {
        group.message(1, resource);
        group.message(2, |scope| items.iter().for_each(|item| scope.bytes(2, item)));
    });
    request
}

/// A request with one span.
pub fn one_span(ids: Span, more: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    request(&[span(ids, more)])
}

/// A span with nothing but its ids and what else is written.
pub fn span((trace, span): Span, more: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut body = Vec::new();
    let mut writer = Writer::new(&mut body);
    writer.bytes(1, trace.as_bytes());
    writer.bytes(2, span.as_bytes());
    more(&mut writer);
    body
}

/// The ids of a span that is the only one of its trace.
pub fn numbered(number: u64) -> Span {
    (TraceId(u128::from(number).to_be_bytes()), SpanId(number.to_be_bytes()))
}

/// Makes an error of the span that is being written.
pub fn fail(span: &mut Writer<'_>) {
    span.message(15, |status| status.varint(3, 2));
}
