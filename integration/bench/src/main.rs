//! The measuring stand: every row is a ratio of two things measured in turns in the same run.
//!
//! Promises:
//! 1. Absolute figures are printed and never asserted; a machine that slows down slows both sides of a ratio.
//! 2. What cannot be measured here (no Collector, no callgrind) is said and left out, never guessed.

mod measure;
mod micro;
mod row;
mod stand;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

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
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Output {
    Table,
    Json,
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
    if let Some(Part::Once(once)) = &options.part {
        return if once.run() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let mut rows = micro::rows(&options);
    rows.extend(stand::rows(&options));
    table::print(&rows, options.output);
    ExitCode::SUCCESS
}
