//! Row (d), what a central node holds in memory of the traces that wait. Anonymous memory is what counts (`RssAnon`): pages
//! of files, which the kernel takes back when it likes, do not.
//!
//! Two processes get the same load, and what the second has resident more than the first, once nothing moves any more, is
//! what waiting traces take. In the second all traces wait. In the first, for the Collector, every trace is judged after a
//! second. For ours that would flatter: what it remembers of a judged trace, so that late spans follow the verdict, takes
//! more than a waiting one. There the spans of the first load belong to the same few traces all the time, none judged.
//!
//! What neither process does without, such as a table that is as large as `num_traces` asks from the start, is in no
//! difference. So the whole of both sides stands beside each other too, with room for the traces that wait and no more.

use std::fs;
use std::time::Duration;

use super::contest::Arena;
use super::flow::Flow;
use super::layout::{CENTRAL, Durability, Kept, Run, Sampling};
use super::load::{Out, Pressure, Traces, Until};
use super::rows::{Head, part};
use super::shape::Shape;
use super::{Stand, StandError, central};
use crate::Options;
use crate::found::note;
use crate::row::{Row, Target};

/// Until traces are judged, in seconds.
const SHORT: u32 = 1;
/// Longer than the load takes.
const FOR_EVER: u32 = 900;
const SPANS_A_TRACE: u64 = 8;
const SOME: [u64; 2] = [100_000, 200_000];
const MANY: [u64; 1] = [1_000_000];
/// Bytes a trace that are asked for.
const BOUND: f64 = 200.0;
const MIB: f64 = 1_048_576.0;
/// A load ends with a whole request.
const MARGIN: u64 = 1_000;
/// What the Collector needs for the second step, and half as much again.
const ROOM: u64 = 7 << 30;
/// How often ours is compared with few traces: its figures are small enough to wobble.
const REPETITIONS: usize = 3;

pub(crate) fn planned(options: &Options) -> Duration {
    Duration::from_secs(if options.quick { 0 } else { 240 })
}

pub(crate) fn rows(stand: &Stand<'_>) -> Result<Vec<Row>, StandError> {
    let mut some = Vec::new();
    for _ in 0..REPETITIONS {
        some.push(stand.runtime.block_on(held(stand, Side::Ours, &SOME))?);
    }
    let many = stand.runtime.block_on(held(stand, Side::Ours, &MANY))?;
    let at = |step: usize| some.iter().filter_map(|held| held.get(step).copied()).collect::<Vec<Held>>();
    let report = Report { shape: format!("traces of {SPANS_A_TRACE}, {}", stand.shape(Shape::usual(1000))) };
    let mut rows = match peer(stand) {
        Ok([few, more]) => vec![
            report.each("memory of 100,000 traces", Target::Shown, &at(0), few.each),
            report.each("memory of 200,000 traces", Target::AtMost(0.01), &at(1), more.each),
            report.whole("memory with 200,000 traces, all of it", &at(1), more.whole),
        ],
        Err(fault) => {
            stand.found.borrow_mut().leave_out("memory beside the Collector", fault);
            Vec::new()
        }
    };
    rows.push(report.each("memory of 200,000 traces / 200 B", Target::AtMost(1.0), &at(1), BOUND));
    rows.push(report.each("memory of 1,000,000 traces / 200 B", Target::AtMost(1.0), &many, BOUND));
    rows.push(report.whole("memory with 1,000,000 traces, all of it / 200 B", &many, BOUND * 1e6));
    Ok(rows)
}

/// What all rows of this file say went in.
struct Report {
    shape: String,
}

impl Report {
    fn each(&self, row: &'static str, target: Target, ours: &[Held], peer: f64) -> Row {
        let ours: Vec<f64> = ours.iter().map(|held| held.each).collect();
        part(Head { row, shape: self.shape.clone(), target }, "B/trace", &ours, &vec![peer; ours.len()])
    }

    fn whole(&self, row: &'static str, ours: &[Held], peer: f64) -> Row {
        let ours: Vec<f64> = ours.iter().map(|held| held.whole / MIB).collect();
        part(
            Head { row, shape: self.shape.clone(), target: Target::Shown },
            "MiB",
            &ours,
            &vec![peer / MIB; ours.len()],
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Ours,
    Peer,
}

/// What is held while so many traces wait.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// Bytes for each of them.
    each: f64,
    /// Bytes of the process.
    whole: f64,
}

fn peer(stand: &Stand<'_>) -> Result<[Held; 2], StandError> {
    stand.collector()?;
    let free = available().unwrap_or(u64::MAX);
    if free < ROOM {
        return Err(StandError::NoRoom { needed: ROOM >> 20, free: free >> 20 });
    }
    let held = stand.runtime.block_on(held(stand, Side::Peer, &SOME))?;
    <[Held; 2]>::try_from(held).map_err(|_| StandError::NoFigure("the Collector"))
}

/// What may be taken without pushing anything out.
fn available() -> Option<u64> {
    let memory = fs::read_to_string("/proc/meminfo").ok()?;
    let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// At each step of a growing number of traces.
async fn held(stand: &Stand<'_>, side: Side, steps: &[u64]) -> Result<Vec<Held>, StandError> {
    let (idle, load) = match side {
        Side::Ours => (FOR_EVER, Traces::Same),
        Side::Peer => (SHORT, Traces::New),
    };
    let idle = resident(stand, side, (idle, load), steps).await?;
    let waiting = resident(stand, side, (FOR_EVER, Traces::New), steps).await?;
    let held = |((traces, idle), waiting): ((&u64, f64), f64)| {
        #[expect(clippy::cast_precision_loss, reason = "traces are far below 2^52")]
        Held { each: (waiting - idle) / *traces as f64, whole: waiting }
    };
    Ok(steps.iter().zip(idle).zip(waiting).map(held).collect())
}

/// Bytes that are resident, files apart, after each step.
async fn resident(
    stand: &Stand<'_>,
    side: Side,
    (wait, load): (u32, Traces),
    steps: &[u64],
) -> Result<Vec<f64>, StandError> {
    let most = steps.iter().max().map_or(MARGIN, |most| most + MARGIN);
    let layout = stand.layout(1, Sampling { wait, kept: Kept::None, traces: most })?;
    let flow = Flow::default();
    let _sink = central::listen(&layout, &flow).await?;
    let site = stand.site(&layout);
    let run = Run { node: CENTRAL, durability: Durability::Os, name: "central", workers: 1 };
    let station = match side {
        Side::Ours => site.tollgate(&run)?,
        Side::Peer => central::collector(stand, site, "tail-sampling")?,
    };
    let templates = stand.templates(Shape::usual(1000));
    let (clock, pressure) = (&stand.clock, Pressure { traces: load, ..Pressure::GENTLE });
    let arena = Arena { templates: &templates, flow: &flow, clock, out: Out::Sampled, pressure };
    let (mut found, mut sent) = (Vec::new(), 0);
    for traces in steps {
        sent += arena.load(&station).run(Until::Answered((traces * SPANS_A_TRACE).saturating_sub(sent))).await?;
        // As long as the short wait takes, in all.
        arena.settled(Duration::from_secs(SHORT.into())).await?;
        let resident = station.watched.anonymous().ok_or_else(|| StandError::Ended(station.log()))?;
        note(&format!("{side:?}, {load:?} traces, {traces}, wait {wait} s: {} MiB", resident >> 20));
        #[expect(clippy::cast_precision_loss, reason = "bytes are far below 2^52")]
        found.push(resident as f64);
    }
    Ok(found)
}
