//! The measuring stand: every row is a ratio of two things measured in turns in the same run.
//!
//! Promises:
//! 1. Absolute figures are printed and never asserted; a machine that slows down slows both sides of a ratio.
//! 2. What cannot be measured here (no Collector, no callgrind) is said and left out, never guessed.
//! 3. However a run ends, it leaves no process and no temporary folder behind.

mod deployed;
mod found;
mod keep;
mod machine;
mod measure;
mod micro;
mod row;
mod scratch;
mod stand;
mod table;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use found::{Found, note};
use machine::Machine;
use scratch::Scratch;
use stand::StandError;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Tollgate beside the real Collector and beside floors; `cargo xtask bench` builds and runs it.
#[derive(Debug, Parser)]
struct Options {
    /// Two repetitions instead of five, short windows, no memory rows: under five minutes.
    #[arg(long)]
    quick: bool,
    /// How to print the rows.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Only rows whose name contains one of these.
    rows: Vec<String>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What this program starts itself for.
#[derive(Debug, Subcommand)]
enum Part {
    #[command(hide = true)]
    Once(micro::Once),
    #[command(hide = true)]
    Keep(keep::Keep),
    #[command(hide = true)]
    Sweep(scratch::Sweep),
    /// Print where the Collector's program is, and build it first if it is not there.
    Collector,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Output {
    Table,
    Json,
    /// The page that is kept as `integration/bench/RESULTS.md`.
    Markdown,
}

impl Options {
    fn repetitions(&self) -> usize {
        if self.quick { 2 } else { 5 }
    }

    fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|part| row.contains(part.as_str()))
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Err(fault) = deployed::enter() {
        note(&format!("not in the environment of deploy/: {fault}"));
        return ExitCode::FAILURE;
    }
    let done = match &options.part {
        Some(Part::Once(once)) => once.run(),
        Some(Part::Keep(keep)) => {
            note(&keep.run().to_string());
            false
        }
        Some(Part::Sweep(sweep)) => sweep.run(),
        Some(Part::Collector) => stand::print_collector().inspect_err(|fault| note(&fault.to_string())).is_ok(),
        None => run(&options).inspect_err(|fault| note(&fault.to_string())).is_ok(),
    };
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(options: &Options) -> Result<(), StandError> {
    let (machine, mut found) = (Machine::look(), Found::default());
    stand::check(options)?;
    announce(options);
    let _scratch = Scratch::take()?;
    micro::measure(options, &mut found);
    stand::measure(options, &mut found)?;
    table::print(&found, &machine, options);
    Ok(())
}

/// Says what is going to be measured, and how long it takes on a machine that does nothing else.
fn announce(options: &Options) {
    let planned = [micro::planned(options), stand::planned(options)].concat();
    let total: Duration = planned.iter().map(|(_, planned)| *planned).sum();
    let parts: Vec<_> = planned.iter().map(|(name, planned)| format!("{name} {} s", planned.as_secs())).collect();
    note(&format!("planned: {} s ({})", total.as_secs(), parts.join(", ")));
}
