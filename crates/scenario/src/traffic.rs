//! Checkout traffic that spans the example federation, with personal data wherever careless programs put it.
//!
//! Promises:
//! 1. The same seed gives the same traffic: ids, values, durations.
//! 2. Every planted value is unique, is listed as a canary and stands only in telemetry of its region; what comes from
//!    the US holds none, so a canary that is found there has crossed.
//! 3. Every request is valid OTLP.
//!
//! Not here: sending it (`tollgate demo`, the tests), finding what crossed (`canary`).

mod people;
mod plan;
mod records;
mod requests;
mod spans;

use fastrand::Rng;
use tollgate_federation::Signal;
use tollgate_otlp::{SpanId, TraceId};
use tollgate_runtime::Timestamp;

use crate::canary::Canary;
use people::Person;
pub use plan::Outcome;
use plan::Planned;
use requests::Gathered;
pub use requests::Request;
use spans::Timed;

/// How many people shop in each region.
const PEOPLE: usize = 24;

/// Regions whose people's data must not leave it.
const PROTECTED: [&str; 2] = ["eu-west", "uk-south"];

/// One trace that was made: what a test expects to see of it.
#[derive(Clone, Debug)]
pub struct Story {
    /// The trace.
    pub trace: TraceId,
    /// How it ended.
    pub outcome: Outcome,
    /// How many spans it has, over all clusters.
    pub spans: usize,
}

/// Some checkouts, gathered into requests.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// One for each cluster and signal.
    pub requests: Vec<Request>,
    /// The traces in them.
    pub stories: Vec<Story>,
}

/// An endless supply of checkouts.
#[derive(Clone, Debug)]
pub struct Traffic {
    random: Rng,
    people: Vec<Person>,
}

impl Traffic {
    /// Traffic that is the same for the same seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let regions = PROTECTED.iter().chain(&["us-east"]);
        let people = regions.flat_map(|region| (0..PEOPLE).map(move |number| (*region, number)));
        let people = people.map(|(region, number)| Person::new(region, number, &mut random)).collect();
        Self { random, people }
    }

    /// Every value that must not leave its region.
    pub fn canaries(&self) -> Vec<Canary> {
        let people = self.people.iter().filter(|person| PROTECTED.contains(&person.region));
        people.flat_map(Person::canaries).collect()
    }

    /// The next checkouts, which end at `now`.
    pub fn batch(&mut self, now: Timestamp, checkouts: usize) -> Batch {
        let mut gathered = Gathered::default();
        let stories = (0..checkouts).map(|_| self.checkout(now, &mut gathered)).collect();
        Batch { requests: gathered.into_requests(), stories }
    }

    fn checkout(&mut self, now: Timestamp, gathered: &mut Gathered) -> Story {
        let shape = plan::shape(&mut self.random);
        let outcome = plan::outcome(&mut self.random);
        let spans = plan::plan(shape, outcome, &mut self.random);
        let trace = TraceId(self.random.u128(1..).to_be_bytes());
        let ids: Vec<SpanId> = spans.iter().map(|_| SpanId(self.random.u64(1..).to_be_bytes())).collect();
        let careless = self.random.u8(0..3) == 0;
        let Some(person) = self.shopper(shape.frontend.region) else {
            return Story { trace, outcome, spans: 0 };
        };
        let length = spans.first().map_or(0, |root| nanos(root.when.length));
        let start = now.nanos().saturating_sub(length);
        for (planned, span) in spans.iter().zip(&ids) {
            let timed = timed(planned, trace, *span, &ids, start);
            add(&timed, &person, careless, gathered);
        }
        Story { trace, outcome, spans: spans.len() }
    }

    fn shopper(&mut self, region: &str) -> Option<Person> {
        let people: Vec<&Person> = self.people.iter().filter(|person| person.region == region).collect();
        self.random.choice(people).cloned()
    }
}

fn timed<'a>(planned: &'a Planned, trace: TraceId, span: SpanId, ids: &[SpanId], start: u64) -> Timed<'a> {
    let start = start + nanos(planned.when.start);
    let parent = planned.parent.and_then(|position| ids.get(position).copied());
    Timed { planned, trace, span, parent, start, end: start + nanos(planned.when.length) }
}

fn add(timed: &Timed<'_>, person: &Person, careless: bool, gathered: &mut Gathered) {
    let site = timed.planned.site;
    let mut body = Vec::new();
    timed.write(person, careless, &mut body);
    gathered.add(Signal::Traces, site, body, Some((timed.trace, timed.span)));
    let mut body = Vec::new();
    if records::log(timed, person, &mut body) {
        gathered.add(Signal::Logs, site, body, None);
    }
    let mut body = Vec::new();
    if records::metric(timed, person, &mut body) {
        gathered.add(Signal::Metrics, site, body, None);
    }
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
