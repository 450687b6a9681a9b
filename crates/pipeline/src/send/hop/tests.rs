use tollgate_runtime::{ManualClock, Timestamp};
use tollgate_transport::Local;

use super::failover::NOBODY;
use super::standings::{BACKOFF, PROBE, TIER_BACKOFF};
use super::*;
use crate::rig::{self, spans};

const HANDOVER: Duration = Duration::from_secs(60);
const WAITING: HopKind = HopKind::Wait { handover_after: HANDOVER };

fn hop(kind: HopKind, nodes: &[&str]) -> (Hop, ManualClock) {
    let (clock, hand) = Clock::manual(Timestamp::default());
    let leaving = if kind == WAITING { HANDOVER } else { Duration::ZERO };
    let hop = Hop::new(kind, leaving, Signal::Traces, clock);
    see(&hop, nodes);
    (hop, hand)
}

fn see(hop: &Hop, nodes: &[&str]) {
    hop.observe(Seen::Nodes(nodes.iter().map(|node| ((*node).to_owned(), "127.0.0.1:1".to_owned())).collect()));
}

/// Where a span of `owner` goes, in words.
fn route(hop: &Hop, owner: &str) -> String {
    let to = |parts: Vec<(Arc<str>, Local)>| parts.into_iter().map(|(node, _)| node.to_string()).collect::<String>();
    match hop.route(&owner.into(), rig::local(spans([1]))) {
        Route::Send(node, _) => format!("to {node}"),
        Route::Elsewhere(parts, None) => format!("elsewhere, to {}", to(parts)),
        Route::Elsewhere(..) => "in parts".to_owned(),
        Route::Wait(..) => "waits".to_owned(),
    }
}

fn wait(hop: &Hop, owner: &str) -> Duration {
    match hop.route(&owner.into(), rig::local(spans([1]))) {
        Route::Wait(wait, _) => wait,
        Route::Send(..) | Route::Elsewhere(..) => panic!("it need not wait"),
    }
}

#[test]
fn one_parcel_finds_out_whether_a_node_is_back() {
    let (hop, hand) = hop(HopKind::FailOver, &["a", "b"]);
    assert!(hop.failed(&"a".into()), "this is news");
    assert!(!hop.failed(&"a".into()), "this is none");
    assert_eq!(route(&hop, "a"), "elsewhere, to b");
    hand.advance(BACKOFF.ceiling(1));
    assert_eq!(route(&hop, "a"), "to a");
    hand.advance(LONGEST_WAIT);
    assert_eq!(route(&hop, "a"), "elsewhere, to b", "the outcome of the probe is awaited");
    hop.succeeded("a");
    assert_eq!(route(&hop, "a"), "to a");
}

#[test]
fn an_outcome_that_is_never_told_does_not_shut_a_node_out() {
    let (hop, hand) = hop(HopKind::FailOver, &["a", "b"]);
    hop.failed(&"a".into());
    hand.advance(BACKOFF.ceiling(1));
    assert_eq!(route(&hop, "a"), "to a");
    hand.advance(PROBE.ceiling(1));
    assert_eq!(route(&hop, "a"), "to a");
}

#[test]
fn nobody_waits_longer_than_a_few_seconds_before_asking_again() {
    let (hop, hand) = hop(HopKind::FailOver, &["a"]);
    hop.failed(&"a".into());
    hand.advance(BACKOFF.ceiling(1));
    assert_eq!(route(&hop, "a"), "to a");
    assert_eq!(wait(&hop, "a"), LONGEST_WAIT, "while the only node is being probed");
    let (empty, _) = self::hop(HopKind::FailOver, &[]);
    assert_eq!(wait(&empty, "a"), NOBODY);
}

#[test]
fn a_waiting_hop_hands_over_when_its_time_has_come() {
    let (hop, hand) = hop(WAITING, &["a", "b"]);
    hop.failed(&"a".into());
    hand.advance(BACKOFF.ceiling(1));
    assert_eq!(route(&hop, "a"), "to a");
    hop.failed(&"a".into());
    assert_eq!(route(&hop, "a"), "waits");
    hand.advance(HANDOVER - BACKOFF.ceiling(1));
    hop.standings.ask("a", HANDOVER, &TIER_BACKOFF); // somebody probes it just now
    assert_eq!(route(&hop, "a"), "elsewhere, to b");
}

#[test]
fn a_member_that_is_away_while_we_start_stays_an_owner() {
    let (clock, hand) = Clock::manual(Timestamp::default());
    let hop = Hop::new(WAITING, HANDOVER, Signal::Traces, clock);
    hop.remember(&Members::new(["a", "b"]));
    see(&hop, &["a"]);
    assert_eq!(hop.members(), Members::new(["a", "b"]));
    assert_eq!((hop.address("a").as_deref(), hop.address("b")), (Some("127.0.0.1:1"), None));
    hand.advance(HANDOVER);
    see(&hop, &["a"]);
    assert_eq!(hop.members(), Members::new(["a"]));
}

#[test]
fn who_left_refuses_nobody_any_more() {
    let (hop, hand) = hop(WAITING, &["a", "b"]);
    hop.refused(&"a".into());
    hop.refused(&"b".into());
    hop.succeeded("b");
    assert_eq!(hop.refusing(), 1);
    see(&hop, &["b"]);
    hand.advance(HANDOVER);
    see(&hop, &["b"]);
    assert_eq!(hop.refusing(), 0);
}

#[test]
fn one_place_that_is_no_tier_is_waited_for_without_end() {
    let (clock, hand) = Clock::manual(Timestamp::default());
    let hop = Hop::to_one("tempo", Signal::Traces, clock);
    hop.failed(&"tempo".into());
    assert!(wait(&hop, "tempo") <= BACKOFF.ceiling(1));
    hand.advance(Duration::from_secs(365 * 24 * 3600));
    assert_eq!(route(&hop, "tempo"), "to tempo");
}
