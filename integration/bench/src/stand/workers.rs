//! Two worker threads beside one, at the same fixed rate: what sharing the work costs.
//!
//! Instructions are counted by callgrind around the whole node, while requests come at a fixed rate: what a node does by the
//! clock is in both figures alike. CPU time stands beside it in a full run: it knows what callgrind does not, caches and
//! the kernel, and it wobbles.

use std::time::Duration;

use super::contest::{Arena, Turns};
use super::counted::Counted;
use super::flow::Flow;
use super::gateway;
use super::layout::{Durability, GATEWAY, Layout, Run, Sampling};
use super::load::{Out, Pressure, Until};
use super::rows::{Head, multiple, part};
use super::shape::Shape;
use super::{Stand, StandError};
use crate::Options;
use crate::found::note;
use crate::micro::has_valgrind;
use crate::row::{Row, Target};

/// Spans a second: a fraction of what one worker can do.
const RATE: u64 = 100_000;
/// The same under callgrind.
const RATE_COUNTED: u64 = 4_000;
/// Spans that go through before, and while, instructions are counted.
const BEFORE: u64 = 4_000;
const COUNTED: u64 = 16_000;
/// What a counted node takes to start and to end, for the plan.
const AROUND: Duration = Duration::from_secs(6);

pub(crate) fn planned(options: &Options) -> Duration {
    let timed = if options.quick { Duration::ZERO } else { Turns::usual(options).planned(2) };
    timed + (AROUND + Duration::from_secs((BEFORE + COUNTED) / RATE_COUNTED)) * 2
}

pub(crate) fn rows(stand: &Stand<'_>) -> Result<Vec<Row>, StandError> {
    let (layout, flow) = (stand.layout(1, Sampling::usual(10))?, Flow::default());
    let _sinks = stand.runtime.block_on(gateway::sinks(&layout, &flow))?;
    let ground = Ground { stand, layout: &layout, flow: &flow };
    let mut rows = Vec::new();
    if !stand.options.quick {
        rows.extend(ground.timed()?);
    }
    match ground.counted() {
        Ok(row) => rows.push(row),
        Err(fault) => stand.found.borrow_mut().leave_out("instructions of two workers", fault),
    }
    Ok(rows)
}

struct Ground<'a> {
    stand: &'a Stand<'a>,
    layout: &'a Layout,
    flow: &'a Flow,
}

/// Without a disk to wait for: a commit that takes longer gathers more, whatever the workers do.
fn run(name: &str, workers: u16) -> Run<'_> {
    Run { node: GATEWAY, durability: Durability::Os, name, workers }
}

impl Ground<'_> {
    fn head(&self, row: &'static str, target: Target, rate: u64) -> Head {
        let shape = self.stand.shape(Shape::usual(1000));
        Head { row, shape: format!("{shape}, {rate} spans/s"), target }
    }

    /// Both have both cores: with one for two threads nothing would be shared.
    fn timed(&self) -> Result<Option<Row>, StandError> {
        let templates = self.stand.templates(Shape::usual(1000));
        let (clock, pressure) = (&self.stand.clock, Pressure::fixed(RATE));
        let arena = Arena { templates: &templates, flow: self.flow, clock, out: Out::All, pressure };
        let site = self.stand.site(self.layout);
        let figures = self.stand.runtime.block_on(async {
            let stations = [("two-workers", 2), ("one-worker", 1)].map(|(name, workers)| (run(name, workers), site));
            let started: Result<Vec<_>, _> = stations.iter().map(|(run, site)| site.on_both_cores(run)).collect();
            arena.contest(&started?, self.stand.turns()).await
        })?;
        let head = self.head("workers 2 / 1", Target::Shown, RATE);
        Ok(multiple(head, &figures, "two-workers", "one-worker"))
    }

    fn counted(&self) -> Result<Row, StandError> {
        if !has_valgrind() {
            return Err(StandError::NoValgrind);
        }
        let (two, one) = (self.instructions(2)?, self.instructions(1)?);
        let head = self.head("workers 2 / 1, instructions", Target::AtMost(1.1), RATE_COUNTED);
        Ok(part(head, "instr/span", &[two], &[one]))
    }

    /// Instructions a span.
    fn instructions(&self, workers: u16) -> Result<f64, StandError> {
        let templates = self.stand.templates(Shape::usual(1000));
        let (clock, pressure) = (&self.stand.clock, Pressure::fixed(RATE_COUNTED));
        let arena = Arena { templates: &templates, flow: self.flow, clock, out: Out::All, pressure };
        let (site, name) = (self.stand.site(self.layout), format!("counted-{workers}"));
        let (spans, instructions) = self.stand.runtime.block_on(async {
            let station = Counted::start(site, &run(&name, workers))?;
            self.flow.restart();
            arena.load(&station.station).run(Until::Answered(BEFORE)).await?;
            arena.settled(Duration::ZERO).await?;
            station.count()?;
            let spans = arena.load(&station.station).run(Until::Answered(COUNTED)).await?;
            arena.settled(Duration::ZERO).await?;
            Ok::<_, StandError>((spans, station.stop()?))
        })?;
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let instructions = instructions as f64 / spans as f64;
        note(&format!("{workers} workers: {instructions:.0} instructions/span"));
        Ok(instructions)
    }
}
