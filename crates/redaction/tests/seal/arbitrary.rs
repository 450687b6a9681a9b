//! Whatever bytes come in at the door: of what comes out every text has its answer in the table.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use proptest::prelude::*;
use prost::Message;
use tollgate_otlp::{Limits, walk_traces};
use tollgate_residency::{Action, Carrier, Resource, Table};

use crate::sow::{Kind, Sower};
use crate::world::*;

/// What happens to the bytes of a request on its way.
#[derive(Clone, Debug)]
enum Damage {
    Flip(prop::sample::Index, u8),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Flip(at, byte)),
        (at(), 1_usize..40).prop_map(|(at, bytes)| Damage::Remove(at, bytes)),
        (at(), 1_usize..40).prop_map(|(at, bytes)| Damage::Repeat(at, bytes)),
        (at(), prop::collection::vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
    ]
}

fn suffer(payload: &mut Vec<u8>, damage: Damage) {
    match damage {
        Damage::Flip(at, byte) => {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        Damage::Remove(at, bytes) => {
            let at = at.index(payload.len());
            payload.drain(at..payload.len().min(at + bytes));
        }
        Damage::Repeat(at, bytes) => {
            let at = at.index(payload.len());
            let again = payload[at..payload.len().min(at + bytes)].to_vec();
            payload.splice(at..at, again);
        }
        Damage::Insert(at, bytes) => {
            let at = at.index(payload.len());
            payload.splice(at..at, bytes);
        }
    }
    if payload.is_empty() {
        payload.push(0);
    }
}

fn looks_operational(text: &str) -> bool {
    text.len() <= 256 && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') && !text.contains('@')
}

fn check(table: &Table, carrier: Carrier, attributes: &[KeyValue]) -> Result<(), TestCaseError> {
    for KeyValue { key, value, .. } in attributes {
        let text = match value.as_ref().and_then(|any| any.value.as_ref()) {
            Some(Value::StringValue(text)) => text.as_str(),
            Some(Value::KvlistValue(_) | Value::BytesValue(_)) => return Err(TestCaseError::fail("a nested value")),
            _ => "",
        };
        if carrier == Carrier::ScopeAttributes && key == "tollgate.policy" {
            prop_assert_eq!(text.len(), 16);
            continue;
        }
        let cell = table.attribute(carrier, key.as_bytes(), Resource::Server);
        match cell.action {
            Action::Absent => return Err(TestCaseError::fail(format!("{key} in {carrier}"))),
            Action::Hmac(_) => prop_assert!(text.starts_with("tg1.") && text.len() == 38),
            Action::Truncate { .. } => prop_assert!(text.ends_with(".0") || text.ends_with("::")),
            Action::Raw => prop_assert!(looks_operational(text), "{}", key),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Guarantees: on any bytes that the door takes, nothing but what the table answers for comes out.
    #[test]
    fn every_text_that_comes_out_has_its_answer(seed: u64, damages in prop::collection::vec(damage(), 0..8)) {
        let mut sower = Sower::new(seed);
        let sown = sower.request().encode_to_vec();
        let mut payload = sower.with_unknown_fields(&sown, Kind::Request(tollgate_federation::Signal::Traces));
        damages.into_iter().for_each(|damage| suffer(&mut payload, damage));
        let Ok(walked) = walk_traces(&payload, &Limits::default()) else { return Ok(()) };
        let mut sealer = example();
        let batch = sealer.seal(&payload, &walked.index, ARRIVAL);
        let arrived = decoded(&batch.whole().bytes());
        let table = sealer.table();
        for group in &arrived.resource_spans {
            let resource = group.resource.clone().unwrap_or_default();
            check(table, Carrier::ResourceAttributes, &resource.attributes)?;
            prop_assert!(resource.entity_refs.is_empty() && group.schema_url.len() < 64);
            for group in &group.scope_spans {
                let scope = group.scope.clone().unwrap_or_default();
                check(table, Carrier::ScopeAttributes, &scope.attributes)?;
                prop_assert!(looks_operational(&scope.name) && looks_operational(&scope.version));
                for span in &group.spans {
                    check(table, Carrier::SpanAttributes, &span.attributes)?;
                    prop_assert!(looks_operational(&span.name));
                    prop_assert!(span.trace_state.is_empty() || span.trace_state.starts_with("ot="));
                    prop_assert!(span.status.as_ref().is_none_or(|status| status.message.is_empty()));
                    for event in &span.events {
                        check(table, Carrier::EventAttributes, &event.attributes)?;
                        prop_assert!(event.name.is_empty() || event.name == "withheld" || table.lists_event(&event.name));
                    }
                    for link in &span.links {
                        check(table, Carrier::LinkAttributes, &link.attributes)?;
                        prop_assert!(link.trace_state.is_empty() || link.trace_state.starts_with("ot="));
                    }
                }
            }
        }
    }
}
