//! Whole processes, measured beside the real Collector: gateway, collector role, central, memory, growth.
//!
//! Promises:
//! 1. Both sides get the same load and the same sinks, and are measured in turns.
//! 2. What came out is looked into before it is measured: both did the work that the row names.
//! 3. A row that cannot be measured is left out and said so; the others go on.

mod agent;
mod central;
mod collector;
mod contest;
mod cores;
mod count;
mod fault;
mod floor;
mod flow;
mod gateway;
mod layout;
mod load;
mod output;
mod rows;
mod secure;
pub(crate) mod shape;
mod sink;
mod station;
mod usage;

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tollgate_runtime::Clock;

use crate::Options;
use crate::row::Row;
use collector::Collector;
use contest::Turns;
use cores::Cores;
use fault::StandError;
use layout::{Layout, Sampling};
use shape::{Shape, Template};

/// How many different requests a load sends in turns.
const TEMPLATES: u64 = 8;

/// What all rows of a run share.
pub(crate) struct Stand<'a> {
    options: &'a Options,
    cores: Cores,
    clock: Clock,
    /// Load and sinks run on it, and on one core.
    runtime: Runtime,
    collector: OnceCell<Result<Collector, String>>,
}

type Measure = fn(&Stand<'_>) -> Result<Vec<Row>, StandError>;

/// Each group of rows, by what their names begin with.
const GROUPS: [(&str, Measure); 5] = [
    ("gateway", gateway::rows),
    ("collector", agent::rows),
    ("central", central::rows),
    ("memory", central::memory),
    ("destinations", agent::growth),
];

pub(crate) fn rows(options: &Options) -> Vec<Row> {
    let Some(cores) = Cores::take() else {
        note("left out: whole processes, because they need two cores");
        return Vec::new();
    };
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let stand = Stand { options, cores, clock: Clock::system(), runtime, collector: OnceCell::new() };
    let mut rows = Vec::new();
    for (name, measure) in GROUPS {
        if is_wanted(options, name) {
            match measure(&stand) {
                Ok(measured) => rows.extend(measured.into_iter().filter(|row| options.wants(row.row))),
                Err(fault) => note(&format!("left out: {name}: {fault}")),
            }
        }
    }
    rows
}

/// Whether one of a group's rows may be among those that were asked for.
fn is_wanted(options: &Options, group: &str) -> bool {
    options.rows.is_empty() || options.rows.iter().any(|part| part.contains(group) || group.contains(part.as_str()))
}

impl Stand<'_> {
    fn layout(&self, gateways: u8, wait: u32) -> Result<Layout, StandError> {
        Layout::new(&self.clock, gateways, Sampling { wait })
    }

    fn collector(&self) -> Result<&Collector, StandError> {
        let ready = self.collector.get_or_init(|| Collector::ready().map_err(|fault| fault.to_string()));
        ready.as_ref().map_err(|fault| StandError::NoCollector(fault.clone()))
    }

    fn turns(&self) -> Turns {
        let (warm_up, window) = if self.options.quick { (2, 4) } else { (3, 8) };
        Turns {
            repetitions: self.options.repetitions(),
            warm_up: Duration::from_secs(warm_up),
            window: Duration::from_secs(window),
            wait: Duration::ZERO,
        }
    }

    fn templates(&self, shape: Shape) -> Vec<Arc<Template>> {
        let now = self.clock.now().nanos();
        (0..TEMPLATES).map(|number| Arc::new(Template::new(shape, now + number))).collect()
    }

    /// What went in, in words.
    fn shape(&self, shape: Shape) -> String {
        let template = Template::new(shape, self.clock.now().nanos());
        format!("{} spans of {} B, {} attributes", template.spans(), template.bytes_a_span(), shape.body.attributes())
    }
}

/// Tells whoever watches; the table goes to standard output.
#[expect(clippy::print_stderr, reason = "progress of a tool")]
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}
