//! Row (a), a gateway: mTLS in, `user.id` pseudonymised, `user.email` dropped, `client.address` truncated, TLS out.
//!
//! Where the two sides differ: ours looks every key up in the catalogue and lets nothing cross that is not in it, computes a
//! keyed pseudonym (the Collector an unkeyed digest), and has the bytes on disk before it answers (with `os`: in the kernel).
//! The Collector answers when the bytes are in its batch processor. It shows the backend its certificate, ours shows none to
//! a place that is no node: the difference lies in the handshake, once a connection.

use std::time::Duration;

use super::contest::{Arena, Figures, Turns};
use super::floor::sealing::Sealing;
use super::floor::{self, Onward};
use super::flow::Flow;
use super::layout::{Durability, GATEWAY, Layout, Run, Sampling};
use super::load::{self, Out, Pressure};
use super::output::{self, Address};
use super::rows::{Head, multiple, times_less};
use super::shape::{Body, Shape};
use super::sink::{Framing, Sink};
use super::station::{Peer, Site, Station};
use super::{Stand, StandError};
use crate::Options;
use crate::row::{Row, Target};

const TRANSFORM: &str = include_str!("../../../peers/gateway.yaml");
const DURABLE: &str = include_str!("../../../peers/durable.yaml");

const OS: &str = "gateway-os";
const FSYNC: &str = "gateway-fsync";
const PEER: &str = "transform";
const PEER_DURABLE: &str = "attributes-fsync";
const FLOOR: &str = "floor";

/// Who is measured with the usual large requests.
const LARGE: [&str; 5] = [OS, FSYNC, PEER, PEER_DURABLE, FLOOR];

/// A further shape, measured beside the recommended configuration only.
struct Case {
    row: &'static str,
    shape: Shape,
    target: Target,
}

/// The usual spans in requests of 100, and in a full run smaller and larger ones.
fn cases(options: &Options) -> Vec<Case> {
    let case = |row, body, spans, target| Case { row, shape: Shape { body, ..Shape::usual(spans) }, target };
    let mut cases = vec![case("gateway os / transform, 100 spans", Body::Usual, 100, Target::AtLeast(5.0))];
    if !options.quick {
        cases.push(case("gateway os / transform, tiny spans", Body::Tiny, 1000, Target::Shown));
        cases.push(case("gateway os / transform, fat spans", Body::Fat, 1000, Target::Shown));
    }
    cases
}

pub(crate) fn planned(options: &Options) -> Duration {
    Turns::usual(options).planned(LARGE.len() + 2 * cases(options).len())
}

/// Without the Collector, what is left is our own floor.
pub(crate) fn rows(stand: &Stand<'_>) -> Result<Vec<Row>, StandError> {
    let (layout, flow) = (stand.layout(1, Sampling::usual(10))?, Flow::default());
    let _sinks = stand.runtime.block_on(sinks(&layout, &flow))?;
    let ground = Ground { stand, layout: &layout, flow: &flow };
    if let Err(fault) = stand.collector() {
        stand.found.borrow_mut().leave_out("gateway beside the Collector", fault);
        return large(&ground, &[OS, FLOOR]);
    }
    let mut rows = large(&ground, &LARGE)?;
    for Case { row, shape, target } in cases(stand.options) {
        let figures = ground.contest(shape, &[OS, PEER])?;
        rows.extend(times_less(Head { row, shape: stand.shape(shape), target }, &figures, OS, PEER));
    }
    Ok(rows)
}

fn large(ground: &Ground<'_>, names: &[&str]) -> Result<Vec<Row>, StandError> {
    let shape = Shape::usual(1000);
    let figures = ground.contest(shape, names)?;
    let head = |row, target| Head { row, shape: ground.stand.shape(shape), target };
    let rows = [
        times_less(head("gateway os / transform", Target::AtLeast(6.0)), &figures, OS, PEER),
        times_less(head("gateway fsync / transform", Target::AtLeast(5.0)), &figures, FSYNC, PEER),
        times_less(head("gateway fsync / persistent queue", Target::AtLeast(8.0)), &figures, FSYNC, PEER_DURABLE),
        multiple(head("gateway os / floor", Target::AtMost(1.6)), &figures, OS, FLOOR),
    ];
    Ok(rows.into_iter().flatten().collect())
}

/// What the contests of this file share.
struct Ground<'a> {
    stand: &'a Stand<'a>,
    layout: &'a Layout,
    flow: &'a Flow,
}

impl Ground<'_> {
    fn contest(&self, shape: Shape, names: &[&str]) -> Result<Vec<Figures>, StandError> {
        let Self { stand, layout, flow } = *self;
        let templates = stand.templates(shape);
        let (clock, pressure) = (&stand.clock, Pressure::FULL);
        let arena = Arena { templates: &templates, flow, clock, out: Out::All, pressure };
        stand.runtime.block_on(async {
            let mut stations = Vec::new();
            for name in names {
                stations.push(station(stand, stand.site(layout), name)?);
            }
            for station in &stations {
                let address = if station.name == PEER_DURABLE { Address::Dropped } else { Address::Truncated };
                output::of_gateway(&arena.sample(station).await?, address).map_err(|fault| fault.at(&station.name))?;
            }
            arena.contest(&stations, stand.turns()).await
        })
    }
}

/// The backend that the gateway's link leads to, and the floor's.
pub(crate) async fn sinks(layout: &Layout, flow: &Flow) -> Result<[Sink; 2], StandError> {
    let tls = layout.identity("abroad").lenient_server()?;
    let grpc = Sink::listen(layout.abroad(), tls.clone(), Framing::Grpc, flow.clone()).await?;
    Ok([grpc, Sink::listen(layout.abroad_by_length(), tls, Framing::Length, flow.clone()).await?])
}

fn station(stand: &Stand<'_>, site: Site<'_>, name: &str) -> Result<Station, StandError> {
    let ours = |durability| site.tollgate(&Run { node: GATEWAY, durability, name, workers: 1 });
    let peer = |config| {
        let peer = Peer { name, config, extra: Vec::new(), sinks: vec![site.layout.abroad()], node: GATEWAY };
        site.collector(stand.collector()?, &peer)
    };
    match name {
        OS => ours(Durability::Os),
        FSYNC => ours(Durability::Fsync),
        PEER => peer(TRANSFORM),
        PEER_DURABLE => peer(DURABLE),
        _ => at_least(stand, site),
    }
}

fn at_least(stand: &Stand<'_>, site: Site<'_>) -> Result<Station, StandError> {
    let layout = site.layout;
    let listen = layout.doors(GATEWAY).entrance;
    let sealing = Sealing {
        onward: Onward { sink: layout.abroad_by_length(), client: layout.identity(GATEWAY).client()? },
        set: layout.root().to_owned(),
        clock: stand.clock.clone(),
    };
    let thread = floor::start(stand.cores, listen, layout.identity(GATEWAY).server()?, sealing)?;
    let target = load::Target { framing: Framing::Length, ..site.target(GATEWAY, listen)? };
    Ok(Station::thread(FLOOR, thread, target))
}
