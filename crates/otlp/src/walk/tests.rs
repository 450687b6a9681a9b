//! The rules of admission, one fact each, on requests built by hand.

use super::*;
use crate::{Batch, Writer};

const TRACE: [u8; 16] = [7; 16];
const SPAN: [u8; 8] = [9; 8];

fn message(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut Writer::new(&mut out));
    out
}

/// A span with valid ids and whatever else is written.
fn span(more: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    message(|span| {
        span.bytes(1, &TRACE);
        span.bytes(2, &SPAN);
        more(span);
    })
}

fn good() -> Vec<u8> {
    span(|span| span.key_string(9, "http.route", "/cart"))
}

/// A request of one resource and one scope.
fn request(items: &[Vec<u8>]) -> Vec<u8> {
    message(|request| {
        request.message(1, |resource| {
            resource.message(2, |scope| items.iter().for_each(|item| scope.bytes(2, item)));
        });
    })
}

fn walk_one(span: Vec<u8>) -> Option<ItemFault> {
    walk_one_within(&Limits::default(), span)
}

/// The fault of a span that stands between two good ones, which must go on.
fn walk_one_within(limits: &Limits, span: Vec<u8>) -> Option<ItemFault> {
    let walked = walk_traces(&request(&[good(), span, good()]), limits).unwrap();
    match walked.rejected {
        None => assert_eq!(walked.index.items(), 3),
        Some(rejected) => assert_eq!((walked.index.items(), rejected.items), (2, 1)),
    }
    walked.rejected.map(|rejected| rejected.first)
}

/// Arrays around a value, each two levels of messages.
fn nested(arrays: usize) -> Vec<u8> {
    (0..arrays)
        .fold(message(|any| any.varint(2, 1)), |inner, _| message(|any| any.message(5, |array| array.bytes(1, &inner))))
}

#[test]
fn one_bad_span_does_not_sink_the_rest() {
    let cases: [(&str, ItemFault, Vec<u8>); 20] = [
        ("no trace id", ItemFault::TraceId, message(|span| span.bytes(2, &SPAN))),
        ("no span id", ItemFault::SpanId, message(|span| span.bytes(1, &TRACE))),
        ("nothing", ItemFault::TraceId, Vec::new()),
        ("short trace id", ItemFault::TraceId, message(|span| span.bytes(1, &TRACE[1..]))),
        ("short span id", ItemFault::SpanId, message(|span| span.bytes(2, &SPAN[1..]))),
        (
            "zero trace id",
            ItemFault::TraceId,
            message(|span| {
                span.bytes(1, &[0; 16]);
                span.bytes(2, &SPAN);
            }),
        ),
        (
            "zero span id",
            ItemFault::SpanId,
            message(|span| {
                span.bytes(1, &TRACE);
                span.bytes(2, &[0; 8]);
            }),
        ),
        ("odd parent", ItemFault::ParentSpanId, span(|span| span.bytes(4, &[1; 7]))),
        ("odd link", ItemFault::TraceId, span(|span| span.message(13, |link| link.bytes(1, &[1; 15])))),
        ("two trace ids", Fault::Duplicate.into(), span(|span| span.bytes(1, &TRACE))),
        ("name not utf-8", Fault::Utf8.into(), span(|span| span.bytes(5, &[0xff]))),
        ("event name not utf-8", Fault::Utf8.into(), span(|span| span.message(11, |event| event.bytes(2, &[0xc3])))),
        ("name as number", Fault::WireType.into(), span(|span| span.varint(5, 1))),
        ("attribute as number", Fault::WireType.into(), span(|span| span.varint(9, 1))),
        ("cut off inside", Fault::Truncated.into(), span(|span| span.raw(&[0x2a, 9, b'x']))),
        ("group", Fault::Group.into(), span(|span| span.raw(&[99 << 3 & 0x7f | 3 | 0x80, 6]))),
        ("field zero", Fault::FieldNumber.into(), span(|span| span.raw(&[0, 0]))),
        (
            "two keys",
            Fault::Duplicate.into(),
            span(|span| {
                span.message(9, |pair| {
                    pair.string(1, "public");
                    pair.string(1, "user.email");
                });
            }),
        ),
        (
            "two values",
            Fault::Duplicate.into(),
            span(|span| {
                span.message(9, |pair| {
                    pair.string(1, "key");
                    pair.message(2, |any| any.varint(2, 1));
                    pair.message(2, |any| any.varint(2, 0));
                });
            }),
        ),
        (
            "two members of a value",
            Fault::OneOf.into(),
            span(|span| {
                span.message(9, |pair| {
                    pair.message(2, |any| {
                        any.string(1, "text");
                        any.varint(2, 1);
                    });
                });
            }),
        ),
    ];
    for (name, fault, span) in cases {
        assert_eq!(walk_one(span), Some(fault), "{name}");
    }
}

#[test]
fn every_span_may_be_bad() {
    let walked = walk_traces(&request(&[Vec::new(), Vec::new()]), &Limits::default()).unwrap();
    assert_eq!(walked.index, Index::default());
    assert_eq!(walked.rejected, Some(Rejected { items: 2, first: ItemFault::TraceId }));
}

#[test]
fn what_specifications_allow_is_accepted() {
    let empty_context = |span: &mut Writer<'_>| {
        span.message(13, |link| {
            link.bytes(1, &[0; 16]);
            link.bytes(2, &[0; 8]);
        });
        span.message(13, |_| {});
    };
    assert_eq!(walk_one(span(empty_context)), None, "links of an empty context");
    assert_eq!(walk_one(span(|span| span.bytes(4, &[0; 8]))), None, "a zero parent");
    assert_eq!(walk_one(span(|span| span.varint(6, 77))), None, "an enum value to come");
    assert_eq!(walk_one(span(|span| span.bytes(900, &[0xff]))), None, "a field to come");
    assert_eq!(walk_one(span(|span| span.key_any(9, "empty", &[]))), None, "an empty value");
}

#[test]
fn broken_frames_refuse_the_request() {
    let limits = Limits::default();
    let within_resource = |write: fn(&mut Writer<'_>)| message(|request| request.message(1, write));
    let within_scope =
        |write: fn(&mut Writer<'_>)| message(|request| request.message(1, |resource| resource.message(2, write)));
    for (fault, bytes) in [
        (Fault::WireType, message(|request| request.varint(1, 1))),
        (Fault::WireType, within_resource(|resource| resource.varint(1, 1))),
        (Fault::WireType, within_resource(|resource| resource.varint(2, 1))),
        (Fault::WireType, within_resource(|resource| resource.varint(3, 1))),
        (Fault::WireType, within_scope(|scope| scope.varint(2, 1))),
        (Fault::WireType, within_resource(|resource| resource.message(1, |body| body.varint(1, 1)))),
        (Fault::Truncated, within_scope(|scope| scope.raw(&[0x12, 5, 0]))),
        (Fault::Group, within_scope(|scope| scope.raw(&[0x53]))),
        (Fault::FieldNumber, vec![0x02, 0]),
        (Fault::Varint, vec![0xff; 11]),
        (
            Fault::Duplicate,
            within_resource(|resource| {
                resource.bytes(1, &[]);
                resource.bytes(1, &[]);
            }),
        ),
        (
            Fault::Duplicate,
            within_scope(|scope| {
                scope.string(3, "a");
                scope.string(3, "a");
            }),
        ),
        (
            Fault::Duplicate,
            within_scope(|scope| {
                scope.message(1, |scope| {
                    scope.string(1, "a");
                    scope.string(1, "a");
                });
            }),
        ),
    ] {
        assert_eq!(walk_traces(&bytes, &limits), Err(fault), "{bytes:?}");
    }
}

#[test]
fn bad_text_of_a_resource_or_scope_takes_its_items_with_it() {
    let bytes = message(|request| {
        request.message(1, |resource| {
            resource.message(2, |scope| {
                scope.bytes(2, &good());
                scope.bytes(2, &good());
                // Behind the items: what comes late counts as well.
                scope.message(1, |scope| scope.bytes(1, &[0xff]));
            });
            resource.message(2, |scope| scope.bytes(2, &good()));
        });
        request.message(1, |resource| {
            resource.message(2, |scope| scope.bytes(2, &good()));
            resource.bytes(3, &[0xff]);
        });
    });
    let walked = walk_traces(&bytes, &Limits::default()).unwrap();
    assert_eq!((walked.index.items(), walked.index.resources()), (1, 1));
    assert_eq!(walked.rejected, Some(Rejected { items: 3, first: Fault::Utf8.into() }));
}

#[test]
fn resource_is_found_wherever_it_stands_and_headers_keep_unknown_fields() {
    let bytes = message(|request| {
        request.message(1, |resource| {
            resource.varint(77, 1);
            resource.message(2, |scope| scope.bytes(2, &good()));
            resource.string(3, "https://example/schema");
            resource.message(1, |body| body.key_string(1, "service.name", "cart"));
        });
    });
    let walked = walk_traces(&bytes, &Limits::default()).unwrap();
    let group = Batch::new(&bytes, &walked.index).resources().next().unwrap();
    assert_eq!(group.resource(), message(|body| body.key_string(1, "service.name", "cart")));
    assert_eq!(group.schema_url(), "https://example/schema");
    assert_eq!(walked.index.resources.headers.len(), 2);
    let mut out = Vec::new();
    crate::select(Batch::new(&bytes, &walked.index), |_| true, &mut out);
    assert_eq!(out.len(), bytes.len());
    assert_eq!(walk_traces(&out, &Limits::default()).unwrap().index.items(), 1);
}

#[test]
fn limits_inside_an_item_reject_it() {
    let limits = Limits { depth: 6, attributes_per_item: 3, key_bytes: 10, ..Limits::default() };
    let with = |arrays: usize| span(|span| span.key_any(9, "key", &nested(arrays)));
    assert_eq!(walk_one_within(&limits, with(2)), None);
    assert_eq!(walk_one_within(&limits, with(3)), Some(Fault::Depth.into()));
    let keys = |count: usize, key: &str| span(|span| (0..count).for_each(|_| span.key_int(9, key, 1)));
    assert_eq!(walk_one_within(&limits, keys(3, "tenletters")), None);
    assert_eq!(walk_one_within(&limits, keys(4, "tenletters")), Some(Fault::Attributes.into()));
    assert_eq!(walk_one_within(&limits, keys(1, "elevenchars")), Some(Fault::KeyBytes.into()));
}

#[test]
fn shallow_limit_holds_on_the_straight_path_too() {
    let value = |depth| walk_traces(&request(&[good()]), &Limits { depth, ..Limits::default() }).unwrap().rejected;
    assert_eq!(value(2), None);
    assert_eq!(value(1), Some(Rejected { items: 1, first: Fault::Depth.into() }));
}

#[test]
fn depth_is_bounded_whatever_the_limit_says() {
    let limits = Limits { depth: usize::MAX, ..Limits::default() };
    let deep = span(|span| span.key_any(9, "key", &nested(20_000)));
    assert_eq!(walk_one_within(&limits, deep), Some(Fault::Depth.into()));
}

#[test]
fn limits_outside_items_refuse_the_request() {
    let bytes = [request(&[good(), Vec::new()]), request(&[good()])].concat();
    let walk = |limits: Limits| walk_traces(&bytes, &limits).err();
    let limits = Limits { request_bytes: bytes.len(), resources: 2, scopes: 2, items: 3, ..Limits::default() };
    assert_eq!(walk(limits), None);
    assert_eq!(walk(Limits { request_bytes: bytes.len() - 1, ..limits }), Some(Fault::RequestBytes));
    assert_eq!(walk(Limits { resources: 1, ..limits }), Some(Fault::Resources));
    assert_eq!(walk(Limits { scopes: 1, ..limits }), Some(Fault::Scopes));
    assert_eq!(walk(Limits { items: 2, ..limits }), Some(Fault::Items));
    let resource = message(|request| {
        request.message(1, |resource| resource.message(1, |body| body.key_string(1, "service.name", "cart")));
    });
    let of_resource = |limits: Limits| walk_traces(&resource, &limits).err();
    assert_eq!(of_resource(Limits { attributes_per_item: 0, ..limits }), Some(Fault::Attributes));
    assert_eq!(of_resource(Limits { key_bytes: 1, ..limits }), Some(Fault::KeyBytes));
    assert_eq!(of_resource(Limits { depth: 1, ..limits }), Some(Fault::Depth));
}

#[test]
fn log_record_of_zero_trace_has_none_and_of_odd_trace_is_rejected() {
    let record = |id: &[u8]| message(|record| record.bytes(9, id));
    let bytes = request(&[record(&[]), record(&[0; 16]), record(&TRACE), record(&[1; 8])]);
    let walked = walk_logs(&bytes, &Limits::default()).unwrap();
    let traces: Vec<_> = Batch::new(&bytes, &walked.index).items().map(|item| item.trace_id()).collect();
    assert_eq!(traces, [None, None, Some(crate::TraceId(TRACE))]);
    assert_eq!(walked.rejected, Some(Rejected { items: 1, first: ItemFault::TraceId }));
}

#[test]
fn metric_with_two_kinds_of_data_or_a_half_number_is_rejected() {
    let two = message(|metric| {
        metric.bytes(5, &[]);
        metric.bytes(7, &[]);
    });
    let half = message(|metric| metric.message(9, |data| data.message(1, |point| point.bytes(6, &[0; 12]))));
    let unpacked = message(|metric| {
        metric.message(9, |data| {
            data.message(1, |point| {
                point.fixed64(6, 1);
                point.bytes(6, &[0; 16]);
            });
        });
    });
    for (metric, fault) in [(two, Some(Fault::OneOf)), (half, Some(Fault::Truncated)), (unpacked, None)] {
        let walked = walk_metrics(&request(&[metric]), &Limits::default()).unwrap();
        assert_eq!(walked.rejected.map(|rejected| rejected.first), fault.map(ItemFault::Malformed));
    }
}

#[test]
fn fault_in_any_message_inside_a_metric_rejects_it() {
    // A path of field numbers from the metric down, and what is broken at its end.
    // Field 15, which none of these messages has, cut off in its value.
    let cut = &[15 << 3, 0x80][..];
    let cases: [(&str, &[u32], &[u8], ItemFault); 14] = [
        ("gauge", &[5], cut, Fault::Truncated.into()),
        ("sum", &[7], cut, Fault::Truncated.into()),
        ("histogram", &[9], cut, Fault::Truncated.into()),
        ("exponential histogram", &[10], cut, Fault::Truncated.into()),
        ("summary", &[11], cut, Fault::Truncated.into()),
        ("gauge's exemplar", &[5, 1, 5], cut, Fault::Truncated.into()),
        ("histogram's exemplar", &[9, 1, 8], cut, Fault::Truncated.into()),
        ("exponential histogram's exemplar", &[10, 1, 11], cut, Fault::Truncated.into()),
        ("exemplar's trace id", &[5, 1, 5, 5], &[1; 15], ItemFault::TraceId),
        ("exemplar's span id", &[5, 1, 5, 4], &[1; 7], ItemFault::SpanId),
        ("positive buckets", &[10, 1, 8], cut, Fault::Truncated.into()),
        ("negative buckets", &[10, 1, 9], cut, Fault::Truncated.into()),
        ("packed counts", &[10, 1, 8, 2], &[1, 0x80], Fault::Truncated.into()),
        ("quantile", &[11, 1, 6], &[0x08, 1], Fault::WireType.into()),
    ];
    for (name, path, broken, fault) in cases {
        let metric = path.iter().rev().fold(broken.to_vec(), |body, field| message(|outer| outer.bytes(*field, &body)));
        let walked = walk_metrics(&request(&[metric]), &Limits::default()).unwrap();
        assert_eq!(walked.rejected, Some(Rejected { items: 1, first: fault }), "{name}");
    }
}

#[test]
fn fault_messages_carry_no_value() {
    let walked = walk_traces(&request(&[span(|span| span.bytes(5, b"secret\xff"))]), &Limits::default()).unwrap();
    assert_eq!(walked.rejected.unwrap().to_string(), "1 left out; the first because a string is not valid utf-8");
}
