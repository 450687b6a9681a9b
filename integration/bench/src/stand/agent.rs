//! Row (b), the collector of a cluster: plain text in, health checks left out, resources stamped, mTLS out to the gateways of
//! the region, all spans of a trace to the same one; and row (e), the same with 1, 4, 16 and 64 gateways.
//!
//! Ours has the bytes on disk before it answers, the Collector has them in its batch processor.

use super::Stand;
use super::StandError;
use super::contest::Arena;
use super::flow::Flow;
use super::layout::{COLLECTOR, Durability, Layout, Run};
use super::load::Out;
use super::output;
use super::rows::{Head, multiple, peak, times_less};
use super::shape::Shape;
use super::sink::{Framing, Sink};
use super::station::{Peer, Site};
use crate::row::{Row, Target};

const AGENT: &str = include_str!("../../../peers/agent.yaml");
const GATEWAYS: u8 = 4;
/// A resource has it from the stamp alone.
const STAMPED: &str = "k8s.cluster.name";

/// Beside the Collector.
pub(crate) fn rows(stand: &Stand<'_>) -> Result<Vec<Row>, StandError> {
    let (shape, layout, flow) = (Shape::usual(1000), stand.layout(GATEWAYS, 10)?, Flow::default());
    let templates = stand.templates(shape);
    let arena = Arena { templates: &templates, flow: &flow, clock: &stand.clock, out: Out::WithoutHealthChecks };
    let figures = stand.runtime.block_on(async {
        let _sinks = sinks(&layout, GATEWAYS, &flow).await?;
        let site = Site { layout: &layout, cores: stand.cores };
        let sinks = (0..GATEWAYS).map(|number| layout.gateway(number)).collect();
        let peer = Peer { name: "load-balancing", config: AGENT, extra: Vec::new(), sinks, node: COLLECTOR };
        let ours = |durability, name| site.tollgate(&Run { node: COLLECTOR, durability, name });
        let stations = [
            ours(Durability::Fsync, "collector-fsync")?,
            ours(Durability::Os, "collector-os")?,
            site.collector(stand.collector()?, &peer)?,
        ];
        for station in &stations {
            output::of_collector(&arena.sample(station).await?, STAMPED)?;
        }
        arena.contest(&stations, stand.turns()).await
    })?;
    let [fsync, os, peer] = figures.as_slice() else { return Ok(Vec::new()) };
    let head = |row, target| Head { row, shape: stand.shape(shape), target };
    Ok(vec![
        times_less(head("collector fsync / load balancing", Target::AtLeast(5.0)), fsync, peer),
        times_less(head("collector os / load balancing", Target::Shown), os, peer),
        peak(head("collector fsync, peak memory", Target::Shown), fsync, peer),
    ])
}

/// Beside itself with one gateway.
pub(crate) fn growth(stand: &Stand<'_>) -> Result<Vec<Row>, StandError> {
    let all = [(1, ""), (4, "destinations 4 / 1"), (16, "destinations 16 / 1"), (64, "destinations 64 / 1")];
    let quick = [all[0], all[3]];
    let counts = if stand.options.quick { &quick[..] } else { &all[..] };
    let (shape, flow) = (Shape::usual(1000), Flow::default());
    let templates = stand.templates(shape);
    let arena = Arena { templates: &templates, flow: &flow, clock: &stand.clock, out: Out::WithoutHealthChecks };
    let layouts = counts.iter().map(|(count, _)| stand.layout(*count, 10)).collect::<Result<Vec<_>, _>>()?;
    let figures = stand.runtime.block_on(async {
        let (mut stations, mut all_sinks) = (Vec::new(), Vec::new());
        for ((count, _), layout) in counts.iter().zip(&layouts) {
            all_sinks.extend(sinks(layout, *count, &flow).await?);
            let name = format!("{count}-destinations");
            let site = Site { layout, cores: stand.cores };
            // With `fsync` the disk would be most of the figure, and the same in all.
            stations.push(site.tollgate(&Run { node: COLLECTOR, durability: Durability::Os, name: &name })?);
        }
        arena.contest(&stations, stand.turns()).await
    })?;
    let Some((one, more)) = figures.split_first() else { return Ok(Vec::new()) };
    let rows = counts.iter().skip(1).zip(more).map(|((_, row), figures)| {
        let head = Head { row, shape: stand.shape(shape), target: Target::AtMost(1.2) };
        multiple(head, figures, one)
    });
    Ok(rows.collect())
}

async fn sinks(layout: &Layout, gateways: u8, flow: &Flow) -> Result<Vec<Sink>, StandError> {
    let mut sinks = Vec::new();
    for number in 0..gateways {
        let identity = layout.identity(&format!("eu-west/gateway/{number}"));
        let address = layout.gateway(number);
        sinks.push(Sink::listen(address, identity.server()?, Framing::Grpc, flow.clone()).await?);
    }
    Ok(sinks)
}
