use std::time::Duration;

use tollgate_otlp::{Index, Limits, Writer, walk_traces};
use tollgate_runtime::ManualClock;

use super::*;
use crate::rig;

fn open(dir: &std::path::Path) -> (Shapes, ManualClock) {
    let (clock, hand) = rig::standing();
    let of = ("eu-west".to_owned(), "EEA".to_owned());
    (Shapes::open(&Disk::real(), dir.to_owned(), of, rig::in_force(&rig::documents()), clock).unwrap(), hand)
}

/// A request of so many spans, each with these attributes.
fn send(shapes: &Shapes, spans: u64, attributes: &[(&str, &str)]) {
    let payload = rig::envelope(|scope: &mut Writer<'_>| {
        for number in 0..spans {
            scope.message(2, |span| {
                rig::identify(span, number, number);
                attributes.iter().for_each(|(key, value)| span.key_string(9, key, value));
            });
        }
    });
    let index: Index = walk_traces(&payload, &Limits::default()).unwrap().index;
    shapes.passed(Signal::Traces, spans);
    shapes.look(Signal::Traces, Batch::new(&payload, &index));
}

/// Guarantees: what is recorded says how many records a day have an attribute, also where only a sample of them was looked
/// at and after a restart; it holds no value and no key that a service made up.
#[test]
fn records_a_day_are_counted_without_a_value() {
    let dir = tempfile::tempdir().unwrap();
    let (shapes, hand) = open(dir.path());
    send(&shapes, 10, &[("user.email", "ada@example.org"), ("made.up.by.ada", "ada")]);
    send(&shapes, 990, &[("http.route", "/orders")]);
    hand.advance(Duration::from_secs(24 * 3600));
    shapes.write();
    let file = dir.path().join("shapes.json");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("ada") && text.contains("\"user.email\"") && text.contains("unclassified"), "{text}");
    let recorded = Recorded::read(&file).unwrap();
    assert_eq!((recorded.region.as_str(), recorded.regime.as_str()), ("eu-west", "EEA"));
    assert_eq!(recorded.all_records_a_day(Signal::Traces), 1000.0);
    let of = |attribute| recorded.records_a_day(Signal::Traces, &[attribute], None);
    let routes = |carrier| recorded.records_a_day(Signal::Traces, &["http.route", "user.id"], Some(carrier));
    assert_eq!(routes(Carrier::ResourceAttributes), 0.0);
    assert!((routes(Carrier::SpanAttributes) - of("http.route")).abs() < 1.0);
    // Of the others one in sixteen was looked at, and stands for as many.
    assert!((of("user.email") - 10.0).abs() < 1.0, "{}", of("user.email"));
    assert!((of("http.route") - 990.0).abs() < 10.0, "{}", of("http.route"));
    assert_eq!((of("service.name"), of("user.id")), (1000.0, 0.0));

    let (shapes, _) = open(dir.path());
    shapes.write();
    assert_eq!(Recorded::read(&file).unwrap(), recorded, "nothing new is nothing written");
    send(&shapes, 1, &[("http.route", "/")]);
    shapes.write();
    assert!(Recorded::read(&file).unwrap().shapes.values().sum::<u64>() > recorded.shapes.values().sum::<u64>());
}

#[test]
fn a_length_is_told_by_its_bucket_only() {
    assert_eq!([0, 1, 16, 17, 1024, 1025].map(bucket), [0, 16, 16, 64, 1024, u64::MAX]);
}
