//! `tollgate keys`: makes root keys, makes them ahead, destroys them and lists them.
//!
//! Promises:
//! 1. Nothing that is printed tells a root; a root is never on the command line.
//! 2. What can be done of several keys is done, and every fault is said.

pub(super) mod derived;
mod destroy;
mod list;

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use tollgate_federation::Federation;
use tollgate_keys::{KeyError, KeyFolder, length_text, start_text};
use tollgate_pipeline::NodeFile;
use tollgate_redaction::Epoch;
use tollgate_residency::{KeyUse, Makes};
use tollgate_runtime::{Clock, Timestamp, refuse_core_dumps};

use super::{print, unproved};
use crate::cli::Set;
use crate::cli::keys::{Keys, New, Rotate, Which};
use crate::exit::Exit;

pub(crate) fn keys(command: &Keys) -> Result<ExitCode, Exit> {
    // Roots pass through this process.
    refuse_core_dumps().map_err(Exit::failed)?;
    match command {
        Keys::New(New { which }) => make(
            which,
            |folder, lengths, now| folder.begin(lengths, now),
            "nothing to make: the policy names no key here",
        ),
        Keys::Rotate(Rotate { which, ahead }) => {
            make(which, |folder, lengths, now| folder.rotate(lengths, now, *ahead), "every root is there already")
        }
        Keys::Destroy(options) => destroy::destroy(options),
        Keys::List(options) => list::list(options),
    }
}

/// The keys of a node, and what the policy uses them for.
pub(super) struct Place {
    pub(super) federation: Federation,
    pub(super) node_file: NodeFile,
    pub(super) uses: Vec<KeyUse>,
    pub(super) now: Timestamp,
}

impl Place {
    pub(super) fn load(set: &Set, node_file: &std::path::Path) -> Result<Self, Exit> {
        // A job that rotates keys does not stop for an invariant.
        let documents = unproved::load(&set.dir)?;
        let node_file = NodeFile::load(node_file, &set.dir).map_err(Exit::config)?;
        let uses = documents.policy.key_uses().to_vec();
        Ok(Self { federation: documents.federation, node_file, uses, now: Clock::system().now() })
    }

    /// The keys that were asked for.
    fn folders(&self, names: &[String]) -> Result<Vec<&KeyFolder>, Exit> {
        let all = self.node_file.keys();
        let unknown = names.iter().find(|name| all.iter().all(|folder| folder.name() != **name));
        match unknown {
            Some(name) => Err(Exit::Config(format!("the node file does not say where key {name} lies"))),
            None if names.is_empty() => Ok(all.iter().collect()),
            None => Ok(all.iter().filter(|folder| names.iter().any(|name| name == folder.name())).collect()),
        }
    }

    /// How long the epochs of a key are; of more than one length if transforms say so.
    fn lengths(&self, key: &str) -> Vec<Duration> {
        let mut lengths: Vec<_> =
            self.uses.iter().filter(|one| one.keyed.key == key).map(|one| one.keyed.epoch).collect();
        lengths.sort();
        lengths.dedup();
        lengths
    }

    /// Whether several regions hold the same roots of a key: one of them makes these, by name.
    fn is_shared(&self, key: &str) -> bool {
        self.uses.iter().any(|one| one.keyed.key == key && one.keyed.makes == Makes::Ids)
    }

    /// How long a root is kept after its epoch: as long as who uses it says, or did last.
    fn retain(&self, key: &str, epoch: Epoch) -> Duration {
        let of_key = || self.uses.iter().filter(|one| one.keyed.key == key);
        let same = of_key().find(|one| one.keyed.epoch == epoch.length()).map(|one| one.retain);
        same.or_else(|| of_key().map(|one| one.retain).max()).unwrap_or(KeyUse::RETAIN)
    }
}

/// Makes roots key by key.
fn make(
    which: &Which,
    make: impl Fn(&KeyFolder, &[Duration], Timestamp) -> Result<Vec<Epoch>, KeyError>,
    nothing: &str,
) -> Result<ExitCode, Exit> {
    let place = Place::load(&which.set, &which.node_file)?;
    let (mut text, mut faults) = (String::new(), Vec::new());
    for folder in place.folders(&which.keys)? {
        let (key, lengths) = (folder.name(), place.lengths(folder.name()));
        // Two regions that each made a root of their own would not join any more.
        if which.keys.is_empty() && place.is_shared(key) {
            continue;
        }
        if lengths.is_empty() {
            if !which.keys.is_empty() {
                return Err(Exit::Config(format!(
                    "no transform of the policy uses key {key}: its epochs have no length"
                )));
            }
            continue;
        }
        match make(folder, &lengths, place.now) {
            Ok(made) => made.into_iter().for_each(|epoch| said(&mut text, folder, epoch)),
            Err(fault) => faults.push(fault),
        }
    }
    if text.is_empty() && faults.is_empty() {
        text = format!("{nothing}\n");
    }
    print::text(&text);
    done(faults)
}

fn said(text: &mut String, folder: &KeyFolder, epoch: Epoch) {
    let (key, covers, length) = (folder.name(), start_text(epoch), length_text(epoch.length()));
    let id = folder.read(epoch).map(|root| root.id()).unwrap_or_default();
    let dir = folder.dir().display();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "made key {key} for {} to {} ({length}), root {id}, in {dir}", covers.start, covers.end);
}

/// 78 where somebody has to change something first.
fn done(faults: Vec<KeyError>) -> Result<ExitCode, Exit> {
    let text = faults.iter().map(KeyError::to_string).collect::<Vec<_>>().join("\n");
    let is_refusal = |fault: &KeyError| matches!(fault, KeyError::AlreadyThere { .. } | KeyError::InUse { .. });
    if faults.is_empty() {
        Ok(ExitCode::SUCCESS)
    } else if faults.iter().all(|fault| fault.may_pass() || is_refusal(fault)) {
        Err(Exit::Failed(text))
    } else {
        Err(Exit::Config(text))
    }
}
