//! Row (a), a gateway: mTLS in, `user.id` pseudonymised, `user.email` dropped, `client.address` truncated, TLS out.
//!
//! Where the two sides differ: ours looks every key up in the catalogue and lets nothing cross that is not in it, computes a
//! keyed pseudonym (the Collector an unkeyed digest), and has the bytes on disk before it answers (with `os`: in the kernel).
//! The Collector answers when the bytes are in its batch processor. It shows the backend its certificate, ours shows none to
//! a place that is no node: the difference lies in the handshake, once a connection.

use super::Stand;
use super::StandError;
use super::contest::{Arena, Figures};
use super::floor::Floor;
use super::flow::Flow;
use super::layout::{Durability, GATEWAY, Layout, Run};
use super::load::{self, Out};
use super::output::{self, Address};
use super::rows::{Head, multiple, peak, times_less};
use super::shape::{Body, Shape};
use super::sink::{Framing, Sink};
use super::station::{Peer, Site, Station};
use crate::row::{Row, Target};

const TRANSFORM: &str = include_str!("../../../peers/gateway.yaml");
const DURABLE: &str = include_str!("../../../peers/durable.yaml");

const OS: &str = "gateway-os";
const FSYNC: &str = "gateway-fsync";
const PEER: &str = "transform";
const PEER_DURABLE: &str = "attributes-fsync";
const FLOOR: &str = "floor";

/// The usual spans in requests of 1,000, the same in requests of 100, and in a full run smaller and larger ones.
pub(crate) fn rows(stand: &Stand<'_>) -> Result<Vec<Row>, StandError> {
    let (layout, flow) = (stand.layout(1, 10)?, Flow::default());
    let _sinks = stand.runtime.block_on(sinks(&layout, &flow))?;
    let ground = Ground { stand, layout: &layout, flow: &flow };
    let mut rows = large(&ground)?;
    let small = |body, spans, row, target| -> Result<Option<Row>, StandError> {
        let shape = Shape { spans, body };
        let figures = ground.contest(shape, &[OS, PEER])?;
        let [ours, peer] = figures.as_slice() else { return Ok(None) };
        Ok(Some(times_less(Head { row, shape: stand.shape(shape), target }, ours, peer)))
    };
    rows.extend(small(Body::Usual, 100, "gateway os / transform, 100 spans", Target::AtLeast(5.0))?);
    if !stand.options.quick {
        rows.extend(small(Body::Tiny, 1000, "gateway os / transform, tiny spans", Target::Shown)?);
        rows.extend(small(Body::Fat, 1000, "gateway os / transform, fat spans", Target::Shown)?);
    }
    Ok(rows)
}

fn large(ground: &Ground<'_>) -> Result<Vec<Row>, StandError> {
    let (shape, stand) = (Shape::usual(1000), ground.stand);
    let figures = ground.contest(shape, &[OS, FSYNC, PEER, PEER_DURABLE, FLOOR])?;
    let [os, fsync, peer, durable, floor] = figures.as_slice() else { return Ok(Vec::new()) };
    let head = |row, target| Head { row, shape: stand.shape(shape), target };
    Ok(vec![
        times_less(head("gateway os / transform", Target::AtLeast(6.0)), os, peer),
        times_less(head("gateway fsync / transform", Target::AtLeast(5.0)), fsync, peer),
        times_less(head("gateway fsync / persistent queue", Target::AtLeast(8.0)), fsync, durable),
        multiple(head("gateway os / floor", Target::AtMost(1.6)), os, floor),
        peak(head("gateway os / transform, peak memory", Target::Shown), os, peer),
    ])
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
        let arena = Arena { templates: &templates, flow, clock: &stand.clock, out: Out::All };
        stand.runtime.block_on(async {
            let mut stations = Vec::new();
            for name in names {
                stations.push(station(stand, Site { layout, cores: stand.cores }, name)?);
            }
            for station in &stations {
                let address = if station.name == PEER_DURABLE { Address::Dropped } else { Address::Truncated };
                output::of_gateway(&arena.sample(station).await?, address)?;
            }
            arena.contest(&stations, stand.turns()).await
        })
    }
}

async fn sinks(layout: &Layout, flow: &Flow) -> Result<[Sink; 2], StandError> {
    let tls = layout.identity("abroad").lenient_server()?;
    let grpc = Sink::listen(layout.abroad(), tls.clone(), Framing::Grpc, flow.clone()).await?;
    Ok([grpc, Sink::listen(layout.abroad_by_length(), tls, Framing::Length, flow.clone()).await?])
}

fn station(stand: &Stand<'_>, site: Site<'_>, name: &str) -> Result<Station, StandError> {
    let ours = |durability| site.tollgate(&Run { node: GATEWAY, durability, name });
    let peer = |config| {
        let peer = Peer { name, config, extra: Vec::new(), sinks: vec![site.layout.abroad()], node: GATEWAY };
        site.collector(stand.collector()?, &peer)
    };
    match name {
        OS => ours(Durability::Os),
        FSYNC => ours(Durability::Fsync),
        PEER => peer(TRANSFORM),
        PEER_DURABLE => peer(DURABLE),
        _ => floor(stand, site),
    }
}

fn floor(stand: &Stand<'_>, site: Site<'_>) -> Result<Station, StandError> {
    let layout = site.layout;
    let listen = layout.doors(GATEWAY).entrance;
    let floor = Floor {
        listen,
        sink: layout.abroad_by_length(),
        server: layout.identity(GATEWAY).server()?,
        client: layout.identity(GATEWAY).client()?,
        set: layout.root().to_owned(),
        clock: stand.clock.clone(),
    };
    let target = load::Target { framing: Framing::Length, ..site.target(GATEWAY, listen)? };
    Ok(Station::thread(FLOOR, floor.start(stand.cores)?, target))
}
