use tollgate_disk::Disk;
use tollgate_otlp::TraceId;
use tollgate_runtime::Clock;
use tollgate_sampling::Decision;

use super::super::tests::{Bench, ERRORS, HISTORY, WAIT, error, policies, span, waiting};
use super::*;
use crate::node::archive::Archive;
use crate::node::counters::Counters;
use crate::node::logs::Division;
use crate::node::reload::{Reloaded, Reloader};
use crate::rig;

const ALL: &str = "{name: all, type: always_sample}";

fn second() -> Duration {
    Duration::from_secs(1)
}

fn decision(bench: &Bench, trace: u64) -> Option<Decision> {
    bench.hold.sampler.verdict(&TraceId(rig::trace_id(trace))).map(|verdict| verdict.decision)
}

/// Scenario: a trace with an error waits when errors become all that is kept; another is judged before that has come into
/// force. Guarantees: the one is judged on the spans that came before the change too, the other as before it.
#[tokio::test]
async fn new_policies_judge_by_what_came_before_them() {
    let mut bench = Bench::new().await;
    bench.hold.renew(policies(1000, ALL, ""));
    bench.tick().await.unwrap();
    assert!(bench.hold.renewal.is_none(), "nothing waits");
    for number in 0..4 {
        bench.append(&[span(1, 10 + number), error(2, 20 + number), span(3, 30 + number)]).await;
        bench.tick().await.unwrap();
        bench.pass(second());
    }
    bench.append(&[error(4, 40), span(5, 50)]).await;
    bench.hold.pace = Pace { time: Duration::ZERO, bytes: 1 };
    bench.hold.renew(policies(1000, ERRORS, ""));
    bench.tick().await.unwrap();
    bench.pass(second());
    bench.tick().await.unwrap();
    assert!(bench.hold.renewal.is_some() && decision(&bench, 3) == Some(Decision::Keep), "by the policies in force");
    while bench.hold.renewal.is_some() {
        bench.tick().await.unwrap();
    }
    bench.append(&[span(4, 41), error(1, 14), span(5, 51)]).await;
    bench.settle().await;
    assert_eq!([4, 5].map(|trace| decision(&bench, trace)), [Some(Decision::Keep), Some(Decision::Drop)]);
    assert_eq!(bench.kept().await, [10, 11, 12, 13, 14, 20, 21, 22, 23, 30, 31, 32, 33, 40, 41]);
    assert_eq!(bench.counted.read("tollgate_sampling_takeovers_total", ""), 2);
    assert_eq!(bench.counted.read("tollgate_sampling_takeover_behind_bytes", ""), 0);
}

/// Guarantees: more arrives with every tick than these policies read in one turn, and they come into force all the same.
#[tokio::test]
async fn new_policies_catch_up_however_much_arrives() {
    let mut bench = Bench::new().await;
    for number in 0..40 {
        bench.append(&[span(number, number)]).await;
    }
    bench.tick().await.unwrap();
    bench.hold.pace = Pace { time: Duration::ZERO, bytes: 1 };
    bench.hold.renew(policies(1000, ALL, ""));
    let mut ticks = 0;
    while bench.hold.renewal.is_some() {
        for number in 0..20 {
            bench.append(&[span(number, 1000 + ticks * 20 + number)]).await;
        }
        bench.tick().await.unwrap();
        ticks += 1;
        assert!(ticks < 20);
    }
    assert!(ticks > 1);
    bench.settle().await;
    assert_eq!(bench.kept().await.len() as u64, 40 + ticks * 20);
}

/// Guarantees: a wait that changes is counted from when a trace began; what else is said beside the policies changes with them.
#[tokio::test]
async fn all_that_is_said_of_sampling_changes_at_once() {
    let mut bench = Bench::new().await;
    bench.append(&[error(1, 10)]).await;
    bench.tick().await.unwrap();
    bench.pass(second() * 2);
    let own = "record_policy: true\nuse_tracestate: true\nhistory: 3\n";
    bench.hold.renew(waiting(2, 1000, ERRORS, own));
    bench.tick().await.unwrap();
    assert_eq!(decision(&bench, 1), None, "the old wait, in the round in which it ends");
    bench.tick().await.unwrap();
    assert_eq!(decision(&bench, 1), Some(Decision::Keep));
    let records = bench.records().await;
    let says =
        |text: &[u8]| records.iter().any(|record| record.payload.windows(text.len()).any(|window| window == text));
    assert!(says(b"tailsampling.policy") && says(b"ot=th:0"));
    let history = bench.hold.history.clone().unwrap();
    assert_eq!(history.status()["most_traces"], 3);
    bench.append(&(0..8).map(|trace| span(20 + trace, trace)).collect::<Vec<_>>()).await;
    bench.settle().await;
    assert_eq!(history.status()["traces"], 3);

    bench.hold.renew(waiting(60, 1000, ALL, "history: 0\n"));
    bench.append(&[span(50, 50)]).await;
    bench.tick().await.unwrap();
    bench.pass(WAIT);
    bench.tick().await.unwrap();
    assert!(decision(&bench, 50).is_none() && !history.is_kept(), "the longer wait");
    bench.hold.renew(policies(1000, ALL, &format!("history: {HISTORY}\n")));
    bench.tick().await.unwrap();
    assert!(history.is_kept());
    bench.tick().await.unwrap();
    let why = history.why(&TraceId(rig::trace_id(50)));
    assert_eq!(why["verdict"]["votes"][0]["policy"], "all", "{why}");
}

/// Guarantees: an answer names the policies that voted, not those of today, and each verdict once.
#[tokio::test]
async fn the_history_knows_who_voted() {
    let mut bench = Bench::new().await;
    bench.append(&[error(1, 10)]).await;
    bench.settle().await;
    bench.hold.renew(policies(1000, &format!("{ALL}\n    - {{name: more, type: always_sample}}"), ""));
    bench.append(&[span(2, 20)]).await;
    bench.settle().await;
    let history = bench.hold.history.clone().unwrap();
    let voted = |trace| {
        let why = history.why(&TraceId(rig::trace_id(trace)));
        why["verdict"]["votes"].as_array().unwrap().iter().map(|vote| vote["policy"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(voted(1), ["errors"]);
    assert_eq!(voted(2), ["all", "more"]);
    let bench = bench.crashed().await;
    let why = bench.hold.history.as_ref().unwrap().why(&TraceId(rig::trace_id(1)));
    assert_eq!((&why["verdict"]["reason"], why["earlier_verdicts"].as_array().unwrap().len()), (&"errors".into(), 0));
}

/// Scenario: killed before new policies took over. Guarantees: what waits is judged by them, on all its spans; what was judged
/// stays judged.
#[tokio::test]
async fn a_crash_before_the_takeover_loses_nothing() {
    let mut bench = Bench::new().await;
    bench.append(&[span(1, 10)]).await;
    bench.settle().await;
    bench.append(&[span(1, 11), span(2, 20)]).await;
    bench.tick().await.unwrap();
    bench.hold.renew(policies(1000, ALL, ""));
    let mut bench = bench.crashed_into(ALL).await;
    bench.append(&[span(2, 21)]).await;
    bench.settle().await;
    assert_eq!(bench.kept().await, [20, 21]);
}

/// Guarantees: documents with other sampling policies bring them, and documents that are other elsewhere bring none.
#[tokio::test]
async fn only_other_sampling_policies_are_followed() {
    let ((folder, documents), dir) = (rig::edited(|_, text| text), tempfile::tempdir().unwrap());
    let archive = Arc::new(Archive::new(&Disk::real(), dir.path().join("documents")));
    let counters = Counters::register(&tollgate_runtime::Metrics::new(), Division::Passing).reload.clone();
    let first = archive.adopt(&documents).unwrap();
    let first_documents = Arc::clone(&first.documents);
    let reloader = Reloader::new(rig::node("us-east/central/0"), archive, first, Clock::system(), counters);
    let mut following = Following::new(reloader.follow(), first_documents);
    let edit = |file: &str, from: &str, to: &str| {
        let path = folder.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, text.replace(from, to)).unwrap();
        assert_eq!(reloader.reload().unwrap(), Reloaded::Adopted);
    };
    edit("policies/residency.yaml", "RISK-77", "RISK-78");
    tokio::select! {
        biased;
        _ = following.changed() => panic!("the sampling policies are the same"),
        () = std::future::ready(()) => {}
    }
    edit("policies/sampling.yaml", "decision_wait: ", "decision_wait: 1");
    let policies = following.changed().await;
    assert!(policies.bounds().decision_wait >= second() * 10);
}
