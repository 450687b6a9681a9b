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
    assert!(["ada@", ".ada", "\"ada"].iter().all(|made_up| !text.contains(made_up)), "{text}");
    assert!(text.contains("\"user.email\"") && text.contains("unclassified"), "{text}");
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

/// Scenario: a catalogue lists a key and a template while shapes are recorded, and no longer lists others. Guarantees: the file
/// tells what was listed all the time from what was not, also after a restart; one of a release that did not say so says nothing.
#[test]
fn the_file_says_what_was_listed_all_the_time() {
    let (_dir, with_key) = rig::edited(|name, text| match name {
        "policies/catalogue.yaml" => text.replace("attributes:\n", "attributes:\n  shop.till: op\n  shop.x.*: quasi\n"),
        _ => text,
    });
    let dir = tempfile::tempdir().unwrap();
    let open = |documents| {
        let of = ("eu-west".to_owned(), "EEA".to_owned());
        Shapes::open(&Disk::real(), dir.path().to_owned(), of, rig::in_force(documents), rig::standing().0).unwrap()
    };
    let recorded = |shapes: &Shapes| {
        send(shapes, 1, &[("http.route", "/orders")]);
        shapes.write();
        Recorded::read(&dir.path().join("shapes.json")).unwrap()
    };
    let first = recorded(&open(&with_key));
    let keys = ["shop.till", "shop.x.a.b", "shop.x.*", "shop.y", "user.id", "http.request.header.x"];
    let knows = |recorded: &Recorded| keys.map(|key| recorded.knows(key));
    let (all, below, not) = (Knows::All, Knows::BelowTemplates, Knows::NotAll);
    assert_eq!(knows(&first), [all, below, all, not, all, below]);
    let without = rig::documents();
    let then = recorded(&open(&without));
    assert_eq!(knows(&then), [not, not, not, not, all, below]);
    assert_eq!(knows(&recorded(&open(&with_key))), knows(&then), "it was not listed for a time");
    let file = dir.path().join("shapes.json");
    let mut value: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    value.as_object_mut().unwrap().remove("listed");
    std::fs::write(&file, value.to_string()).unwrap();
    assert_eq!(knows(&recorded(&open(&with_key))), [Knows::NotSaid; 6]);
}
