use serde_json::Value;

use super::super::tests::{Bench, WAIT, error, span};
use crate::rig;
use tollgate_otlp::TraceId;

fn why(bench: &Bench, trace: u64) -> Value {
    bench.hold.history.as_ref().unwrap().why(&TraceId(rig::trace_id(trace)))
}

/// How many spans came, and what became of them.
fn arrived(answer: &Value) -> Vec<(u64, &str)> {
    let all = answer["arrived"].as_array().unwrap().iter();
    all.map(|arrived| (arrived["spans"].as_u64().unwrap(), arrived["fate"].as_str().unwrap())).collect()
}

/// Guarantees: who asks learns what came from where, how each policy voted, the verdict, and what became of what came late;
/// for kept and for dropped traces.
#[tokio::test]
async fn kept_and_dropped_traces_are_explained() {
    let mut bench = Bench::new().await;
    bench.append(&[span(1, 10), span(2, 20)]).await;
    bench.append(&[error(1, 11)]).await;
    bench.tick().await.unwrap();
    assert_eq!(why(&bench, 1)["state"], "pending");
    bench.settle().await;
    bench.pass(WAIT);
    bench.append(&[span(1, 12), error(2, 21)]).await;
    bench.settle().await;
    let (kept, dropped) = (why(&bench, 1), why(&bench, 2));
    assert_eq!((&kept["state"], &dropped["state"]), (&"kept".into(), &"dropped".into()));
    assert_eq!((&kept["verdict"]["reason"], &kept["verdict"]["incomplete"]), (&"errors".into(), &false.into()));
    assert_eq!(kept["verdict"]["votes"][0]["vote"], "keep");
    assert_eq!((&dropped["verdict"]["reason"], &dropped["verdict"]["spans"]), (&"no policy matched".into(), &1.into()));
    assert_eq!(dropped["verdict"]["votes"][0]["vote"], "pass");
    assert_eq!(arrived(&kept), [(2, "in time"), (1, "late: followed the verdict and kept")]);
    assert_eq!(arrived(&dropped), [(1, "in time"), (1, "late: followed the verdict and dropped")]);
    assert_eq!((&kept["note"], &dropped["note"]), (&Value::Null, &Value::Null));
}

/// Guarantees: a verdict of the process before is known from the journal, and what is not known any more is said.
#[tokio::test]
async fn what_is_not_known_any_more_is_said() {
    let mut bench = Bench::new().await;
    bench.append(&[error(1, 10)]).await;
    bench.settle().await;
    let mut bench = bench.crashed().await;
    let answer = why(&bench, 1);
    assert_eq!((&answer["state"], &answer["verdict"]["reason"]), (&"kept".into(), &"errors".into()));
    assert!(answer["note"].as_str().unwrap().contains("before this process started"), "{answer}");
    assert_eq!(why(&bench, 7)["state"], "unknown");
    bench.append(&[span(7, 70)]).await;
    bench.tick().await.unwrap();
    assert_eq!(why(&bench, 7)["state"], "pending");
}

/// Guarantees: however many traces there are and however many requests bring their spans, memory stays within its bound; the
/// oldest is forgotten first.
#[tokio::test]
async fn the_oldest_is_forgotten() {
    let mut bench = Bench::new().await;
    for round in 0..30 {
        let spans: Vec<_> = (0..20).map(|trace| span(round * 20 + trace, round * 20 + trace)).collect();
        bench.append(&spans).await;
        bench.append(&[span(0, round)]).await;
        bench.settle().await;
    }
    let most = super::super::tests::HISTORY;
    let kept = bench.hold.history.as_ref().unwrap().lock();
    assert!(kept.verdicts.len() == most && kept.arrivals.len() <= most * super::REQUESTS);
    drop(kept);
    let states = [1, 599, 600].map(|trace| why(&bench, trace)["state"].clone());
    assert_eq!(states, ["pending or forgotten", "dropped", "unknown"], "its arrivals are known for longer");
}
