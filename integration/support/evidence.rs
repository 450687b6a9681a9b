//! Everything in which a planted value could show: data folders with their spools, logs, metrics and status pages.

use std::fs::File;
use std::io;
use std::path::Path;

use tollgate_scenario::canary::{Canary, Report, Search};
use tollgate_testkit::http;

use crate::Fleet;

/// The pages of a process; nobody has to be let in to see them.
const PAGES: [&str; 3] = ["/status", "/readyz", "/livez"];

impl Fleet {
    /// Searches all that these processes hold and say.
    #[track_caller]
    pub fn search(&self, names: &[&str], canaries: &[Canary]) -> Report {
        let mut report = self.search_said(names, canaries);
        let search = Search::new(canaries).expect("a search for these values");
        let folders: Vec<_> = names.iter().map(|name| self.folder().join(&self.planned(name).data)).collect();
        let held = search.folders(&folders).unwrap_or_else(|error| panic!("{error}"));
        report.files += held.files;
        report.bytes += held.bytes;
        report.hits.extend(held.hits);
        report
    }

    /// Searches what these processes write to their logs and answer to whoever asks.
    #[track_caller]
    pub fn search_said(&self, names: &[&str], canaries: &[Canary]) -> Report {
        let search = Search::new(canaries).expect("a search for these values");
        let mut report = Report::default();
        for name in names {
            self.read_said(name, &search, &mut report).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        report
    }

    fn read_said(&self, name: &str, search: &Search, report: &mut Report) -> io::Result<()> {
        let log = self.folder().join(format!("{name}.log"));
        search.read(&log, File::open(&log)?, report)?;
        let planned = self.planned(name);
        let pages = PAGES.map(|page| (planned.admin(), page)).into_iter().chain([(planned.metrics(), "/metrics")]);
        for (server, page) in pages {
            let body = http::get(server, page)?.body;
            search.read(Path::new(&format!("{name}{page}")), body.as_slice(), report)?;
        }
        Ok(())
    }
}

/// Searches some bytes.
#[track_caller]
pub fn search_bytes(what: &str, bytes: &[u8], canaries: &[Canary]) -> Report {
    let search = Search::new(canaries).expect("a search for these values");
    let mut report = Report::default();
    search.read(Path::new(what), bytes, &mut report).expect("bytes can be read");
    report
}

/// What was found, for a message: no value, but where it is.
pub fn shown(report: &Report, canaries: &[Canary]) -> String {
    let line = |hit: &tollgate_scenario::canary::Hit| {
        let kind = canaries.get(hit.canary).map_or("", |canary| canary.kind);
        format!("\n{kind}: {hit}")
    };
    let found = report.hits.iter().take(20).map(line).collect::<String>();
    format!("{} hits in {} files, {} bytes{found}", report.hits.len(), report.files, report.bytes)
}
