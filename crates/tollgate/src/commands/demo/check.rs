//! Searches everything that the processes of each region hold for the values that were planted in another.
//!
//! A value is at home in the region where it was planted and nowhere else. The policy of the example lets some cross as
//! pseudonyms or generalised, and none as it is; a test of the traffic asks the policy.

use std::collections::BTreeSet;
use std::path::Path;

use tollgate_runtime::Shutdown;
use tollgate_scenario::canary::{Canary, Hit, Search};
use tollgate_scenario::scaffold::Process;

use super::federation::{go_on, said_by};
use crate::exit::Exit;

/// What the search found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) planted: usize,
    /// Found where they were planted, which shows that the search sees.
    pub(super) at_home: BTreeSet<usize>,
    /// Found anywhere else.
    pub(super) crossed: BTreeSet<usize>,
    /// Where these were found, without the values.
    pub(super) hits: Vec<String>,
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Searches data, logs and pages of every process.
pub(super) fn search(
    dir: &Path,
    processes: &[Process],
    planted: &[Canary],
    interrupted: &Shutdown,
) -> Result<Found, Exit> {
    let search = Search::new(planted).map_err(Exit::failed)?;
    let mut found = Found { planted: planted.len(), ..Found::default() };
    for process in processes {
        go_on(interrupted)?;
        let folders = [dir.join(&process.data), said_by(dir, process)];
        let report = search.folders(&folders).map_err(Exit::failed)?;
        found.files += report.files;
        found.bytes += report.bytes;
        for hit in &report.hits {
            let canary = planted.get(hit.canary);
            found.add(hit, canary, process.node.region());
        }
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, hit: &Hit, canary: Option<&Canary>, region: &str) {
        let Some(canary) = canary else { return };
        if canary.region == region {
            self.at_home.insert(hit.canary);
        } else {
            self.crossed.insert(hit.canary);
            let (kind, home, encoding) = (canary.kind, &canary.region, hit.encoding.as_str());
            let (place, offset) = (hit.place.display(), hit.offset);
            self.hits.push(format!("{kind} of {home} in {region}, as {encoding}: {place}, byte {offset}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tollgate_runtime::Timestamp;
    use tollgate_scenario::scaffold::{self, Scaffold};

    use super::*;

    const EU: &str = "eu-west-gateway-0";
    const UK: &str = "uk-south-gateway-0";
    const US: &str = "us-east-central-1";

    struct World {
        folder: tempfile::TempDir,
        scaffold: Scaffold,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let now = Timestamp::from_nanos(1_800_000_000_000_000_000);
            let scaffold = scaffold::write(folder.path(), "127.83.12.0/24".parse().unwrap(), now).unwrap();
            for process in &scaffold.processes {
                fs::create_dir_all(folder.path().join(&process.data)).unwrap();
                fs::create_dir_all(said_by(folder.path(), process)).unwrap();
            }
            Self { folder, scaffold }
        }

        fn put(&self, file: &str, text: &str) {
            fs::write(self.folder.path().join(file), text).unwrap();
        }

        /// How many values are at home and how many crossed.
        fn found(&self) -> (usize, usize) {
            let canary = |region: &str, needle: &str| Canary {
                region: region.to_owned(),
                kind: "user.id",
                needle: needle.to_owned(),
            };
            let planted = [canary("eu-west", "usr-eu-7x4k2m9"), canary("uk-south", "usr-uk-3p8q6w1")];
            let (_stopper, interrupted) = Shutdown::new();
            let found = search(self.folder.path(), &self.scaffold.processes, &planted, &interrupted).unwrap();
            assert_eq!((found.planted, found.hits.is_empty()), (2, found.crossed.is_empty()));
            assert!(found.hits.iter().all(|hit| !hit.contains("usr-")), "{:?}", found.hits);
            (found.at_home.len(), found.crossed.len())
        }
    }

    #[test]
    fn a_value_in_its_own_region_is_at_home() {
        let world = World::new();
        assert_eq!(world.found(), (0, 0));
        world.put(&format!("data/{EU}/spool"), "user usr-eu-7x4k2m9 and more");
        world.put(&format!("data/{UK}/spool"), "user usr-uk-3p8q6w1");
        assert_eq!(world.found(), (2, 0));
    }

    #[test]
    fn a_value_of_the_eu_must_not_be_in_the_uk_though_the_two_are_linked() {
        let world = World::new();
        world.put(&format!("data/{UK}/spool"), "usr-eu-7x4k2m9");
        assert_eq!(world.found(), (0, 1));
    }

    #[test]
    fn a_value_of_the_uk_must_not_be_in_the_us_nor_in_the_eu() {
        let world = World::new();
        world.put(&format!("data/{US}/spool"), "usr-uk-3p8q6w1");
        assert_eq!(world.found(), (0, 1));
        let world = World::new();
        world.put(&format!("data/{EU}/spool"), "usr-uk-3p8q6w1");
        assert_eq!(world.found(), (0, 1));
    }

    #[test]
    fn logs_and_pages_are_searched_and_a_value_counts_once_wherever_it_is() {
        let world = World::new();
        world.put(&format!("logs/{UK}/stderr.log"), "user=usr-eu-7x4k2m9");
        world.put(&format!("logs/{US}/metrics.txt"), "requests{user=\"USR-EU-7X4K2M9\"} 1");
        assert_eq!(world.found(), (0, 1));
    }

    #[test]
    fn a_search_that_cannot_look_is_no_clean_result() {
        let world = World::new();
        fs::remove_dir(world.folder.path().join("data").join(UK)).unwrap();
        let (_stopper, interrupted) = Shutdown::new();
        assert!(search(world.folder.path(), &world.scaffold.processes, &[], &interrupted).is_err());
    }
}
