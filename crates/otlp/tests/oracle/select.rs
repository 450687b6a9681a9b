//! What is selected or split reads, in prost's eyes, as exactly the chosen items under what they stood under.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{InstrumentationScope, KeyValue},
    resource::v1::Resource,
    trace::v1::Span,
};
use proptest::prelude::*;
use prost::Message;
use tollgate_otlp::{
    Batch, Index, Item, Limits, Part, Writer, select, select_rewritten, select_with, split, split_with, walk_logs,
    walk_traces, wire::varint_len,
};

use crate::generate;

/// A span with all that it travels under.
type Context = (Option<Resource>, String, Option<InstrumentationScope>, String, Span);

fn flat(request: &ExportTraceServiceRequest) -> Vec<Context> {
    let scopes = request.resource_spans.iter().flat_map(|r| r.scope_spans.iter().map(move |s| (r, s)));
    let spans = scopes.flat_map(|(r, s)| s.spans.iter().map(move |span| (r, s, span)));
    spans
        .map(|(r, s, span)| {
            (r.resource.clone(), r.schema_url.clone(), s.scope.clone(), s.schema_url.clone(), span.clone())
        })
        .collect()
}

fn read(bytes: &[u8]) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest::decode(bytes).unwrap()
}

fn index(bytes: &[u8]) -> Index {
    walk_traces(bytes, &Limits::default()).unwrap().index
}

fn split_of(bytes: &[u8], parts: usize) -> Vec<Part> {
    let mut split_parts = vec![Part::default(); parts];
    let index = index(bytes);
    let placed =
        split(Batch::new(bytes, &index), &mut split_parts, |_, trace| Some(usize::from(trace.as_bytes()[15]) % parts));
    assert_eq!(placed, index.items());
    split_parts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn select_keeps_exactly_the_chosen_spans_in_order(request in generate::traces(), chosen in any::<u64>()) {
        let bytes = request.encode_to_vec();
        let index = index(&bytes);
        let keep = |number: usize| chosen >> (number % 64) & 1 == 1;
        let mut out = Vec::new();
        let copied = select(Batch::new(&bytes, &index), keep, &mut out);
        let mut expected = flat(&request);
        let mut number = 0;
        expected.retain(|_| { number += 1; keep(number - 1) });
        prop_assert_eq!(copied, expected.len());
        prop_assert_eq!(flat(&read(&out)), expected);
    }

    /// Guarantees: an item that is written anew stands where it stood, and what is copied is copied as by `select`.
    #[test]
    fn rewriting_changes_items_and_nothing_around_them(request in generate::traces(), chosen in any::<u64>()) {
        let bytes = request.encode_to_vec();
        let index = index(&bytes);
        let keep = |number: usize| chosen >> (number % 64) & 1 == 1;
        let batch = Batch::new(&bytes, &index);
        let (mut selected, mut copied, mut renamed) = (Vec::new(), Vec::new(), Vec::new());
        select(batch, keep, &mut selected);
        let copy = |item: &Item<'_>, out: &mut Vec<u8>| {
            out.extend_from_slice(item.body());
            keep(item.number)
        };
        select_rewritten(batch, copy, &mut copied);
        prop_assert_eq!(&copied, &selected);
        let rename = |item: &Item<'_>, out: &mut Vec<u8>| {
            out.extend_from_slice(item.body());
            Writer::new(out).string(5, "renamed");
            true
        };
        let written = select_rewritten(batch, rename, &mut renamed);
        let mut expected = flat(&request);
        expected.iter_mut().for_each(|context| "renamed".clone_into(&mut context.4.name));
        prop_assert_eq!(written, expected.len());
        prop_assert_eq!(flat(&read(&renamed)), expected);
    }

    #[test]
    fn select_is_canonical(request in generate::traces()) {
        let mut bytes = request.encode_to_vec();
        let index = index(&bytes);
        let mut out = Vec::new();
        select(Batch::new(&bytes, &index), |_| true, &mut out);
        // prost writes canonically, groups without items are left out, and the schema url of a resource or scope,
        // which prost writes last, comes before the items here: the length is the same.
        let mut kept = request;
        for resource in &mut kept.resource_spans {
            resource.scope_spans.retain(|scope| !scope.spans.is_empty());
        }
        kept.resource_spans.retain(|resource| !resource.scope_spans.is_empty());
        bytes = kept.encode_to_vec();
        prop_assert_eq!(out.len(), bytes.len());
        prop_assert_eq!(read(&out), kept);
    }

    #[test]
    fn requests_put_one_behind_the_other_are_one_request(
        first in generate::traces(), second in generate::traces(), chosen in any::<u64>()
    ) {
        let mut out = Vec::new();
        let mut expected = Vec::new();
        for request in [&first, &second] {
            let bytes = request.encode_to_vec();
            let index = index(&bytes);
            for side in [0, 1] {
                let keep = |number: usize| chosen >> (number % 64) & 1 == side;
                select(Batch::new(&bytes, &index), keep, &mut out);
                expected.extend(flat(request).into_iter().enumerate().filter(|(at, _)| keep(*at)).map(|(_, span)| span));
            }
        }
        prop_assert_eq!(flat(&read(&out)), expected);
        let walked = walk_traces(&out, &Limits::default()).unwrap();
        prop_assert_eq!((walked.index.items(), walked.rejected), (flat(&first).len() + flat(&second).len(), None));
    }

    #[test]
    fn split_puts_each_trace_whole_into_one_part(request in generate::traces(), parts in 1_usize..8) {
        let parts = split_of(&request.encode_to_vec(), parts);
        let mut home = BTreeMap::new();
        let mut found = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            let spans = flat(&read(&part.bytes));
            prop_assert_eq!(spans.len(), part.items);
            for span in &spans {
                prop_assert_eq!(*home.entry(span.4.trace_id.clone()).or_insert(number), number);
            }
            found.extend(spans);
        }
        let mut expected = flat(&request);
        let order = |span: &Context| format!("{span:?}");
        expected.sort_by_cached_key(order);
        found.sort_by_cached_key(order);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn rewritten_resources_replace_only_the_resource(request in generate::traces()) {
        let bytes = request.encode_to_vec();
        let index = index(&bytes);
        let mut out = Vec::new();
        let mut shown = Vec::new();
        let stamp = |number: usize, body: &[u8], out: &mut Vec<u8>| {
            shown.push((number, Resource::decode(body).unwrap()));
            let mut writer = Writer::new(out);
            writer.raw(body);
            writer.key_string(1, "k8s.cluster.name", "eu-west-a");
        };
        select_with(Batch::new(&bytes, &index), |_| true, stamp, &mut out);
        let mut expected = flat(&request);
        for (resource, ..) in &mut expected {
            resource.get_or_insert_default().attributes.push(stamped());
        }
        prop_assert_eq!(flat(&read(&out)), expected);
        prop_assert!(shown.iter().enumerate().all(|(at, (number, _))| at == *number));
    }

    #[test]
    fn parts_with_rewritten_resources_are_what_each_selection_is(request in generate::traces(), parts in 1_usize..8) {
        let bytes = request.encode_to_vec();
        let index = index(&bytes);
        let batch = Batch::new(&bytes, &index);
        let stamp = |_: usize, body: &[u8], out: &mut Vec<u8>| {
            let mut writer = Writer::new(out);
            writer.raw(body);
            writer.key_string(1, "k8s.cluster.name", "eu-west-a");
        };
        // Every item but those of a last part that is not there.
        let part_of = |item: usize| Some(item % (parts + 1));
        let mut made = vec![Part::default(); parts];
        let placed = split_with(batch, &mut made, part_of, stamp);
        for (number, part) in made.iter().enumerate() {
            let mut alone = Vec::new();
            let items = select_with(batch, |item| part_of(item) == Some(number), stamp, &mut alone);
            prop_assert_eq!((&part.bytes, part.items), (&alone, items));
        }
        prop_assert_eq!(made.iter().map(|part| part.items).sum::<usize>(), placed);
    }

    #[test]
    fn logs_split_by_their_trace_and_count_those_without(request in generate::logs()) {
        let bytes = request.encode_to_vec();
        let index = walk_logs(&bytes, &Limits::default()).unwrap().index;
        let mut parts = [Part::default()];
        let placed = split(Batch::new(&bytes, &index), &mut parts, |_, _| Some(0));
        let request = ExportLogsServiceRequest::decode(parts[0].bytes.as_slice()).unwrap();
        let records = request.resource_logs.iter().flat_map(|r| &r.scope_logs).map(|s| s.log_records.len());
        prop_assert_eq!(records.sum::<usize>(), placed);
        let traced = Batch::new(&bytes, &index).items().filter(|item| item.trace_id().is_some()).count();
        prop_assert_eq!(placed, traced);
    }
}

fn stamped() -> KeyValue {
    let mut bytes = Vec::new();
    Writer::new(&mut bytes).key_string(1, "k8s.cluster.name", "eu-west-a");
    let head = 1 + varint_len(bytes.len() as u64);
    KeyValue::decode(&bytes[head..]).unwrap()
}
