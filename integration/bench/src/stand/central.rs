//! Row (c), a central node: mTLS in, tail sampling with four policies, about one trace in ten kept, TLS out; and row (d), what
//! it holds in memory of the traces that wait.
//!
//! Both sides read the same `tail_sampling` block. Ours has the bytes on disk before it answers, and the spans of waiting
//! traces stay there; the Collector keeps them in memory and answers when it has them.

use super::Stand;
use super::StandError;
use super::contest::{Arena, Turns};
use super::flow::Flow;
use super::layout::{CENTRAL, Durability, Layout, Run};
use super::load::{Load, Out, Until};
use super::rows::{Head, at_most, peak, times_less};
use super::shape::Shape;
use super::sink::{Framing, Sink};
use super::station::{Peer, Site, Station};
use crate::row::{Row, Target};

const TAIL_SAMPLING: &str = include_str!("../../../peers/central.yaml");
/// Longer than the load of the memory rows takes.
const FOR_EVER: u32 = 900;
const SPANS_A_TRACE: u64 = 8;

/// Beside the Collector's tail sampling.
pub(crate) fn rows(stand: &Stand<'_>) -> Result<Vec<Row>, StandError> {
    let wait = if stand.options.quick { 2 } else { 10 };
    let turns = Turns { wait: std::time::Duration::from_secs(wait.into()), ..stand.turns() };
    let (shape, layout, flow) = (Shape::usual(1000), stand.layout(1, wait)?, Flow::default());
    let templates = stand.templates(shape);
    let arena = Arena { templates: &templates, flow: &flow, clock: &stand.clock, out: Out::Sampled };
    let figures = stand.runtime.block_on(async {
        let _sink = listen(&layout, &flow).await?;
        let site = Site { layout: &layout, cores: stand.cores };
        let fsync = site.tollgate(&Run { node: CENTRAL, durability: Durability::Fsync, name: "central-fsync" })?;
        let stations = [fsync, collector(stand, site, "tail-sampling")?];
        arena.contest(&stations, turns).await
    })?;
    let [fsync, peer] = figures.as_slice() else { return Ok(Vec::new()) };
    let head = |row, target| {
        let kept =
            figures.iter().map(|figures| format!("{:.1} %", figures.out * 100.0)).collect::<Vec<_>>().join(" and ");
        Head { row, shape: format!("{}, wait {wait} s, kept {kept}", stand.shape(shape)), target }
    };
    Ok(vec![
        times_less(head("central fsync / tail sampling", Target::AtLeast(15.0)), fsync, peer),
        peak(head("central fsync, peak memory", Target::Shown), fsync, peer),
    ])
}

/// Memory of waiting traces, above what the same load leaves behind in a process that judges at once.
pub(crate) fn memory(stand: &Stand<'_>) -> Result<Vec<Row>, StandError> {
    if stand.options.quick {
        return Ok(Vec::new());
    }
    let steps = [100_000, 200_000, 1_000_000];
    let ours = stand.runtime.block_on(pending(stand, Side::Ours, &steps))?;
    let peer = stand.runtime.block_on(pending(stand, Side::Peer, &steps[..2]))?;
    let names = ["memory of 100,000 traces", "memory of 200,000 traces"];
    let targets = [Target::Shown, Target::AtMost(0.01)];
    let shape = || format!("{}, bytes a waiting trace", stand.shape(Shape::usual(1000)));
    let beside = names.into_iter().zip(targets).zip(ours.iter().zip(&peer));
    let mut rows: Vec<Row> = beside
        .map(|((row, target), (ours, peer))| at_most(Head { row, shape: shape(), target }, "B/trace", *ours, *peer))
        .collect();
    let bounds = ["memory of 200,000 traces / 200 B", "memory of 1,000,000 traces / 200 B"];
    rows.extend(bounds.into_iter().zip(ours.iter().skip(1)).map(|(row, ours)| {
        at_most(Head { row, shape: shape(), target: Target::AtMost(1.0) }, "B/trace", *ours, 200.0)
    }));
    Ok(rows)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Ours,
    Peer,
}

/// Bytes a waiting trace, at each step of a growing number of traces.
async fn pending(stand: &Stand<'_>, side: Side, steps: &[u64]) -> Result<Vec<f64>, StandError> {
    let mut bytes = Vec::new();
    let idle = resident(stand, side, 1, steps).await?;
    let waiting = resident(stand, side, FOR_EVER, steps).await?;
    for ((traces, idle), waiting) in steps.iter().zip(idle).zip(waiting) {
        #[expect(clippy::cast_precision_loss, reason = "bytes and traces are far below 2^52")]
        bytes.push(waiting.saturating_sub(idle) as f64 / *traces as f64);
    }
    Ok(bytes)
}

/// What is resident, files apart, after each step of traces; with a short wait after all of them were judged.
async fn resident(stand: &Stand<'_>, side: Side, wait: u32, steps: &[u64]) -> Result<Vec<u64>, StandError> {
    let (layout, flow) = (stand.layout(1, wait)?, Flow::default());
    let _sink = listen(&layout, &flow).await?;
    let site = Site { layout: &layout, cores: stand.cores };
    let station = match side {
        Side::Ours => site.tollgate(&Run { node: CENTRAL, durability: Durability::Os, name: "central" })?,
        Side::Peer => collector(stand, site, "tail-sampling")?,
    };
    let templates = stand.templates(Shape::usual(1000));
    let arena = Arena { templates: &templates, flow: &flow, clock: &stand.clock, out: Out::Sampled };
    let (mut found, mut sent) = (Vec::new(), 0);
    for traces in steps {
        let load = Load {
            target: &station.target,
            templates: &templates,
            out: Out::Sampled,
            flow: &flow,
            clock: &stand.clock,
        };
        sent += load.run(Until::Answered((traces * SPANS_A_TRACE).saturating_sub(sent))).await?;
        let short = wait < FOR_EVER;
        arena.settled(std::time::Duration::from_secs(if short { wait.into() } else { 1 })).await?;
        let resident = station.watched.anonymous().ok_or_else(|| StandError::Ended(station.log()))?;
        super::note(&format!("{side:?} with {traces} traces, wait {wait} s: {} MiB", resident >> 20));
        found.push(resident);
    }
    Ok(found)
}

async fn listen(layout: &Layout, flow: &Flow) -> Result<Sink, StandError> {
    Sink::listen(layout.home(), layout.identity("home").lenient_server()?, Framing::Grpc, flow.clone()).await
}

fn collector(stand: &Stand<'_>, site: Site<'_>, name: &str) -> Result<Station, StandError> {
    let extra = vec![site.layout.path("sampling-of-the-collector.yaml")];
    let peer = Peer { name, config: TAIL_SAMPLING, extra, sinks: vec![site.layout.home()], node: CENTRAL };
    site.collector(stand.collector()?, &peer)
}
