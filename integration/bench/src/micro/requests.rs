//! The requests that micro rows turn over: several of one shape in rotation, so that no side works on what it just saw.

use std::net::Ipv4Addr;

use bytes::Bytes;
use tollgate_otlp::{Batch, Index, Limits, Walked, Writer, walk_traces};

use crate::stand::shape::{self, Patched, Template};

/// As many as fit neither the second cache level nor a memo of a few thousand values.
const ROTATION: u64 = 8;
/// 1 December 2026, noon: inside the term of the example's instruments.
pub(crate) const NOW: u64 = 1_796_126_400_000_000_000;

/// What goes in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shape {
    /// What whole processes are loaded with too.
    Stand(shape::Shape),
    /// A thousand spans of so many attributes, all of which may cross but for one e-mail address; each of another user.
    Attributes(usize),
}

impl Shape {
    pub(crate) const USUAL: Self = Self::usual(1000);

    pub(crate) const fn usual(spans: usize) -> Self {
        Self::Stand(shape::Shape::usual(spans))
    }

    pub(crate) const fn of(body: shape::Body) -> Self {
        Self::Stand(shape::Shape { body, ..shape::Shape::usual(1000) })
    }
}

/// A request with what a receiver learns of it and writes beside it.
pub(crate) struct Request {
    pub(crate) bytes: Bytes,
    pub(crate) index: Index,
    /// The index as the log holds it.
    pub(crate) encoded: Bytes,
}

/// Requests of one shape, one after the other and over again.
pub(crate) struct Requests {
    all: Vec<Request>,
    next: usize,
}

impl Requests {
    pub(crate) fn of(shape: Shape) -> Self {
        let all = match shape {
            Shape::Stand(shape) => {
                let mut patched = Patched::new(Template::new(shape, NOW).into(), 7);
                (0..ROTATION).map(|_| Request::new(&interleaved(&patched.next().slice(shape::PREFIX..)))).collect()
            }
            Shape::Attributes(count) => (0..ROTATION).map(|seed| Request::new(&with_attributes(count, seed))).collect(),
        };
        Self { all, next: 0 }
    }

    /// The first two only, whose values a memo remembers.
    pub(crate) fn few(shape: Shape) -> Self {
        let mut requests = Self::of(shape);
        requests.all.truncate(2);
        requests
    }

    pub(crate) fn next(&mut self) -> &Request {
        self.next = (self.next + 1) % self.all.len();
        &self.all[self.next]
    }

    pub(crate) fn rotation(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn spans(&self) -> u64 {
        self.all[0].index.items() as u64
    }

    /// What went in, for the table.
    pub(crate) fn describe(&self, attributes: &str) -> String {
        let bytes: usize = self.all.iter().map(|request| request.bytes.len()).sum();
        let spans = self.spans();
        format!("{spans} spans of {} B, {attributes}", bytes as u64 / spans / ROTATION)
    }
}

impl Request {
    fn new(bytes: &[u8]) -> Self {
        let Walked { index, rejected } = walk_traces(bytes, &Limits::default()).unwrap();
        assert_eq!(rejected, None);
        let mut encoded = Vec::new();
        index.encode(&mut encoded);
        Self { bytes: Bytes::copy_from_slice(bytes), index, encoded: encoded.into() }
    }
}

/// Lays the spans of a trace far apart: the spans of one service are those of many traces, mixed.
fn interleaved(request: &[u8]) -> Vec<u8> {
    let walked = walk_traces(request, &Limits::default()).unwrap();
    let ids: Vec<_> = Batch::new(request, &walked.index).items().filter_map(|item| item.trace_id()).collect();
    let traces = ids.len().div_ceil(8);
    let mut out = request.to_vec();
    for (number, item) in Batch::new(request, &walked.index).items().enumerate() {
        // The id is the span's first field: a tag, a length, sixteen bytes.
        let at = item.body().as_ptr() as usize - request.as_ptr() as usize + 2;
        let other = ids[number % traces * 8 % ids.len()];
        out[at..at + 16].copy_from_slice(other.as_bytes());
    }
    out
}

fn with_attributes(count: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut out = Vec::new();
    for service in 0..8 {
        Writer::new(&mut out).message(1, |group| {
            group.message(1, |resource| resource.key_string(1, "service.name", &format!("checkout-{service}")));
            group.message(2, |scope| (0..125).for_each(|_| scope.message(2, |out| span(out, count, &mut random))));
        });
    }
    out
}

fn span(out: &mut Writer<'_>, attributes: usize, random: &mut fastrand::Rng) {
    out.bytes(1, &random.u128(1..).to_be_bytes());
    out.bytes(2, &random.u64(1..).to_be_bytes());
    out.string(5, "GET /carts");
    out.fixed64(7, NOW);
    out.fixed64(8, NOW + 2_000_000);
    out.key_string(9, "user.id", &format!("{:016x}", random.u64(..)));
    out.key_string(9, "user.email", &format!("customer-{:05}@mail.example.com", random.u32(..100_000)));
    out.key_string(9, "client.address", &Ipv4Addr::from_bits(random.u32(..)).to_string());
    for number in 3..attributes {
        out.key_string(9, &operational(number), "a-value-of-some-thirty-letters");
    }
}

/// The name of an attribute that the measured policy lets cross as it is.
pub(crate) fn operational(number: usize) -> String {
    format!("acme.operational.{number}")
}
