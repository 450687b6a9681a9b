//! Tiers that are found by DNS: central by its gateways, and what becomes of traffic when the answers change.
//!
//! Guarantees: a node that appears gets a share; an empty answer makes traffic wait and loses nothing; silence keeps the
//! last members; a node that comes back under another address is the same node; a node that is away while its sender
//! restarts stays an owner. Nothing of this loses or splits an acknowledged trace.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where its surroundings fail it")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Header, HeaderCounts, Metadata, ResponseCode};
use hickory_server::proto::rr::rdata::A;
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use tokio::net::UdpSocket;
use tollgate_integration::fleet::ALL;
use tollgate_integration::{Delivered, Fleet, Ledger, Traffic};
use tollgate_testkit::wait_until;

const COLLECTOR: &str = "us-east-collector-us-east-a-0";
const GATEWAY: &str = "us-east-gateway-0";
const CENTRAL: [&str; 2] = ["us-east-central-0", "us-east-central-1"];
const CENTRAL_NAME: &str = "central.us-east.svc.cluster.local";
const GATEWAY_NAME: &str = "gateway.us-east.svc.cluster.local";

const EVERY: Duration = Duration::from_millis(40);
const LIMIT: Duration = Duration::from_secs(40);

/// What the server says of a name.
#[derive(Clone, Debug)]
enum Answer {
    Addresses(Vec<Ipv4Addr>),
    Silence,
}

/// A DNS server whose answers a test changes; they may be kept for a second.
struct Names {
    answers: Answers,
    address: SocketAddr,
    _server: Server<Answers>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Clone, Default)]
struct Answers {
    /// Each name with its answer, and how often it was asked for.
    by_name: Arc<Mutex<BTreeMap<String, (Answer, usize)>>>,
}

impl Names {
    fn start(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let answers = Answers::default();
        let mut server = Server::new(answers.clone());
        let socket = runtime.block_on(UdpSocket::bind(address)).unwrap();
        runtime.block_on(async { server.register_socket(socket) });
        Self { answers, address, _server: server, _runtime: runtime }
    }

    fn say(&self, name: &str, answer: Answer) {
        let mut answers = self.answers.by_name.lock().unwrap();
        answers.entry(name.to_owned()).or_insert((Answer::Silence, 0)).0 = answer;
    }

    fn addresses<const N: usize>(&self, name: &str, addresses: [IpAddr; N]) {
        let four = addresses.map(|address| match address {
            IpAddr::V4(four) => four,
            IpAddr::V6(_) => panic!("loopback blocks have IPv4 addresses"),
        });
        self.say(name, Answer::Addresses(four.into()));
    }

    /// Waits until a question that was asked after the last change was answered.
    fn wait_until_asked(&self, name: &str) {
        let asked = || self.answers.by_name.lock().unwrap()[name].1;
        let before = asked();
        // Each lookup asks for both families of addresses, and the next one comes after the one before is done.
        wait_until(LIMIT, "the name is asked for again", || asked() >= before + 6);
    }
}

#[tonic::async_trait]
impl RequestHandler for Answers {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut response: R) -> ResponseInfo {
        let query = request.request_info().unwrap().query;
        let name = Name::from(query.name().clone());
        let answer = self.by_name.lock().unwrap().get_mut(name.to_string().trim_end_matches('.')).map(|known| {
            known.1 += 1;
            known.0.clone()
        });
        let mut head = Metadata::response_from_request(&request.metadata);
        let mut records = Vec::new();
        match answer {
            Some(Answer::Silence) => return Header { metadata: head, counts: HeaderCounts::default() }.into(),
            Some(Answer::Addresses(addresses)) if query.query_type() == RecordType::A => {
                let record = |address| Record::from_rdata(name.clone(), 1, RData::A(A(address)));
                records.extend(addresses.into_iter().map(record));
            }
            Some(Answer::Addresses(_)) => {}
            None => head.response_code = ResponseCode::NXDomain,
        }
        let message = MessageResponseBuilder::from_message_request(request).build(head, &records, [], [], []);
        response.send_response(message).await.unwrap()
    }
}

/// A collector, its gateway and central, all of the US, found by DNS.
fn lay_out() -> (Fleet, Names) {
    let mut fleet = Fleet::lay_out();
    fleet.sample(ALL);
    let names = Names::start(fleet.block().socket(253, 5353));
    fleet.edit("regions/us-east.yaml", |text| {
        let lines = text.lines().map(|line| match line.split(':').next() {
            Some("gateway") => format!("gateway: {{nodes: {{dns: {GATEWAY_NAME}}}, port: 4417}}"),
            Some("central") => {
                format!("central: {{nodes: {{dns: {CENTRAL_NAME}}}, port: 4417, handover_after: 60s}}")
            }
            _ => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\n") + "\n"
    });
    for name in [COLLECTOR, GATEWAY] {
        let node_file = fleet.planned(name).node_file.display().to_string();
        fleet.edit(&node_file, |text| format!("{text}dns: [{}]\n", names.address));
    }
    names.addresses(GATEWAY_NAME, [address(&fleet, GATEWAY)]);
    names.addresses(CENTRAL_NAME, CENTRAL.map(|central| address(&fleet, central)));
    fleet.start([COLLECTOR, GATEWAY]);
    (fleet, names)
}

fn address(fleet: &Fleet, node: &str) -> IpAddr {
    fleet.planned(node).tier().unwrap().ip()
}

fn traffic(fleet: &Fleet, seed: u64) -> Traffic {
    Traffic::start(&[fleet.otlp(COLLECTOR)], EVERY, seed)
}

fn delivered(fleet: &Fleet) -> Delivered {
    fleet.exported(&CENTRAL)
}

#[track_caller]
fn wait_for_delivery(fleet: &Fleet, central: usize) {
    let before = delivered(fleet).spans_at(central);
    wait_until(LIMIT, "spans arrive at the node", || delivered(fleet).spans_at(central) > before + 20);
}

#[track_caller]
fn settle(fleet: &Fleet, ledger: &Ledger) -> Delivered {
    wait_until(LIMIT, "all that was acknowledged arrives", || ledger.missing_anywhere(&delivered(fleet)).is_empty());
    delivered(fleet)
}

/// Waits until the gateway knows both central nodes: one is met before the other, and what is on its way then is split.
#[track_caller]
fn start_both(fleet: &mut Fleet) {
    fleet.start(CENTRAL);
    let first = traffic(fleet, 9);
    for central in [0, 1] {
        wait_for_delivery(fleet, central);
    }
    settle(fleet, &first.stop());
}

#[test]
fn a_second_node_gets_a_share_when_it_appears_and_is_the_same_node_at_another_address() {
    let (mut fleet, names) = lay_out();
    names.addresses(CENTRAL_NAME, [address(&fleet, CENTRAL[0])]);
    fleet.start([CENTRAL[0]]);
    let alone = traffic(&fleet, 1);
    wait_for_delivery(&fleet, 0);
    assert_eq!(delivered(&fleet).spans_at(1), 0);
    fleet.start([CENTRAL[1]]);
    names.addresses(CENTRAL_NAME, CENTRAL.map(|central| address(&fleet, central)));
    wait_for_delivery(&fleet, 1);
    settle(&fleet, &alone.stop());

    let moved = traffic(&fleet, 2);
    wait_for_delivery(&fleet, 1);
    fleet.kill(CENTRAL[1]);
    let (old, new) = (address(&fleet, CENTRAL[1]), fleet.block().address(99));
    let node_file = fleet.planned(CENTRAL[1]).node_file.display().to_string();
    fleet.edit(&node_file, |text| text.replace(&format!("tier: {old}:"), &format!("tier: {new}:")));
    names.addresses(CENTRAL_NAME, [address(&fleet, CENTRAL[0]), new.into()]);
    fleet.start([CENTRAL[1]]);
    wait_for_delivery(&fleet, 1);
    let ledger = moved.stop();
    let findings = ledger.check(&settle(&fleet, &ledger));
    println!("{ledger}: {findings}");
    assert!(findings.split.is_empty(), "{findings}");
}

#[test]
fn an_empty_answer_makes_traffic_wait_and_loses_nothing() {
    let (mut fleet, names) = lay_out();
    fleet.start(CENTRAL);
    let traffic = traffic(&fleet, 3);
    wait_for_delivery(&fleet, 0);
    names.addresses(GATEWAY_NAME, []);
    names.wait_until_asked(GATEWAY_NAME);
    let lag = || fleet.lags(COLLECTOR).get("traces/gateway").copied().unwrap_or_default();
    wait_until(LIMIT, "traffic waits in the log", || lag() > 16 << 10);
    names.addresses(GATEWAY_NAME, [address(&fleet, GATEWAY)]);
    wait_for_delivery(&fleet, 0);
    wait_until(LIMIT, "the log is caught up with", || lag() < 4 << 10);
    settle(&fleet, &traffic.stop());
}

#[test]
fn silence_keeps_the_last_members_and_traffic_flows() {
    let (mut fleet, names) = lay_out();
    start_both(&mut fleet);
    let traffic = traffic(&fleet, 4);
    wait_for_delivery(&fleet, 0);
    for name in [GATEWAY_NAME, CENTRAL_NAME] {
        names.say(name, Answer::Silence);
        names.wait_until_asked(name);
    }
    for (central, name) in CENTRAL.into_iter().enumerate() {
        wait_for_delivery(&fleet, central);
        // Its senders know its address from before.
        fleet.kill(name);
        fleet.start([name]);
        wait_for_delivery(&fleet, central);
    }
    let ledger = traffic.stop();
    let findings = ledger.check(&settle(&fleet, &ledger));
    println!("{ledger}: {findings}");
    assert!(findings.split.is_empty(), "{findings}");
}

#[test]
fn a_node_that_is_away_while_its_sender_restarts_stays_an_owner() {
    let (mut fleet, names) = lay_out();
    start_both(&mut fleet);
    let traffic = traffic(&fleet, 5);
    wait_for_delivery(&fleet, 1);
    fleet.kill(CENTRAL[1]);
    names.addresses(CENTRAL_NAME, [address(&fleet, CENTRAL[0])]);
    fleet.kill(GATEWAY);
    fleet.start([GATEWAY]);
    wait_for_delivery(&fleet, 0);
    fleet.start([CENTRAL[1]]);
    names.addresses(CENTRAL_NAME, CENTRAL.map(|central| address(&fleet, central)));
    wait_for_delivery(&fleet, 1);
    let ledger = traffic.stop();
    let findings = ledger.check(&settle(&fleet, &ledger));
    println!("{ledger}: {findings}");
    assert!(findings.split.is_empty(), "{findings}");
}
