//! The doors: where a sender over a link, or to a place inside the region, is built. One file to read.

use std::path::Path;

use crate::finding::Finding;
use crate::source::Source;
use crate::workspace::Workspace;

const DOORS: &str = "crates/pipeline/src/send/doors.rs";
const MAKER: &str = "crates/transport";
const SENDERS: &[&str] = &["LinkSender", "LocalSender"];

pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let outside =
        |source: &&Source| !source.is_tests() && source.path != Path::new(DOORS) && !source.path.starts_with(MAKER);
    workspace.sources.iter().filter(outside).flat_map(built).collect()
}

fn built(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for sender in SENDERS {
        let built = source.find(&format!("{sender}::new")).into_iter().map(|line| (line, "is built"));
        let renamed = source.find(&format!("{sender} as")).into_iter().map(|line| (line, "gets another name"));
        findings.extend(
            built
                .chain(renamed)
                .map(|(line, what)| Finding::at(&source.path, line, format!("{sender} {what} outside {DOORS}"))),
        );
    }
    findings
}
