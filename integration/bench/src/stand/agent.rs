//! Row (b), the collector of a cluster: plain text in, health checks left out, resources stamped, mTLS out to the gateways of
//! the region, all spans of a trace to the same one.
//!
//! Ours has the bytes on disk before it answers, the Collector has them in its batch processor.

use std::time::Duration;

use super::contest::{Arena, Figures, Turns};
use super::flow::Flow;
use super::layout::{COLLECTOR, Durability, Layout, Run, Sampling};
use super::load::{Out, Pressure};
use super::output;
use super::rows::{Head, times_less};
use super::shape::{Body, Shape};
use super::sink::{Framing, Sink};
use super::station::{Peer, Site, Station};
use super::{Stand, StandError};
use crate::Options;
use crate::row::{Row, Target};

const AGENT: &str = include_str!("../../../peers/agent.yaml");
const GATEWAYS: u8 = 4;
/// A resource has it from the stamp alone.
const STAMPED: &str = "k8s.cluster.name";

const FSYNC: &str = "collector-fsync";
const OS: &str = "collector-os";
const PEER: &str = "load-balancing";

/// In a full run, beside the usual spans.
const FURTHER: [(Body, &str); 2] = [
    (Body::Tiny, "collector fsync / load balancing, tiny spans"),
    (Body::Fat, "collector fsync / load balancing, fat spans"),
];

fn further(options: &Options) -> &'static [(Body, &'static str)] {
    if options.quick { &[] } else { &FURTHER }
}

pub(crate) fn planned(options: &Options) -> Duration {
    Turns::usual(options).planned(3 + 2 * further(options).len())
}

/// Beside the Collector.
pub(crate) fn rows(stand: &Stand<'_>) -> Result<Vec<Row>, StandError> {
    stand.collector()?;
    let (layout, flow) = (stand.layout(GATEWAYS, Sampling::usual(10))?, Flow::default());
    let _sinks = stand.runtime.block_on(sinks(&layout, GATEWAYS, &flow))?;
    let usual = Shape::usual(1000);
    let figures = contest(stand, &layout, &flow, (usual, &[FSYNC, OS, PEER]))?;
    let head = |row, shape, target| Head { row, shape: stand.shape(shape), target };
    let fsync = head("collector fsync / load balancing", usual, Target::AtLeast(5.0));
    let mut rows: Vec<Row> = times_less(fsync, &figures, FSYNC, PEER).into_iter().collect();
    rows.extend(times_less(head("collector os / load balancing", usual, Target::Shown), &figures, OS, PEER));
    for (body, row) in further(stand.options) {
        let shape = Shape { body: *body, ..usual };
        let figures = contest(stand, &layout, &flow, (shape, &[FSYNC, PEER]))?;
        rows.extend(times_less(head(row, shape, Target::Shown), &figures, FSYNC, PEER));
    }
    Ok(rows)
}

fn contest(
    stand: &Stand<'_>,
    layout: &Layout,
    flow: &Flow,
    (shape, names): (Shape, &[&str]),
) -> Result<Vec<Figures>, StandError> {
    let templates = stand.templates(shape);
    let (clock, pressure) = (&stand.clock, Pressure::FULL);
    let arena = Arena { templates: &templates, flow, clock, out: Out::WithoutHealthChecks, pressure };
    stand.runtime.block_on(async {
        let site = stand.site(layout);
        let stations: Vec<Station> = names.iter().map(|name| station(stand, site, name)).collect::<Result<_, _>>()?;
        for station in &stations {
            let sample = arena.sample(station).await?;
            output::of_collector(&sample, STAMPED).map_err(|fault| fault.at(&station.name))?;
        }
        arena.contest(&stations, stand.turns()).await
    })
}

fn station(stand: &Stand<'_>, site: Site<'_>, name: &str) -> Result<Station, StandError> {
    let ours = |durability| site.tollgate(&Run { node: COLLECTOR, durability, name, workers: 1 });
    match name {
        FSYNC => ours(Durability::Fsync),
        OS => ours(Durability::Os),
        _ => {
            let sinks = (0..GATEWAYS).map(|number| site.layout.gateway(number)).collect();
            let peer = Peer { name, config: AGENT, extra: Vec::new(), sinks, node: COLLECTOR };
            site.collector(stand.collector()?, &peer)
        }
    }
}

/// The gateways of the region.
pub(crate) async fn sinks(layout: &Layout, gateways: u8, flow: &Flow) -> Result<Vec<Sink>, StandError> {
    let mut sinks = Vec::new();
    for number in 0..gateways {
        let identity = layout.identity(&format!("eu-west/gateway/{number}"));
        let address = layout.gateway(number);
        sinks.push(Sink::listen(address, identity.server()?, Framing::Grpc, flow.clone()).await?);
    }
    Ok(sinks)
}
