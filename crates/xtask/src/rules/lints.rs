//! The lints of style.md: on for all, inherited by each package, switched off nowhere in what ships.
//!
//! Clippy itself finds the `unwrap`; this rule keeps clippy looking.

use std::path::Path;

use super::manifest::section;
use crate::finding::Finding;
use crate::source::Source;
use crate::workspace::Workspace;

/// (section, lint).
const ON: &[(&str, &str)] = &[
    ("rust", "unsafe_code"),
    ("rust", "missing_docs"),
    ("rust", "unreachable_pub"),
    ("clippy", "all"),
    ("clippy", "unwrap_used"),
    ("clippy", "expect_used"),
    ("clippy", "panic"),
    ("clippy", "todo"),
    ("clippy", "print_stdout"),
    ("clippy", "print_stderr"),
    ("clippy", "await_holding_lock"),
    ("clippy", "disallowed_methods"),
    ("clippy", "disallowed_types"),
    ("clippy", "mod_module_files"),
    ("clippy", "too_many_lines"),
    ("clippy", "too_many_arguments"),
    ("clippy", "excessive_nesting"),
    ("clippy", "allow_attributes_without_reason"),
    ("clippy", "cast_possible_truncation"),
    ("clippy", "large_futures"),
];

/// What `.clippy.toml` must go on forbidding.
const BANNED: &[&str] = &[
    "tokio::spawn",
    "tokio::sync::mpsc::unbounded_channel",
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "prost::Message::decode",
];

/// The files that opt out of `unsafe_code`, each with its reason in the file.
const UNSAFE: &[&str] = &[];

pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = on(workspace);
    findings.extend(inherited(workspace));
    findings.extend(banned(workspace));
    findings.extend(workspace.sources.iter().filter(|source| !source.is_tests()).flat_map(switched_off));
    findings.extend(unsafe_where_listed(workspace));
    findings
}

fn on(workspace: &Workspace) -> Vec<Finding> {
    let text = workspace.text("Cargo.toml").unwrap_or_default();
    let off = ON.iter().filter(|(tool, lint)| {
        let name = format!("workspace.lints.{tool}");
        !section(&text, &name).any(|(key, value)| key == *lint && (value.contains("warn") || value.contains("deny")))
    });
    off.map(|(tool, lint)| Finding::of_file("Cargo.toml", format!("lint {lint} is not on in workspace.lints.{tool}")))
        .collect()
}

fn inherited(workspace: &Workspace) -> Vec<Finding> {
    let manifests = workspace.packages.iter().map(|package| package.folder.join("Cargo.toml"));
    let missing = manifests.filter(|manifest| {
        let text = workspace.text(manifest).unwrap_or_default();
        !section(&text, "lints").any(|line| line == ("workspace", "true"))
    });
    missing.map(|manifest| Finding::of_file(manifest, "does not inherit the workspace's lints")).collect()
}

fn banned(workspace: &Workspace) -> Vec<Finding> {
    let text = workspace.text(".clippy.toml").unwrap_or_default();
    let missing = BANNED.iter().filter(|path| !text.contains(&format!("\"{path}\"")));
    missing.map(|path| Finding::of_file(".clippy.toml", format!("{path} is no longer forbidden"))).collect()
}

/// A true local invariant says `expect`, which fails when it stops being needed; `allow` would stay for ever.
fn switched_off(source: &Source) -> Vec<Finding> {
    let lines = source.code.windows(4).filter_map(|window| {
        let words = window.iter().map(|token| token.text.as_str());
        let attribute = words.clone().eq(["#", "[", "allow", "("]) || words.eq(["!", "[", "allow", "("]);
        window.first().filter(|_| attribute).map(|token| token.line)
    });
    lines.map(|line| Finding::at(&source.path, line, "a lint is opted out of by expect, not by allow")).collect()
}

fn unsafe_where_listed(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &workspace.sources {
        let listed = UNSAFE.iter().any(|file| source.path == Path::new(file));
        let first = source.code.iter().find(|token| token.text == "unsafe");
        match first {
            Some(token) if !listed => {
                findings.push(Finding::at(&source.path, token.line, "unsafe code in a file that is not listed for it"));
            }
            None if listed => {
                findings.push(Finding::of_file(&source.path, "is listed for unsafe code and has none"));
            }
            _ => {}
        }
    }
    findings
}
