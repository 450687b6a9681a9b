//! Writes a span as an SDK would, with personal data in every place that OTLP offers for it.
//!
//! Not here: which spans there are (`plan`), resources and scopes (`requests`).

use tollgate_otlp::{SpanId, TraceId, Writer};

use super::people::Person;
use super::plan::{Planned, What};

/// A span of a plan with its ids and its time.
pub(super) struct Timed<'a> {
    pub(super) planned: &'a Planned,
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Timed<'_> {
    /// The body of the Span message. A person's values stand only in spans of the person's region.
    pub(super) fn write(&self, person: &Person, careless: bool, out: &mut Vec<u8>) {
        let person = Some(person).filter(|person| person.region == self.planned.site.cluster.region);
        let mut span = Writer::new(out);
        span.bytes(1, self.trace.as_bytes());
        span.bytes(2, self.span.as_bytes());
        if let Some(person) = person.filter(|_| careless) {
            span.string(3, &format!("shop={},ot=th:c", person.session));
        }
        if let Some(parent) = self.parent {
            span.bytes(4, parent.as_bytes());
        }
        span.string(5, &self.name(person.filter(|_| careless)));
        span.varint(6, self.planned.what.kind() as u64);
        span.fixed64(7, self.start);
        span.fixed64(8, self.end);
        self.operational(&mut span);
        if let Some(person) = person {
            self.personal(&mut span, person);
        }
        if let Some(person) = person.filter(|_| careless) {
            careless_attributes(&mut span, person);
            self.careless_link(&mut span, person);
        }
        self.outcome(&mut span, person);
        span.fixed32(16, 0x101);
    }

    fn name(&self, person: Option<&Person>) -> String {
        match (self.planned.what, person) {
            (What::Request { route: "/orders", .. }, Some(person)) => format!("POST /users/{}/orders", person.email()),
            (what, _) => what.name(),
        }
    }

    fn operational(&self, span: &mut Writer<'_>) {
        let status = if self.planned.failed { 502 } else { 200 };
        match self.planned.what {
            What::Request { method, route } => {
                span.key_string(9, "http.request.method", method);
                span.key_string(9, "http.route", route);
                span.key_string(9, "url.scheme", "https");
                span.key_int(9, "http.response.status_code", status);
            }
            What::Call { route } => {
                span.key_string(9, "http.request.method", "POST");
                span.key_string(9, "url.template", route);
                span.key_int(9, "http.response.status_code", status);
            }
            What::Query { table } => {
                span.key_string(9, "db.system.name", "postgresql");
                span.key_string(9, "db.operation.name", "SELECT");
                span.key_string(9, "db.collection.name", table);
            }
            What::Work => span.key_string(9, "payment.provider", "example"),
        }
        if self.planned.failed {
            span.key_string(9, "error.type", "PaymentDeclined");
        }
    }

    /// What instrumentation libraries add by themselves or when asked to.
    fn personal(&self, span: &mut Writer<'_>, person: &Person) {
        match self.planned.what {
            What::Request { route, .. } => {
                span.key_string(9, "user.id", &person.id);
                span.key_string(9, "user.email", &person.email());
                span.key_string(9, "client.address", &person.address);
                span.key_string(9, "session.id", &person.session);
                span.key_string(9, "url.path", &format!("{route}/{}", person.id));
            }
            What::Call { .. } => {
                let bearer = format!("Bearer {}", person.token());
                span.key_any(9, "http.request.header.authorization", &array(&[&bearer]));
                span.key_string(9, "url.full", &format!("https://shop.example/c?token={}", person.signature));
            }
            What::Query { .. } => {
                let text = format!("SELECT * FROM orders WHERE email = '{}'", person.email());
                span.key_string(9, "db.query.text", &text);
            }
            What::Work => {}
        }
    }

    /// An error with its message, which repeats what the program knew of the person.
    fn outcome(&self, span: &mut Writer<'_>, person: Option<&Person>) {
        if !self.planned.failed {
            return;
        }
        let whose =
            person.map_or_else(|| "this card".to_owned(), |person| format!("{} ({})", person.email(), person.card));
        let message = format!("payment of {whose} was declined");
        span.message(11, |event| {
            event.fixed64(1, self.end.saturating_sub(1000));
            event.string(2, "exception");
            event.key_string(3, "exception.type", "PaymentDeclined");
            event.key_string(3, "exception.message", &message);
        });
        span.message(15, |status| {
            status.string(2, &message);
            status.varint(3, 2);
        });
    }

    /// A link to the span itself, so that it dangles nowhere.
    fn careless_link(&self, span: &mut Writer<'_>, person: &Person) {
        span.message(11, |event| {
            event.fixed64(1, self.start);
            event.string(2, &format!("cart of {}", person.mailbox));
            event.key_string(3, "user.email", &person.email());
        });
        span.message(13, |link| {
            link.bytes(1, self.trace.as_bytes());
            link.bytes(2, self.span.as_bytes());
            link.string(3, &format!("shop={}", person.id));
            link.key_string(4, "user.id", &person.id);
            link.fixed32(6, 0x101);
        });
    }
}

/// What a program adds by hand: keys nobody knows, values of every type, a value inside a key.
fn careless_attributes(span: &mut Writer<'_>, person: &Person) {
    span.key_int(9, "payment.card.number", person.card.cast_signed());
    span.key_string(9, "debug.user", &format!("{} <{}>", person.id, person.email()));
    span.key_string(9, &format!("cart.{}.items", person.id), "3");
    span.key_string(9, "baggage.user", &data_encoding::BASE64.encode(person.email().as_bytes()));
    span.key_any(9, "debug.peers", &array(&[&person.address, &person.session]));
    span.key_any(9, "debug.raw", &bytes(person.email().as_bytes()));
    span.key_any(9, "debug.nested", &nested("mail", &person.email()));
}

/// The body of an `AnyValue` that is a list of strings.
fn array(values: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    Writer::new(&mut out).message(5, |list| {
        for value in values {
            list.message(1, |any| any.string(1, value));
        }
    });
    out
}

/// The body of an `AnyValue` that is bytes.
fn bytes(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Writer::new(&mut out).bytes(7, value);
    out
}

/// The body of an `AnyValue` that is a map with one entry, which is a list.
fn nested(key: &str, value: &str) -> Vec<u8> {
    let mut out = Vec::new();
    Writer::new(&mut out).message(6, |map| map.key_any(1, key, &array(&[value])));
    out
}
