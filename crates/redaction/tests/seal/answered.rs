//! What must hold of whatever comes out, for any bytes that come in: every text, key and id has its answer in the table.
//!
//! The fuzz target `seal` is this file too.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, Metric};
use opentelemetry_proto::tonic::trace::v1::Span;
use tollgate_federation::Signal;
use tollgate_otlp::Index;
use tollgate_residency::{Action, Carrier, Class, Resource, Table};

use crate::signals::{logs_of, metrics_of, sealer, walk};
use crate::world::{ARRIVAL, decoded};

/// Takes any bytes: the first chooses the signal, and the others come in at the door.
pub(crate) fn any_bytes(bytes: &[u8]) {
    let Some((first, payload)) = bytes.split_first() else { return };
    seal(Signal::ALL[usize::from(first % 3)], payload);
}

/// Seals a request, if the door takes it, and looks at all that comes out.
pub(crate) fn seal(signal: Signal, payload: &[u8]) {
    if let Ok(walked) = walk(signal, payload) {
        seal_by(signal, payload, &walked.index);
    }
}

/// The same with an index that may be of other bytes, as after a bit flip on disk.
pub(crate) fn seal_by(signal: Signal, payload: &[u8], index: &Index) {
    let mut sealer = sealer(signal);
    let out = sealer.seal(payload, index, ARRIVAL);
    let counts = *out.counts();
    assert_eq!(counts.items_in, index.items() as u64);
    assert_eq!(counts.items_in, counts.items_out + counts.withheld());
    let (look, whole) = (Look(sealer.table()), out.whole());
    match signal {
        Signal::Traces => {
            for group in decoded(&whole.bytes()).resource_spans {
                look.resource(group.resource, &group.schema_url);
                for group in group.scope_spans {
                    look.scope(group.scope, &group.schema_url);
                    group.spans.iter().for_each(|span| look.span(span));
                }
            }
        }
        Signal::Metrics => {
            for group in metrics_of(&whole).resource_metrics {
                look.resource(group.resource, &group.schema_url);
                for group in group.scope_metrics {
                    look.scope(group.scope, &group.schema_url);
                    group.metrics.iter().for_each(|metric| look.metric(metric));
                }
            }
        }
        Signal::Logs => {
            for group in logs_of(&whole).resource_logs {
                look.resource(group.resource, &group.schema_url);
                for group in group.scope_logs {
                    look.scope(group.scope, &group.schema_url);
                    group.log_records.iter().for_each(|record| look.log_record(record));
                }
            }
        }
    }
}

fn looks_operational(text: &str) -> bool {
    text.len() <= 256 && text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains('@')
}

/// What a name of a span may be composed of, and that of a place: a few texts that cross.
fn looks_composed(name: &str) -> bool {
    name.split(' ').count() <= 5 && name.split(' ').all(looks_operational)
}

fn is_id(id: &[u8], length: usize) -> bool {
    id.is_empty() || id.len() == length
}

/// Looks at what crossed under a table.
struct Look<'t>(&'t Table);

impl Look<'_> {
    fn attributes(&self, carrier: Carrier, attributes: &[KeyValue]) {
        for KeyValue { key, value, .. } in attributes {
            let text = match value.as_ref().and_then(|any| any.value.as_ref()) {
                Some(Value::StringValue(text)) => text.as_str(),
                value => {
                    let nested = matches!(value, Some(Value::KvlistValue(_) | Value::BytesValue(_)));
                    assert!(!nested, "a nested value under {key}");
                    ""
                }
            };
            if carrier == Carrier::ScopeAttributes && key == "tollgate.policy" {
                assert_eq!(text.len(), 16);
                continue;
            }
            if carrier == Carrier::ResourceAttributes && key == "tollgate.resource" {
                assert_eq!(text, "device");
                continue;
            }
            if carrier == Carrier::MetricMetadata && key == "tollgate.dropped_attributes_count" {
                continue;
            }
            let cell = self.0.attribute(carrier, key.as_bytes(), Resource::Server);
            assert!(
                match cell.action {
                    Action::Absent | Action::Blind(_) => false,
                    Action::Hmac(_) => text.starts_with("tg1.") && text.len() == 38,
                    Action::Truncate { .. } => text.ends_with(".0") || text.ends_with("::"),
                    Action::Raw if cell.class == Class::Quasi => looks_composed(text),
                    Action::Raw => looks_operational(text),
                },
                "{key} in {carrier}"
            );
        }
    }

    fn resource(&self, resource: Option<opentelemetry_proto::tonic::resource::v1::Resource>, url: &str) {
        let resource = resource.unwrap_or_default();
        self.attributes(Carrier::ResourceAttributes, &resource.attributes);
        assert!(resource.entity_refs.is_empty() && url.len() < 64);
    }

    fn scope(&self, scope: Option<InstrumentationScope>, url: &str) {
        let scope = scope.unwrap_or_default();
        self.attributes(Carrier::ScopeAttributes, &scope.attributes);
        assert!(looks_operational(&scope.name) && looks_operational(&scope.version) && url.len() < 64);
    }

    fn event_name(&self, name: &str) {
        assert!(name.is_empty() || name == "withheld" || self.0.lists_event(name));
    }

    fn span(&self, span: &Span) {
        self.attributes(Carrier::SpanAttributes, &span.attributes);
        assert!(looks_composed(&span.name));
        let known = |state: &str| state.is_empty() || state.starts_with("ot=");
        assert!(known(&span.trace_state) && is_id(&span.parent_span_id, 8));
        assert!(span.status.as_ref().is_none_or(|status| status.message.is_empty()));
        for event in &span.events {
            self.attributes(Carrier::EventAttributes, &event.attributes);
            self.event_name(&event.name);
        }
        for link in &span.links {
            self.attributes(Carrier::LinkAttributes, &link.attributes);
            assert!(known(&link.trace_state));
        }
    }

    fn log_record(&self, record: &LogRecord) {
        self.attributes(Carrier::LogAttributes, &record.attributes);
        self.event_name(&record.event_name);
        assert!(record.body.is_none() && record.severity_text.is_empty());
        assert!((0..=24).contains(&record.severity_number) && record.flags <= 0xff);
        assert!(is_id(&record.trace_id, 16) && is_id(&record.span_id, 8));
    }

    fn metric(&self, metric: &Metric) {
        self.attributes(Carrier::MetricMetadata, &metric.metadata);
        assert!(looks_operational(&metric.name) && !metric.name.contains(' '));
        assert!(looks_operational(&metric.unit) && metric.unit.len() < 64 && metric.description.is_empty());
        let points: Vec<(&[KeyValue], &[Exemplar], u32)> = match &metric.data {
            None => Vec::new(),
            Some(Data::Gauge(data)) => {
                data.data_points.iter().map(|one| (&*one.attributes, &*one.exemplars, one.flags)).collect()
            }
            Some(Data::Sum(data)) => {
                assert!((0..=2).contains(&data.aggregation_temporality));
                data.data_points.iter().map(|one| (&*one.attributes, &*one.exemplars, one.flags)).collect()
            }
            Some(Data::Histogram(data)) => {
                assert!((0..=2).contains(&data.aggregation_temporality));
                data.data_points.iter().map(|one| (&*one.attributes, &*one.exemplars, one.flags)).collect()
            }
            Some(Data::ExponentialHistogram(data)) => {
                assert!((0..=2).contains(&data.aggregation_temporality));
                data.data_points.iter().map(|one| (&*one.attributes, &*one.exemplars, one.flags)).collect()
            }
            Some(Data::Summary(data)) => {
                data.data_points.iter().map(|one| (&*one.attributes, &[][..], one.flags)).collect()
            }
        };
        for (attributes, exemplars, flags) in points {
            assert!(flags <= 1);
            self.attributes(Carrier::PointAttributes, attributes);
            for exemplar in exemplars {
                self.attributes(Carrier::ExemplarAttributes, &exemplar.filtered_attributes);
                assert!(is_id(&exemplar.trace_id, 16) && is_id(&exemplar.span_id, 8));
            }
        }
    }
}
