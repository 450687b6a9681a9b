//! Instructions for one span, counted by callgrind: a figure that no other program on the machine can change.
//!
//! This program starts itself under valgrind twice a side, with fewer and with more calls; the difference is the work.

use std::env;
use std::io;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Micro, ROWS};
use crate::Options;
use crate::found::Found;
use crate::keep::kept;
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

/// What one row takes, for the plan.
const A_ROW: Duration = Duration::from_secs(7);
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
pub(super) fn rows(options: &Options, found: &mut Found) {
    let wanted: Vec<_> = COUNTED.iter().filter(|(_, name)| options.wants(name)).collect();
    if wanted.is_empty() {
        return;
    }
    if !has_valgrind() {
        return found.leave_out("instructions of single steps", "valgrind is not installed");
    }
    for (row, name) in wanted {
        match find(row).map_or_else(|| Err(io::ErrorKind::NotFound.into()), |row| counted(row, name)) {
            Ok(row) => found.rows.push(row),
            Err(fault) => found.leave_out(name, fault),
        }
    }
}

/// How long that takes.
pub(super) fn planned(options: &Options) -> Duration {
    let rows = COUNTED.iter().filter(|(_, name)| options.wants(name)).count();
    A_ROW * u32::try_from(rows).unwrap_or(u32::MAX)
}

/// Whether instructions can be counted.
pub(crate) fn has_valgrind() -> bool {
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// What callgrind says it has counted.
pub(crate) fn collected(log: &str) -> Option<i64> {
    log.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

fn counted(row: &Micro, name: &'static str) -> io::Result<Row> {
    let things = (row.pair)(row.shape).ours.things();
    // Side by side: that makes them slower and changes no count.
    let [ours, peer] = thread::scope(|both| {
        let sides = [Which::Ours, Which::Peer].map(|side| both.spawn(move || instructions(row.row, side, things)));
        sides.map(|side| side.join().unwrap())
    });
    let measured = Measured(vec![(ours?, peer?)]);
    // What is asked is asked of time; the same ratio of instructions says whether a cache made it.
    let target = if let Target::AtLeast(_) = row.target { row.target } else { Target::Shown };
    Ok(measured.row(name, row.described(), "instr/span", target))
}

fn instructions(row: &str, side: Which, things: u64) -> io::Result<f64> {
    let (fewer, more) = (callgrind(row, side, FEWER)?, callgrind(row, side, MORE)?);
    Ok((more - fewer) / ((MORE - FEWER) * things) as f64)
}

fn callgrind(row: &str, side: Which, calls: u64) -> io::Result<f64> {
    let mut command = kept("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(env::current_exe()?);
    let output = command.args(["once", row, side.as_str(), &calls.to_string()]).output()?;
    let collected = collected(&String::from_utf8_lossy(&output.stderr)).filter(|_| output.status.success());
    collected.map(|count| count as f64).ok_or_else(|| io::Error::other("callgrind gave no count"))
}

fn find(row: &str) -> Option<&'static Micro> {
    ROWS.iter().find(|known| known.row == row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counted_row_is_a_row() {
        assert!(COUNTED.iter().all(|(row, _)| find(row).is_some()));
    }

    #[test]
    fn the_count_is_found_in_what_callgrind_prints() {
        let log = "==7== Events    : Ir\n==7== Collected : 123456\n==7== \n";
        assert_eq!(collected(log), Some(123_456));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
    }
}
