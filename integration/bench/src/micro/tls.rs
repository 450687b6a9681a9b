//! The floor of what goes over a connection: the same bytes into TLS records and out of them again, in memory.
//!
//! One connection, one cipher suite, which is the one that tiers of Tollgate and the Collector agree on; no socket, no HTTP/2.

use std::fs;
use std::hint::black_box;
use std::io::{BufRead, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConnection, Connection, ServerConnection};
use tollgate_federation::NodeId;
use tollgate_runtime::Clock;
use tollgate_scenario::certs::{Authority, Leaf};
use tollgate_transport::provider;

use super::requests::{Requests, Shape};
use crate::measure::{Pair, Side};
use crate::scratch;
use crate::stand::Identity;

/// What rustls takes before it wants to be rid of some of it.
const CHUNK: usize = 64 << 10;
const NODE: &str = "eu-west/gateway/0";
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// One side of a comparison beside the floor.
pub(crate) fn beside(pair: Pair<'static>, shape: Shape) -> Pair<'static> {
    let (mut requests, mut way) = (Requests::of(shape), Way::open(provider()));
    let spans = requests.spans();
    Pair { ours: pair.ours, peer: Side::new(spans, move || way.pass(&requests.next().bytes)) }
}

/// The cryptography of the nodes beside that of AWS-LC alone.
pub(crate) fn cryptography(shape: Shape) -> Pair<'static> {
    let side = |provider: Arc<CryptoProvider>| {
        let (mut requests, mut way) = (Requests::of(shape), Way::open(provider));
        Side::new(requests.spans(), move || way.pass(&requests.next().bytes))
    };
    Pair { ours: side(provider()), peer: side(Arc::new(aws_lc_rs::default_provider())) }
}

/// Both ends of a connection.
struct Way {
    from: Connection,
    to: Connection,
    /// Records on their way.
    records: Vec<u8>,
    out: Vec<u8>,
}

impl Way {
    fn open(provider: Arc<CryptoProvider>) -> Self {
        let folder = scratch::folder().unwrap();
        let identity = identity(folder.path());
        let from =
            ClientConnection::new(identity.client_with(Arc::clone(&provider)).unwrap(), ADDRESS.into()).unwrap().into();
        let to = ServerConnection::new(identity.server_with(provider).unwrap()).unwrap().into();
        let mut way = Self { from, to, records: Vec::new(), out: Vec::new() };
        while way.from.is_handshaking() || way.to.is_handshaking() {
            carry(&mut way.from, &mut way.to, &mut way.records, &mut way.out);
            carry(&mut way.to, &mut way.from, &mut way.records, &mut way.out);
        }
        way
    }

    fn pass(&mut self, bytes: &[u8]) {
        self.out.clear();
        for chunk in bytes.chunks(CHUNK) {
            self.from.writer().write_all(chunk).unwrap();
            carry(&mut self.from, &mut self.to, &mut self.records, &mut self.out);
        }
        black_box(&self.out);
    }
}

/// A certificate that its holder believes itself.
fn identity(folder: &Path) -> Identity {
    let authority = Authority::new("eu-west", Clock::system().now()).unwrap();
    let mut leaf = Leaf::node(NODE.parse::<NodeId>().unwrap().spiffe("bench.example"));
    leaf.addresses.push(ADDRESS);
    authority.issue(&leaf).unwrap().write(folder, "node").unwrap();
    let trust = folder.join("ca.pem");
    fs::write(&trust, authority.cert()).unwrap();
    Identity { cert: folder.join("node.pem"), key: folder.join("node.key"), trust }
}

/// Takes all records of one end to the other, and what is in them out.
fn carry(from: &mut Connection, to: &mut Connection, records: &mut Vec<u8>, out: &mut Vec<u8>) {
    records.clear();
    while from.wants_write() {
        from.write_tls(records).unwrap();
    }
    let mut rest = records.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        let mut arrived = to.process_new_packets().unwrap().plaintext_bytes_to_read();
        while arrived > 0 {
            let mut reader = to.reader();
            let plain = reader.fill_buf().unwrap();
            let taken = plain.len();
            out.extend_from_slice(plain);
            reader.consume(taken);
            arrived -= taken;
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls::{CipherSuite, ProtocolVersion};

    use super::*;

    #[test]
    fn the_same_bytes_come_out_under_the_suite_of_our_tiers() {
        let (mut requests, mut way) = (Requests::of(Shape::usual(100)), Way::open(provider()));
        for _ in 0..3 {
            let request = requests.next();
            way.pass(&request.bytes);
            assert_eq!(way.out, request.bytes);
        }
        assert_eq!(way.from.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        let suite = way.from.negotiated_cipher_suite().unwrap().suite();
        assert_eq!(suite, CipherSuite::TLS13_AES_128_GCM_SHA256);
    }
}
