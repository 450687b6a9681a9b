//! Instructions for one span, counted by callgrind: a figure that no other program on the machine can change.
//!
//! This program starts itself under valgrind twice a side, with fewer and with more calls; the difference is the work.

use std::env;
use std::io;
use std::process::{Command, Stdio};

use clap::{Args, ValueEnum};

use super::{Micro, ROWS};
use crate::Options;
use crate::measure::Measured;
use crate::row::{Row, Target};

/// The rows that are counted too, and what the counts are called.
const COUNTED: [(&str, &str); 6] = [
    ("walk", "walk/instructions"),
    ("split", "split/instructions"),
    ("split/walked", "split/walked/instructions"),
    ("seal", "seal/instructions"),
    ("observe", "observe/instructions"),
    ("sweep", "sweep/instructions"),
];

const FEWER: u64 = 1;
const MORE: u64 = 3;

/// One side of one row, some times: what is run under callgrind.
#[derive(Debug, Args)]
pub(crate) struct Once {
    row: String,
    side: Which,
    calls: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Which {
    Ours,
    Peer,
}

impl Which {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Peer => "peer",
        }
    }
}

impl Once {
    /// Runs it; says whether there is such a row.
    pub(crate) fn run(&self) -> bool {
        let Some(row) = find(&self.row) else { return false };
        let mut pair = (row.pair)(row.shape);
        let side = if self.side == Which::Ours { &mut pair.ours } else { &mut pair.peer };
        side.repeat(self.calls);
        true
    }
}

/// Counts the rows that are wanted; none where valgrind is missing, which is said.
pub(crate) fn rows(options: &Options) -> Vec<Row> {
    let wanted: Vec<_> = COUNTED.iter().filter(|(_, name)| options.wants(name)).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        say("valgrind is not installed: no row of instructions");
        return Vec::new();
    }
    wanted.iter().filter_map(|(row, name)| counted(find(row)?, name)).collect()
}

fn counted(row: &Micro, name: &'static str) -> Option<Row> {
    let things = (row.pair)(row.shape).ours.things();
    let measured = instructions(row.row, Which::Ours, things)
        .and_then(|ours| Ok(Measured(vec![(ours, instructions(row.row, Which::Peer, things)?)])));
    // What is asked is asked of time; the same ratio of instructions says whether a cache made it.
    let target = if let Target::AtLeast(_) = row.target { row.target } else { Target::Shown };
    match measured {
        Ok(measured) => Some(measured.row(name, row.described(), "instr/span", target)),
        Err(fault) => {
            say(&format!("{name} was not counted: {fault}"));
            None
        }
    }
}

fn instructions(row: &str, side: Which, things: u64) -> io::Result<f64> {
    let (fewer, more) = (callgrind(row, side, FEWER)?, callgrind(row, side, MORE)?);
    Ok((more - fewer) / ((MORE - FEWER) * things) as f64)
}

fn callgrind(row: &str, side: Which, calls: u64) -> io::Result<f64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(env::current_exe()?);
    let output = command.args(["once", row, side.as_str(), &calls.to_string()]).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    collected.filter(|_| output.status.success()).ok_or_else(|| io::Error::other("callgrind gave no count"))
}

fn find(row: &str) -> Option<&'static Micro> {
    ROWS.iter().find(|known| known.row == row)
}

#[expect(clippy::print_stderr, reason = "what is left out is said, beside the table and not in it")]
fn say(what: &str) {
    eprintln!("{what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counted_row_is_a_row() {
        assert!(COUNTED.iter().all(|(row, _)| find(row).is_some()));
    }
}
