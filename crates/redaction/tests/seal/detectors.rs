//! What a value looks like can only take back what its key allows.

use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use proptest::prelude::*;
use tollgate_redaction::Sealer;
use tollgate_residency::{Class, Form};

use crate::world::*;

const DETECTED: &[&str] = &[
    "203.0.113.7",
    "2001:db8::17",
    "4111111111111111",
    "4111 1111 1111 1111",
    "DE89370400440532013000",
    "+4930901820",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "AKIAIOSFODNN7EXAMPL3",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
];

fn sealer_with(change: impl Fn(&str) -> String) -> Sealer {
    Sealer::new(Arc::new(table_with(change, "EEA", 0)), Arc::new(ALL_KEYS))
}

fn list(texts: &[&str]) -> Value {
    let any = |text: &&str| AnyValue { value: Some(Value::StringValue((*text).to_owned())) };
    Value::ArrayValue(ArrayValue { values: texts.iter().map(any).collect() })
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

proptest! {
    /// Guarantees: a value that holds a detected thing never crosses raw, wherever it stands, first or again, and the words
    /// around it do not hide it.
    #[test]
    fn what_is_detected_stays(
        detected in prop::sample::select(DETECTED),
        before in "([a-z]{1,4}[ /])?", after in "([ /][a-z]{1,4})?",
        key in prop::sample::select(vec!["http.route", "service.version", "rpc.method", "k8s.pod.name", "error.type"]),
        again in 1_usize..4,
    ) {
        let value = format!("{before}{detected}{after}");
        let attributes = || vec![text("http.request.method", "GET"), text(key, &value)];
        let mut sent = request(vec![text("service.name", "shop"), text(key, &value)], Vec::new());
        for _ in 0..again {
            let mut one = span(attributes());
            one.name = format!("GET {value}");
            sent.resource_spans[0].scope_spans[0].spans.push(one);
        }
        let scope = opentelemetry_proto::tonic::common::v1::InstrumentationScope {
            name: value.clone(), version: value.clone(), attributes: attributes(), dropped_attributes_count: 0,
        };
        sent.resource_spans[0].scope_spans[0].scope = Some(scope);
        let out = seal(&mut example(), &sent);
        let counts = *out.counts();
        prop_assert_eq!(counts.items_out, again as u64);
        prop_assert!(!holds(&out.whole().bytes(), detected));
        let raised: u64 = [Class::Direct, Class::Online, Class::Secret].iter().map(|class| counts.values(*class, Form::Absent)).sum();
        prop_assert_eq!(raised, again as u64 + 2);
    }
}

fn mixed(first: &str, rest: &[i64]) -> Value {
    let any = |value| AnyValue { value: Some(value) };
    let first = (!first.is_empty()).then(|| any(Value::StringValue(first.to_owned())));
    let values = first.into_iter().chain(rest.iter().map(|part| any(Value::IntValue(*part))));
    Value::ArrayValue(ArrayValue { values: values.collect() })
}

fn parts(numbers: &[i64]) -> Value {
    mixed("", numbers)
}

#[test]
fn numbers_and_lists_are_looked_at_too() {
    let bad = [
        attribute("http.response.status_code", Value::IntValue(4_111_111_111_111_111)),
        attribute("gen_ai.request.top_p", Value::DoubleValue(4_111_111_111_111_111.0)),
        attribute("container.image.tags", list(&["v1", "203.0.113.7"])),
        attribute("gen_ai.response.finish_reasons", list(&["4111", "1111", "1111", "1111"])),
        attribute("gen_ai.response.finish_reasons", parts(&[4111, 1111, 1111, 1111])),
        attribute("http.request.method", parts(&[4000, 12, 3456, 7899])),
        attribute("rpc.method", mixed("4111", &[1111, 1111, 1111])),
    ];
    let kept: Vec<_> = bad.iter().map(|one| sealed_span(&mut example(), span(vec![one.clone()])).attributes).collect();
    assert_eq!(kept, vec![Vec::<KeyValue>::new(); bad.len()]);
    let good = vec![
        attribute("http.response.status_code", Value::IntValue(1_796_126_400_000_000_000)),
        attribute("gen_ai.request.top_p", Value::DoubleValue(1e18)),
        attribute("container.image.tags", list(&["v1.2.3"])),
        attribute("rpc.method", parts(&[4111, 1111, 1111, 1112])),
    ];
    assert_eq!(sealed_span(&mut example(), span(good.clone())).attributes, good);
}

#[test]
fn a_key_below_a_template_is_looked_at_too() {
    let open = |rules: &str| {
        rules.replacen("quasi: {only: {geo.country.iso_code: raw}}", "quasi: {only: {k8s.pod.label.*: raw}}", 1)
    };
    let sent = || vec![text("k8s.pod.label.tier", "web"), text("k8s.pod.label.4111111111111111", "web")];
    let arrived = sealed_span(&mut sealer_with(open), span(sent()));
    assert_eq!(arrived.attributes, vec![text("k8s.pod.label.tier", "web")]);
}

/// Guarantees: the policy answers for the raised class, and the stricter of both answers holds.
#[test]
fn what_the_policy_says_of_the_raised_class_holds() {
    let keyed = |rules: &str| rules.replacen("direct: {only: {user.id: user-key}}", "direct: user-key", 1);
    let arrived = sealed_span(&mut sealer_with(keyed), span(vec![text("rpc.method", "4111111111111111")]));
    let crossed = found(&arrived.attributes, "rpc.method").unwrap();
    assert!(crossed.starts_with("tg1.") && crossed.len() == 38, "{crossed}");
    let shortened = |rules: &str| {
        rules.replacen("online: {only: {client.address: ip-net, session.id: session-key}}", "online: ip-net", 1)
    };
    let sent = vec![text("rpc.method", "203.0.113.7"), text("http.route", "/hosts/203.0.113.7")];
    let arrived = sealed_span(&mut sealer_with(shortened), span(sent));
    assert_eq!(arrived.attributes, vec![text("rpc.method", "203.0.113.0")]);
}

#[test]
fn free_text_that_a_policy_lets_cross_loses_what_is_detected() {
    let free = |rules: &str| {
        let rules = rules.replacen("deny: [secret, free, special,", "deny: [secret, special,", 1);
        let rules = rules.replace("  - never: {class: [special, free], crosses: any}\n", "");
        rules.replacen("op: raw", "op: raw\n      free: {only: {exception.message: raw}}", 1)
    };
    let mut sealer = sealer_with(free);
    let mut arrives =
        |message: &str| sealed_span(&mut sealer, span(vec![text("exception.message", message)])).attributes;
    assert_eq!(arrives("disk is full; try again").len(), 1);
    for message in ["no card for jane@example.org", "declined: 4111 1111 1111 1111", "from 203.0.113.7"] {
        assert_eq!(arrives(message), Vec::<KeyValue>::new(), "{message}");
    }
}

/// Guarantees: a policy that lets stack traces cross lets their frames cross, not what their messages quote.
#[test]
fn of_a_stack_trace_only_frames_cross() {
    let free = |rules: &str| {
        let rules = rules.replacen("deny: [secret, free, special,", "deny: [secret, special,", 1);
        let rules = rules.replace("  - never: {class: [special, free], crosses: any}\n", "");
        rules.replacen("op: raw", "op: raw\n      free: {only: {exception.stacktrace: raw}}", 1)
    };
    let mut sealer = sealer_with(free);
    let mut arrives =
        |value: Value| sealed_span(&mut sealer, span(vec![attribute("exception.stacktrace", value)])).attributes;
    let trace = "Oops: no card for jane@example.org\n\tat a.B.c(B.java:7)\nCaused by: jane";
    let kept = vec![text("exception.stacktrace", "at a.B.c(B.java:7)")];
    assert_eq!(arrives(Value::StringValue(trace.to_owned())), kept);
    for whole in [Value::StringValue("jane:1".to_owned()), list(&["at a.B.c(B.java:7)"]), Value::IntValue(7)] {
        assert_eq!(arrives(whole), Vec::<KeyValue>::new());
    }
}

/// Guarantees: an attribute that is a server's own address keeps it; on a device, and under any other key, it is a person's.
#[test]
fn addresses_of_servers_are_words_of_a_system() {
    let own = vec![text("server.address", "203.0.113.7"), text("service.instance.id", "203.0.113.7:8080")];
    assert_eq!(sealed_span(&mut example(), span(own.clone())).attributes, own);
    let other = vec![text("peer.service", "203.0.113.7"), text("server.address", "4111111111111111")];
    assert!(sealed_span(&mut example(), span(other)).attributes.is_empty());
}
