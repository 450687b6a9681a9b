//! What is remembered from span to span makes it fast, and makes no difference.

use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use prost::Message;
use tollgate_otlp::Writer;
use tollgate_redaction::Counts;

use crate::world::*;

/// How a sender writes an attribute.
#[derive(Clone, Copy, Debug)]
enum Spelling {
    Usual,
    PaddedTag,
    PaddedLength,
    BehindTheRest,
}

type Attribute = (&'static str, &'static str, Spelling);

fn attribute() -> impl Strategy<Value = Attribute> {
    let key = prop::sample::select(vec![
        "http.route",
        "http.request.method",
        "url.scheme",
        "server.address",
        "user.id",
        "user.email",
        "client.address",
        "k8s.pod.label.one",
        "k8s.pod.label.two",
        "acme.unknown",
    ]);
    let value =
        prop::sample::select(vec!["GET", "POST", "a-value-of-thirty-one-characters", "jane@example.org", "10.1.2.3"]);
    let spelling = prop_oneof![
        12 => Just(Spelling::Usual),
        1 => Just(Spelling::PaddedTag),
        1 => Just(Spelling::PaddedLength),
        1 => Just(Spelling::BehindTheRest),
    ];
    (key, value, spelling)
}

/// Lists that are alike, as those of one sender are.
fn lists() -> impl Strategy<Value = Vec<Vec<Attribute>>> {
    let change = (any::<prop::sample::Index>(), attribute());
    let changes = prop::collection::vec(prop::option::weighted(0.5, change), 1..10);
    (prop::collection::vec(attribute(), 1..8), changes).prop_map(|(mut list, changes)| {
        let change = |change: Option<(prop::sample::Index, Attribute)>| {
            if let Some((at, attribute)) = change {
                let at = at.index(list.len() + 1);
                list.splice(at..list.len().min(at + 1), [attribute]);
            }
            list.clone()
        };
        changes.into_iter().map(change).collect()
    })
}

fn body(attributes: &[Attribute]) -> Vec<u8> {
    let mut body = span(Vec::new()).encode_to_vec();
    let (behind, next): (Vec<_>, Vec<_>) =
        attributes.iter().partition(|(.., spelling)| matches!(spelling, Spelling::BehindTheRest));
    next.into_iter().for_each(|attribute| write(attribute, &mut body));
    Writer::new(&mut body).fixed32(16, 1);
    behind.into_iter().for_each(|attribute| write(attribute, &mut body));
    body
}

fn write((key, value, spelling): &Attribute, body: &mut Vec<u8>) {
    let pair = text(key, value).encode_to_vec();
    let length = u8::try_from(pair.len()).unwrap();
    match spelling {
        Spelling::Usual | Spelling::BehindTheRest => body.extend([0x4a, length]),
        Spelling::PaddedTag => body.extend([0xca, 0, length]),
        Spelling::PaddedLength => body.extend([0x4a, 0x80 | length, 0]),
    }
    body.extend(pair);
}

fn sealed(bodies: &[Vec<u8>]) -> (Vec<Span>, Counts) {
    let mut payload = Vec::new();
    Writer::new(&mut payload).message(1, |group| {
        group.message(2, |scope| bodies.iter().for_each(|body| scope.bytes(2, body)));
    });
    let batch = example().seal(&payload, &walked(&payload), ARRIVAL);
    let counts = *batch.counts();
    let arrived = decoded(&batch.whole().bytes());
    let scopes = arrived.resource_spans.into_iter().flat_map(|group| group.scope_spans);
    (scopes.flat_map(|scope| scope.spans).collect(), counts)
}

proptest! {
    /// Guarantees: of neighbours, whose keys and values come again or change, each span is sealed as if it stood alone; a
    /// key that stands twice in one of them is left out there, whatever was remembered of it.
    #[test]
    fn neighbours_make_no_difference(lists in lists()) {
        let bodies: Vec<_> = lists.iter().map(|list| body(list)).collect();
        let (together, counts) = sealed(&bodies);
        let (mut alone, mut sum) = (Vec::new(), Counts::default());
        for body in bodies {
            let (spans, counts) = sealed(&[body]);
            alone.extend(spans);
            sum.add(&counts);
        }
        prop_assert_eq!(counts.items_out, lists.len() as u64);
        prop_assert_eq!(counts, sum);
        for (span, list) in alone.iter().zip(&lists) {
            for attribute in &span.attributes {
                let times = list.iter().filter(|(key, ..)| *key == attribute.key).count();
                prop_assert_eq!(times, 1, "{}", attribute.key);
            }
        }
        prop_assert_eq!(together, alone);
    }
}

#[test]
fn a_key_is_the_same_in_every_spelling() {
    let usual = ("http.route", "GET", Spelling::Usual);
    for other in [Spelling::PaddedTag, Spelling::PaddedLength, Spelling::BehindTheRest] {
        let twice = [("http.route", "GET", other), usual];
        let (spans, _) = sealed(&[body(&[usual]), body(&twice), body(&[usual])]);
        let crossed: Vec<_> = spans.iter().map(|span| span.attributes.len()).collect();
        assert_eq!(crossed, [1, 0, 1], "{other:?}");
    }
}

/// Guarantees: what was the same side by side is not taken for the same once one of its values changed, whichever way it was
/// come to.
#[test]
fn a_name_is_composed_of_the_span_s_own_values() {
    let list = |(key, value), scheme, method| {
        [(key, value), ("url.scheme", scheme), ("http.request.method", method)]
            .map(|(key, value)| (key, value, Spelling::Usual))
    };
    let [one, two] = ["one", "two"].map(|host| list(("server.address", host), "https", "GET"));
    let other = list(("peer.service", "cart"), "jane@example.org", "POST");
    let again = list(("peer.service", "shop"), "https", "GET");
    let lists = [one, two, one, other, again, two, list(("server.address", "one"), "https", "POST")];
    let (spans, _) = sealed(&lists.map(|list| body(&list)));
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["GET", "GET", "GET", "POST", "GET", "GET", "POST"]);
}

/// Guarantees: what a span says of its place in the trace crosses wherever in the span it stands.
#[test]
fn a_parent_behind_all_else_crosses_as_one_before_it() {
    let list = [("http.route", "GET", Spelling::Usual)];
    let before = body(&list);
    let mut behind = before.clone();
    Writer::new(&mut behind).bytes(4, &[7; 8]);
    let (spans, _) = sealed(&[before.clone(), behind.clone()]);
    assert_eq!(spans[1], Span { parent_span_id: vec![7; 8], ..spans[0].clone() });
    // With a trace state behind it too, and an empty one: the walk takes no other length, and none twice.
    let with = |body: &[u8], number, value: &[u8]| {
        let mut body = body.to_vec();
        Writer::new(&mut body).bytes(number, value);
        body
    };
    let (spans, _) = sealed(&[with(&behind, 3, b"ot=th:8"), with(&before, 4, b"")]);
    assert_eq!(spans.iter().map(|span| span.parent_span_id.len()).collect::<Vec<_>>(), [8, 0]);
}
