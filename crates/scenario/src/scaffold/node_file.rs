//! The node file of one process: all that it has on its own machine.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tollgate_federation::Role;

use super::{Process, ScaffoldError};

/// Small enough for ten processes on a laptop.
const MEMORY: &str = "128MiB";
const DISK: &str = "1GiB";

#[derive(Serialize)]
struct NodeFile<'a> {
    data: &'a Path,
    listen: Listen,
    identity: Identity,
    budgets: Budgets,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    keys: BTreeMap<&'a str, Source>,
    durability: &'static str,
}

#[derive(Serialize)]
struct Listen {
    #[serde(skip_serializing_if = "Option::is_none")]
    otlp_grpc: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    otlp_http: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<SocketAddr>,
    admin: SocketAddr,
    metrics: SocketAddr,
}

#[derive(Serialize)]
struct Identity {
    cert: PathBuf,
    key: PathBuf,
}

#[derive(Serialize)]
struct Budgets {
    memory: &'static str,
    disk: &'static str,
}

#[derive(Serialize)]
struct Source {
    dir: PathBuf,
}

/// Where the roots of a key of a region lie.
pub(super) fn key_path(region: &str, key: &str) -> PathBuf {
    PathBuf::from("keys").join(region).join(key)
}

pub(super) fn text(process: &Process, keys: &[&str]) -> Result<String, ScaffoldError> {
    let certificate = PathBuf::from("nodes").join(&process.name);
    let sealing = process.node.role() == Role::Gateway;
    let keys = keys.iter().filter(|_| sealing);
    let node_file = NodeFile {
        data: &process.data,
        listen: Listen {
            otlp_grpc: process.otlp_grpc(),
            otlp_http: process.otlp_http(),
            tier: process.tier(),
            admin: process.admin(),
            metrics: process.metrics(),
        },
        identity: Identity { cert: certificate.with_extension("pem"), key: certificate.with_extension("key") },
        budgets: Budgets { memory: MEMORY, disk: DISK },
        keys: keys.map(|key| (*key, Source { dir: key_path(process.node.region(), key) })).collect(),
        durability: "fsync",
    };
    let head = format!("# What {} has on this machine. Paths start at the folder of the documents.\n", process.node);
    let body = serde_yaml::to_string(&node_file).map_err(|fault| ScaffoldError::Text(fault.to_string()))?;
    Ok(head + &body)
}
