//! Which of the values that the traffic can plant have been planted.

use std::collections::BTreeSet;
use std::path::Path;

use tollgate_scenario::canary::{Canary, Report, Search};

use crate::exit::Exit;

/// Looks at what is sent until every value has been seen.
pub(super) struct Planted {
    canaries: Vec<Canary>,
    search: Search,
    seen: BTreeSet<usize>,
}

impl Planted {
    pub(super) fn new(canaries: Vec<Canary>) -> Result<Self, Exit> {
        let search = Search::new(&canaries).map_err(Exit::failed)?;
        Ok(Self { canaries, search, seen: BTreeSet::new() })
    }

    /// Notes the values in a request.
    pub(super) fn note(&mut self, request: &[u8]) {
        if self.seen.len() < self.canaries.len() {
            let mut report = Report::default();
            // Bytes in memory can be read to their end.
            let _ = self.search.read(Path::new("request"), request, &mut report);
            self.seen.extend(report.hits.iter().map(|hit| hit.canary));
        }
    }

    /// The values that were in what was sent.
    pub(super) fn values(&self) -> Vec<Canary> {
        self.seen.iter().filter_map(|number| self.canaries.get(*number)).cloned().collect()
    }
}
