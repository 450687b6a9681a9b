//! Searches everything that the far side holds for every value planted in another region.

use std::path::{Path, PathBuf};

use tollgate_federation::{Regime, Role};
use tollgate_scenario::canary::Search;
use tollgate_scenario::scaffold::Scaffold;

use super::tally::Tally;
use crate::exit::Exit;

/// The region whose side is far: the one that hosts the central tier.
const FAR: &str = "US";

/// What the search found.
pub(super) struct Found {
    pub(super) planted: usize,
    pub(super) crossed: usize,
    pub(super) hits: Vec<String>,
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Where kept traces are.
    pub(super) kept: Vec<PathBuf>,
}

/// Searches the logs, spools and backends of every process of the far side.
pub(super) fn search(dir: &Path, scaffold: &Scaffold, tally: &Tally) -> Result<Found, Exit> {
    let is_far = |region: &str| {
        scaffold.federation.region(region).map(|region| region.regime()).map(Regime::as_str) == Some(FAR)
    };
    let far: Vec<_> = scaffold.processes.iter().filter(|process| is_far(process.node.region())).collect();
    let folders = far.iter().flat_map(|process| [dir.join(&process.data), dir.join("logs").join(&process.name)]);
    let canaries = &tally.sent.canaries;
    let search = Search::new(canaries).map_err(Exit::failed)?;
    let report = search.folders(&folders.collect::<Vec<_>>()).map_err(Exit::failed)?;
    let name = |hit: &tollgate_scenario::canary::Hit| {
        let canary = canaries.get(hit.canary).map_or("", |canary| canary.kind);
        format!("{canary} as {} in {} at byte {}", hit.encoding.as_str(), hit.place.display(), hit.offset)
    };
    let central = far.iter().filter(|process| process.node.role() == Role::Central);
    Ok(Found {
        planted: canaries.len(),
        crossed: report.found(),
        hits: report.hits.iter().map(name).collect(),
        files: report.files,
        bytes: report.bytes,
        kept: central.flat_map(|process| process.files.iter().map(|files| dir.join(&files.path))).collect(),
    })
}
