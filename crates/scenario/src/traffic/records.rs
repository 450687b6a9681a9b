//! Writes the logs and metrics that belong to a checkout.

use tollgate_otlp::Writer;

use super::people::Person;
use super::plan::{Planned, What};
use super::spans::Timed;

/// The body of a LogRecord, for spans that a program writes a line about.
pub(super) fn log(timed: &Timed<'_>, person: &Person, out: &mut Vec<u8>) -> bool {
    let Planned { what: What::Request { method, route }, failed, site, .. } = timed.planned else { return false };
    let person = Some(person).filter(|person| person.region == site.cluster.region);
    let whose = person.map_or_else(|| "somebody".to_owned(), Person::email);
    let mut record = Writer::new(out);
    record.fixed64(1, timed.end);
    record.varint(2, if *failed { 17 } else { 9 });
    record.string(3, if *failed { "ERROR" } else { "INFO" });
    record.message(5, |body| body.string(1, &format!("{method} {route} for {whose}")));
    if let Some(person) = person {
        record.key_string(6, "user.id", &person.id);
        record.key_string(6, "client.address", &person.address);
    }
    record.bytes(9, timed.trace.as_bytes());
    record.bytes(10, timed.span.as_bytes());
    record.fixed64(11, timed.end);
    true
}

/// The body of a Metric: how long one request took, with an exemplar that names its trace.
pub(super) fn metric(timed: &Timed<'_>, person: &Person, out: &mut Vec<u8>) -> bool {
    let Planned { what: What::Request { route, .. }, when, site, .. } = timed.planned else { return false };
    let person = Some(person).filter(|person| person.region == site.cluster.region);
    let seconds = when.length.as_secs_f64();
    let mut metric = Writer::new(out);
    metric.string(1, "http.server.request.duration");
    metric.string(3, "s");
    metric.message(9, |histogram| {
        histogram.message(1, |point| {
            point.fixed64(2, timed.start);
            point.fixed64(3, timed.end);
            point.fixed64(4, 1);
            point.double(5, seconds);
            let (below, above) = if seconds < 0.5 { (1_u64, 0_u64) } else { (0, 1) };
            point.bytes(6, &[below.to_le_bytes(), above.to_le_bytes()].concat());
            point.bytes(7, &0.5_f64.to_le_bytes());
            point.message(8, |exemplar| write_exemplar(exemplar, timed, person));
            point.key_string(9, "http.route", route);
        });
        histogram.varint(2, 1);
    });
    true
}

fn write_exemplar(exemplar: &mut Writer<'_>, timed: &Timed<'_>, person: Option<&Person>) {
    exemplar.fixed64(2, timed.end);
    exemplar.double(3, timed.planned.when.length.as_secs_f64());
    exemplar.bytes(4, timed.span.as_bytes());
    exemplar.bytes(5, timed.trace.as_bytes());
    if let Some(person) = person {
        exemplar.key_string(7, "user.id", &person.id);
    }
}
