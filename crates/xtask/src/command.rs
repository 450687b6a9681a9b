//! The steps that run cargo and what is installed beside it.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::check::{Outcome, Suite};
use crate::workspace::Workspace;

/// The version that CI installs; its output and its configuration format are pinned with it.
const CARGO_DENY: &str = "0.20.2";

/// The targets for fuzzing, which are no part of the workspace.
const FUZZ: &str = "fuzz/Cargo.toml";

pub(crate) fn format(workspace: &Workspace, _: Suite) -> Outcome {
    let all = run(cargo(&workspace.root).args(["fmt", "--all", "--check"]));
    all.and(|| run(cargo(&workspace.root).args(["fmt", "--manifest-path", FUZZ, "--check"])))
}

pub(crate) fn clippy(workspace: &Workspace, suite: Suite) -> Outcome {
    let deny = ["--", "-D", "warnings"];
    let usual = run(cargo(&workspace.root).args(["clippy", "--workspace", "--all-targets"]).args(deny));
    if suite == Suite::Usual {
        return usual;
    }
    // It builds libFuzzer and all below sealing once more.
    usual.and(|| run(cargo(&workspace.root).args(["clippy", "--manifest-path", FUZZ]).args(deny)))
}

pub(crate) fn docs(workspace: &Workspace, _: Suite) -> Outcome {
    run(cargo(&workspace.root).args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

pub(crate) fn test(workspace: &Workspace, suite: Suite) -> Outcome {
    let mut command = cargo(&workspace.root);
    if suite == Suite::Full {
        command.env("TOLLGATE_FULL", "1");
    }
    run(command.args(["test", "--workspace"]))
}

pub(crate) fn deny(workspace: &Workspace, _: Suite) -> Outcome {
    let version = cargo(&workspace.root).args(["deny", "--version"]).stderr(Stdio::null()).output();
    let version = version.ok().filter(|output| output.status.success());
    let Some(version) = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()) else {
        return Outcome::Skipped(format!(
            "cargo-deny is not installed; `cargo install cargo-deny@{CARGO_DENY} --locked` adds it"
        ));
    };
    if version != format!("cargo-deny {CARGO_DENY}") {
        return Outcome::Skipped(format!("{version} is installed, this repository is checked by {CARGO_DENY}"));
    }
    run(cargo(&workspace.root).args([
        "deny",
        "--workspace",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ]))
}

pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(root);
    command
}

/// Runs a tool in the open: what it prints is for the person who waits.
pub(crate) fn run(command: &mut Command) -> Outcome {
    match command.status() {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => Outcome::Failed(vec![format!("{}: {status}", command.get_program().display())]),
        Err(fault) => Outcome::Failed(vec![format!("{}: {fault}", command.get_program().display())]),
    }
}
