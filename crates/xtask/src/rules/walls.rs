//! What a crate must not be able to see although its layer would let it.

use crate::finding::Finding;
use crate::workspace::{Package, Workspace};

/// (crate, what it must never depend on, why).
const BLIND: &[(&str, &str, &str)] = &[
    ("tollgate-spool", "tollgate-otlp", "the spool cannot look inside a payload"),
    ("tollgate-audit", "tollgate-otlp", "the audit log cannot look inside a payload"),
    ("tollgate-transport", "tollgate-residency", "transport sends what is sealed and knows no policy"),
];

/// All that transport may name of redaction: it can send a sealed batch and cannot make one.
const SEALED: &str = "Sealed";

pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        findings.extend(blind(package));
        if package.name == "tollgate-transport" {
            findings.extend(only_sealed(workspace, package));
        }
    }
    findings
}

fn blind(package: &Package) -> impl Iterator<Item = Finding> {
    let walls = BLIND.iter().filter(|(name, _, _)| *name == package.name);
    let broken = walls.filter(|(_, hidden, _)| package.dependencies.iter().any(|used| used.name == *hidden));
    broken.map(|(name, hidden, why)| {
        Finding::of_file(package.folder.join("Cargo.toml"), format!("{name} depends on {hidden}: {why}"))
    })
}

fn only_sealed(workspace: &Workspace, transport: &Package) -> Vec<Finding> {
    let sources = workspace.sources_of(transport).filter(|source| !source.is_tests());
    let findings = sources.flat_map(|source| {
        let named = source.named_below("tollgate_redaction").into_iter().filter(|(name, _)| *name != SEALED);
        let renamed =
            source.find("tollgate_redaction as").into_iter().map(|line| ("the crate under another name", line));
        named.chain(renamed).map(|(name, line)| {
            Finding::at(&source.path, line, format!("transport may name only `{SEALED}` of redaction, not {name}"))
        })
    });
    findings.collect()
}
