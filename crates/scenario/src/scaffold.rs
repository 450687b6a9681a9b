//! The example federation laid out for one machine: every process on a loopback address of its own.
//!
//! Promises:
//! 1. The documents are the repository's, except that tiers list loopback addresses instead of a DNS name.
//! 2. What is written is a valid set: it is read back before it is called done.
//! 3. Nothing is written over what is there: processes may be running from it.
//! 4. Private keys and root keys are readable by their owner alone; a region's root keys go to its gateways only.
//!
//! Not here: starting the processes (`tollgate demo`, or the `Procfile` by hand).

mod loopback;
mod node_file;
mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use serde::Serialize;
use tollgate_config::Set;
use tollgate_federation::{BackendTarget, Federation, Name, NodeId, Role};
use tollgate_keys::{KeyError, KeyFolder};
use tollgate_runtime::Timestamp;

use crate::certs::{self, Authority, CertError, Holder, make_folder, write_public};
use crate::example::DOCUMENTS;
pub use loopback::{Loopback, NotLoopback};
pub use plan::Process;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// The keys that the example's transforms name, with how long their epochs are.
const KEYS: [(&str, Duration); 2] = [("user", DAY.saturating_mul(30)), ("session", DAY)];
/// For how long there are root keys: somebody may come back to a scaffold after a week.
const AHEAD: Duration = DAY.saturating_mul(30);

/// The federation could not be laid out.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// There is something in the folder.
    #[error(
        "{} is not empty, and processes may be running from it: name a folder that is new or empty, or remove this one first",
        .0.display()
    )]
    Occupied(PathBuf),
    /// A certificate, a key or a file could not be made.
    #[error(transparent)]
    Certs(#[from] CertError),
    /// A root key could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A node file or the list of nodes could not be written as text.
    #[error("cannot write YAML or JSON: {0}")]
    Text(String),
    /// The documents are not valid once they name this machine's addresses.
    #[error("the example federation is not valid here:\n{0}")]
    Invalid(String),
}

/// What was laid out.
pub struct Scaffold {
    /// The federation of the documents that were written.
    pub federation: Federation,
    /// One process for each node.
    pub processes: Vec<Process>,
    /// The authority of each region, for certificates that the scaffold does not have.
    pub authorities: BTreeMap<Name, Authority>,
}

/// Writes documents, certificates, keys, one node file a process, `Procfile` and `nodes.json` below `dir`.
///
/// # Errors
/// When the folder is not empty, or the file system or the machine's randomness refuses.
pub fn write(dir: &Path, loopback: Loopback, now: Timestamp) -> Result<Scaffold, ScaffoldError> {
    refuse_occupied(dir)?;
    let documents = DOCUMENTS.map(|(name, text)| (name, plan::localised(name, text, loopback)));
    let federation = read(&documents)?;
    for (name, text) in &documents {
        let path = dir.join(name);
        path.parent().map_or(Ok(()), make_folder)?;
        write_public(&path, text)?;
    }
    let mut processes = plan::processes(loopback);
    for process in &mut processes {
        process.files = exporters(&federation, &process.node, &process.data);
    }
    let holders: Vec<Holder> = processes.iter().map(Process::holder).collect();
    let authorities = certs::write(dir, &federation, &holders, now)?;
    write_root_keys(dir, &processes, now)?;
    for process in &processes {
        write_public(&dir.join(&process.node_file), &node_file::text(process, &KEYS.map(|(key, _)| key))?)?;
    }
    write_public(&dir.join("Procfile"), &procfile(&processes))?;
    write_public(&dir.join("nodes.json"), &nodes_json(&processes)?)?;
    Ok(Scaffold { federation, processes, authorities })
}

/// Everything that the processes of a scaffold in this block listen on.
pub fn listeners(loopback: Loopback) -> Vec<SocketAddr> {
    plan::processes(loopback).iter().flat_map(Process::listeners).collect()
}

fn refuse_occupied(dir: &Path) -> Result<(), ScaffoldError> {
    match fs::read_dir(dir).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(ScaffoldError::Occupied(dir.to_owned())),
        Ok(false) => Ok(()),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(CertError::Write { path: dir.to_owned(), source }.into()),
    }
}

fn read(documents: &[(&str, String)]) -> Result<Federation, ScaffoldError> {
    let (set, faults) = Set::from_texts(documents.iter().map(|(name, text)| (*name, text.as_str())));
    let federation = Federation::read(&set, &faults);
    federation.filter(|_| faults.is_empty()).ok_or_else(|| ScaffoldError::Invalid(faults.to_string()))
}

/// The folders in which a node's file exporters write, one for each signal.
fn exporters(federation: &Federation, node: &NodeId, data: &Path) -> Vec<Exporter> {
    let Some(tier) = federation.tier(&node.tier()) else { return Vec::new() };
    let files = tier.backends().iter().filter(|backend| matches!(backend.target(), BackendTarget::File { .. }));
    let folder = |backend: &str, signal: &str| data.join("backends").join(backend).join(signal);
    files
        .flat_map(|backend| backend.signals().iter().map(move |signal| (backend, signal)))
        .map(|(backend, signal)| Exporter {
            signal: signal.as_str(),
            path: folder(backend.id().name(), signal.as_str()),
        })
        .collect()
}

/// Root keys for each name and region: the gateways of a region make the same pseudonyms.
fn write_root_keys(dir: &Path, processes: &[Process], now: Timestamp) -> Result<(), ScaffoldError> {
    let gateways = processes.iter().filter(|process| process.node.role() == Role::Gateway);
    let regions: BTreeSet<&Name> = gateways.map(|process| process.node.region()).collect();
    for region in regions {
        for (key, epoch) in KEYS {
            let folder = KeyFolder::new(key, dir.join(node_file::key_path(region, key)));
            folder.begin(&[epoch], now)?;
            folder.rotate(&[epoch], now, AHEAD)?;
        }
    }
    Ok(())
}

fn procfile(processes: &[Process]) -> String {
    processes.iter().fold(String::new(), |mut text, process| {
        let Process { name, node, node_file, .. } = process;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}: tollgate run --set . --node-file {} {node}", node_file.display());
        text
    })
}

/// A folder of `nodes.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exporter {
    /// The signal.
    pub signal: &'static str,
    /// Where its files are, relative to the scaffold.
    pub path: PathBuf,
}

#[derive(Serialize)]
struct Listed<'a> {
    node: &'a str,
    role: &'static str,
    region: &'a str,
    otlp_grpc: Option<String>,
    otlp_http: Option<String>,
    admin: String,
    data: &'a Path,
    files: &'a [Exporter],
}

fn nodes_json(processes: &[Process]) -> Result<String, ScaffoldError> {
    let listed: Vec<Listed<'_>> = processes
        .iter()
        .map(|process| Listed {
            node: &process.name,
            role: process.node.role().as_str(),
            region: process.node.region(),
            otlp_grpc: process.otlp_grpc().map(|address| address.to_string()),
            otlp_http: process.otlp_http().map(|address| address.to_string()),
            admin: process.admin().to_string(),
            data: &process.data,
            files: &process.files,
        })
        .collect();
    let text = serde_json::to_string_pretty(&listed).map_err(|fault| ScaffoldError::Text(fault.to_string()))?;
    Ok(text + "\n")
}

#[cfg(test)]
mod tests;
