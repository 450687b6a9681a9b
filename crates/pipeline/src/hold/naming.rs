//! Writes into the scopes of kept spans which policy kept them, as the Collector does behind its gate `recordpolicy`.
//!
//! Promises:
//! 1. Nothing but the scope changes: spans and all that stands beside them stay byte for byte.
//! 2. What a service wrote under that name is replaced, never doubled.

use tollgate_otlp::Writer;
use tollgate_otlp::messages;
use tollgate_otlp::wire::{Fields, Wire};

/// The Collector's name.
const POLICY: &str = "tailsampling.policy";
/// `ExportTraceServiceRequest.resource_spans`, `ResourceSpans.scope_spans`, `ScopeSpans.scope`,
/// `InstrumentationScope.attributes`.
const RESOURCE_SPANS: u32 = 1;
const SCOPE_SPANS: u32 = 2;
const SCOPE: u32 = 1;
const ATTRIBUTES: u32 = 3;
/// `KeyValue.key`.
const KEY: u32 = 1;

/// Appends a request that was walked, with every scope naming the policy.
pub(super) fn name(request: &[u8], policy: &str, out: &mut Vec<u8>) {
    let mut out = Writer::new(out);
    for resource_spans in messages(request, RESOURCE_SPANS) {
        out.message(RESOURCE_SPANS, |out| {
            for field in Fields::new(resource_spans).flatten() {
                match field.value {
                    Wire::Bytes(scope_spans) if field.number == SCOPE_SPANS => {
                        out.message(SCOPE_SPANS, |out| name_scope(scope_spans, policy, out));
                    }
                    _ => out.raw(field.raw),
                }
            }
        });
    }
}

fn name_scope(scope_spans: &[u8], policy: &str, out: &mut Writer<'_>) {
    out.message(SCOPE, |out| {
        for scope in messages(scope_spans, SCOPE) {
            let fields = Fields::new(scope).flatten();
            fields.filter(|field| !is_named(field.number, &field.value)).for_each(|field| out.raw(field.raw));
        }
        out.key_string(ATTRIBUTES, POLICY, policy);
    });
    let others = Fields::new(scope_spans).flatten().filter(|field| field.number != SCOPE);
    others.for_each(|field| out.raw(field.raw));
}

fn is_named(number: u32, value: &Wire<'_>) -> bool {
    match value {
        Wire::Bytes(body) if number == ATTRIBUTES => messages(body, KEY).next() == Some(POLICY.as_bytes()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tollgate_otlp::json::{Message, encode};

    use super::*;
    use crate::rig::{numbers, spans};

    fn named(request: &[u8], policy: &str) -> Vec<u8> {
        let mut out = Vec::new();
        name(request, policy, &mut out);
        out
    }

    /// Its scopes, and the rest without them.
    fn parted(request: &[u8]) -> (Vec<Value>, Value) {
        let mut text = Vec::new();
        encode(Message::Traces, request, &mut text).unwrap();
        let mut json: Value = serde_json::from_slice(&text).unwrap();
        let mut scopes = Vec::new();
        for resource in json["resourceSpans"].as_array_mut().unwrap() {
            for scope_spans in resource["scopeSpans"].as_array_mut().unwrap() {
                scopes.extend(scope_spans.as_object_mut().unwrap().remove("scope"));
            }
        }
        (scopes, json)
    }

    /// Guarantees: each scope has the attribute once, whatever stood there, and all else is as it was.
    #[test]
    fn every_scope_names_the_policy_once() {
        let request = spans(0..3);
        let once = named(&request, "errors");
        assert_eq!(once, named(&named(&request, "slow"), "errors"));
        assert_eq!(numbers(&once), numbers(&request));
        let ((scopes, rest), (_, before)) = (parted(&once), parted(&request));
        assert_eq!(rest, before);
        let attributes: Vec<_> = scopes.iter().map(|scope| scope["attributes"].to_string()).collect();
        assert!(!attributes.is_empty());
        let named = r#"[{"key":"tailsampling.policy","value":{"stringValue":"errors"}}]"#;
        assert!(attributes.iter().all(|attributes| attributes == named), "{attributes:?}");
    }
}
