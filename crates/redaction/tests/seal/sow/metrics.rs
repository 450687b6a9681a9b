//! Metrics of all five kinds with a marker in every place.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, number_data_point,
};

use super::Sower;

impl Sower {
    pub(crate) fn metrics(&mut self) -> ExportMetricsServiceRequest {
        let group = |sower: &mut Self| ResourceMetrics {
            resource: Some(sower.resource()),
            scope_metrics: (0..=sower.below(2)).map(|_| sower.scope_metrics()).collect(),
            schema_url: sower.hidden(),
        };
        ExportMetricsServiceRequest { resource_metrics: (0..=self.below(2)).map(|_| group(self)).collect() }
    }

    fn scope_metrics(&mut self) -> ScopeMetrics {
        ScopeMetrics {
            scope: Some(self.scope()),
            metrics: (0..=self.below(3)).map(|_| self.metric()).collect(),
            schema_url: self.scope_url(),
        }
    }

    fn metric(&mut self) -> Metric {
        let hides_unit = self.below(2) == 0;
        Metric {
            name: format!("shop.{}", self.shown()),
            description: self.hidden(),
            unit: if hides_unit { format!("jane@{}", self.hidden()) } else { format!("{{{}}}", self.shown()) },
            metadata: self.attributes(),
            data: Some(self.data()),
        }
    }

    fn data(&mut self) -> Data {
        let points = 0..=self.below(2);
        match self.below(5) {
            0 => Data::Gauge(Gauge { data_points: points.map(|_| self.number_point()).collect() }),
            1 => Data::Sum(Sum {
                data_points: points.map(|_| self.number_point()).collect(),
                aggregation_temporality: 2,
                is_monotonic: true,
            }),
            2 => Data::Histogram(Histogram {
                data_points: points.map(|_| self.histogram_point()).collect(),
                aggregation_temporality: 1,
            }),
            3 => Data::ExponentialHistogram(ExponentialHistogram {
                data_points: points.map(|_| self.exponential_point()).collect(),
                aggregation_temporality: 2,
            }),
            _ => Data::Summary(Summary { data_points: points.map(|_| self.summary_point()).collect() }),
        }
    }

    fn number_point(&mut self) -> NumberDataPoint {
        let value = match self.below(2) {
            0 => number_data_point::Value::AsInt(self.random().cast_signed()),
            _ => number_data_point::Value::AsDouble(0.5),
        };
        NumberDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.random(),
            time_unix_nano: self.random(),
            exemplars: self.exemplars(),
            flags: 0,
            value: Some(value),
        }
    }

    fn histogram_point(&mut self) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.random(),
            time_unix_nano: self.random(),
            count: 3,
            sum: Some(2.5),
            bucket_counts: vec![1, 0, 2],
            explicit_bounds: vec![0.5, 1.5],
            exemplars: self.exemplars(),
            flags: 0,
            min: Some(0.25),
            max: Some(2.0),
        }
    }

    fn exponential_point(&mut self) -> ExponentialHistogramDataPoint {
        ExponentialHistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.random(),
            time_unix_nano: self.random(),
            count: 300,
            sum: Some(-2.5),
            scale: -3,
            zero_count: 1,
            positive: Some(Buckets { offset: -7, bucket_counts: vec![1, 0, 297] }),
            negative: Some(Buckets { offset: 4, bucket_counts: vec![1] }),
            flags: 0,
            exemplars: self.exemplars(),
            min: Some(-9.0),
            max: Some(2.0),
            zero_threshold: 0.125,
        }
    }

    fn summary_point(&mut self) -> SummaryDataPoint {
        SummaryDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.random(),
            time_unix_nano: self.random(),
            count: 5,
            sum: 2.5,
            quantile_values: vec![ValueAtQuantile { quantile: 0.5, value: 0.75 }],
            flags: 0,
        }
    }

    fn exemplars(&mut self) -> Vec<Exemplar> {
        let exemplar = |sower: &mut Self| Exemplar {
            filtered_attributes: sower.attributes(),
            time_unix_nano: sower.random(),
            span_id: sower.bytes::<8>(),
            trace_id: sower.bytes::<16>(),
            value: Some(exemplar::Value::AsDouble(0.75)),
        };
        (0..self.below(3)).map(|_| exemplar(self)).collect()
    }
}
