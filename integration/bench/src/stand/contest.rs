//! Measures stations in turns under the same load and the same sinks, and puts their figures side by side.
//!
//! A turn begins and ends with nothing on its way, so that CPU time and spans of a turn belong to each other whatever
//! was answered early: the time counts until the last span has come out at the other end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tollgate_runtime::Clock;

use super::StandError;
use super::flow::Flow;
use super::load::{Load, Out, Pressure, Until};
use super::shape::Template;
use super::station::Station;
use crate::Options;
use crate::found::note;

/// How long the last spans may take to come out after the end of a load.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where nobody knows how many spans come out: they have when none came for this long.
const SILENCE: Duration = Duration::from_millis(1500);
const PAUSE: Duration = Duration::from_millis(10);

/// What the start of a station and the end of its turns take, for the plan.
const START: Duration = Duration::from_millis(1500);
const END_OF_A_TURN: Duration = Duration::from_millis(400);

/// How stations are measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turns {
    pub(crate) repetitions: usize,
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
    /// How long nothing comes out although nothing is wrong.
    pub(crate) wait: Duration,
}

impl Turns {
    /// Without a wait.
    pub(crate) fn usual(options: &Options) -> Self {
        let (warm_up, window) = if options.quick { (1_500, 3_000) } else { (2_000, 5_000) };
        Self {
            repetitions: options.repetitions(),
            warm_up: Duration::from_millis(warm_up),
            window: Duration::from_millis(window),
            wait: Duration::ZERO,
        }
    }

    fn wait_of(self, station: &Station) -> Duration {
        if station.is_thread() { Duration::ZERO } else { self.wait }
    }

    /// How long so many stations take.
    pub(crate) fn planned(self, stations: usize) -> Duration {
        let silence = if self.wait.is_zero() { END_OF_A_TURN } else { self.wait + SILENCE };
        let (turns, repetitions) = (count(self.repetitions + 1), count(self.repetitions));
        (START + self.warm_up + self.window * repetitions + silence * turns) * count(stations)
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The load and the sinks that a contest's stations share.
pub(crate) struct Arena<'a> {
    pub(crate) templates: &'a [Arc<Template>],
    pub(crate) flow: &'a Flow,
    pub(crate) clock: &'a Clock,
    pub(crate) out: Out,
    pub(crate) pressure: Pressure,
}

/// What one station used, in order of its turns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// The station.
    pub(crate) name: String,
    /// CPU nanoseconds a span.
    pub(crate) nanos: Vec<f64>,
    /// How much of what went in came out, of all turns together.
    pub(crate) out: f64,
    /// Peak resident memory at the end, in bytes; `None` for a thread.
    pub(crate) peak: Option<u64>,
}

/// What one turn took.
#[derive(Clone, Copy, Debug)]
struct Turn {
    spans: u64,
    came_out: u64,
    cpu: Duration,
    took: Duration,
}

impl Turn {
    #[expect(clippy::cast_precision_loss, reason = "counts of spans are far below 2^52")]
    fn spans(&self) -> f64 {
        self.spans as f64
    }

    fn nanos(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e9 / self.spans()
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, busy) = (self.spans() / self.took.as_secs_f64(), self.cpu.as_secs_f64() / self.took.as_secs_f64());
        write!(f, "{:>7.0} ns/span at {rate:>8.0} spans/s, core {:>3.0} %", self.nanos(), busy * 100.0)
    }
}

impl Figures {
    #[expect(clippy::cast_precision_loss, reason = "counts of spans are far below 2^52")]
    fn take(&mut self, turn: &Turn) {
        self.nanos.push(turn.nanos());
        let turns = self.nanos.len() as f64;
        self.out += (turn.came_out as f64 / turn.spans() - self.out) / turns;
    }
}

impl Arena<'_> {
    /// Runs all stations in turns.
    pub(crate) async fn contest(&self, stations: &[Station], turns: Turns) -> Result<Vec<Figures>, StandError> {
        let named = |station: &Station| Figures { name: station.name.clone(), ..Figures::default() };
        let mut figures: Vec<Figures> = stations.iter().map(named).collect();
        for station in stations {
            self.turn(station, Until::Passed(turns.warm_up), turns.wait_of(station)).await?;
        }
        for _ in 0..turns.repetitions {
            for (station, figures) in stations.iter().zip(&mut figures) {
                let turn = self.turn(station, Until::Passed(turns.window), turns.wait_of(station)).await?;
                figures.take(&turn);
                figures.peak = station.watched.peak();
                note(&format!("{:<24} {turn}", station.name));
            }
        }
        Ok(figures)
    }

    /// Sends a little and returns one of the messages that came out.
    pub(crate) async fn sample(&self, station: &Station) -> Result<Bytes, StandError> {
        self.flow.take_sample();
        self.turn(station, Until::Answered(1), Duration::ZERO).await?;
        self.flow.take_sample().ok_or_else(|| StandError::Output("nothing came out".to_owned()))
    }

    async fn turn(&self, station: &Station, until: Until, wait: Duration) -> Result<Turn, StandError> {
        let ended = || StandError::Ended(station.log()).at(&station.name);
        let cpu = || station.watched.cpu().ok_or_else(ended);
        self.flow.restart();
        let (used, begun, arrived) = (cpu()?, self.clock.uptime(), self.flow.arrived());
        let spans = self.load(station).run(until).await.map_err(|fault| fault.at(&station.name))?;
        let took = self.clock.uptime() - begun;
        self.settled(wait).await.map_err(|fault| fault.at(&station.name))?;
        Ok(Turn { spans, came_out: self.flow.arrived() - arrived, cpu: cpu()?.saturating_sub(used), took })
    }

    /// The load of this arena on one station.
    pub(crate) fn load<'l>(&'l self, station: &'l Station) -> Load<'l> {
        let Self { templates, out, pressure, flow, clock } = *self;
        Load { target: &station.target, templates, out, pressure, flow, clock }
    }

    /// Waits until everything has come out.
    pub(crate) async fn settled(&self, wait: Duration) -> Result<(), StandError> {
        let due = self.clock.uptime() + wait;
        let (mut arrived, mut since) = (self.flow.arrived(), due);
        loop {
            let now = self.clock.uptime();
            if self.flow.arrived() != arrived {
                (arrived, since) = (self.flow.arrived(), now);
            }
            let done = match self.out {
                Out::Sampled => now.saturating_sub(since.max(due)) > SILENCE,
                Out::All | Out::WithoutHealthChecks => self.flow.lag() == 0,
            };
            if done {
                return Ok(());
            }
            if now > due + PATIENCE {
                return Err(StandError::Missing { missing: self.flow.lag(), patience: PATIENCE.as_secs() });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
