use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::requests::{id, text, with_batch};

const WAIT: Duration = Duration::from_secs(20);
const SERVICES: [&str; 3] = ["cart", "pay", "mail"];

/// A span of a random tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Node {
    number: u8,
    /// A root if zero.
    parent: u8,
    service: usize,
    region: u16,
    kind: i32,
    place: u8,
}

impl Node {
    fn span(self, trace: u8) -> Span {
        let ids = |number| if number == 0 { Vec::new() } else { vec![number; 8] };
        Span {
            trace_id: id(trace).as_bytes().to_vec(),
            span_id: ids(self.number),
            parent_span_id: ids(self.parent),
            start_time_unix_nano: self.number.into(),
            kind: self.kind,
            flags: [0x101, 0x301, 1][usize::from(self.place)],
            ..Span::default()
        }
    }

    fn end(self) -> (&'static str, u16) {
        (SERVICES[self.service], self.region)
    }

    fn parent(self) -> Parent {
        [Parent::Local, Parent::Remote, Parent::Unsaid][usize::from(self.place)]
    }
}

/// One resource for each span.
fn request(trace: u8, nodes: &[Node]) -> Vec<u8> {
    let of_node = |node: &Node| ResourceSpans {
        resource: Some(Resource { attributes: text("service.name", SERVICES[node.service]), ..Resource::default() }),
        scope_spans: vec![ScopeSpans { spans: vec![node.span(trace)], ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest { resource_spans: nodes.iter().map(of_node).collect() }.encode_to_vec()
}

fn take(correlator: &mut Correlator, now: Duration, (trace, hash): (u8, u64), novelty: Novelty, nodes: &[Node]) {
    for (number, node) in nodes.iter().enumerate() {
        let novelty = if number == 0 { novelty } else { Novelty::Known };
        let met = Met { trace: id(trace), hash, novelty };
        let request = request(trace, &[*node]);
        with_batch(&request, |batch| correlator.take(now, [met].into_iter(), batch, Region(node.region)));
    }
}

/// What is told of one trace whose spans come in this order.
fn told(nodes: &[Node]) -> Correlated {
    let mut correlator = Correlator::new(10_000);
    take(&mut correlator, Duration::ZERO, (1, 1), Novelty::New, nodes);
    assert!(correlator.due(WAIT - Duration::from_nanos(1), WAIT, |_| true).is_empty());
    let mut due = correlator.due(WAIT, WAIT, |_| true);
    assert_eq!((due.len(), correlator.held()), (1, 0));
    due.remove(0)
}

fn shown(end: &End) -> (String, u16) {
    (end.service.to_string(), end.region.0)
}

type Gaps = BTreeMap<(Gap, (String, u16)), u32>;

/// The same by the simplest means: for each span, a look for its parent in a list.
fn reference(nodes: &BTreeSet<Node>) -> (usize, Gaps, u32) {
    let owned = |(service, region): (&str, u16)| (service.to_owned(), region);
    let roots: Vec<&Node> = nodes.iter().filter(|node| node.parent == 0).collect();
    let first = roots.iter().map(|node| node.number).min();
    let (mut gaps, mut joins) = (Gaps::new(), 0);
    for node in nodes {
        let gap = match nodes.iter().find(|other| other.number == node.parent) {
            _ if node.parent == 0 && Some(node.number) == first => continue,
            _ if node.parent == 0 && [2, 5].contains(&node.kind) => Gap::EntryRoot,
            _ if node.parent == 0 => Gap::InnerRoot,
            Some(parent) => {
                joins += u32::from(parent.end() != node.end());
                continue;
            }
            None => Gap::Orphan(node.parent()),
        };
        *gaps.entry((gap, owned(node.end()))).or_default() += 1;
    }
    (roots.len(), gaps, joins)
}

/// Trees, some spans of which are gone.
fn forest() -> impl Strategy<Value = Vec<Node>> {
    let node = (any::<u8>(), 0..3_usize, 0..3_u16, 0..6_i32, 0..3_u8, prop::bool::weighted(0.8));
    vec(node, 1..60).prop_map(|nodes| {
        let numbered = (1..).zip(nodes).filter(|(_, node)| node.5);
        let made = numbered.map(|(number, (parent, service, region, kind, place, _))| Node {
            number,
            parent: parent % number,
            service,
            region,
            kind,
            place,
        });
        made.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever spans are gone, in whatever order the others come and however often.
    #[test]
    fn what_does_not_join_is_what_a_look_for_each_parent_finds(
        nodes in forest(), order in any::<prop::sample::Index>(), again in vec(any::<prop::sample::Index>(), 0..10),
    ) {
        prop_assume!(!nodes.is_empty());
        let mut sent = nodes.clone();
        sent.extend(again.iter().map(|index| *index.get(&nodes)));
        let middle = order.index(sent.len());
        sent.rotate_left(middle);
        let Correlated::Whole { roots, regions, breaks, joins, .. } = told(&sent) else { panic!("it is not large") };
        let (expected_roots, gaps, crossing) = reference(&nodes.iter().copied().collect());
        let found: Gaps = breaks.iter().map(|found| ((found.gap, shown(&found.to)), found.spans)).collect();
        prop_assert_eq!((roots, found), (expected_roots, gaps));
        prop_assert_eq!(joins.iter().map(|join| join.spans).sum::<u32>(), crossing);
        let from: BTreeSet<u16> = nodes.iter().map(|node| node.region).collect();
        prop_assert_eq!(regions.iter().map(|region| region.0).collect::<BTreeSet<_>>(), from);
    }

    /// Strangers send traces of any number and size, with any hashes.
    #[test]
    fn no_more_is_held_than_the_bound_and_a_trace_is_followed_whole_or_not_at_all(
        traces in vec((any::<u64>(), 1..40_usize), 1..80),
    ) {
        const MOST: usize = 500;
        let mut correlator = Correlator::new(MOST);
        let node = |number| Node { number, parent: number - 1, service: 0, region: 0, kind: 2, place: 1 };
        for (number, (hash, spans)) in (0..).zip(&traces) {
            let nodes: Vec<Node> = (1..).take(*spans).map(node).collect();
            take(&mut correlator, Duration::ZERO, (number, *hash), Novelty::New, &nodes);
            prop_assert!(correlator.held() <= MOST);
        }
        let limit = correlator.limit;
        let followed = traces.iter().filter(|(hash, _)| *hash <= limit).count();
        let due = correlator.due(WAIT, WAIT, |_| true);
        prop_assert_eq!(due.len(), followed);
        for one in due {
            let Correlated::Whole { roots, breaks, .. } = one else { panic!("none is large") };
            prop_assert_eq!((roots, breaks.len()), (1, 0));
        }
    }
}

fn entry(number: u8, parent: u8, service: usize, region: u16) -> Node {
    Node { number, parent, service, region, kind: 2, place: 1 }
}

/// Guarantees: where a trace began is the root that started first, and a service counts as entered without a parent only there.
#[test]
fn services_are_told_by_how_they_were_entered() {
    let Correlated::Whole { began, entered, .. } = told(&[entry(2, 0, 1, 1), entry(1, 0, 0, 0), entry(3, 1, 2, 1)])
    else {
        panic!("it is not large")
    };
    assert_eq!(began.as_ref().map(shown), Some(("cart".to_owned(), 0)));
    let entered: Vec<_> = entered.iter().map(|(end, how)| (&*end.service, *how)).collect();
    assert_eq!(entered, [("cart", Entered::WithoutParent), ("mail", Entered::WithParent)]);
}

/// Guarantees: where the ids of parents do not come, no span is taken for a root.
#[test]
fn a_span_whose_parent_is_not_told_is_no_root() {
    let mut correlator = Correlator::new(100);
    take(&mut correlator, Duration::ZERO, (1, 1), Novelty::New, &[entry(1, 0, 0, 0), entry(2, 0, 1, 1)]);
    let due = correlator.due(WAIT, WAIT, |region| region == Region(0));
    let [Correlated::Whole { roots: 1, breaks, .. }] = due.as_slice() else { panic!("{due:?}") };
    assert!(breaks.is_empty());
}

/// Guarantees: a trace that was known before it could be followed is never begun in its middle.
#[test]
fn a_trace_that_is_under_way_is_not_followed() {
    let mut correlator = Correlator::new(100);
    take(&mut correlator, Duration::ZERO, (1, 1), Novelty::Known, &[entry(2, 1, 0, 0)]);
    assert!(correlator.held() == 0 && correlator.due(WAIT, WAIT, |_| true).is_empty());
}

/// Guarantees: of a trace that is too large nothing is held, and nothing is told but that.
#[test]
fn a_huge_trace_is_counted_and_costs_nothing() {
    let mut correlator = Correlator::new(10_000);
    for number in 0..=LARGEST as u64 {
        let span = Span { span_id: (number + 1).to_be_bytes().to_vec(), ..entry(1, 0, 0, 0).span(1) };
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        let request = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let novelty = if number == 0 { Novelty::New } else { Novelty::Known };
        let met = Met { trace: id(1), hash: 1, novelty };
        with_batch(&request, |batch| correlator.take(Duration::ZERO, [met].into_iter(), batch, Region(0)));
    }
    assert_eq!(correlator.held(), TRACE);
    assert_eq!(correlator.due(WAIT, WAIT, |_| true), [Correlated::TooLarge]);
}

/// Guarantees: once less comes the share grows again, not before what it brought is there.
#[test]
fn the_share_grows_when_there_is_room() {
    let mut correlator = Correlator::new(100);
    for trace in 0..100 {
        take(&mut correlator, Duration::ZERO, (trace, u64::from(trace) << 57), Novelty::New, &[entry(1, 0, 0, 0)]);
    }
    let share = correlator.share();
    assert!(share < 0.5);
    correlator.due(WAIT, WAIT, |_| true);
    assert_eq!(correlator.share(), share * 2.0);
    correlator.due(WAIT, WAIT, |_| true);
    assert_eq!(correlator.share(), share * 2.0);
    correlator.due(WAIT * 2, WAIT, |_| true);
    assert_eq!(correlator.share(), (share * 4.0).min(1.0));
}
