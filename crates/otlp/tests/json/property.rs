//! What holds for any message, any text and any bytes.

use crate::oracle::{decode, encode, prost};
use crate::requests::{logs, metrics, traces};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{self, Index};
use prost::Message as _;
use serde_json::{Map, Value, json};
use tollgate_otlp::json::{self as otlp_json, Message};
use tollgate_otlp::wire::{Fields, Wire};
use tollgate_otlp::{Batch, Limits, Writer, select, walk_logs, walk_metrics, walk_traces};

type Object = Map<String, Value>;

/// Any request of any signal, as prost encodes it.
fn request() -> impl Strategy<Value = (Message, Vec<u8>)> {
    prop_oneof![
        traces().prop_map(|request| (Message::Traces, request.encode_to_vec())),
        metrics().prop_map(|request| (Message::Metrics, request.encode_to_vec())),
        logs().prop_map(|request| (Message::Logs, request.encode_to_vec())),
    ]
}

/// What prost reads in the bytes, as text, so that NaN equals NaN and -0 does not equal 0.
fn read_by_prost(message: Message, protobuf: &[u8]) -> Result<String, prost::DecodeError> {
    Ok(match message {
        Message::Traces => format!("{:?}", prost::<ExportTraceServiceRequest>(protobuf)?),
        Message::Metrics => format!("{:?}", prost::<ExportMetricsServiceRequest>(protobuf)?),
        Message::Logs => format!("{:?}", prost::<ExportLogsServiceRequest>(protobuf)?),
        _ => panic!("only requests are tried"),
    })
}

/// The JSON of a message after a change to each of its objects.
fn changed(message: Message, protobuf: &[u8], mut change: impl FnMut(Object) -> Object) -> String {
    let text = encode(message, protobuf).unwrap();
    change_objects(serde_json::from_str(&text).unwrap(), &mut change).to_string()
}

fn change_objects(value: Value, change: &mut impl FnMut(Object) -> Object) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().map(|(key, value)| (key, change_objects(value, change))).collect();
            Value::Object(change(members))
        }
        Value::Array(items) => items.into_iter().map(|item| change_objects(item, change)).collect(),
        scalar => scalar,
    }
}

fn snake_case(key: &str) -> String {
    key.chars()
        .flat_map(|letter| letter.is_ascii_uppercase().then_some('_').into_iter().chain([letter.to_ascii_lowercase()]))
        .collect()
}

/// Texts that break in places where a reader is deep inside a message.
fn almost_json() -> impl Strategy<Value = (Message, Vec<u8>)> {
    let scrap = sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "null",
        "true",
        "-1",
        "1e999",
        "\"NaN\"",
        "\"\\u",
        "{}",
        "[{}]",
        "0.5",
        "\"=\"",
        "\"zz\"",
        "18446744073709551616",
        "\"attributes\":",
        "\u{0}",
        "é",
    ]);
    (request(), vec((any::<Index>(), any::<Index>(), scrap), 0..4)).prop_map(|((message, protobuf), cuts)| {
        let mut text = encode(message, &protobuf).unwrap().into_bytes();
        for (from, length, scrap) in cuts {
            let from = from.index(text.len() + 1);
            let to = from + length.index(4).min(text.len() - from);
            text.splice(from..to, scrap.bytes());
        }
        (message, text)
    })
}

/// Protobuf with a few bytes changed and one field, at any depth, repeated.
fn almost_protobuf() -> impl Strategy<Value = (Message, Vec<u8>)> {
    let bytes = vec((any::<Index>(), any::<u8>()), 0..3);
    (request(), bytes, vec(0..1000_usize, 0..24)).prop_map(|((message, protobuf), bytes, path)| {
        let mut protobuf = with_a_field_twice(&protobuf, &mut path.into_iter());
        for (at, byte) in bytes.into_iter().filter(|_| !protobuf.is_empty()).collect::<Vec<_>>() {
            let at = at.index(protobuf.len());
            protobuf[at] = byte;
        }
        (message, protobuf)
    })
}

/// Chooses a field, and in one case of four repeats it, in the others goes on inside it.
fn with_a_field_twice(body: &[u8], path: &mut impl Iterator<Item = usize>) -> Vec<u8> {
    let fields = Fields::new(body).collect::<Result<Vec<_>, _>>().unwrap_or_default();
    let (Some(step), false) = (path.next(), fields.is_empty()) else {
        return body.to_vec();
    };
    let mut out = Vec::new();
    for (at, field) in fields.iter().enumerate() {
        match field.value {
            _ if at != step % fields.len() => out.extend_from_slice(field.raw),
            Wire::Bytes(inner) if step % 4 > 0 => {
                let inner = with_a_field_twice(inner, path);
                Writer::new(&mut out).bytes(field.number, &inner);
            }
            _ => out.extend([field.raw, field.raw].concat()),
        }
    }
    out
}

/// All that a walk admits of a payload, if it admits the payload.
fn admitted(message: Message, payload: &[u8]) -> Option<Vec<u8>> {
    let walk = match message {
        Message::Traces => walk_traces,
        Message::Metrics => walk_metrics,
        _ => walk_logs,
    };
    let index = walk(payload, &Limits::default()).ok()?.index;
    let mut out = Vec::new();
    select(Batch::new(payload, &index), |_| true, &mut out);
    Some(out)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_request_comes_back((message, protobuf) in request()) {
        let text = encode(message, &protobuf).unwrap();
        prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
        let read = decode(message, &text).unwrap();
        prop_assert_eq!(read_by_prost(message, &read).unwrap(), read_by_prost(message, &protobuf).unwrap());
        // Ours differs from prost's bytes only in where members of a oneof stand, and never from its own.
        prop_assert_eq!(read.len(), protobuf.len());
        let again = encode(message, &read).unwrap();
        prop_assert_eq!(&again, &text);
        prop_assert_eq!(decode(message, &again).unwrap(), read);
    }

    #[test]
    fn white_space_and_order_of_members_mean_nothing((message, protobuf) in request()) {
        // Objects of serde_json sort their members by name.
        let sorted: Value = serde_json::from_str(&encode(message, &protobuf).unwrap()).unwrap();
        let read = decode(message, &format!("\t{sorted:#}\r\n")).unwrap();
        prop_assert_eq!(read_by_prost(message, &read).unwrap(), read_by_prost(message, &protobuf).unwrap());
        prop_assert_eq!(encode(message, &read).unwrap(), encode(message, &protobuf).unwrap());
    }

    #[test]
    fn proto_names_read_the_same((message, protobuf) in request()) {
        let plain = changed(message, &protobuf, |object| object);
        let spelled = changed(message, &protobuf, |object| {
            object.into_iter().map(|(key, value)| (snake_case(&key), value)).collect()
        });
        let (plain, spelled) = (decode(message, &plain).unwrap(), decode(message, &spelled).unwrap());
        prop_assert_eq!(read_by_prost(message, &spelled).unwrap(), read_by_prost(message, &plain).unwrap());
    }

    #[test]
    fn null_reads_like_absence((message, protobuf) in request(), which: Index) {
        let (mut here, mut there) = (0, 0);
        let nth = which.index(40);
        let victim = |members: &Object, count: &mut usize| {
            *count += 1;
            (*count % 40 == nth).then(|| members.keys().nth(nth % members.len().max(1)).cloned()).flatten()
        };
        let nulled = changed(message, &protobuf, |mut object| {
            if let Some(key) = victim(&object, &mut here) {
                object.insert(key, Value::Null);
            }
            object
        });
        let removed = changed(message, &protobuf, |mut object| {
            if let Some(key) = victim(&object, &mut there) {
                object.remove(&key);
            }
            object
        });
        prop_assert_eq!(decode(message, &nulled).unwrap(), decode(message, &removed).unwrap());
    }

    #[test]
    fn unknown_members_mean_nothing((message, protobuf) in request()) {
        let plain = changed(message, &protobuf, |object| object);
        let extended = changed(message, &protobuf, |mut object| {
            object.insert("aFuture".to_owned(), json!([{ "name": [null, 1.5, "x"] }]));
            object.insert("zFuture".to_owned(), json!({ "traceId": { "values": [[]] } }));
            object
        });
        prop_assert_eq!(decode(message, &extended).unwrap(), decode(message, &plain).unwrap());
    }

    #[test]
    fn what_is_read_of_broken_text_prost_reads_too((message, text) in almost_json()) {
        if let Ok(protobuf) = otlp_json::decode(message, &text, &Limits::default()) {
            prop_assert!(read_by_prost(message, &protobuf).is_ok());
            prop_assert!(encode(message, &protobuf).is_ok());
        }
    }

    #[test]
    fn what_is_written_of_broken_bytes_is_what_prost_reads((message, protobuf) in almost_protobuf()) {
        if let Ok(text) = encode(message, &protobuf) {
            let read = decode(message, &text).unwrap();
            prop_assert_eq!(read_by_prost(message, &read).unwrap(), read_by_prost(message, &protobuf).unwrap());
        }
    }

    #[test]
    fn what_a_walk_admits_can_be_written((message, protobuf) in almost_protobuf()) {
        if let Some(admitted) = admitted(message, &protobuf) {
            prop_assert_eq!(encode(message, &admitted).map(|_| ()), Ok(()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..80)) {
        for message in [Message::Traces, Message::Metrics, Message::Logs, Message::LogsResponse, Message::Status] {
            let _ = otlp_json::decode(message, &bytes, &Limits::default());
            let _ = encode(message, &bytes);
        }
    }
}
