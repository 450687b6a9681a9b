//! The layer table: an import goes to a lower layer, never sideways or up.

use crate::finding::Finding;
use crate::workspace::{Dependency, Package, Use, Workspace};

/// The order of the data path. A package that stands nowhere here is a finding.
const TABLE: &[(u8, &str)] = &[
    (0, "tollgate-config"),
    (0, "tollgate-disk"),
    (0, "tollgate-runtime"),
    (1, "tollgate-otlp"),
    (1, "tollgate-federation"),
    (2, "tollgate-residency"),
    (3, "tollgate-redaction"),
    (4, "tollgate-sampling"),
    (4, "tollgate-aggregation"),
    (4, "tollgate-routing"),
    (5, "tollgate-keys"),
    (5, "tollgate-spool"),
    (5, "tollgate-transport"),
    (5, "tollgate-audit"),
    (6, "tollgate-pipeline"),
    (6, "tollgate-scenario"),
    (7, "tollgate"),
];

/// Outside the table: they are never part of the binary.
const TOOLS: &[&str] = &["tollgate-testkit", "tollgate-integration", "tollgate-bench", "xtask"];

/// The packages that bring an executor.
const EXECUTORS: &[&str] = &["tokio", "tokio-util", "tokio-stream", "async-std", "smol"];

/// The packages that bring a protocol stack or TLS; only `transport` knows them.
const NETWORK: &[&str] =
    &["tonic", "tonic-prost", "hyper", "hyper-util", "axum", "tower-http", "h2", "rustls", "tokio-rustls", "reqwest"];

pub(crate) fn layer(package: &str) -> Option<u8> {
    TABLE.iter().find(|(_, name)| *name == package).map(|(layer, _)| *layer)
}

pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let manifest = package.folder.join("Cargo.toml");
        let report = |what| Finding::of_file(&manifest, what);
        if layer(&package.name).is_none() && !is_tool(&package.name) {
            findings.push(report(format!("{} stands nowhere in the layer table", package.name)));
        }
        findings.extend(package.dependencies.iter().filter_map(|used| wrong(package, used)).map(report));
    }
    findings
}

fn is_tool(package: &str) -> bool {
    TOOLS.contains(&package)
}

/// Why this package may not have this dependency. A graph whose every edge goes down has no cycle.
fn wrong(package: &Package, dependency: &Dependency) -> Option<String> {
    let name = dependency.name.as_str();
    if is_tool(name) {
        let allowed = dependency.used == Use::Tests || is_tool(&package.name);
        return (!allowed).then(|| format!("{name} is for tests, not for what ships"));
    }
    let Some(own) = layer(&package.name) else {
        return None; // a tool may use any layer
    };
    if let Some(other) = layer(name) {
        let way = if other == own { "sideways" } else { "upward" };
        let from = &package.name;
        return (other >= own).then(|| format!("{way} import: {from} (layer {own}) uses {name} (layer {other})"));
    }
    if EXECUTORS.contains(&name) && !(own >= 5 || package.name == "tollgate-runtime") {
        return Some(format!("{name} belongs to runtime and to layers 5 to 7, not to layer {own}"));
    }
    if NETWORK.contains(&name) && package.name != "tollgate-transport" {
        return Some(format!("{name} belongs to transport alone"));
    }
    None
}
