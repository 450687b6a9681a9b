//! Two worker threads beside one, at the same fixed rate: what sharing the work costs.
//!
//! Instructions are counted by callgrind around the whole node, with fewer and with more spans; the difference is the
//! work. So is all that a node does by the clock meanwhile, which is why the rate is fixed. CPU time stands beside it: it
//! knows what callgrind does not, caches and the kernel, and it wobbles.

use std::time::Duration;

use super::contest::{Arena, Turns};
use super::flow::Flow;
use super::gateway;
use super::layout::{Durability, GATEWAY, Kept, Layout, Run, Sampling};
use super::load::{Out, Pressure, Until};
use super::rows::{Head, multiple, part};
use super::shape::Shape;
use super::{Stand, StandError};
use crate::Options;
use crate::micro::has_valgrind;
use crate::row::{Row, Target};

/// Spans a second: a fraction of what one worker can do.
const RATE: u64 = 100_000;
/// The same under callgrind.
const RATE_COUNTED: u64 = 4_000;
/// Spans that are counted, without and with the work that is wanted.
const FEWER: u64 = 8_000;
const MORE: u64 = 40_000;
/// How long the counted node may take to end.
const END: Duration = Duration::from_secs(180);
/// What a counted node takes to start and to end, for the plan.
const AROUND: Duration = Duration::from_secs(8);

pub(crate) fn planned(options: &Options) -> Duration {
    let counted = Duration::from_secs((FEWER + MORE) / RATE_COUNTED) * 2 + AROUND * 4;
    Turns::usual(options).planned(2) + counted
}

pub(crate) fn rows(stand: &Stand<'_>) -> Result<Vec<Row>, StandError> {
    let (layout, flow) = (stand.layout(1, Sampling { wait: 10, kept: Kept::Tenth })?, Flow::default());
    let _sinks = stand.runtime.block_on(gateway::sinks(&layout, &flow))?;
    let ground = Ground { stand, layout: &layout, flow: &flow };
    let mut rows = Vec::new();
    rows.extend(ground.timed()?);
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
        let (fewer, more) = (self.collected(workers, FEWER)?, self.collected(workers, MORE)?);
        #[expect(clippy::cast_precision_loss, reason = "counts of instructions are far below 2^52")]
        let instructions = (more.1 - fewer.1) as f64 / (more.0 - fewer.0) as f64;
        crate::found::note(&format!("{workers} workers: {instructions:.0} instructions/span"));
        Ok(instructions)
    }

    /// Spans and instructions of a node that starts, passes on at least so many, and ends.
    fn collected(&self, workers: u16, spans: u64) -> Result<(i64, i64), StandError> {
        let templates = self.stand.templates(Shape::usual(1000));
        let (clock, pressure) = (&self.stand.clock, Pressure::fixed(RATE_COUNTED));
        let arena = Arena { templates: &templates, flow: self.flow, clock, out: Out::All, pressure };
        let (site, name) = (self.stand.site(self.layout), format!("counted-{workers}-{spans}"));
        let (sent, log) = self.stand.runtime.block_on(async {
            let station = site.counted(&run(&name, workers))?;
            self.flow.restart();
            let sent = arena.load(&station).run(Until::Answered(spans)).await?;
            arena.settled(Duration::ZERO).await?;
            Ok::<_, StandError>((sent, station.stop(END)?))
        })?;
        let instructions = crate::micro::collected(&log).ok_or(StandError::NoFigure("callgrind"))?;
        Ok((sent.try_into().unwrap_or(i64::MAX), instructions))
    }
}
