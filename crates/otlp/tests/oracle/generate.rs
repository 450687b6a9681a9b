//! Random requests of every message type of OTLP, as prost's structs.

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
        NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar,
        exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
        summary_data_point::ValueAtQuantile,
    },
    resource::v1::Resource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span, Status,
        span::{Event, Link},
    },
};
use proptest::{
    collection::vec,
    option,
    prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof},
    sample::select,
};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(vec!["", "GET", "user.email", "http.request.method", "größe", "a string of more than sixteen bytes"])
            .prop_map(str::to_owned),
        1 => "\\PC{0,24}",
        1 => "[a-z]{120,140}",
    ]
}

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(-0.0), Just(f64::INFINITY), -1e9..1e9]
}

fn any_value() -> BoxedStrategy<AnyValue> {
    let leaf = prop_oneof![
        Just(None),
        text().prop_map(|value| Some(Value::StringValue(value))),
        any::<bool>().prop_map(|value| Some(Value::BoolValue(value))),
        any::<i64>().prop_map(|value| Some(Value::IntValue(value))),
        double().prop_map(|value| Some(Value::DoubleValue(value))),
        vec(any::<u8>(), 0..20).prop_map(|value| Some(Value::BytesValue(value))),
    ];
    leaf.prop_map(|value| AnyValue { value })
        .prop_recursive(4, 12, 3, |inner| {
            let pairs = vec((text(), option::of(inner.clone())).prop_map(key_value), 0..3);
            prop_oneof![
                vec(inner, 0..3).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
                pairs.prop_map(|values| Value::KvlistValue(KeyValueList { values })),
            ]
            .prop_map(|value| AnyValue { value: Some(value) })
        })
        .boxed()
}

fn key_value((key, value): (String, Option<AnyValue>)) -> KeyValue {
    KeyValue { key, value, ..KeyValue::default() }
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec((text(), option::weighted(0.9, any_value())).prop_map(key_value), 0..4)
}

fn resource() -> impl Strategy<Value = Resource> {
    let entity = (text(), text(), vec(text(), 0..3), vec(text(), 0..2)).prop_map(
        |(schema_url, kind, id_keys, description_keys)| EntityRef {
            schema_url,
            r#type: kind,
            id_keys,
            description_keys,
        },
    );
    (attributes(), any::<u32>(), vec(entity, 0..2)).prop_map(|(attributes, dropped_attributes_count, entity_refs)| {
        Resource { attributes, dropped_attributes_count, entity_refs }
    })
}

fn scope() -> impl Strategy<Value = InstrumentationScope> {
    (text(), text(), attributes(), any::<u32>()).prop_map(|(name, version, attributes, dropped_attributes_count)| {
        InstrumentationScope { name, version, attributes, dropped_attributes_count }
    })
}

/// A few traces only, so that they spread over resources and scopes.
pub(crate) fn trace_id() -> impl Strategy<Value = Vec<u8>> {
    (1_u8..7).prop_map(|id| [&[0xc0; 15][..], &[id]].concat())
}

fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(1_u8.., length)
}

fn id_or_none(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(Vec::new()), Just(vec![0; length]), id(length)]
}

fn event() -> impl Strategy<Value = Event> {
    (any::<u64>(), text(), attributes(), any::<u32>()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    )
}

fn link() -> impl Strategy<Value = Link> {
    (id_or_none(16), id_or_none(8), text(), attributes(), any::<u32>(), any::<u32>()).prop_map(
        |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        },
    )
}

pub(crate) fn span() -> impl Strategy<Value = Span> {
    let ids = (trace_id(), id(8), id_or_none(8));
    let plain = (text(), text(), any::<u32>(), any::<i32>(), any::<u64>(), any::<u64>());
    let lists = (attributes(), vec(event(), 0..2), vec(link(), 0..2));
    let status = option::of((text(), any::<i32>()).prop_map(|(message, code)| Status { message, code }));
    (ids, plain, lists, any::<[u32; 3]>(), status).prop_map(|(ids, plain, lists, dropped, status)| Span {
        trace_id: ids.0,
        span_id: ids.1,
        parent_span_id: ids.2,
        trace_state: plain.0,
        name: plain.1,
        flags: plain.2,
        kind: plain.3,
        start_time_unix_nano: plain.4,
        end_time_unix_nano: plain.5,
        attributes: lists.0,
        events: lists.1,
        links: lists.2,
        dropped_attributes_count: dropped[0],
        dropped_events_count: dropped[1],
        dropped_links_count: dropped[2],
        status,
    })
}

/// A request with up to three resources of up to three scopes each.
pub(crate) fn traces() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scopes = (option::of(scope()), vec(span(), 0..4), text()).prop_map(|(scope, spans, schema_url)| ScopeSpans {
        scope,
        spans,
        schema_url,
    });
    let resources = (option::of(resource()), vec(scopes, 0..3), text())
        .prop_map(|(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url });
    vec(resources, 0..4).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

fn log_record() -> impl Strategy<Value = LogRecord> {
    let plain = (any::<u64>(), any::<u64>(), any::<i32>(), text(), text(), any::<u32>(), any::<u32>());
    (plain, option::of(any_value()), attributes(), id_or_none(16), id_or_none(8)).prop_map(
        |(plain, body, attributes, trace_id, span_id)| LogRecord {
            time_unix_nano: plain.0,
            observed_time_unix_nano: plain.1,
            severity_number: plain.2,
            severity_text: plain.3,
            event_name: plain.4,
            dropped_attributes_count: plain.5,
            flags: plain.6,
            body,
            attributes,
            trace_id,
            span_id,
        },
    )
}

pub(crate) fn logs() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let scopes = (option::of(scope()), vec(log_record(), 0..4), text())
        .prop_map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url });
    let resources = (option::of(resource()), vec(scopes, 0..3), text())
        .prop_map(|(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url });
    vec(resources, 0..4).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}

fn exemplar() -> impl Strategy<Value = Exemplar> {
    let value =
        prop_oneof![double().prop_map(exemplar::Value::AsDouble), any::<i64>().prop_map(exemplar::Value::AsInt),];
    (attributes(), any::<u64>(), id_or_none(8), id_or_none(16), option::of(value)).prop_map(
        |(filtered_attributes, time_unix_nano, span_id, trace_id, value)| Exemplar {
            filtered_attributes,
            time_unix_nano,
            span_id,
            trace_id,
            value,
        },
    )
}

fn number_points() -> impl Strategy<Value = Vec<NumberDataPoint>> {
    let value = prop_oneof![
        double().prop_map(number_data_point::Value::AsDouble),
        any::<i64>().prop_map(number_data_point::Value::AsInt),
    ];
    let point = (attributes(), any::<[u64; 2]>(), vec(exemplar(), 0..2), any::<u32>(), option::of(value));
    vec(
        point.prop_map(|(attributes, [start_time_unix_nano, time_unix_nano], exemplars, flags, value)| {
            NumberDataPoint { attributes, start_time_unix_nano, time_unix_nano, exemplars, flags, value }
        }),
        0..3,
    )
}

fn histogram_point() -> impl Strategy<Value = HistogramDataPoint> {
    let optional = [option::of(double()), option::of(double()), option::of(double())];
    (attributes(), any::<[u64; 3]>(), vec(any::<u64>(), 0..5), vec(double(), 0..4), vec(exemplar(), 0..2), optional)
        .prop_map(|(attributes, numbers, bucket_counts, explicit_bounds, exemplars, [sum, min, max])| {
            HistogramDataPoint {
                attributes,
                start_time_unix_nano: numbers[0],
                time_unix_nano: numbers[1],
                count: numbers[2],
                sum,
                bucket_counts,
                explicit_bounds,
                exemplars,
                flags: 1,
                min,
                max,
            }
        })
}

fn exponential_point() -> impl Strategy<Value = ExponentialHistogramDataPoint> {
    fn buckets() -> impl Strategy<Value = Option<Buckets>> {
        let buckets = (any::<i32>(), vec(any::<u64>(), 0..5));
        option::of(buckets.prop_map(|(offset, bucket_counts)| Buckets { offset, bucket_counts }))
    }
    let optional = [option::of(double()), option::of(double()), option::of(double())];
    (attributes(), any::<[u64; 4]>(), any::<i32>(), [buckets(), buckets()], vec(exemplar(), 0..2), optional, double())
        .prop_map(|(attributes, numbers, scale, [positive, negative], exemplars, [sum, min, max], zero_threshold)| {
            ExponentialHistogramDataPoint {
                attributes,
                start_time_unix_nano: numbers[0],
                time_unix_nano: numbers[1],
                count: numbers[2],
                zero_count: numbers[3],
                sum,
                scale,
                positive,
                negative,
                flags: 0,
                exemplars,
                min,
                max,
                zero_threshold,
            }
        })
}

fn summary_point() -> impl Strategy<Value = SummaryDataPoint> {
    let quantiles = vec((double(), double()).prop_map(|(quantile, value)| ValueAtQuantile { quantile, value }), 0..3);
    (attributes(), any::<[u64; 3]>(), double(), quantiles).prop_map(|(attributes, numbers, sum, quantile_values)| {
        SummaryDataPoint {
            attributes,
            start_time_unix_nano: numbers[0],
            time_unix_nano: numbers[1],
            count: numbers[2],
            sum,
            quantile_values,
            flags: 3,
        }
    })
}

fn data() -> impl Strategy<Value = Data> {
    prop_oneof![
        number_points().prop_map(|data_points| Data::Gauge(Gauge { data_points })),
        (number_points(), any::<i32>(), any::<bool>()).prop_map(
            |(data_points, aggregation_temporality, is_monotonic)| Data::Sum(Sum {
                data_points,
                aggregation_temporality,
                is_monotonic
            })
        ),
        (vec(histogram_point(), 0..2), 0..3).prop_map(|(data_points, aggregation_temporality)| Data::Histogram(
            Histogram { data_points, aggregation_temporality }
        )),
        (vec(exponential_point(), 0..2), 0..3).prop_map(|(data_points, aggregation_temporality)| {
            Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality })
        }),
        vec(summary_point(), 0..2).prop_map(|data_points| Data::Summary(Summary { data_points })),
    ]
}

pub(crate) fn metrics() -> impl Strategy<Value = ExportMetricsServiceRequest> {
    let metric = (text(), text(), text(), attributes(), option::of(data()))
        .prop_map(|(name, description, unit, metadata, data)| Metric { name, description, unit, metadata, data });
    let scopes = (option::of(scope()), vec(metric, 0..3), text())
        .prop_map(|(scope, metrics, schema_url)| ScopeMetrics { scope, metrics, schema_url });
    let resources = (option::of(resource()), vec(scopes, 0..2), text())
        .prop_map(|(resource, scope_metrics, schema_url)| ResourceMetrics { resource, scope_metrics, schema_url });
    vec(resources, 0..3).prop_map(|resource_metrics| ExportMetricsServiceRequest { resource_metrics })
}

/// Damage to a message: bytes replaced, cut out, put in or doubled, anywhere.
#[derive(Debug, Clone)]
pub(crate) enum Damage {
    Replace(usize, u8),
    Insert(usize, u8),
    Cut(usize, usize),
    Double(usize, usize),
}

pub(crate) fn damages() -> impl Strategy<Value = Vec<Damage>> {
    // Small bytes are tags and lengths more often than others.
    let byte = prop_oneof![0_u8..24, any::<u8>()];
    vec(
        prop_oneof![
            6 => (any::<usize>(), byte.clone()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
            1 => (any::<usize>(), byte).prop_map(|(at, byte)| Damage::Insert(at, byte)),
            1 => (any::<usize>(), 1_usize..12).prop_map(|(at, length)| Damage::Cut(at, length)),
            1 => (any::<usize>(), 1_usize..40).prop_map(|(at, length)| Damage::Double(at, length)),
        ],
        1..5,
    )
}

pub(crate) fn damage(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let length = bytes.len();
        match *damage {
            _ if length == 0 => {}
            Damage::Replace(at, byte) => bytes[at % length] = byte,
            Damage::Insert(at, byte) => bytes.insert(at % length, byte),
            Damage::Cut(at, count) => drop(bytes.drain(at % length..(at % length + count).min(length))),
            Damage::Double(at, count) => bytes.extend_from_within(at % length..(at % length + count).min(length)),
        }
    }
    bytes
}
