//! The requests that the load sends: encoded once, with new trace ids and users patched in for each sending.
//!
//! Promises:
//! 1. Every attribute may cross the border of the measured link but `user.email`: both sides send the same on.
//! 2. One span in twenty is a health check, one in four hundred an error, one in ten has an event.
//! 3. A trace has eight spans: one after the other in a resource, or each of another service, two to a request.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tollgate_otlp::Writer;

/// The head of a gRPC message.
pub(crate) const PREFIX: usize = 5;
const SPANS_A_TRACE: usize = 8;
/// Where a trace spreads, so many services in a row send their spans of it in one request.
const SERVICES_A_REQUEST: usize = 2;
const USERS: u32 = 100_000;
/// Eleven bytes that nothing else in a request holds; five with the number of the trace follow.
const TRACE_MARK: &[u8; 11] = b"\x00trace-mark";
const USER_MARK: &[u8; 4] = b"usr-";
const USER_DIGITS: usize = 8;

/// How many spans a request has, and of what size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) spans: usize,
    pub(crate) body: Body,
    pub(crate) traces: Traces,
}

/// What a span holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// Three attributes, no events.
    Tiny,
    /// Ten attributes, about 500 bytes.
    Usual,
    /// Fifty attributes, about 3,000 bytes.
    Fat,
    /// Fourteen attributes, four of them of more than 127 bytes: their lengths, and those of all that holds them, take two
    /// bytes and more.
    Long,
}

/// Which traces the spans of a request belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traces {
    /// New ones, each with all of its spans, one after the other in a resource.
    Whole,
    /// New ones, and those that began in the requests before: each has one span of every service, of two to a request.
    Spread,
}

impl Traces {
    /// The span that one was called by, where so many of each service stand one after the other.
    fn parent(self, number: usize, each: usize) -> Option<usize> {
        match self {
            Self::Whole => number.checked_sub(1).filter(|_| !number.is_multiple_of(SPANS_A_TRACE)),
            Self::Spread => number.checked_sub(each),
        }
    }
}

impl fmt::Display for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "traces whole in a resource",
            Self::Spread => "traces of 8 services in 4 requests",
        })
    }
}

impl Body {
    pub(crate) const fn attributes(self) -> usize {
        match self {
            Self::Tiny => 3,
            Self::Usual => 10,
            Self::Fat => 50,
            Self::Long => 14,
        }
    }
}

impl Shape {
    pub(crate) const fn usual(spans: usize) -> Self {
        Self { spans, body: Body::Usual, traces: Traces::Whole }
    }

    const fn resources(self) -> usize {
        if self.spans >= 1000 { 8 } else { 4 }
    }
}

/// One request of a shape, ready to be patched.
#[derive(Debug)]
pub(crate) struct Template {
    bytes: Bytes,
    spans: usize,
    health_checks: usize,
    arrangement: Traces,
    /// Spans of each resource.
    each: usize,
    /// Where the ids of the spans' traces lie, and the digits of users: one user a trace.
    traces: Vec<usize>,
    users: Vec<usize>,
}

impl Template {
    /// Encodes a request whose spans began at `now`, in nanoseconds since the Unix epoch.
    pub(crate) fn new(shape: Shape, now: u64) -> Self {
        let mut message = vec![0; PREFIX];
        let each = shape.spans / shape.resources();
        let mut writer = Writer::new(&mut message);
        for resource in 0..shape.resources() {
            writer.message(1, |out| {
                let spans = resource * each..(resource + 1) * each;
                let spans = spans.map(|number| Span { number, parent: shape.traces.parent(number, each) });
                resource_spans(out, resource, spans, shape.body, now);
            });
        }
        let length = u32::try_from(message.len() - PREFIX).unwrap_or(u32::MAX);
        if let Some(head) = message.get_mut(1..PREFIX) {
            head.copy_from_slice(&length.to_be_bytes());
        }
        let traces = places(&message, TRACE_MARK).collect();
        let users = places(&message, USER_MARK).map(|at| at + USER_MARK.len()).collect();
        let spans = each * shape.resources();
        let health_checks = (0..spans).filter(|span| is_health_check(*span)).count();
        Self { bytes: message.into(), spans, health_checks, arrangement: shape.traces, each, traces, users }
    }

    pub(crate) fn spans(&self) -> u64 {
        self.spans as u64
    }

    /// Of which request, counted back from this one, and of which of its new traces a span is.
    const fn trace_of(&self, span: usize) -> (usize, usize) {
        match self.arrangement {
            Traces::Whole => (0, span / SPANS_A_TRACE),
            Traces::Spread => (span / self.each / SERVICES_A_REQUEST, span % self.each),
        }
    }

    pub(crate) fn health_checks(&self) -> u64 {
        self.health_checks as u64
    }

    /// The request as it was encoded, without the head of gRPC.
    #[cfg(test)]
    pub(crate) fn message(&self) -> Bytes {
        self.bytes.slice(PREFIX..)
    }

    pub(crate) fn bytes_a_span(&self) -> usize {
        (self.bytes.len() - PREFIX) / self.spans.max(1)
    }

    /// A request of its own to patch.
    fn copy(&self) -> BytesMut {
        BytesMut::from(&self.bytes[..])
    }
}

/// The id of a trace, and its user.
type Drawn = ([u8; 16], [u8; USER_DIGITS]);

/// One sender's copy of a template, patched again and again.
#[derive(Debug)]
pub(crate) struct Patched {
    template: Arc<Template>,
    last: Option<Bytes>,
    random: fastrand::Rng,
    /// The new traces of each request that has some in the next one, the newest first.
    drawn: VecDeque<Vec<Drawn>>,
}

impl Patched {
    pub(crate) fn new(template: Arc<Template>, seed: u64) -> Self {
        Self { template, last: None, random: fastrand::Rng::with_seed(seed), drawn: VecDeque::new() }
    }

    pub(crate) fn template(&self) -> &Template {
        &self.template
    }

    /// The request before once more.
    pub(crate) fn last(&mut self) -> Bytes {
        if let Some(last) = &self.last { last.clone() } else { self.next() }
    }

    /// The next request, with the head of gRPC. Its buffer is that of the one before where nobody holds that any more.
    pub(crate) fn next(&mut self) -> Bytes {
        let last = self.last.take().and_then(|last| last.try_into_mut().ok());
        let mut buffer = last.unwrap_or_else(|| self.template.copy());
        self.draw();
        let template = &self.template;
        for (span, (at, digits)) in template.traces.iter().zip(&template.users).enumerate() {
            let (request, trace) = template.trace_of(span);
            let (id, user) = self.drawn[request][trace];
            buffer[*at..*at + id.len()].copy_from_slice(&id);
            buffer[*digits..*digits + USER_DIGITS].copy_from_slice(&user);
        }
        let bytes = buffer.freeze();
        self.last = Some(bytes.clone());
        bytes
    }

    /// New traces; those that have all of their spans make room. At first all are new.
    fn draw(&mut self) {
        let most = SPANS_A_TRACE / SERVICES_A_REQUEST;
        let mut next = if self.drawn.len() < most { Vec::new() } else { self.drawn.pop_back().unwrap_or_default() };
        loop {
            next.clear();
            for _ in 0..self.template.spans.div_ceil(SPANS_A_TRACE).max(self.template.each) {
                let user = format!("{:0USER_DIGITS$}", self.random.u32(..USERS));
                let user = user.as_bytes().try_into().unwrap_or([b'0'; USER_DIGITS]);
                next.push((self.random.u128(1..).to_le_bytes(), user));
            }
            self.drawn.push_front(std::mem::take(&mut next));
            if self.drawn.len() == most {
                break;
            }
        }
    }
}

fn places<'m>(message: &'m [u8], mark: &'m [u8]) -> impl Iterator<Item = usize> + 'm {
    message.windows(mark.len()).enumerate().filter(move |(_, window)| *window == mark).map(|(at, _)| at)
}

fn is_health_check(span: usize) -> bool {
    span % 20 == 7
}

/// One span of a request, by its place in it and its parent's.
#[derive(Clone, Copy)]
struct Span {
    number: usize,
    parent: Option<usize>,
}

const SERVICES: [&str; 8] = ["frontend", "checkout", "cart", "payment", "currency", "shipping", "quote", "accounting"];

fn resource_spans(out: &mut Writer<'_>, number: usize, spans: impl Iterator<Item = Span>, body: Body, now: u64) {
    out.message(1, |resource| {
        let service = SERVICES[number % SERVICES.len()];
        let host = format!("node-{number}.eu-west.example.internal");
        let pod = format!("{service}-{number}-7d9f5c6b8-x2x7k");
        for (key, value) in [
            ("service.name", service),
            ("service.namespace", "shop"),
            ("service.version", "1.24.7"),
            ("deployment.environment.name", "production"),
            ("telemetry.sdk.name", "opentelemetry"),
            ("telemetry.sdk.language", "go"),
            ("telemetry.sdk.version", "1.38.0"),
            ("k8s.namespace.name", "shop"),
            ("k8s.deployment.name", service),
            ("cloud.availability_zone", "eu-west-1a"),
            ("k8s.pod.name", &pod),
            ("host.name", &host),
        ] {
            resource.key_string(1, key, value);
        }
    });
    out.message(2, |scope_spans| {
        scope_spans.message(1, |scope| {
            scope.string(1, "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp");
            scope.string(2, "0.63.0");
        });
        for each in spans {
            scope_spans.message(2, |out| span(out, each, body, now));
        }
    });
}

fn span(out: &mut Writer<'_>, Span { number, parent }: Span, body: Body, now: u64) {
    let id = |number: usize| (u64::try_from(number).unwrap_or_default() + 1).to_be_bytes();
    let route = if is_health_check(number) { "/healthz" } else { ROUTES[number % ROUTES.len()] };
    let place = u64::try_from(number).unwrap_or_default();
    let mut trace = *b"\x00trace-mark\x00\x00\x00\x00\x00";
    trace[11..].copy_from_slice(&place.to_be_bytes()[3..]);
    out.bytes(1, &trace);
    out.bytes(2, &id(number));
    if let Some(parent) = parent {
        out.bytes(4, &id(parent));
    }
    out.string(5, &format!("GET {route}"));
    out.varint(6, 2);
    out.fixed64(7, now + place * 1_000);
    out.fixed64(8, now + place * 1_000 + 2_000_000);
    attributes(out, number, route, body);
    if body != Body::Tiny && number % 10 == 3 {
        out.message(11, |event| {
            event.fixed64(1, now + place * 1_000 + 500_000);
            event.string(2, "message");
            event.key_int(3, "messaging.message.body.size", 4_096);
        });
    }
    if number % 400 == 123 {
        out.message(15, |status| status.varint(3, 2));
    }
}

const ROUTES: [&str; 5] = [
    "/api/v1/shops/{shop}/carts/{cart}/items",
    "/api/v1/shops/{shop}/carts/{cart}/checkout",
    "/api/v1/orders/{order}/payments/{payment}",
    "/api/v1/customers/{customer}/addresses",
    "/api/v1/search/products",
];

/// Keys that the catalogue lets cross as they are.
const OPERATIONAL: [&str; 40] = [
    "error.type",
    "thread.name",
    "code.function.name",
    "code.namespace",
    "db.system.name",
    "db.namespace",
    "db.operation.name",
    "db.collection.name",
    "db.query.summary",
    "db.stored_procedure.name",
    "messaging.system",
    "messaging.operation.name",
    "messaging.operation.type",
    "messaging.destination.template",
    "messaging.consumer.group.name",
    "rpc.system.name",
    "rpc.service",
    "rpc.method",
    "faas.name",
    "faas.version",
    "faas.trigger",
    "faas.invoked_name",
    "faas.invoked_region",
    "cloud.provider",
    "cloud.platform",
    "cloud.region",
    "container.name",
    "container.image.name",
    "container.runtime.name",
    "container.runtime.version",
    "k8s.cluster.name",
    "k8s.node.name",
    "k8s.container.name",
    "k8s.replicaset.name",
    "k8s.job.name",
    "cicd.pipeline.name",
    "cicd.pipeline.task.name",
    "vcs.repository.name",
    "feature_flag.key",
    "peer.service",
];

fn attributes(out: &mut Writer<'_>, number: usize, route: &str, body: Body) {
    out.key_string(9, "user.id", "usr-00000000");
    out.key_string(9, "http.route", route);
    if body == Body::Tiny {
        return out.key_int(9, "http.response.status_code", 200);
    }
    out.key_string(9, "user.email", &format!("customer-{:04}@mail.example.com", number % 10_000));
    out.key_string(9, "client.address", &format!("203.0.113.{}", number % 250 + 1));
    out.key_string(9, "http.request.method", "GET");
    out.key_int(9, "http.response.status_code", 200);
    out.key_int(9, "http.request.body.size", 1_280 + i64::try_from(number).unwrap_or_default());
    out.key_string(9, "server.address", "checkout.shop.svc.cluster.local");
    out.key_string(9, "network.protocol.version", "1.1");
    out.key_string(9, "url.scheme", "https");
    let value = "a-value-of-some-forty-characters-in-length";
    let (keys, times) = match body {
        Body::Tiny | Body::Usual => (0, 0),
        Body::Fat => (OPERATIONAL.len(), 1),
        Body::Long => (4, 4 + number % 4),
    };
    for key in OPERATIONAL.iter().take(keys) {
        out.key_string(9, key, &value.repeat(times));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tollgate_otlp::{Limits, walk_traces};

    use super::*;

    #[test]
    fn every_shape_is_a_whole_request_and_the_usual_one_has_the_usual_size() {
        for body in [Body::Tiny, Body::Usual, Body::Fat, Body::Long] {
            let template = Template::new(Shape { body, ..Shape::usual(1000) }, 1_800_000_000_000_000_000);
            let walked = walk_traces(&template.message(), &Limits::default()).unwrap();
            assert!(walked.rejected.is_none());
            assert_eq!((walked.index.items(), template.spans()), (1000, 1000));
            assert_eq!((template.traces.len(), template.users.len()), (1000, 1000));
        }
        let usual = Template::new(Shape::usual(1000), 1_800_000_000_000_000_000);
        assert!((450..=550).contains(&usual.bytes_a_span()), "{}", usual.bytes_a_span());
    }

    #[test]
    fn each_sending_has_new_traces_of_eight_spans() {
        let template = Arc::new(Template::new(Shape::usual(1000), 1));
        let mut patched = Patched::new(Arc::clone(&template), 1);
        let (first, second) = (patched.next(), patched.next());
        let ids = |bytes: &Bytes| {
            let mut ids = BTreeMap::new();
            for at in &template.traces {
                *ids.entry(bytes.slice(*at..*at + 16)).or_insert(0) += 1;
            }
            ids
        };
        let (first, second) = (ids(&first), ids(&second));
        assert_eq!(first.len(), 125);
        assert!(first.values().all(|spans| *spans == SPANS_A_TRACE));
        assert!(first.keys().all(|id| !second.contains_key(id)));
        assert_eq!(ids(&patched.last()), second);
    }

    #[test]
    fn where_traces_spread_each_has_eight_spans_of_as_many_services_in_four_requests() {
        let shape = Shape { traces: Traces::Spread, ..Shape::usual(1000) };
        let template = Arc::new(Template::new(shape, 1));
        let mut patched = Patched::new(Arc::clone(&template), 1);
        let mut services: BTreeMap<_, Vec<(usize, usize)>> = BTreeMap::new();
        for request in 0..8 {
            let bytes = patched.next();
            for (span, at) in template.traces.iter().enumerate() {
                services.entry(bytes.slice(*at..*at + 16)).or_default().push((request, span / 125));
            }
        }
        let begun_in = |wanted| services.values().filter(move |spans| spans[0] == (wanted, 0));
        assert_eq!(begun_in(4).count(), 125);
        for spans in begun_in(4) {
            assert_eq!(spans[..], [(4, 0), (4, 1), (5, 2), (5, 3), (6, 4), (6, 5), (7, 6), (7, 7)]);
        }
    }
}
