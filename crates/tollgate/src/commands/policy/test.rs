//! `tollgate policy test`: the golden cases.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;
use tollgate_config::Faults;
use tollgate_residency::{GoldenCase, Outcome, read_cases};

use crate::cli::policy::Test;
use crate::cli::{Output, Set};
use crate::commands::{print, unproved};
use crate::exit::Exit;

pub(super) fn test(options: &Test) -> Result<ExitCode, Exit> {
    let files = if options.files.is_empty() { find(&options.asked.set)? } else { options.files.clone() };
    let cases = read(&files, &options.asked.set)?;
    if cases.is_empty() {
        return Err(Exit::Failed("no golden case was found: a policy without one is not tested".to_owned()));
    }
    let unproved = unproved::load(&options.asked.set.dir)?;
    let today = unproved::day(&options.asked.day);
    let run = |case: &GoldenCase| case.run(&unproved.policy, &unproved.federation, today);
    let outcomes: Vec<(&GoldenCase, Outcome)> = cases.iter().map(|case| (case, run(case))).collect();
    let failed = outcomes.iter().filter(|(_, outcome)| *outcome != Outcome::Passed).count();
    match options.asked.output {
        Output::Text => print::text(&text(&outcomes, failed)),
        Output::Json => print::json(&json!({
            "passed": outcomes.len() - failed,
            "failed": failed,
            "cases": outcomes.iter().map(|(case, outcome)| json!({
                "name": case.name,
                "file": case.at.file.as_ref(),
                "line": case.at.line,
                "passed": *outcome == Outcome::Passed,
                "why": match outcome { Outcome::Passed => None, Outcome::Failed(why) => Some(why) },
            })).collect::<Vec<_>>(),
        })),
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(outcomes: &[(&GoldenCase, Outcome)], failed: usize) -> String {
    let mut text = String::new();
    for (case, outcome) in outcomes {
        if let Outcome::Failed(why) = outcome {
            text.push_str(&format!("FAILED {}:{}: {}: {why}\n", case.at.file, case.at.line, case.name));
        }
    }
    text.push_str(&format!("{} passed, {failed} failed\n", outcomes.len() - failed));
    text
}

/// Every YAML file of `policies/cases/`, by name.
fn find(set: &Set) -> Result<Vec<PathBuf>, Exit> {
    let folder = set.dir.join("policies/cases");
    let entries = fs::read_dir(&folder).map_err(|error| Exit::Failed(format!("{}: {error}", folder.display())))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(Exit::failed)?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(files: &[PathBuf], set: &Set) -> Result<Vec<GoldenCase>, Exit> {
    let (mut cases, mut wrong) = (Vec::new(), Vec::new());
    for path in files {
        let text = fs::read_to_string(path).map_err(|error| Exit::Failed(format!("{}: {error}", path.display())))?;
        let name = path.strip_prefix(&set.dir).unwrap_or(path);
        let (document, faults): (_, Faults) = tollgate_config::parse(&shown(name), &text);
        cases.extend(read_cases(&document, &faults));
        if !faults.is_empty() {
            wrong.push(faults.to_string());
        }
    }
    if wrong.is_empty() { Ok(cases) } else { Err(Exit::Config(wrong.join("\n"))) }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
