//! Measures two sides in turns: A B A B, so that a slow phase of the machine hits both.
//!
//! Promises:
//! 1. Each repetition lasts long enough for the clock, whatever one round of a side costs.
//! 2. A ratio is made of one repetition's pair; ratios are never made of two medians.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::row::{Row, Spread, Target};

/// How long a side runs in each repetition, and before the first one.
const REPETITION: Duration = Duration::from_millis(250);
const WARM_UP: Duration = Duration::from_millis(100);

/// Which time counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Time {
    /// CPU time of this thread: for work that waits for nothing.
    Cpu,
    /// Wall time: for work that waits for a disk or for another thread.
    Wall,
}

impl Time {
    fn now(self) -> Duration {
        let time = clock_gettime(match self {
            Self::Cpu => ClockId::ThreadCPUTime,
            Self::Wall => ClockId::Monotonic,
        });
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    }

    /// How long something takes.
    pub(crate) fn of(self, run: impl FnOnce()) -> Duration {
        let before = self.now();
        run();
        self.now().saturating_sub(before)
    }
}

/// One side of a comparison.
pub(crate) struct Side<'a> {
    run: Box<dyn FnMut() + 'a>,
    /// How many things one call does: spans, records, bytes.
    things: u64,
}

impl<'a> Side<'a> {
    pub(crate) fn new(things: u64, run: impl FnMut() + 'a) -> Self {
        Self { run: Box::new(run), things }
    }

    /// Runs it so many times.
    pub(crate) fn repeat(&mut self, calls: u64) {
        (0..calls).for_each(|_| (self.run)());
    }

    pub(crate) fn things(&self) -> u64 {
        self.things
    }

    /// How many calls fill a repetition.
    #[expect(clippy::cast_possible_truncation, reason = "a repetition has fewer calls than nanoseconds")]
    fn calls(&mut self) -> u64 {
        let (mut calls, mut spent) = (0_u32, Duration::ZERO);
        while spent < WARM_UP {
            spent += Time::Wall.of(|| self.repeat(1));
            calls += 1;
        }
        (REPETITION.as_secs_f64() / (spent / calls).as_secs_f64()).ceil() as u64
    }

    /// Nanoseconds for one thing.
    fn cost(&mut self, calls: u64, time: Time) -> f64 {
        let spent = time.of(|| self.repeat(calls));
        spent.as_secs_f64() * 1e9 / (calls * self.things) as f64
    }
}

/// What is to be compared.
pub(crate) struct Pair<'a> {
    pub(crate) ours: Side<'a>,
    pub(crate) peer: Side<'a>,
}

/// Setting up both sides, for the plan.
const SET_UP: Duration = Duration::from_millis(200);

impl Pair<'_> {
    /// How long measuring takes.
    pub(crate) fn planned(repetitions: usize) -> Duration {
        SET_UP + (WARM_UP + REPETITION * u32::try_from(repetitions).unwrap_or(u32::MAX)) * 2
    }

    /// Measures both sides in turns.
    pub(crate) fn measure(&mut self, repetitions: usize, time: Time) -> Measured {
        let (ours, peer) = (self.ours.calls(), self.peer.calls());
        let pairs = (0..repetitions).map(|_| (self.ours.cost(ours, time), self.peer.cost(peer, time)));
        Measured(pairs.collect())
    }
}

/// The figures of each repetition: ours and the peer's.
pub(crate) struct Measured(pub(crate) Vec<(f64, f64)>);

impl Measured {
    /// Makes a row. The ratio says how many times more the peer costs if there is a least, else how many times the peer's
    /// cost ours is.
    pub(crate) fn row(&self, row: &'static str, shape: String, unit: &'static str, target: Target) -> Row {
        let ratio = |(ours, peer): &(f64, f64)| match target {
            Target::AtLeast(_) => peer / ours,
            Target::AtMost(_) | Target::Shown => ours / peer,
        };
        Row {
            row,
            shape,
            unit,
            ours: Spread::of(self.0.iter().map(|pair| pair.0)),
            peer: Spread::of(self.0.iter().map(|pair| pair.1)),
            ratio: Spread::of(self.0.iter().map(ratio)),
            peaks: [None, None],
            target,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_of_one_repetition_and_not_of_medians() {
        let measured = Measured(vec![(1.0, 10.0), (2.0, 12.0), (9.0, 99.0)]);
        let row = measured.row("row", String::new(), "ns/span", Target::AtLeast(5.0));
        assert_eq!((row.ours.median, row.peer.median, row.ratio.median), (2.0, 12.0, 10.0));
        let row = measured.row("row", String::new(), "ns/span", Target::AtMost(1.0));
        assert_eq!(row.ratio.low, 9.0 / 99.0);
    }

    #[test]
    fn a_repetition_lasts_long_enough_for_the_clock() {
        let mut side = Side::new(1, || drop(std::hint::black_box(vec![1_u8; 4096])));
        let calls = side.calls();
        assert!(Time::Wall.of(|| side.repeat(calls)) > REPETITION / 10);
    }
}
