//! Attempts to make a value cross that may not, each under the example's own policy. What holds is stated as a fact;
//! what cannot be helped is stated too, so that nobody believes otherwise.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its world has failed")]

#[path = "seal/world.rs"]
mod world;

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use prost::Message;
use tollgate_otlp::{Limits, Writer, walk_traces};
use tollgate_redaction::Sealer;

use world::*;

/// Stands for a person: sixteen bytes, as long as a trace id.
const JANE: &str = "jane@example.org";

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn encoded(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut Writer::new(&mut out));
    out
}

/// A request of one span with good ids and whatever follows them.
fn request_of(rest: &[u8]) -> Vec<u8> {
    let span = encoded(|span| {
        span.bytes(1, &[1; 16]);
        span.bytes(2, &[2; 8]);
        span.raw(rest);
    });
    encoded(|request| {
        request.message(1, |resource| resource.message(2, |scope| scope.bytes(2, &span)));
    })
}

/// What leaves the region of a request as it came in at the door; nothing if the door refuses it.
fn crossed(payload: &[u8]) -> Vec<u8> {
    let Ok(walked) = walk_traces(payload, &Limits::default()) else { return Vec::new() };
    example().seal(payload, &walked.index, ARRIVAL).whole().bytes().to_vec()
}

fn any_text(text: &str) -> Vec<u8> {
    encoded(|any| any.string(1, text))
}

fn route(value: &[u8]) -> Vec<u8> {
    encoded(|span| span.key_any(9, "http.route", value))
}

/// A length-delimited field whose tag and length take more bytes than they need.
fn padded(number: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).unwrap();
    [&[number << 3 | 0x82, 0x80, 0x00, length | 0x80, 0x80, 0x80, 0x00][..], body].concat()
}

/// Bytes that decoders could read in two ways, one of which shows Jane.
fn ambiguous_spans() -> Vec<(&'static str, Vec<u8>)> {
    let attribute = |body: &[u8]| encoded(|span| span.bytes(9, body));
    let (good, jane) = (any_text("/a"), any_text(JANE));
    let key = |name: &str| encoded(|pair| pair.string(1, name));
    let value = |any: &[u8]| encoded(|pair| pair.bytes(2, any));
    let status = |message: &str| encoded(|span| span.message(15, |status| status.string(2, message)));
    vec![
        ("a key twice", attribute(&[key("http.route"), value(&jane), key("user.email")].concat())),
        (
            "a key twice, the allowed one last",
            attribute(&[key("user.email"), value(&jane), key("http.route")].concat()),
        ),
        ("a value twice", attribute(&[key("http.route"), value(&good), value(&jane)].concat())),
        ("a oneof twice", route(&[good.clone(), jane.clone()].concat())),
        ("a oneof of two members", route(&[good.clone(), encoded(|any| any.bytes(7, JANE.as_bytes()))].concat())),
        ("a text and a string index", route(&[jane.clone(), encoded(|any| any.varint(8, 3))].concat())),
        ("a key that is a string index only", attribute(&[value(&jane), vec![0x18, 5]].concat())),
        ("a status in two halves", [status("x"), status(JANE)].concat()),
        ("a name twice", encoded(|span| ["GET", JANE].iter().for_each(|name| span.string(5, name)))),
        ("a trace state twice", encoded(|span| ["ot=th:8", JANE].iter().for_each(|state| span.string(3, state)))),
        ("a group", [&[0x4b][..], &jane, &[0x4c]].concat()),
        ("a group around an unknown field", [&[0xc3, 0x3e][..], &jane, &[0xc4, 0x3e]].concat()),
        ("an unclosed group", [&[0x4b][..], &jane].concat()),
        ("field zero", [&[0x02, 16][..], JANE.as_bytes()].concat()),
        ("a field beyond the highest number", [&[0x82, 0x80, 0x80, 0x80, 0x10, 16][..], JANE.as_bytes()].concat()),
        ("a tag of more than 32 bits", [&[0xca, 0x80, 0x80, 0x80, 0x80, 0x20, 16][..], JANE.as_bytes()].concat()),
        ("a tag of eleven bytes", [&[0x80; 10][..], &[0x4a, 16], JANE.as_bytes()].concat()),
        ("a length beyond the end", [&[0x2a, 0xff, 0x01][..], JANE.as_bytes()].concat()),
        ("a length of nearly 64 bits", [&[0x2a][..], &[0xff; 9], &[0x01], JANE.as_bytes()].concat()),
        ("a status that is a string of letters", encoded(|span| span.string(15, JANE))),
        ("a kind that is bytes", encoded(|span| span.string(6, JANE))),
        ("flags that are bytes", encoded(|span| span.string(16, JANE))),
        ("text that is no text", route(&[&[0x0a, 18, 0xc3][..], JANE.as_bytes(), &[0xff]].concat())),
        ("a map as the value", route(&encoded(|any| any.message(6, |map| map.key_string(1, "http.route", JANE))))),
        ("a list in a list", route(&encoded(|any| any.message(5, |list| list.message(1, |any| any.bytes(5, &good)))))),
        ("an unknown member of a value", route(&[good, encoded(|any| any.string(9, JANE))].concat())),
        ("an unknown field", encoded(|span| span.string(1000, JANE))),
    ]
}

#[test]
fn nothing_that_decoders_read_differently_crosses() {
    for (what, span) in ambiguous_spans() {
        assert!(!contains(&crossed(&request_of(&span)), JANE), "{what}");
    }
}

#[test]
fn padding_of_tags_and_lengths_changes_nothing() {
    let pair = |key: &str| encoded(|pair| pair.string(1, key));
    let email = padded(9, &[padded(1, b"user.email"), padded(2, &padded(1, JANE.as_bytes()))].concat());
    let path = padded(9, &[padded(2, &padded(1, b"/a")), padded(1, b"http.route")].concat());
    let leak = padded(9, &[pair("http.route"), padded(2, &padded(1, JANE.as_bytes()))].concat());
    let out = crossed(&request_of(&[email, path].concat()));
    assert!(!contains(&out, JANE) && contains(&out, "/a"));
    assert!(!contains(&crossed(&request_of(&leak)), JANE));
}

#[test]
fn resource_or_scope_in_two_halves_is_refused_whole() {
    let span = encoded(|span| {
        span.bytes(1, &[1; 16]);
        span.bytes(2, &[2; 8]);
    });
    let half = |key: &str| encoded(|group| group.message(1, |resource| resource.key_string(1, key, JANE)));
    let scope = encoded(|resource| resource.message(2, |scope| scope.bytes(2, &span)));
    // One half alone says that the resource is a device, the other hides what is personal on one.
    let resources = [half("host.name"), half("device.id"), scope].concat();
    assert!(walk_traces(&encoded(|request| request.bytes(1, &resources)), &Limits::default()).is_err());
    let name = |name: &str| encoded(|scope| scope.message(1, |scope| scope.string(1, name)));
    let scopes = [name("a"), name(JANE), encoded(|scope| scope.bytes(2, &span))].concat();
    let request = encoded(|request| request.message(1, |resource| resource.bytes(2, &scopes)));
    assert!(walk_traces(&request, &Limits::default()).is_err());
    let urls = encoded(|resource| {
        resource.string(3, "https://opentelemetry.io/schemas/1.26.0");
        resource.string(3, JANE);
        resource.message(2, |scope| scope.bytes(2, &span));
    });
    assert!(walk_traces(&encoded(|request| request.bytes(1, &urls)), &Limits::default()).is_err());
}

#[test]
fn key_that_only_resembles_an_allowed_one_is_unclassified() {
    for key in [
        "",
        ".",
        "http",
        "http.route.",
        ".http.route",
        "http..route",
        " http.route",
        "http.route ",
        "http.route\0",
        "http.route\0user.email",
        "HTTP.ROUTE",
        "Http.Route",
        "http_route",
        "http.r\u{43e}ute",
        "http\u{2024}route",
        "http.route\u{200b}",
        "\u{feff}http.route",
        "http.route\u{301}",
        "http.request.header",
        "http.request.header.",
        "http.request.header.content-type ",
        "http.request.header.Content-Type",
        "http.request.header.content-type.x",
        "http.request.header.content-type\0",
        "http.request.header.content\u{2010}type",
        "user.id.hash",
        "client.address.full",
        "k8s.pod.label.app.kubernetes.io/name.owner",
        "tls.server.subject",
        "host.cpu.model",
    ] {
        let value = text(key, "janedoe");
        let mut sent = span(vec![value.clone()]);
        sent.events = vec![Event { attributes: vec![value.clone()], ..Event::default() }];
        let mut request = request(vec![value], vec![sent]);
        request.resource_spans[0].scope_spans[0].scope =
            Some(InstrumentationScope { attributes: vec![text(key, "janedoe")], ..InstrumentationScope::default() });
        assert!(!contains(&crossed(&request.encode_to_vec()), "janedoe"), "{key:?}");
    }
}

/// Every place of a request that holds text, filled with the same attributes and texts.
fn everywhere(attributes: &[KeyValue], any_text: &str) -> ExportTraceServiceRequest {
    let mut sent = span(attributes.to_vec());
    (sent.name, sent.trace_state) = (any_text.to_owned(), format!("ot={any_text}"));
    sent.events = vec![Event { name: any_text.to_owned(), attributes: attributes.to_vec(), ..Event::default() }];
    sent.links = vec![Link {
        trace_id: vec![3; 16],
        span_id: vec![4; 8],
        trace_state: any_text.to_owned(),
        attributes: attributes.to_vec(),
        ..Link::default()
    }];
    let mut request = request(attributes.to_vec(), vec![sent]);
    let group = &mut request.resource_spans[0];
    group.schema_url = format!("https://opentelemetry.io/schemas/{any_text}");
    group.scope_spans[0].schema_url = any_text.to_owned();
    group.scope_spans[0].scope = Some(InstrumentationScope {
        name: any_text.to_owned(),
        version: any_text.to_owned(),
        attributes: attributes.to_vec(),
        ..InstrumentationScope::default()
    });
    request
}

#[test]
fn address_of_a_person_crosses_under_no_key_and_in_no_text() {
    // Whatever the catalogue knows, exactly and as templates, with both sides of an alias.
    let catalogue = include_str!("../../../policies/catalogue.yaml");
    let words = catalogue.split(|c: char| !(c.is_ascii_alphanumeric() || "._-/*".contains(c)));
    let mut keys: Vec<String> = words.filter(|word| word.contains('.')).map(|word| word.replace('*', "x")).collect();
    keys.sort();
    keys.dedup();
    assert!(keys.len() > 500, "{}", keys.len());
    let any = |value| AnyValue { value: Some(value) };
    let list = |value: Value| Value::ArrayValue(ArrayValue { values: vec![any(value)] });
    let string = || Value::StringValue(JANE.to_owned());
    let map = KeyValueList { values: vec![text(JANE, JANE)] };
    for value in [
        string(),
        list(string()),
        list(list(string())),
        list(Value::KvlistValue(map.clone())),
        Value::KvlistValue(map),
        Value::BytesValue(JANE.into()),
        list(Value::BytesValue(JANE.into())),
        Value::StringValue(format!("{JANE}\0")),
        Value::StringValue(format!("/users/{JANE}/cart")),
        Value::StringValue(format!("Jane <{JANE}>")),
    ] {
        let attributes: Vec<_> = keys.iter().map(|key| attribute(key, value.clone())).collect();
        let out = crossed(&everywhere(&attributes, JANE).encode_to_vec());
        assert!(!out.is_empty() && !contains(&out, JANE), "{value:?}");
    }
}

#[test]
fn text_that_is_more_than_a_word_or_a_route_does_not_pass_as_operational() {
    for value in [
        "jane%40example.org",
        "/reset?token=hunter2",
        "user=jane",
        "{\"user\": \"jane\"}",
        "Jane Doe could not pay her bill",
        "Jane\tDoe",
        "Jane\u{a0}Doe",
        "Jane\u{2028}Doe",
        "J\u{e4}ne",
        "\u{430}dmin",
        "jane\u{ff20}example.org",
        "a|b",
        "O'Hara",
        "Jane  Doe",
        "Jane Doe ",
        "\u{1b}[31mjane",
        &"x".repeat(257),
    ] {
        for key in ["service.name", "http.route", "exception.type", "k8s.pod.name", "geo.country.iso_code"] {
            let out = crossed(&everywhere(&[text(key, value)], value).encode_to_vec());
            assert!(!out.is_empty() && !contains(&out, value), "{key}: {value:?}");
        }
    }
}

#[test]
fn list_is_no_way_around_the_length_of_a_text() {
    let any = |value| AnyValue { value: Some(value) };
    let words = "Jane Doe of 12 High Street has not paid the bill for her last stay at our clinic in May";
    let list: Vec<_> = words.split(' ').map(|word| any(Value::StringValue(word.to_owned()))).collect();
    let letters: Vec<_> = words.bytes().map(|letter| any(Value::IntValue(letter.into()))).collect();
    for values in [list, letters] {
        let sent = span(vec![attribute("container.image.tags", Value::ArrayValue(ArrayValue { values }))]);
        assert!(sealed_span(&mut example(), sent).attributes.is_empty());
    }
}

#[test]
fn ids_times_and_numbers_can_hold_anything_and_nothing_can_be_done_about_it() {
    let mut sent = span(vec![attribute("db.response.returned_rows", Value::IntValue(491_701_234_567))]);
    (sent.trace_id, sent.span_id) = (JANE.into(), b"jane@exa".to_vec());
    sent.start_time_unix_nano = 491_701_234_567;
    sent.trace_state = "ot=th:4a616e65;rv:0049170123456f".to_owned();
    let arrived = sealed_span(&mut example(), sent.clone());
    assert_eq!((arrived.trace_id, arrived.span_id), (sent.trace_id, sent.span_id));
    assert_eq!((arrived.start_time_unix_nano, arrived.trace_state), (sent.start_time_unix_nano, sent.trace_state));
    assert_eq!(arrived.attributes, sent.attributes);
    // Of everything else only known bits arrive.
    let mut odd = span(vec![]);
    (odd.kind, odd.flags, odd.dropped_events_count) = (i32::MAX, u32::MAX, 7);
    let arrived = sealed_span(&mut example(), odd);
    assert_eq!((arrived.kind, arrived.flags, arrived.dropped_events_count), (0, 0x3ff, 7));
}

#[test]
fn name_in_plain_letters_passes_under_an_operational_key() {
    // No detector finds names. What is operational is what somebody signed as operational in the catalogue.
    let arrived = sealed_span(&mut example(), span(vec![text("http.route", "/users/jane-doe")]));
    assert_eq!(found(&arrived.attributes, "http.route"), Some("/users/jane-doe"));
}

#[test]
fn pseudonym_changes_with_the_epoch_the_destination_and_the_origin_and_with_nothing_else() {
    const EPOCH: u64 = 30 * 86_400 * 1_000_000_000;
    let named = |link: u16, from: &str, key: &str, value: Value, arrival: u64| {
        let table = Arc::new(table_with(str::to_owned, from, link));
        let mut sealer = Sealer::new(table, Arc::new(ALL_KEYS));
        let payload = request(vec![], vec![span(vec![attribute(key, value)])]).encode_to_vec();
        let out = sealer.seal(&payload, &walked(&payload), arrival).whole().bytes();
        let span: Span = decoded(&out).resource_spans.remove(0).scope_spans.remove(0).spans.remove(0);
        found(&span.attributes, key).unwrap().to_owned()
    };
    let string = |value: &str| Value::StringValue(value.to_owned());
    let boundary = ARRIVAL - ARRIVAL % EPOCH;
    let first = named(0, "EEA", "user.id", string("u-1"), boundary);
    for same in [
        named(0, "EEA", "enduser.id", string(" u-1\t"), boundary),
        named(0, "EEA", "user.id", string("u-1"), boundary + EPOCH - 1),
    ] {
        assert_eq!(same, first);
    }
    for other in [
        named(0, "EEA", "user.id", string("u-1"), boundary - 1),
        named(0, "EEA", "user.id", string("u-1"), boundary + EPOCH),
        named(2, "EEA", "user.id", string("u-1"), boundary),
        named(1, "UK", "user.id", string("u-1"), boundary),
        named(0, "EEA", "session.id", string("u-1"), boundary),
        named(0, "EEA", "user.id", string("U-1"), boundary),
        named(0, "EEA", "user.id", string("u-1\0"), boundary),
        named(0, "EEA", "user.id", string("user\0u-1"), boundary),
        named(0, "EEA", "user.id", Value::IntValue(1), boundary),
    ] {
        // Not even the key's public name agrees where the key differs, and nowhere the rest.
        assert_ne!(other[12..], first[12..]);
    }
    let id = |name: &str| name[4..11].to_owned();
    assert_ne!(id(&named(2, "EEA", "user.id", string("u-1"), boundary)), id(&first));
    assert_ne!(id(&named(0, "EEA", "user.id", string("u-1"), boundary + EPOCH)), id(&first));
    assert_eq!(id(&named(0, "EEA", "user.id", string("u-2"), boundary)), id(&first));
}

#[test]
fn only_a_text_or_a_whole_number_gets_a_pseudonym() {
    for value in [
        Value::DoubleValue(1.5),
        Value::BoolValue(true),
        Value::BytesValue(JANE.into()),
        Value::StringValue(" \t".to_owned()),
        Value::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(Value::IntValue(1)) }] }),
        Value::KvlistValue(KeyValueList { values: vec![text("user.id", JANE)] }),
    ] {
        let arrived = sealed_span(&mut example(), span(vec![attribute("user.id", value)]));
        assert!(arrived.attributes.is_empty(), "{arrived:?}");
    }
}

#[test]
fn device_is_one_whatever_else_its_resource_says() {
    for marker in
        ["device.id", "browser.language", "android.os.api_level", "app.installation.id", "network.carrier.mcc"]
    {
        for value in [Value::StringValue(String::new()), Value::BoolValue(false), Value::BytesValue(vec![0xff])] {
            let list =
                vec![text("host.name", "janes-laptop"), attribute(marker, value.clone()), attribute(marker, value)];
            let out = crossed(&request(list, vec![span(vec![text("server.address", "janes-nas")])]).encode_to_vec());
            assert!(!out.is_empty() && !contains(&out, "janes"), "{marker}");
        }
    }
}

#[test]
fn index_of_another_request_gives_no_panic_and_counts_every_item() {
    let attributes = [text("user.email", JANE), text("http.route", "/a"), text("exception.message", JANE)];
    let requests = [
        everywhere(&attributes, JANE).encode_to_vec(),
        everywhere(&attributes[..1], "x").encode_to_vec(),
        request(vec![], vec![span(vec![]), span(attributes.to_vec())]).encode_to_vec(),
        request_of(&[]),
        Vec::new(),
    ];
    for payload in &requests {
        for index in requests.iter().map(|other| walked(other)) {
            let out = example().seal(payload, &index, ARRIVAL);
            let counts = *out.counts();
            assert_eq!(counts.items_in, counts.items_out + counts.withheld());
            assert!(!contains(&out.whole().bytes(), JANE));
        }
    }
}

#[test]
fn many_keys_of_one_name_cost_no_more_than_many_keys() {
    let mut list = vec![text("http.route", "/a"); 100_000];
    list.push(text("rpc.method", "Add"));
    let arrived = sealed_span(&mut example(), span(list));
    assert_eq!(arrived.attributes, vec![text("rpc.method", "Add")]);
    assert_eq!(arrived.dropped_attributes_count, 100_000);
}

#[test]
fn key_of_dots_costs_no_more_than_another() {
    // Each dot could be the end of a template: looked up one by one, this request alone would take minutes.
    let keys = (0..2_000).map(|number| text(&format!("{}{number}", ".".repeat(4_000)), JANE));
    let arrived = sealed_span(&mut example(), span(keys.collect()));
    assert_eq!((arrived.attributes.len(), arrived.dropped_attributes_count), (0, 2_000));
}
