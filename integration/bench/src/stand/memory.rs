//! Row (d), what a central node holds in memory of the traces that wait.
//!
//! Two processes get the same load: in one every trace is judged after a second, in the other all of them wait. What
//! the second has resident more than the first, once nothing moves any more, is what waiting traces take. Anonymous memory is
//! what counts (`RssAnon`): pages of files, which the kernel takes back when it likes, do not.
//!
//! The difference is small beside what a node holds anyway, so nothing else may differ: nothing is kept, so that the first
//! process sends nothing on either, and requests come one after the other, so that none of them needs a buffer more.

use std::fs;
use std::time::Duration;

use super::contest::Arena;
use super::flow::Flow;
use super::layout::{CENTRAL, Durability, Kept, Run, Sampling};
use super::load::{Out, Pressure, Until};
use super::rows::{Head, part};
use super::shape::Shape;
use super::station::Station;
use super::{Stand, StandError, central};
use crate::Options;
use crate::found::note;
use crate::row::{Row, Target};

/// Until traces are judged, in seconds.
const SHORT: u32 = 1;
/// Longer than the load takes.
const FOR_EVER: u32 = 900;
const SPANS_A_TRACE: u64 = 8;
const STEPS: [u64; 3] = [100_000, 200_000, 1_000_000];
/// What the Collector needs for the second step, and half as much again.
const ROOM: u64 = 7 << 30;
/// How often ours is compared up to the second step: its figures are small enough to wobble.
const REPETITIONS: usize = 3;
const BYTES: &str = "B/trace";

pub(crate) fn planned(options: &Options) -> Duration {
    Duration::from_secs(if options.quick { 0 } else { 240 })
}

/// Memory of waiting traces, above what the same load leaves behind in a process that judges at once.
pub(crate) fn rows(stand: &Stand<'_>) -> Result<Vec<Row>, StandError> {
    if stand.options.quick {
        return Ok(Vec::new());
    }
    let mut ours = vec![stand.runtime.block_on(waiting(stand, Side::Ours, &STEPS))?];
    for _ in 1..REPETITIONS {
        ours.push(stand.runtime.block_on(waiting(stand, Side::Ours, &STEPS[..2]))?);
    }
    let at = |step: usize| ours.iter().filter_map(|bytes| bytes.get(step).copied()).collect::<Vec<f64>>();
    let mut rows = Vec::new();
    let row = |row, target, ours: &[f64], peer: f64| {
        let head =
            Head { row, shape: format!("traces of {SPANS_A_TRACE}, {}", stand.shape(Shape::usual(1000))), target };
        part(head, BYTES, ours, &vec![peer; ours.len()])
    };
    match peer(stand) {
        Ok(peer) => rows.extend([
            row("memory of 100,000 traces", Target::Shown, &at(0), peer[0]),
            row("memory of 200,000 traces", Target::AtMost(0.01), &at(1), peer[1]),
        ]),
        Err(fault) => stand.found.borrow_mut().leave_out("memory beside the Collector", fault),
    }
    rows.push(row("memory of 200,000 traces / 200 B", Target::AtMost(1.0), &at(1), 200.0));
    rows.push(row("memory of 1,000,000 traces / 200 B", Target::AtMost(1.0), &at(2), 200.0));
    Ok(rows)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Ours,
    Peer,
}

fn peer(stand: &Stand<'_>) -> Result<[f64; 2], StandError> {
    stand.collector()?;
    let free = available().unwrap_or(u64::MAX);
    if free < ROOM {
        return Err(StandError::NoRoom { needed: ROOM >> 20, free: free >> 20 });
    }
    let bytes = stand.runtime.block_on(waiting(stand, Side::Peer, &STEPS[..2]))?;
    <[f64; 2]>::try_from(bytes).map_err(|_| StandError::NoFigure("the Collector"))
}

/// What may be taken without pushing anything out.
fn available() -> Option<u64> {
    let memory = fs::read_to_string("/proc/meminfo").ok()?;
    let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// Bytes a waiting trace, at each step of a growing number of traces.
async fn waiting(stand: &Stand<'_>, side: Side, steps: &[u64]) -> Result<Vec<f64>, StandError> {
    let idle = resident(stand, side, SHORT, steps).await?;
    let waiting = resident(stand, side, FOR_EVER, steps).await?;
    #[expect(clippy::cast_precision_loss, reason = "bytes and traces are far below 2^52")]
    let bytes = |((traces, idle), waiting): ((&u64, u64), u64)| (waiting as f64 - idle as f64) / *traces as f64;
    Ok(steps.iter().zip(idle).zip(waiting).map(bytes).collect())
}

/// What is resident, files apart, after each step of traces.
async fn resident(stand: &Stand<'_>, side: Side, wait: u32, steps: &[u64]) -> Result<Vec<u64>, StandError> {
    let (layout, flow) = (stand.layout(1, Sampling { wait, kept: Kept::None })?, Flow::default());
    let _sink = central::listen(&layout, &flow).await?;
    let site = stand.site(&layout);
    let run = Run { node: CENTRAL, durability: Durability::Os, name: "central", workers: 1 };
    let station = match side {
        Side::Ours => site.tollgate(&run)?,
        Side::Peer => central::collector(stand, site, "tail-sampling")?,
    };
    let templates = stand.templates(Shape::usual(1000));
    let (clock, pressure) = (&stand.clock, Pressure::GENTLE);
    let arena = Arena { templates: &templates, flow: &flow, clock, out: Out::Sampled, pressure };
    let (mut found, mut sent) = (Vec::new(), 0);
    for traces in steps {
        sent += arena.load(&station).run(Until::Answered((traces * SPANS_A_TRACE).saturating_sub(sent))).await?;
        // As long as the short wait takes, in both.
        arena.settled(Duration::from_secs(SHORT.into())).await?;
        found.push(now_resident(&station, side, *traces, wait)?);
    }
    Ok(found)
}

fn now_resident(station: &Station, side: Side, traces: u64, wait: u32) -> Result<u64, StandError> {
    let resident = station.watched.anonymous().ok_or_else(|| StandError::Ended(station.log()))?;
    note(&format!("{side:?} with {traces} traces, wait {wait} s: {} MiB", resident >> 20));
    Ok(resident)
}
