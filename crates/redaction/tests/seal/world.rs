//! The example federation with keys, and requests in and out of it.

use std::sync::{Arc, LazyLock};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use time::macros::date;
use tollgate_config::Set;
use tollgate_federation::{Federation, FederationDraft, LinkId, Origin, Signal};
use tollgate_otlp::{Index, Limits, walk_traces};
use tollgate_redaction::{Epoch, Keys, RootKey, SealedBatch, Sealer};
use tollgate_residency::{Policy, Table};

/// 1 December 2026, noon.
pub(crate) const ARRIVAL: u64 = 1_796_126_400_000_000_000;

pub(crate) struct Roots {
    pub(crate) names: &'static [&'static str],
}

impl Keys for Roots {
    fn root(&self, name: &str, epoch: Epoch) -> Option<RootKey> {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&epoch.number().to_be_bytes());
        self.names.contains(&name).then(|| RootKey::new(bytes))
    }
}

pub(crate) const ALL_KEYS: Roots = Roots { names: &["user", "session"] };

/// The example's residency rules with other words here and there.
pub(crate) fn table_with(change: impl Fn(&str) -> String, from: &str, link: u16) -> Table {
    table_of(change, str::to_owned, from, link)
}

/// The same with other words in the catalogue too.
pub(crate) fn table_of(
    change: impl Fn(&str) -> String,
    change_catalogue: impl Fn(&str) -> String,
    from: &str,
    link: u16,
) -> Table {
    table_on(Signal::Traces, change, change_catalogue, from, link)
}

/// The same for another signal, over links that carry all of them.
pub(crate) fn table_on(
    signal: Signal,
    change: impl Fn(&str) -> String,
    change_catalogue: impl Fn(&str) -> String,
    from: &str,
    link: u16,
) -> Table {
    let (policy, federation) = documents(change, change_catalogue);
    let origin: Origin = from.parse().unwrap();
    policy.table(&federation, LinkId(link), signal, &origin, date!(2026 - 12 - 01)).unwrap()
}

/// The documents of the example with other words here and there, over links that carry all signals.
pub(crate) fn documents(
    change: impl Fn(&str) -> String,
    change_catalogue: impl Fn(&str) -> String,
) -> (Policy, Federation) {
    let catalogue = change_catalogue(include_str!("../../../../policies/catalogue.yaml"));
    let residency = change(include_str!("../../../../policies/residency.yaml"));
    let federation = include_str!("../../../../regions/federation.yaml");
    let federation = federation.replace("signals: [traces]", "signals: [traces, metrics, logs]");
    let (set, faults) = Set::from_texts([
        ("regions/federation.yaml", federation.as_str()),
        ("regions/eu-west.yaml", include_str!("../../../../regions/eu-west.yaml")),
        ("regions/uk-south.yaml", include_str!("../../../../regions/uk-south.yaml")),
        ("regions/us-east.yaml", include_str!("../../../../regions/us-east.yaml")),
        ("policies/catalogue.yaml", catalogue.as_str()),
        ("policies/residency.yaml", residency.as_str()),
    ]);
    let draft = FederationDraft::read(&set, &faults);
    let policy = Policy::read(&set, &draft, &faults);
    assert_eq!(faults.to_string(), "");
    policy.zip(draft.whole()).unwrap()
}

pub(crate) fn example() -> Sealer {
    static TABLE: LazyLock<Arc<Table>> = LazyLock::new(|| Arc::new(table_with(str::to_owned, "EEA", 0)));
    Sealer::new(Arc::clone(&TABLE), Arc::new(ALL_KEYS))
}

pub(crate) fn walked(payload: &[u8]) -> Index {
    let walked = walk_traces(payload, &Limits::default()).unwrap();
    assert_eq!(walked.rejected, None);
    walked.index
}

pub(crate) fn seal(sealer: &mut Sealer, request: &ExportTraceServiceRequest) -> SealedBatch {
    let payload = request.encode_to_vec();
    sealer.seal(&payload, &walked(&payload), ARRIVAL)
}

#[expect(clippy::disallowed_methods, reason = "prost is the oracle here")]
pub(crate) fn decoded(bytes: &[u8]) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest::decode(bytes).unwrap()
}

/// Seals one span of a server and returns what arrives of it.
pub(crate) fn sealed_span(sealer: &mut Sealer, span: Span) -> Span {
    let out = seal(sealer, &request(vec![text("service.name", "checkout")], vec![span]));
    let mut request = decoded(&out.whole().bytes());
    request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0)
}

pub(crate) fn request(resource: Vec<KeyValue>, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let resource = Some(Resource { attributes: resource, ..Resource::default() });
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource, scope_spans, schema_url: String::new() }],
    }
}

/// A span as SDKs write it: what stands before its attributes is read at one go.
pub(crate) fn span(attributes: Vec<KeyValue>) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "GET".to_owned(),
        kind: 2,
        start_time_unix_nano: 1,
        end_time_unix_nano: 2,
        attributes,
        ..Span::default()
    }
}

pub(crate) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

/// The text of an attribute; of none, if it is not there.
pub(crate) fn found<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}
