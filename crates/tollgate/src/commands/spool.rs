//! `tollgate spool inspect`: what lies in a log, without its payloads.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tollgate_runtime::{Clock, Timestamp};
use tollgate_spool::{Inspection, Position, inspect};

use super::print;
use crate::cli::Spool;
use crate::exit::Exit;

pub(crate) fn spool(command: &Spool) -> Result<ExitCode, Exit> {
    let Spool::Inspect { dir } = command;
    let unreadable = |error: &dyn std::fmt::Display| Exit::failed(format!("{}: {error}", dir.display()));
    let mut found = false;
    let now = Clock::system().now();
    for log in candidates(dir).map_err(|error| unreadable(&error))? {
        let inspection = inspect(&log).map_err(|error| unreadable(&error))?;
        if !inspection.segments.is_empty() || !inspection.consumers.is_empty() {
            found = true;
            print::text(&describe(&log, &inspection, now));
        }
    }
    if found { Ok(ExitCode::SUCCESS) } else { Err(unreadable(&"no log here, in `spool` or in the folders below")) }
}

/// The folder itself, the folders in it, and those in its `spool`: a log, a node's logs, or a node's data.
fn candidates(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut folders = vec![dir.to_owned()];
    let spool = dir.join("spool");
    for parent in [Some(dir), spool.is_dir().then_some(spool.as_path())].into_iter().flatten() {
        for entry in std::fs::read_dir(parent)? {
            folders.push(entry?.path());
        }
    }
    folders.retain(|folder| folder.is_dir() && *folder != spool);
    folders.sort();
    Ok(folders)
}

fn describe(log: &Path, inspection: &Inspection, now: Timestamp) -> String {
    let end = inspection.segments.last().map_or(Position::ZERO, |segment| segment.end);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", log.display());
    let _ = writeln!(text, "  end {end}, {} spare segments, {} quarantined", inspection.spares, inspection.quarantined);
    for segment in &inspection.segments {
        let bytes = segment.end.since(segment.base);
        let age = age(segment.first_arrival, now);
        let (number, base, file) = (segment.number, segment.base, segment.file_bytes);
        let _ = writeln!(text, "  segment {number:<6} from {base:<12} {bytes:>12} of {file:>12} bytes, oldest {age}");
    }
    for number in &inspection.unreadable {
        let _ = writeln!(text, "  segment {number:<6} has a damaged header");
    }
    for consumer in &inspection.consumers {
        let _ = writeln!(text, "  consumer {:<32} floor {}", consumer.name, consumer.floor);
        for lane in &consumer.lanes {
            let (name, position, lag) = (&lane.name, lane.position, lane.lag);
            let age = age(lane.waiting_since, now);
            let _ = writeln!(text, "    lane {name:<28} at {position:<12} {lag:>12} bytes behind, oldest {age}");
        }
    }
    text
}

fn age(since: Option<Timestamp>, now: Timestamp) -> String {
    since.map_or_else(|| "none".to_owned(), |since| format!("{} s ago", now.since(since).as_secs()))
}
