//! Every attribute of a request, with the carrier that it stands in.

use tollgate_federation::Signal;
use tollgate_otlp::{RawAttribute, ResourceGroup, messages, raw_attributes};
use tollgate_residency::Carrier;

/// Asks for each attribute of a resource's group; those of the resource come first.
pub(crate) fn each<'a>(signal: Signal, group: &ResourceGroup<'a>, visit: &mut impl FnMut(Carrier, RawAttribute<'a>)) {
    all(Carrier::ResourceAttributes, group.resource(), 1, visit);
    for scope in group.scopes() {
        all(Carrier::ScopeAttributes, scope.scope(), 3, visit);
        for item in scope.items() {
            of_item(signal, item.body(), visit);
        }
    }
}

/// Asks for each attribute of an item: a span, a metric or a log record.
pub(crate) fn of_item<'a>(signal: Signal, body: &'a [u8], visit: &mut impl FnMut(Carrier, RawAttribute<'a>)) {
    match signal {
        Signal::Traces => {
            all(Carrier::SpanAttributes, body, 9, visit);
            messages(body, 11).for_each(|event| all(Carrier::EventAttributes, event, 3, visit));
            messages(body, 13).for_each(|link| all(Carrier::LinkAttributes, link, 4, visit));
        }
        Signal::Logs => all(Carrier::LogAttributes, body, 6, visit),
        Signal::Metrics => {
            all(Carrier::MetricMetadata, body, 12, visit);
            // The data of a metric, the field of a point's attributes and that of its exemplars.
            for (data, attributes, exemplars) in POINTS {
                for point in messages(body, data).flat_map(|data| messages(data, 1)) {
                    all(Carrier::PointAttributes, point, attributes, visit);
                    let exemplars = exemplars.map(|number| messages(point, number)).into_iter().flatten();
                    exemplars.for_each(|one| all(Carrier::ExemplarAttributes, one, 7, visit));
                }
            }
        }
    }
}

/// Gauge, sum, histogram, exponential histogram, summary (`opentelemetry/proto/metrics/v1/metrics.proto`).
const POINTS: [(u32, u32, Option<u32>); 5] =
    [(5, 7, Some(5)), (7, 7, Some(5)), (9, 9, Some(8)), (10, 1, Some(11)), (11, 7, None)];

fn all<'a>(carrier: Carrier, body: &'a [u8], number: u32, visit: &mut impl FnMut(Carrier, RawAttribute<'a>)) {
    raw_attributes(body, number).for_each(|attribute| visit(carrier, attribute));
}
