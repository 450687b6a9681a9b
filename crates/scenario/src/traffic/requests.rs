//! Gathers items into one request for each cluster and signal, under the resource of their service.

use std::collections::BTreeMap;

use tollgate_federation::Signal;
use tollgate_otlp::{SpanId, TraceId, Writer};

use super::plan::{Cluster, Site};

/// One OTLP request, as one SDK or collector of a cluster would send it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The cluster whose collector gets it.
    pub cluster: &'static str,
    /// The region of that cluster.
    pub region: &'static str,
    /// What it holds.
    pub signal: Signal,
    /// The request, as protobuf.
    pub bytes: Vec<u8>,
    /// How many spans, metrics or log records it holds.
    pub items: usize,
    /// The spans in it; empty for metrics and logs.
    pub spans: Vec<(TraceId, SpanId)>,
}

#[derive(Default)]
struct Items {
    bodies: Vec<Vec<u8>>,
    spans: Vec<(TraceId, SpanId)>,
}

/// What a batch holds so far.
#[derive(Default)]
pub(super) struct Gathered {
    by_site: BTreeMap<(usize, Cluster, &'static str), Items>,
}

impl Gathered {
    pub(super) fn add(&mut self, signal: Signal, site: Site, body: Vec<u8>, span: Option<(TraceId, SpanId)>) {
        let order = Signal::ALL.iter().position(|other| *other == signal).unwrap_or_default();
        let items = self.by_site.entry((order, site.cluster, site.service)).or_default();
        items.bodies.push(body);
        items.spans.extend(span);
    }

    pub(super) fn into_requests(self) -> Vec<Request> {
        let mut requests: Vec<Request> = Vec::new();
        for ((order, cluster, service), items) in self.by_site {
            let Some(signal) = Signal::ALL.get(order).copied() else { continue };
            let last = requests.last().filter(|last| last.signal == signal && last.cluster == cluster.name);
            if last.is_none() {
                requests.push(Request::empty(signal, cluster));
            }
            if let Some(request) = requests.last_mut() {
                request.add(cluster, service, items);
            }
        }
        requests
    }
}

impl Request {
    fn empty(signal: Signal, cluster: Cluster) -> Self {
        let (bytes, spans) = (Vec::new(), Vec::new());
        Self { cluster: cluster.name, region: cluster.region, signal, bytes, items: 0, spans }
    }

    /// The three signals have the same frame: resources (1) of scopes (2) of items (2).
    fn add(&mut self, cluster: Cluster, service: &str, items: Items) {
        self.items += items.bodies.len();
        self.spans.extend(items.spans);
        Writer::new(&mut self.bytes).message(1, |group| {
            group.message(1, |resource| write_resource(resource, cluster, service));
            group.message(2, |scope| {
                scope.message(1, |name| {
                    name.string(1, "io.opentelemetry.example");
                    name.string(2, "1.4.0");
                });
                for body in &items.bodies {
                    scope.bytes(2, body);
                }
            });
        });
    }
}

fn write_resource(resource: &mut Writer<'_>, cluster: Cluster, service: &str) {
    resource.key_string(1, "service.name", service);
    resource.key_string(1, "service.namespace", "shop");
    resource.key_string(1, "service.version", "2.7.1");
    resource.key_string(1, "service.instance.id", &format!("{service}-{}-1", cluster.name));
    resource.key_string(1, "telemetry.sdk.name", "opentelemetry");
    resource.key_string(1, "telemetry.sdk.language", "rust");
}
