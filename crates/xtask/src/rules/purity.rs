//! One clock for all, and no I/O at all in layers 1 to 4, so that they replay exactly.

use std::path::Path;

use super::layers;
use crate::finding::Finding;
use crate::imports::{self, Spelled};
use crate::source::Source;
use crate::workspace::Workspace;

/// Reading the time is the clock's work; the tools measure for people.
const CLOCK: &[&str] = &["crates/runtime/src/clock.rs", "crates/testkit", "crates/xtask", "integration"];

/// Tokio's own Instant belongs to its timers: it stands still where a test pauses the time.
const TIMERS: &str = "tokio::time::Instant::now";

const READS: &[&str] = &["Instant::now", "SystemTime::now", "OffsetDateTime::now_utc", "UtcDateTime::now"];

/// Modules of `std` that do I/O, start something or read the surroundings.
const IMPURE: &[&str] = &["fs", "thread", "process", "env"];

/// Types that are I/O or a clock, from wherever they are imported.
const IMPURE_TYPES: &[&str] = &["Instant", "SystemTime", "TcpStream", "TcpListener", "UdpSocket", "UnixStream"];

pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let shipped = workspace.sources.iter().filter(|source| !source.is_tests());
    let mut findings: Vec<Finding> = shipped.flat_map(clock).collect();
    let pure = |name: &str| layers::layer(name).is_some_and(|layer| (1..=4).contains(&layer));
    for package in workspace.packages.iter().filter(|package| pure(&package.name)) {
        let sources = workspace.sources_of(package).filter(|source| !source.is_tests());
        findings.extend(sources.flat_map(impure));
    }
    findings
}

fn clock(source: &Source) -> Vec<Finding> {
    if CLOCK.iter().any(|place| source.path.starts_with(Path::new(place))) {
        return Vec::new();
    }
    let reads = imports::paths(source).into_iter().filter(|path| !path.is(TIMERS));
    let read = |path: Spelled| {
        let name = READS.iter().find(|name| path.ends_with(name))?;
        Some(Finding::at(&source.path, path.line, format!("{name} outside the clock")))
    };
    reads.filter_map(read).collect()
}

fn impure(source: &Source) -> Vec<Finding> {
    let modules = source.named_below("std").into_iter().filter(|(name, _)| IMPURE.contains(name));
    let types = source.code.iter().filter(|token| IMPURE_TYPES.contains(&token.text.as_str()));
    let uses = modules.chain(types.map(|token| (token.text.as_str(), token.line)));
    let report =
        |(name, line)| Finding::at(&source.path, line, format!("{name}: layers 1 to 4 do no I/O and read no clock"));
    uses.map(report).collect()
}
