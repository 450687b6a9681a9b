//! Whole processes, measured beside the real Collector: gateway, collector role, central, memory, growth, workers.
//!
//! Promises:
//! 1. Both sides get the same load and the same sinks, and are measured in turns.
//! 2. What came out is looked into before it is measured: both did the work that the row names.
//! 3. A row that cannot be measured is left out and said so; the others go on.
//! 4. No process outlives this one.

mod agent;
mod central;
mod child;
mod collector;
mod contest;
mod cores;
mod count;
mod counted;
mod fault;
mod floor;
mod flow;
mod gateway;
mod growth;
mod layout;
mod load;
mod memory;
mod output;
mod rows;
mod secure;
pub(crate) mod shape;
mod sink;
mod station;
mod usage;
mod workers;

use std::cell::{OnceCell, RefCell};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tollgate_runtime::Clock;

use crate::Options;
use crate::found::{Found, note};
use crate::row::Row;
use collector::Collector;
use contest::Turns;
use cores::Cores;
use layout::{Layout, Sampling};
use shape::{Shape, Template};
use station::Site;

pub(crate) use fault::StandError;
pub(crate) use secure::Identity;

/// How many different requests a load sends in turns.
const TEMPLATES: u64 = 8;

/// What all rows of a run share.
pub(crate) struct Stand<'a> {
    options: &'a Options,
    cores: Cores,
    clock: Clock,
    /// Load and sinks run on it, and on one core.
    runtime: Runtime,
    binary: PathBuf,
    collector: OnceCell<Result<Collector, String>>,
    found: RefCell<Found>,
}

/// Rows that are measured together.
struct Group {
    /// What their names begin with.
    name: &'static str,
    /// Zero where nothing of it belongs to the run.
    planned: fn(&Options) -> Duration,
    measure: fn(&Stand<'_>) -> Result<Vec<Row>, StandError>,
}

const GROUPS: [Group; 6] = [
    Group { name: "gateway", planned: gateway::planned, measure: gateway::rows },
    Group { name: "collector", planned: agent::planned, measure: agent::rows },
    Group { name: "central", planned: central::planned, measure: central::rows },
    Group { name: "memory", planned: memory::planned, measure: memory::rows },
    Group { name: "destinations", planned: growth::planned, measure: growth::rows },
    Group { name: "workers", planned: workers::planned, measure: workers::rows },
];

/// What is going to be measured, and how long it takes.
pub(crate) fn planned(options: &Options) -> Vec<(&'static str, Duration)> {
    wanted(options).map(|group| (group.name, (group.planned)(options))).collect()
}

/// Measures the rows that are wanted. From then on this thread stays on the core of load and sinks.
pub(crate) fn measure(options: &Options, found: &mut Found) -> Result<(), StandError> {
    if wanted(options).next().is_none() {
        return Ok(());
    }
    let Some(cores) = Cores::take() else {
        found.leave_out("whole processes", "they need two cores");
        return Ok(());
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (clock, collector, beside) = (Clock::system(), OnceCell::new(), RefCell::default());
    let stand = Stand { options, cores, clock, runtime, binary: binary()?, collector, found: beside };
    for group in wanted(options) {
        let begun = stand.clock.uptime();
        let measured = (group.measure)(&stand);
        found.left_out.append(&mut stand.found.borrow_mut().left_out);
        match measured {
            Ok(rows) => found.rows.extend(rows.into_iter().filter(|row| options.wants(row.row))),
            Err(fault) => found.leave_out(group.name, fault),
        }
        note(&format!("{} took {} s", group.name, (stand.clock.uptime() - begun).as_secs()));
    }
    Ok(())
}

/// Says on standard output where the Collector's program is, for tests that start it themselves.
#[expect(clippy::print_stdout, reason = "it is what was asked for")]
pub(crate) fn print_collector() -> Result<(), StandError> {
    println!("{}", Collector::ready()?.program.display());
    Ok(())
}

/// Says what has to be there before anything is measured.
pub(crate) fn check(options: &Options) -> Result<(), StandError> {
    if wanted(options).next().is_some() {
        binary()?;
        if !Collector::is_built() {
            note("the Collector is not built yet: the plan does without the minutes that this takes");
        }
    }
    Ok(())
}

fn wanted(options: &Options) -> impl Iterator<Item = &'static Group> {
    GROUPS.iter().filter(|group| is_wanted(options, group.name) && !(group.planned)(options).is_zero())
}

impl Stand<'_> {
    fn layout(&self, gateways: u8, sampling: Sampling) -> Result<Layout, StandError> {
        Layout::new(&self.clock, gateways, sampling)
    }

    fn site<'s>(&'s self, layout: &'s Layout) -> Site<'s> {
        Site { layout, cores: self.cores, binary: &self.binary }
    }

    fn collector(&self) -> Result<&Collector, StandError> {
        let why = |fault| match fault {
            StandError::NoCollector(why) => why,
            other => other.to_string(),
        };
        let ready = self.collector.get_or_init(|| Collector::ready().map_err(why));
        ready.as_ref().map_err(|why| StandError::NoCollector(why.clone()))
    }

    fn turns(&self) -> Turns {
        Turns::usual(self.options)
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

/// Whether one of a group's rows may be among those that were asked for.
fn is_wanted(options: &Options, group: &str) -> bool {
    options.rows.is_empty() || options.rows.iter().any(|part| part.contains(group) || group.contains(part.as_str()))
}

/// The binary that `TOLLGATE_BIN` names, or the one that was built beside this program.
fn binary() -> Result<PathBuf, StandError> {
    let path = match std::env::var_os("TOLLGATE_BIN") {
        Some(path) => path.into(),
        None => std::env::current_exe()?.with_file_name("tollgate"),
    };
    if path.is_file() { Ok(path) } else { Err(StandError::NoBinary(path)) }
}
