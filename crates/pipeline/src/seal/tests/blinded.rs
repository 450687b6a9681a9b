//! Ids that cross blinded: who gets what, and what a region's own spans are called beside it.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::load::Load as _;
use crate::load::local::LocalMaker;
use crate::node::in_force::{Borders, Edition};
use crate::pass::{HomeIds, Pass, Which};

fn blinding() -> (TempDir, Arc<Documents>) {
    rig::edited(|_, text| text.replace("corr: raw", "corr: {blind: ids}"))
}

/// The trace of each span.
fn traces(request: &[u8]) -> Vec<TraceId> {
    let walked = walk_traces(request, &Limits::JOINED).unwrap();
    Batch::new(request, &walked.index).items().map(|item| item.trace_id().unwrap()).collect()
}

const NODES: [&str; 3] = ["a", "b", "c"];
const SPANS: u64 = 60;

/// Guarantees: each node gets the traces that it owns by the ids that it sees, whether the lanes sweep together or one by one,
/// and also of what has to be taken apart anew; nothing is lost, doubled or counted twice.
#[test]
fn each_node_gets_the_traces_that_it_owns_by_the_ids_that_it_sees() {
    let (_dir, documents) = blinding();
    let bench = Bench::new(documents);
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    let record = bench.record(spans(0..SPANS));
    let owners = Owners::new(Members::new(NODES), ROUTING_SEED);
    let owner = |trace: &[u8]| owners.members().iter().nth(owners.owner(trace).unwrap()).unwrap().to_owned();
    let bytes = |sealed: Option<Sealed>| sealed.unwrap().bytes();
    let together: BTreeMap<_, _> = NODES.into_iter().zip(run(&mut seal, &record, &NODES, &NODES)).collect();
    assert_eq!(bench.counts(), [SPANS, 0]);
    let sent: BTreeSet<_> = (0..SPANS).map(|number| TraceId(rig::trace_id(number))).collect();
    let mut seen = BTreeSet::new();
    for (node, sealed) in together {
        let whole = bytes(sealed.clone());
        assert!(traces(&whole).iter().all(|trace| owner(trace.as_bytes()) == node));
        let alone = bytes(run(&mut seal, &record, &NODES, &[node]).remove(0));
        assert_eq!(traces(&alone), traces(&whole));
        let again = sealed.unwrap().split(Signal::Traces, 2, &mut |key| Some(usize::from(owner(key) == node)));
        assert_eq!(again.unwrap().iter().map(Option::is_some).collect::<Vec<_>>(), [false, true]);
        seen.extend(traces(&whole));
    }
    assert_eq!((seen.len() as u64, seen.is_disjoint(&sent)), (SPANS, true));
    assert_eq!(bench.counts(), [2 * SPANS, 0]);
}

struct NoKeys;

impl Keys for NoKeys {
    fn root(&self, _: &str, _: Epoch) -> Option<RootKey> {
        None
    }
}

/// What a gateway sends to the central tier of its own region.
fn pass(bench: &Bench, keys: Arc<dyn Keys>) -> Pass {
    let ids = HomeIds::new(bench.publisher.follow(), keys, "us-east".parse().unwrap());
    let counters = Arc::clone(&bench.counted.consumer);
    Pass { maker: LocalMaker::new(rig::place()), which: Which::Home, counters, ids: Some(ids) }
}

fn passed(pass: &mut Pass, record: &Record) -> Vec<TraceId> {
    let owners = Owners::new(Members::new(["a"]), ROUTING_SEED);
    let index = records::payload_index(record).unwrap().unwrap();
    let share = Share::new(&owners, vec![Some(0)], vec![0]);
    let loads = pass.run(record, Batch::new(&record.payload, &index), &share);
    loads.into_iter().flatten().flat_map(|load| traces(&load.chunks.concat())).collect()
}

/// Guarantees: what a region sends to its own central tier has the ids that others' spans of the same traces have there; a
/// reload that ends it takes back what was made, and without the key nothing goes and it is counted.
#[test]
fn what_a_region_sends_to_its_own_central_tier_is_blinded_like_the_rest() {
    let (_dir, documents) = blinding();
    let bench = Bench::new(documents);
    let record = bench.record(spans(0..5));
    let abroad = bytes_of(run(&mut bench.seal(CENTRAL, Signal::Traces), &record, &["a"], &["a"]));
    let mut pass = pass(&bench, Arc::new(AllKeys));
    assert_eq!((passed(&mut pass, &record), pass.renews_in()), (traces(&abroad), Some(keys::INTERVAL)));
    assert!(!pass.renew(), "nothing has changed");
    bench.publisher.publish(Edition { documents: rig::documents(), previous: Vec::new(), borders: Borders::Open });
    assert!(pass.renew() && !pass.renew());
    assert_eq!((passed(&mut pass, &record), pass.renews_in()), (traces(&record.payload), None));
    bench.publisher.publish(Edition {
        documents: Arc::clone(&bench.documents),
        previous: Vec::new(),
        borders: Borders::Open,
    });
    let mut without = self::pass(&bench, Arc::new(NoKeys));
    let before = bench.counts();
    assert_eq!(passed(&mut without, &record), []);
    assert_eq!(bench.counts(), [before[0] + 5, before[1] + 5]);
    assert_eq!(bench.counted.read("tollgate_sealed_keys_missing_total", "link=\"there\""), 5);
}

fn bytes_of(sealed: Vec<Option<Sealed>>) -> Vec<u8> {
    sealed.into_iter().flatten().flat_map(|sealed| sealed.bytes().to_vec()).collect()
}
