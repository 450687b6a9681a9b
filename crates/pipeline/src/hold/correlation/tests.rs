use std::time::Duration;

use tollgate_spool::{Entry, Name};

use super::*;
use crate::admit::attendance::Word;
use crate::hold::tests::{Bench, WAIT};
use crate::rig;

/// The gateways of the example.
const GATEWAYS: [&str; 3] = ["eu-west/gateway/0", "uk-south/gateway/0", "us-east/gateway/0"];

/// The bench, at central of the example with its documents changed.
async fn bench(edit: impl Fn(&str, String) -> String) -> (tempfile::TempDir, Bench, Breaks) {
    let (dir, documents) = rig::edited(edit);
    let mut bench = Bench::new().await;
    let breaks = Breaks::new(bench.clock.clone());
    let me = rig::node("us-east/central/0");
    let in_force = rig::in_force(&documents);
    let correlation = Correlation::new(breaks.clone(), in_force, &me, &bench.hold.sampler, bench.clock.clone());
    bench.hold.correlation = Some(correlation);
    (dir, bench, breaks)
}

/// A gateway says that it has nothing more to send.
fn hear(bench: &Bench, gateway: &str) {
    let now = bench.clock.now().nanos();
    let progress = Some(tollgate_federation::Progress { oldest_unsent: now, now, presence: Default::default() });
    let manifest = tollgate_federation::Manifest { progress, ..rig::manifest(gateway, "EEA", 0) };
    bench.hold.attendance.heard(&Word::of(&manifest).unwrap(), bench.received.durable_end());
}

/// A span of kind `SERVER` with the id of its parent, none if zero.
async fn send(bench: &Bench, gateway: &str, trace: u64, (number, parent): (u64, u64)) {
    let payload = rig::envelope(|scope| {
        scope.message(2, |span| {
            rig::identify(span, trace, number);
            if parent > 0 {
                span.bytes(4, &(parent + 1).to_be_bytes()); // as the ids of all spans here
            }
            span.varint(6, 2);
            span.fixed64(7, number);
        });
    });
    bench.received.append(Entry { peer: Name::from(gateway), ..rig::entry(payload) }).await.unwrap();
}

/// Time passes; of these gateways something is heard all the while.
async fn pass(bench: &mut Bench, heard: &[&str], seconds: u64) {
    for _ in 0..=seconds {
        heard.iter().for_each(|gateway| hear(bench, gateway));
        bench.tick().await.unwrap();
        bench.pass(Duration::from_secs(1));
    }
}

/// The same until the traces are looked at.
async fn look(bench: &mut Bench, heard: &[&str]) {
    pass(bench, heard, WAIT.as_secs() * 4).await;
}

fn kinds(breaks: &Breaks) -> Vec<String> {
    let page = breaks.page();
    let shown = |entry: &serde_json::Value| {
        let end = |key: &str| entry[key]["region"].as_str().unwrap_or("?").to_owned();
        format!("{} {} {} {}", entry["kind"].as_str().unwrap(), end("from"), end("to"), entry["spans"])
    };
    page["breaks"].as_array().unwrap().iter().map(shown).collect()
}

fn unchanged(_: &str, text: String) -> String {
    text
}

/// Scenario: of a call from the EU by way of the UK into the US the span in the middle is not there; everybody was heard of.
/// Guarantees: its child is told of as an orphan whose parent is missing, by where the trace began and where the child is; what
/// joins is counted by its boundary.
#[tokio::test]
async fn a_parent_that_nothing_accounts_for_is_missing() {
    let (_dir, mut bench, breaks) = bench(unchanged).await;
    GATEWAYS.iter().for_each(|gateway| hear(&bench, gateway));
    send(&bench, GATEWAYS[0], 1, (1, 0)).await;
    send(&bench, GATEWAYS[2], 1, (3, 2)).await;
    send(&bench, GATEWAYS[1], 1, (4, 1)).await;
    look(&mut bench, &GATEWAYS).await;
    assert_eq!(kinds(&breaks), ["parent_missing eu-west us-east 1"]);
    let counted = |metric: &str, text: &str| bench.counted.read(metric, text);
    assert_eq!(counted("tollgate_correlation_joins_total", "from=\"eu-west\",to=\"uk-south\""), 1);
    assert_eq!(counted("tollgate_correlation_traces_total", "regions=\"3\",roots=\"1\""), 1);
    assert_eq!(counted("tollgate_correlation_breaks_total", "kind=\"parent_missing\""), 1);
}

/// Guarantees: what comes after the verdict and before the trace is looked at joins.
#[tokio::test]
async fn a_parent_that_comes_late_is_no_break() {
    let (_dir, mut bench, breaks) = bench(unchanged).await;
    GATEWAYS.iter().for_each(|gateway| hear(&bench, gateway));
    send(&bench, GATEWAYS[2], 1, (2, 1)).await;
    pass(&mut bench, &GATEWAYS, WAIT.as_secs()).await;
    assert_eq!(bench.hold.sampler.pending(), 0);
    send(&bench, GATEWAYS[0], 1, (1, 0)).await;
    look(&mut bench, &GATEWAYS).await;
    assert_eq!((kinds(&breaks), breaks.page()["traces"].clone()), (Vec::new(), 1.into()));
}

/// Guarantees: of a region that was never heard of, or is silent, nobody knows what it has; a trace that still gets spans is not
/// over. None of them is called missing.
#[tokio::test]
async fn what_may_still_come_is_not_missing() {
    let (_dir, mut bench, breaks) = bench(unchanged).await;
    send(&bench, GATEWAYS[2], 1, (2, 1)).await;
    look(&mut bench, &GATEWAYS[1..]).await;
    assert_eq!(kinds(&breaks), ["parent_unknown ? us-east 1"], "the EU was never heard of");
    hear(&bench, GATEWAYS[0]);
    send(&bench, GATEWAYS[2], 2, (2, 1)).await;
    look(&mut bench, &GATEWAYS[1..]).await;
    assert_eq!(kinds(&breaks), ["parent_unknown ? us-east 2"], "the EU is silent");
    send(&bench, GATEWAYS[2], 3, (2, 1)).await;
    for round in 0..=WAIT.as_secs() * 4 {
        GATEWAYS.iter().for_each(|gateway| hear(&bench, gateway));
        send(&bench, GATEWAYS[2], 3, (10 + round, 2)).await;
        bench.tick().await.unwrap();
        bench.pass(Duration::from_secs(1));
    }
    assert_eq!(kinds(&breaks), ["parent_unknown ? us-east 3"], "it is under way");
}

/// Guarantees: where documents keep a region away, they account for a parent that may lie there; its name is told.
#[tokio::test]
async fn a_parent_that_may_lie_where_nothing_comes_from_is_withheld() {
    let shut = |name: &str, text: String| match name {
        "policies/residency.yaml" => text.replacen(
            "rules:\n",
            "rules:\n  - {id: shut, origin: UK, reaching: US, signal: traces, deny: [all]}\n",
            1,
        ),
        _ => text,
    };
    let (_dir, mut bench, breaks) = bench(shut).await;
    let heard = [GATEWAYS[0], GATEWAYS[2]];
    heard.iter().for_each(|gateway| hear(&bench, gateway));
    send(&bench, GATEWAYS[0], 1, (1, 0)).await;
    send(&bench, GATEWAYS[2], 1, (3, 2)).await;
    look(&mut bench, &heard).await;
    assert_eq!(kinds(&breaks), ["parent_withheld eu-west us-east 1"]);
    assert_eq!(breaks.page()["regions_withheld"], serde_json::json!(["uk-south"]));
}

/// Guarantees: metrics name no service, and a peer that is nobody of the documents makes no label of its own.
#[tokio::test]
async fn metrics_name_regions_of_the_documents_alone() {
    let (_dir, mut bench, breaks) = bench(unchanged).await;
    for stranger in ["nowhere/gateway/0", "elsewhere/gateway/0"] {
        send(&bench, stranger, 1, (2, 1)).await;
    }
    look(&mut bench, &GATEWAYS).await;
    assert_eq!(kinds(&breaks), ["parent_unknown ? (elsewhere) 1"]);
    let metrics = bench.counted.metrics.encode();
    assert!(!metrics.contains("nowhere") && !metrics.contains("no service.name"), "{metrics}");
    assert!(metrics.contains("to=\"(elsewhere)\""), "{metrics}");
}
