//! Single facts that users rely on, each with the smallest span that shows it.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValueList};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Status};
use prost::Message;
use tollgate_redaction::{Sealer, Withheld};
use tollgate_residency::{Class, Form};

use crate::conservation::trace_of;
use crate::world::*;

#[test]
fn user_id_crosses_as_one_pseudonym_for_all_its_spellings() {
    let mut sealer = example();
    let sent = span(vec![text("user.id", "Jane@Example.org "), text("user.email", "jane@example.org")]);
    let arrived = sealed_span(&mut sealer, sent);
    let name = found(&arrived.attributes, "user.id").unwrap();
    assert!(name.starts_with("tg1.") && name.len() == 38, "{name}");
    assert_eq!(found(&arrived.attributes, "user.email"), None);
    assert_eq!(arrived.dropped_attributes_count, 1);
    let old = sealed_span(&mut sealer, span(vec![text("enduser.id", "jane@example.org")]));
    assert_eq!(found(&old.attributes, "enduser.id"), Some(name));
    let number = sealed_span(&mut sealer, span(vec![attribute("user.id", Value::IntValue(42))]));
    let digits = sealed_span(&mut sealer, span(vec![text("user.id", "42")]));
    assert_eq!(number.attributes, digits.attributes);
}

#[test]
fn missing_key_leaves_the_value_out_and_is_counted() {
    let table = Arc::new(table_with(str::to_owned, "EEA", 0));
    let mut sealer = Sealer::new(table, Arc::new(Roots { names: &[] }));
    let out = seal(&mut sealer, &request(vec![], vec![span(vec![text("user.id", "jane"), text("http.route", "/a")])]));
    assert_eq!((out.counts().keys_missing, out.counts().items_out), (1, 1));
    assert_eq!(out.counts().values(Class::Direct, Form::Absent), 1);
    let arrived = decoded(&out.whole().bytes());
    assert_eq!(arrived.resource_spans[0].scope_spans[0].spans[0].attributes, vec![text("http.route", "/a")]);
}

#[test]
fn address_is_shortened_under_both_its_names() {
    let sent = span(vec![text("client.address", "203.0.113.77"), text("http.client_ip", "2001:db8:1:2::3")]);
    let arrived = sealed_span(&mut example(), sent);
    assert_eq!(found(&arrived.attributes, "client.address"), Some("203.0.113.0"));
    assert_eq!(found(&arrived.attributes, "http.client_ip"), Some("2001:db8:1::"));
    let list = sealed_span(&mut example(), span(vec![text("client.address", "203.0.113.77, 10.0.0.1")]));
    assert!(list.attributes.is_empty());
}

#[test]
fn span_name_crosses_only_if_composed_of_what_crosses() {
    let http = || vec![text("http.request.method", "GET"), text("http.route", "/users/{id}")];
    let named = |name: &str, attributes| {
        let mut sent = span(attributes);
        sent.name = name.to_owned();
        sealed_span(&mut example(), sent).name
    };
    assert_eq!(named("GET /users/{id}", http()), "GET /users/{id}");
    assert_eq!(named("GET /users/jane@example.org", http()), "GET /users/{id}");
    assert_eq!(named("GET", http()), "GET");
    assert_eq!(named("charge jane@example.org", vec![]), "withheld");
    assert_eq!(named("charge", vec![]), "withheld");
    assert_eq!(named("GET /a", vec![text("http.method", "GET"), text("http.route", "/a")]), "GET /a");
    let leaky = vec![text("http.request.method", "GET"), text("http.route", "/users/jane@example.org")];
    assert_eq!(named("GET /users/jane@example.org", leaky), "GET");
    let rpc = vec![text("rpc.service", "shop.Cart"), text("rpc.method", "Add")];
    assert_eq!(named("shop.Cart/Add", rpc), "shop.Cart/Add");
    let db = vec![text("db.operation", "SELECT"), text("db.sql.table", "orders")];
    assert_eq!(named("SELECT jane", db), "SELECT orders");
}

#[test]
fn exception_keeps_its_type_and_loses_its_message() {
    let mut sent = span(vec![]);
    sent.events = vec![
        Event {
            time_unix_nano: 5,
            name: "exception".to_owned(),
            attributes: vec![
                text("exception.type", "java.lang.IllegalStateException"),
                text("exception.message", "no card for jane@example.org"),
                text("exception.stacktrace", "at jane"),
            ],
            dropped_attributes_count: 3,
        },
        Event { name: "jane logged in".to_owned(), ..Event::default() },
    ];
    let arrived = sealed_span(&mut example(), sent);
    let exception = &arrived.events[0];
    assert_eq!((exception.name.as_str(), exception.time_unix_nano), ("exception", 5));
    assert_eq!(exception.attributes, vec![text("exception.type", "java.lang.IllegalStateException")]);
    assert_eq!(exception.dropped_attributes_count, 5);
    assert_eq!(arrived.events[1].name, "withheld");
}

#[test]
fn status_keeps_its_code_and_loses_its_message() {
    let mut sent = span(vec![]);
    sent.status = Some(Status { message: "jane".to_owned(), code: 2 });
    let arrived = sealed_span(&mut example(), sent);
    assert_eq!(arrived.status, Some(Status { message: String::new(), code: 2 }));
}

#[test]
fn numbers_that_mean_nothing_do_not_cross() {
    let mut sent = span(vec![]);
    (sent.kind, sent.flags) = (77, 0xffff_ffff);
    sent.status = Some(Status { message: String::new(), code: 99 });
    let arrived = sealed_span(&mut example(), sent);
    assert_eq!((arrived.kind, arrived.flags), (0, 0x3ff));
    assert_eq!(arrived.status, Some(Status::default()));
}

#[test]
fn trace_state_and_links_keep_ids_and_sampling_only() {
    let mut sent = span(vec![]);
    sent.trace_state = "vendor=jane,ot=th:8".to_owned();
    sent.parent_span_id = vec![3; 8];
    sent.links = vec![Link {
        trace_id: vec![4; 16],
        span_id: vec![5; 8],
        trace_state: "vendor=jane".to_owned(),
        attributes: vec![text("user.name", "jane"), text("messaging.system", "kafka")],
        ..Link::default()
    }];
    let arrived = sealed_span(&mut example(), sent);
    assert_eq!((arrived.trace_state.as_str(), arrived.parent_span_id), ("ot=th:8", vec![3; 8]));
    let link = &arrived.links[0];
    assert_eq!((link.trace_id.as_slice(), link.trace_state.as_str()), (&[4; 16][..], ""));
    assert_eq!(link.attributes, vec![text("messaging.system", "kafka")]);
    assert_eq!(link.dropped_attributes_count, 1);
}

#[test]
fn key_that_stands_twice_is_left_out_each_time() {
    let sent = span(vec![text("http.route", "/a"), text("server.address", "a"), text("http.route", "/b")]);
    let arrived = sealed_span(&mut example(), sent);
    assert_eq!(arrived.attributes, vec![text("server.address", "a")]);
    assert_eq!(arrived.dropped_attributes_count, 2);
}

#[test]
fn values_cross_raw_only_as_scalars_and_flat_lists() {
    let any = |value| AnyValue { value: Some(value) };
    let list = |values| Value::ArrayValue(ArrayValue { values });
    let good = vec![
        attribute("http.response.status_code", Value::IntValue(-1)),
        attribute("tls.established", Value::BoolValue(true)),
        attribute("gen_ai.request.top_p", Value::DoubleValue(0.5)),
        attribute(
            "container.image.tags",
            list(vec![any(Value::StringValue("v1".to_owned())), any(Value::IntValue(7))]),
        ),
        text("service.version", ""),
    ];
    let bad = vec![
        attribute("http.route", Value::BytesValue(b"/a".to_vec())),
        attribute("server.address", Value::KvlistValue(KeyValueList { values: vec![text("user.name", "jane")] })),
        attribute("host.name", list(vec![any(list(vec![]))])),
        attribute("k8s.pod.name", list(vec![any(Value::StringValue("jane@example.org".to_owned()))])),
        text("service.name", "jane@example.org"),
    ];
    let arrived = sealed_span(&mut example(), span([good.clone(), bad].concat()));
    assert_eq!(arrived.attributes, good);
    assert_eq!(arrived.dropped_attributes_count, 5);
}

#[test]
fn resource_and_scope_lose_what_their_spans_would_lose() {
    let mut sent = request(vec![text("service.name", "shop"), text("process.owner", "jane")], vec![span(vec![])]);
    let group = &mut sent.resource_spans[0];
    group.schema_url = "https://opentelemetry.io/schemas/1.26.0".to_owned();
    let entity = EntityRef { r#type: "jane".to_owned(), ..EntityRef::default() };
    group.resource.as_mut().unwrap().entity_refs = vec![entity];
    group.scope_spans[0] = ScopeSpans {
        scope: Some(InstrumentationScope {
            name: "shop.cart".to_owned(),
            version: "jane@example.org".to_owned(),
            attributes: vec![
                text("user.id", "jane"),
                text("acme.unknown", "jane"),
                text("tollgate.policy", "jane"),
                text("tollgate.policy", "jane"),
            ],
            dropped_attributes_count: 0,
        }),
        schema_url: "https://jane.example.org/".to_owned(),
        spans: vec![span(vec![])],
    };
    let arrived = decoded(&seal(&mut example(), &sent).whole().bytes());
    let group = &arrived.resource_spans[0];
    let resource = group.resource.as_ref().unwrap();
    assert_eq!(resource.attributes, vec![text("service.name", "shop")]);
    assert_eq!((resource.dropped_attributes_count, resource.entity_refs.len()), (1, 0));
    assert_eq!(group.schema_url, "https://opentelemetry.io/schemas/1.26.0");
    let scope = group.scope_spans[0].scope.as_ref().unwrap();
    assert_eq!((scope.name.as_str(), scope.version.as_str()), ("shop.cart", ""));
    assert_eq!((scope.attributes.len(), scope.dropped_attributes_count), (2, 3));
    assert!(found(&scope.attributes, "tollgate.policy").is_some_and(|policy| policy != "jane"));
    assert!(group.scope_spans[0].schema_url.is_empty());
}

/// Guarantees: who misses something downstream sees that a policy holds, and which.
#[test]
fn every_scope_says_by_which_policy_it_was_sealed() {
    let sent = request(vec![text("service.name", "shop")], vec![span(vec![])]);
    let policy = |link| {
        let table = table_with(str::to_owned, "EEA", link);
        let digest: String = table.digest().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let mut sealer = Sealer::new(Arc::new(table), Arc::new(ALL_KEYS));
        let mut arrived = decoded(&seal(&mut sealer, &sent).whole().bytes());
        let scope = arrived.resource_spans[0].scope_spans.remove(0).scope.unwrap();
        assert_eq!(scope.attributes, vec![text("tollgate.policy", &digest)]);
        digest
    };
    assert_ne!(policy(0), policy(2));
}

#[test]
fn host_of_a_device_is_not_operational() {
    let attributes = || vec![text("host.name", "janes-laptop"), text("service.name", "app")];
    let arrived = |attributes| {
        let out = seal(&mut example(), &request(attributes, vec![span(vec![text("server.address", "192.168.1.7")])]));
        let mut request = decoded(&out.whole().bytes());
        let group = request.resource_spans.remove(0);
        (group.resource.unwrap().attributes, group.scope_spans[0].spans[0].attributes.len())
    };
    assert_eq!(arrived(attributes()), (attributes(), 1));
    let device = [attributes(), vec![text("device.model.name", "phone")]].concat();
    assert_eq!(arrived(device), (vec![text("service.name", "app"), text("tollgate.resource", "device")], 0));
}

/// Guarantees: what was found for a key of one resource is not taken for another's, also within one request.
#[test]
fn resources_of_one_request_are_judged_each_by_itself() {
    let group = |resource| request(vec![resource], vec![span(vec![text("server.address", "192.168.1.7")])]);
    let server = || group(text("service.name", "app")).resource_spans;
    let device = || group(text("device.model.name", "phone")).resource_spans;
    for (groups, crossed) in [([server(), device()], vec![1, 0]), ([device(), server()], vec![0, 1])] {
        let sent = ExportTraceServiceRequest { resource_spans: groups.concat() };
        let arrived = decoded(&seal(&mut example(), &sent).whole().bytes());
        let spans = arrived.resource_spans.iter().map(|group| group.scope_spans[0].spans[0].attributes.len());
        assert_eq!(spans.collect::<Vec<_>>(), crossed);
    }
}

#[test]
fn bad_span_withholds_itself_and_no_other() {
    let request = request(vec![], vec![span(vec![]), span(vec![])]);
    let mut payload = request.encode_to_vec();
    let index = walked(&payload);
    let second = payload.windows(10).rposition(|bytes| bytes[..2] == [0x12, 8] && bytes[2..] == [2; 8]).unwrap();
    payload[second + 1] = 7;
    let out = example().seal(&payload, &index, ARRIVAL);
    assert_eq!((out.counts().items_in, out.counts().items_out), (2, 1));
    assert_eq!(out.counts().withheld_for(Withheld::Malformed), 1);
}

#[test]
fn without_ids_no_span_crosses() {
    let table = Arc::new(table_with(
        |rules| rules.replace("corr: raw", "quasi: raw").replace("quasi: {only: {geo.country.iso_code: raw}}", ""),
        "EEA",
        0,
    ));
    let mut sealer = Sealer::new(table, Arc::new(ALL_KEYS));
    let out = seal(&mut sealer, &request(vec![], vec![span(vec![])]));
    assert_eq!(out.counts().withheld_for(Withheld::Identity), 1);
    assert!(out.whole().is_empty());
}

#[test]
fn parts_hold_each_item_once_and_only_like_is_put_together() {
    let mut spans = Vec::new();
    for number in 1..=20_u8 {
        let mut one = span(vec![text("http.route", "/a")]);
        one.trace_id = vec![number; 16];
        spans.push(one);
    }
    let sent = request(vec![text("service.name", "shop")], spans);
    let batch = seal(&mut example(), &sent);
    let parts = batch.split(3, |route| Some(usize::from(trace_of(route)[0] % 4)));
    let mut seen = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let part = part.as_ref().unwrap();
        let request = decoded(&part.bytes());
        let spans = &request.resource_spans[0].scope_spans[0].spans;
        assert_eq!(spans.len() as u64, part.items());
        assert!(spans.iter().all(|span| usize::from(span.trace_id[0] % 4) == number));
        seen.extend(spans.iter().map(|span| span.trace_id[0]));
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=20).filter(|number| number % 4 != 3).collect::<Vec<_>>());

    let mut whole = seal(&mut example(), &sent).whole();
    let alike = seal(&mut example(), &sent).whole();
    whole.append(alike).unwrap();
    assert_eq!((whole.items(), decoded(&whole.bytes()).resource_spans.len()), (40, 2));
    let table = Arc::new(table_with(str::to_owned, "EEA", 2));
    let other = seal(&mut Sealer::new(table, Arc::new(ALL_KEYS)), &sent).whole();
    assert!(whole.append(other).is_err());
}

#[test]
fn pseudonyms_of_two_destinations_cannot_be_joined() {
    let sent = span(vec![text("user.id", "jane")]);
    let to = |link| {
        let table = Arc::new(table_with(str::to_owned, "EEA", link));
        sealed_span(&mut Sealer::new(table, Arc::new(ALL_KEYS)), sent.clone()).attributes
    };
    assert_ne!(to(0), to(2));
    assert_eq!(to(0), to(0));
}

#[test]
fn debug_shows_no_value() {
    let batch = seal(&mut example(), &request(vec![], vec![span(vec![text("http.route", "/visible")])]));
    assert!(!format!("{batch:?}").contains("visible"));
    assert!(!format!("{:?}", batch.whole()).contains("visible"));
}
