//! The steps of `cargo xtask check`, cheapest first.
//!
//! Every step runs even when an earlier one failed, so that one run shows all there is to mend.

use std::time::{Duration, Instant};

use crate::command;
use crate::deploy;
use crate::finding::Finding;
use crate::report;
use crate::rules;
use crate::workspace::Workspace;

/// One named part of the check.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    kind: Kind,
}

enum Kind {
    /// Reads the workspace and reports what breaks a rule.
    Rule(fn(&Workspace) -> Vec<Finding>),
    /// Runs a tool whose own output tells what is wrong.
    Tool(fn(&Workspace, Suite) -> Outcome),
}

/// How a step ended.
pub(crate) enum Outcome {
    Passed,
    Skipped(String),
    Failed(Vec<String>),
}

impl Outcome {
    /// This one if it failed, else how what comes after it ends.
    pub(crate) fn and(self, then: impl FnOnce() -> Self) -> Self {
        if let Self::Failed(_) = self { self } else { then() }
    }
}

/// Which tests run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suite {
    /// All that a change must pass.
    Usual,
    /// And the ones that take minutes.
    Full,
}

const fn rule(name: &'static str, about: &'static str, find: fn(&Workspace) -> Vec<Finding>) -> Step {
    Step { name, about, kind: Kind::Rule(find) }
}

const fn tool(name: &'static str, about: &'static str, run: fn(&Workspace, Suite) -> Outcome) -> Step {
    Step { name, about, kind: Kind::Tool(run) }
}

pub(crate) const STEPS: &[Step] = &[
    tool("fmt", "cargo fmt --check", command::format),
    rule("layers", "imports go down the layer table, heavy packages stay where they belong", rules::layers::check),
    rule("walls", "what spool, audit and transport must not be able to see", rules::walls::check),
    rule("sizes", "files under 600 lines, main.rs under 120, no mod.rs", rules::sizes::check),
    rule("doors", "senders over a link are built in one file", rules::doors::check),
    rule("purity", "one clock; layers 1 to 4 do no I/O", rules::purity::check),
    rule(
        "lints",
        "workspace lints are on, inherited and not switched off; unsafe only where listed",
        rules::lints::check,
    ),
    rule("paths", "no path of this machine in a file", rules::paths::check),
    tool("clippy", "cargo clippy --workspace --all-targets, warnings denied; of fuzz/ with --full", command::clippy),
    tool("docs", "cargo doc, warnings denied", command::docs),
    tool("deny", "cargo deny check bans licenses sources", command::deny),
    tool("deploy", "systemd-analyze verify of the unit templates", deploy::verify),
    tool("test", "cargo test --workspace", command::test),
];

/// Runs the chosen steps, or all when none is chosen; returns whether all passed.
pub(crate) fn run(chosen: &[&str], full: bool) -> bool {
    let workspace = match Workspace::load(&Workspace::root()) {
        Ok(workspace) => workspace,
        Err(why) => {
            report::line(why);
            return false;
        }
    };
    let suite = if full { Suite::Full } else { Suite::Usual };
    let mut outcomes = Vec::new();
    for step in STEPS.iter().filter(|step| chosen.is_empty() || chosen.contains(&step.name)) {
        report::begin(step);
        let (outcome, took) = timed(|| step.run(&workspace, suite));
        report::end(&outcome, took);
        outcomes.push((step.name, outcome));
    }
    report::summary(&outcomes);
    !outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)))
}

impl Step {
    fn run(&self, workspace: &Workspace, suite: Suite) -> Outcome {
        match self.kind {
            Kind::Tool(run) => run(workspace, suite),
            Kind::Rule(find) => {
                let findings = find(workspace);
                if findings.is_empty() {
                    Outcome::Passed
                } else {
                    Outcome::Failed(findings.iter().map(ToString::to_string).collect())
                }
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "measures for a person how long a step took; nothing depends on it")]
fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = run();
    (result, start.elapsed())
}
