use std::sync::Mutex;

use tokio::time::Instant;
use tollgate_federation::Signal;
use tollgate_routing::HopKind;
use tollgate_runtime::{Stopper, TaskGroup};

use super::*;
use crate::rig;

/// A name server and the nodes behind its addresses, as the test wants them.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<World>>);

#[derive(Default)]
struct World {
    answer: Option<Result<Answer, ResolveError>>,
    nodes: BTreeMap<SocketAddr, NodeId>,
    lookups: Vec<Instant>,
    hangs: bool,
}

impl Ask for Fake {
    async fn addresses(&self, name: &str, port: u16) -> Result<Answer, ResolveError> {
        assert_eq!((name, port), ("central.us-east.svc.cluster.local", 4417));
        let (answer, hangs) = {
            let mut world = self.0.lock().unwrap();
            world.lookups.push(Instant::now());
            (world.answer.clone(), world.hangs)
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        answer.unwrap_or(Err(ResolveError::Failed("no server".to_owned())))
    }

    async fn member(&self, _: &TierId, address: SocketAddr) -> Option<NodeId> {
        self.0.lock().unwrap().nodes.get(&address).cloned()
    }
}

fn at(host: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, host], 4417))
}

impl Fake {
    fn answers(&self, answer: Result<Vec<u8>, ResolveError>) {
        let answer =
            answer.map(|hosts| Answer { addresses: hosts.into_iter().map(at).collect(), ttl: Duration::from_secs(20) });
        self.0.lock().unwrap().answer = Some(answer);
    }

    fn at(&self, host: u8, node: Option<&str>) {
        let mut world = self.0.lock().unwrap();
        match node {
            Some(node) => drop(world.nodes.insert(at(host), rig::node(&format!("us-east/central/{node}")))),
            None => drop(world.nodes.remove(&at(host))),
        }
    }
}

struct Bench {
    fake: Fake,
    hop: Arc<Hop>,
    tasks: TaskGroup,
    stopper: Stopper,
}

impl Bench {
    /// A tier found by DNS; who leaves stays a member for `leaving`.
    fn start(leaving: Duration) -> Self {
        Self::of(rig::documents().federation.home_central("us-east").unwrap().clone(), leaving)
    }

    fn of(tier: Tier, leaving: Duration) -> Self {
        let (tasks, finding) = (TaskGroup::new(), TaskGroup::new());
        let clock = rig::following(&tasks);
        let hop = Arc::new(Hop::new(HopKind::Wait { handover_after: leaving }, leaving, Signal::Traces, clock));
        let (stopper, shutdown) = Shutdown::new();
        let fake = Fake::default();
        let finder = Finder { tier, ask: fake.clone(), hop: Arc::clone(&hop) };
        finding.spawn("members", finder.run(shutdown));
        Self { fake, hop, tasks: finding, stopper }
    }

    fn members(&self) -> String {
        self.hop.members().iter().collect()
    }

    async fn members_after(&self, seconds: u64) -> String {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.members()
    }
}

const HANDOVER: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn nodes_that_the_documents_list_are_members_at_once() {
    let (_dir, documents) = rig::edited(|name, text| match name {
        "regions/us-east.yaml" => {
            text.replace("{dns: central.us-east.svc.cluster.local}", "{static: {a: 127.0.0.1:1, b: 127.0.0.1:2}}")
        }
        _ => text,
    });
    let bench = Bench::of(documents.federation.home_central("us-east").unwrap().clone(), HANDOVER);
    assert_eq!(bench.members_after(1).await, "ab");
    assert_eq!(bench.hop.address("b").as_deref(), Some("127.0.0.1:2"));
    assert!(bench.tasks.is_empty(), "there is nothing more to find");
}

/// A node is called what its certificate says, wherever it is found.
#[tokio::test(start_paused = true)]
async fn certificates_tell_names() {
    let bench = Bench::start(HANDOVER);
    bench.fake.answers(Ok(vec![1, 2]));
    bench.fake.at(1, Some("a"));
    bench.fake.at(2, Some("b"));
    assert_eq!(bench.members_after(1).await, "ab");
    // Both restart and swap addresses.
    bench.fake.at(1, Some("b"));
    bench.fake.at(2, Some("a"));
    assert_eq!(bench.members_after(21).await, "ab");
    assert_eq!(bench.hop.address("a"), Some(at(2).to_string()));
}

/// Scenario: a lookup fails, and an address does not answer, for minutes. Guarantees: nobody is taken out of the tier.
#[tokio::test(start_paused = true)]
async fn silence_takes_nobody_out() {
    let bench = Bench::start(HANDOVER);
    bench.fake.answers(Ok(vec![1, 2]));
    bench.fake.at(1, Some("a"));
    bench.fake.at(2, Some("b"));
    assert_eq!(bench.members_after(1).await, "ab");
    bench.fake.at(2, None);
    assert_eq!(bench.members_after(300).await, "ab");
    bench.fake.answers(Err(ResolveError::Failed("timeout".to_owned())));
    assert_eq!(bench.members_after(300).await, "ab");
}

/// Scenario: an address of a starting node does not answer yet. Guarantees: it is asked again within a second or two, not
/// when the record ends.
#[tokio::test(start_paused = true)]
async fn who_does_not_answer_yet_is_asked_again_soon() {
    let bench = Bench::start(HANDOVER);
    bench.fake.answers(Ok(vec![1, 2]));
    bench.fake.at(1, Some("a"));
    assert_eq!(bench.members_after(5).await, "a");
    bench.fake.at(2, Some("b"));
    assert_eq!(bench.members_after(2).await, "ab");
    let before = bench.fake.0.lock().unwrap().lookups.len();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let lookups = bench.fake.0.lock().unwrap().lookups.len() - before;
    assert!((2..=4).contains(&lookups), "{lookups} lookups a minute of a record that lives 20 s");
}

/// Scenario: a node is gone from the answer, and comes back before and after the handover. Guarantees: it stays a member
/// for that long and no longer; an empty answer counts as everybody gone, and so does a name that does not exist.
#[tokio::test(start_paused = true)]
async fn who_is_gone_from_the_answer_leaves_after_handover() {
    for gone in [Ok(vec![1]), Ok(vec![]), Err(ResolveError::NoSuchName)] {
        let bench = Bench::start(HANDOVER);
        bench.fake.answers(Ok(vec![1, 2]));
        bench.fake.at(1, Some("a"));
        bench.fake.at(2, Some("b"));
        assert_eq!(bench.members_after(1).await, "ab");
        bench.fake.answers(gone.clone());
        assert_eq!(bench.members_after(50).await, "ab");
        bench.fake.answers(Ok(vec![1, 2]));
        assert_eq!(bench.members_after(50).await, "ab");
        bench.fake.answers(gone.clone());
        let left = if gone == Ok(vec![1]) { "a" } else { "" };
        assert_eq!(bench.members_after(120).await, left);
    }
}

/// Scenario: SIGTERM while a lookup hangs. Guarantees: it does not hold up the end.
#[tokio::test(start_paused = true)]
async fn a_lookup_that_hangs_holds_up_no_shutdown() {
    let bench = Bench::start(HANDOVER);
    bench.fake.0.lock().unwrap().hangs = true;
    tokio::time::sleep(Duration::from_secs(1)).await;
    bench.stopper.stop();
    assert!(bench.tasks.wait(Duration::from_millis(10)).await.is_ok());
}
