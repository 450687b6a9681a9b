//! The resolver against a server whose answers change.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_resolver::config::{ResolverConfig, ResolverOpts};
use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Header, HeaderCounts, Metadata, ResponseCode};
use hickory_server::proto::rr::rdata::{A, AAAA, SRV};
use hickory_server::proto::rr::{Name, RData, Record};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use tokio::net::UdpSocket;

use crate::dns::name_servers;
use crate::{Dns, ResolveError};

/// What the server says of a name.
#[derive(Clone)]
enum Zone {
    Records(Vec<RData>, u32),
    Missing,
    Broken,
    Silent,
}

#[derive(Clone, Default)]
struct Zones(Arc<Mutex<HashMap<String, Zone>>>);

impl Zones {
    fn set(&self, name: &str, zone: Zone) {
        self.0.lock().unwrap().insert(name.to_owned(), zone);
    }
}

#[tonic::async_trait]
impl RequestHandler for Zones {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut response: R) -> ResponseInfo {
        let query = request.request_info().unwrap().query;
        let name = Name::from(query.name().clone());
        let zone = self.0.lock().unwrap().get(&name.to_string()).cloned().unwrap_or(Zone::Missing);
        let mut head = Metadata::response_from_request(&request.metadata);
        let mut records = Vec::new();
        match zone {
            Zone::Records(data, ttl) => {
                let of_type = data.into_iter().filter(|data| data.record_type() == query.query_type());
                records.extend(of_type.map(|data| Record::from_rdata(name.clone(), ttl, data)));
            }
            Zone::Missing => head.response_code = ResponseCode::NXDomain,
            Zone::Broken => head.response_code = ResponseCode::ServFail,
            Zone::Silent => return Header { metadata: head, counts: HeaderCounts::default() }.into(),
        }
        let message = MessageResponseBuilder::from_message_request(request).build(head, &records, [], [], []);
        response.send_response(message).await.unwrap()
    }
}

async fn start() -> (Zones, Dns, Server<Zones>) {
    let (zones, address, server) = serve().await;
    (zones, Dns::new(&[address]).unwrap(), server)
}

async fn serve() -> (Zones, SocketAddr, Server<Zones>) {
    let zones = Zones::default();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let mut server = Server::new(zones.clone());
    server.register_socket(socket);
    (zones, address, server)
}

fn four(last: u8) -> RData {
    RData::A(A(Ipv4Addr::new(10, 0, 0, last)))
}

fn at(last: u8, port: u16) -> SocketAddr {
    (Ipv4Addr::new(10, 0, 0, last), port).into()
}

#[tokio::test]
async fn members_come_sorted_with_both_families_and_their_lifetime() {
    let (zones, dns, _server) = start().await;
    let six = RData::AAAA(AAAA(Ipv6Addr::LOCALHOST));
    zones.set("gateway.test.", Zone::Records(vec![four(2), four(1), six], 30));
    let answer = dns.lookup("gateway.test", 4417).await.unwrap();
    assert_eq!(answer.addresses, [at(1, 4417), at(2, 4417), (Ipv6Addr::LOCALHOST, 4417).into()]);
    assert_eq!(answer.ttl, Duration::from_secs(30));
    assert_eq!(dns.lookup("gateway.test.", 4417).await.unwrap().addresses.len(), 3, "a trailing dot changes nothing");
}

#[tokio::test]
async fn change_is_seen_when_the_lifetime_is_over() {
    let (zones, dns, _server) = start().await;
    zones.set("gateway.test.", Zone::Records(vec![four(1)], 0));
    assert_eq!(dns.lookup("gateway.test", 1).await.unwrap().addresses, [at(1, 1)]);
    zones.set("gateway.test.", Zone::Records(vec![four(1), four(2)], 0));
    assert_eq!(dns.lookup("gateway.test", 1).await.unwrap().addresses, [at(1, 1), at(2, 1)]);
    zones.set("gateway.test.", Zone::Records(vec![], 0));
    assert_eq!(dns.lookup("gateway.test", 1).await.unwrap().addresses, [], "scaled to zero is an answer");
}

#[tokio::test]
async fn missing_broken_and_silent_are_told_apart() {
    let (zones, dns, _server) = start().await;
    assert_eq!(dns.lookup("nowhere.test", 1).await, Err(ResolveError::NoSuchName));
    zones.set("broken.test.", Zone::Broken);
    assert!(matches!(dns.lookup("broken.test", 1).await, Err(ResolveError::Failed(_))));
    zones.set("silent.test.", Zone::Silent);
    assert!(matches!(dns.lookup("silent.test", 1).await, Err(ResolveError::Failed(_))));
    assert_eq!(dns.lookup("not a name..", 1).await, Err(ResolveError::NotAName));
}

#[tokio::test]
async fn services_bring_their_own_ports_and_lost_members_are_passed_over() {
    let (zones, dns, _server) = start().await;
    let service = |port, target: &str| RData::SRV(SRV::new(0, 0, port, target.parse().unwrap()));
    let members = vec![service(4417, "a.test."), service(5517, "b.test."), service(6617, "gone.test.")];
    zones.set("_grpc._tcp.gateway.test.", Zone::Records(members, 60));
    zones.set("a.test.", Zone::Records(vec![four(1)], 7));
    zones.set("b.test.", Zone::Records(vec![four(2)], 60));
    let answer = dns.lookup("_grpc._tcp.gateway.test", 1).await.unwrap();
    assert_eq!((answer.addresses, answer.ttl), (vec![at(1, 4417), at(2, 5517)], Duration::from_secs(7)));
    zones.set("b2.test.", Zone::Broken);
    zones.set("_grpc._tcp.other.test.", Zone::Records(vec![service(1, "a.test."), service(2, "b2.test.")], 60));
    assert!(matches!(dns.lookup("_grpc._tcp.other.test", 1).await, Err(ResolveError::Failed(_))));
}

#[tokio::test]
async fn search_lists_of_the_machine_are_not_tried() {
    let (zones, address, _server) = serve().await;
    zones.set("gateway.search.test.", Zone::Records(vec![four(1)], 60));
    let searched = ResolverConfig::from_parts(None, vec!["search.test.".parse().unwrap()], name_servers(&[address]));
    let dns = Dns::build(searched, ResolverOpts::default()).unwrap();
    assert_eq!(dns.lookup("gateway", 1).await, Err(ResolveError::NoSuchName));
    assert!(dns.lookup("gateway.search.test", 1).await.is_ok());
}
