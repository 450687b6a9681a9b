//! `tollgate check`: loads and validates everything, proves the invariants, and prints where data can go and what deserves a look.
//!
//! Promises:
//! 1. It ends with 78 exactly if no node would start on these documents: a fault, or an invariant that does not hold.
//! 2. What is wrong is said in every format; the proof is shown also where it fails.

mod proof;
mod sarif;

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use tollgate_federation::FederationDraft;
use tollgate_pipeline::{Documents, NodeFile, Opened, Report};
use tollgate_residency::{Finding, Kind, Policy};
use tollgate_runtime::Clock;

use super::{documents, print, unproved};
use crate::cli::{Check, Format};
use crate::exit::{CONFIG, Exit};

pub(crate) fn check(options: &Check) -> Result<ExitCode, Exit> {
    let findings = findings(&options.set.dir);
    match options.output {
        Format::Text => text(options, &findings),
        Format::Json | Format::Sarif => machine(options, &findings),
    }
}

/// What is found of a policy that can be read, whether its invariants hold or not; nothing where it cannot be read.
fn findings(dir: &Path) -> Vec<Finding> {
    let (set, faults) = tollgate_config::load(dir);
    let draft = FederationDraft::read(&set, &faults);
    let policy = Policy::unproved(&set, &draft, &faults);
    let Some((federation, mut policy)) = draft.federation().zip(policy).filter(|_| faults.is_empty()) else {
        return Vec::new();
    };
    let mut findings = policy.findings(federation, unproved::today());
    // What was broken before is no news.
    if findings.iter().all(|one| one.kind != Kind::BrokenInvariant) && policy.lift_shadows() {
        let latent = policy.latent_in_shadow(federation);
        let place = findings.partition_point(|one| one.kind.severity() < Kind::LatentInvariant.severity());
        findings.splice(place..place, latent);
    }
    findings
}

fn text(options: &Check, findings: &[Finding]) -> Result<ExitCode, Exit> {
    let report = report(options);
    // What is wrong with a node file or a key says nothing of the policy, and is said alone.
    if report.is_err() && !findings.iter().any(|one| one.kind == Kind::BrokenInvariant) {
        return report.map(|_| ExitCode::SUCCESS);
    }
    let head = report.as_deref().unwrap_or_default();
    print::text(&format!("{head}{}", proof::text(findings)));
    report.map(|_| ExitCode::SUCCESS)
}

/// The resolved federation, and what there is to say of a node that could run.
fn report(options: &Check) -> Result<String, Exit> {
    let now = Clock::system().now();
    let Some(path) = &options.node_file else {
        let documents = documents::load(&options.set)?;
        return Ok(Report::new(&documents, None, options.rate, now).to_string());
    };
    let (documents, file) = documents::load_with(&options.set, path)?;
    let node = node(options, &documents, &file, path)?;
    Ok(format!("{}{node}", Report::new(&documents, Some(&file), options.rate, now)))
}

/// What there is to say of a node that could run.
fn node(options: &Check, documents: &Documents, file: &NodeFile, path: &Path) -> Result<String, Exit> {
    let opened = Opened::open(documents, options.node.as_ref(), file, &Clock::system())?;
    let warnings: String = opened.warnings().map(|warning| format!("\n  warning: {warning}")).collect();
    Ok(format!("\n{} can run with {}{warnings}\n", opened.node(), path.display()))
}

/// The same for machines: faults and findings, also of the sampling policy, and nothing that is only for reading.
fn machine(options: &Check, findings: &[Finding]) -> Result<ExitCode, Exit> {
    let documents = Documents::load(&options.set.dir);
    let sampling = |documents| Report::new(documents, None, options.rate, Clock::system().now()).sampling();
    let sampling = documents.as_ref().map(sampling).unwrap_or_default();
    let findings = &[findings, &sampling].concat();
    let faults = documents.err().unwrap_or_default();
    match options.output {
        Format::Sarif => print::json(&sarif::log(&faults, findings)),
        Format::Text | Format::Json => print::json(&json!({
            "valid": faults.is_empty(),
            "faults": proof::faults(&faults, findings),
            "findings": findings.iter().map(proof::to_json).collect::<Vec<_>>(),
        })),
    }
    if !faults.is_empty() {
        return Ok(ExitCode::from(CONFIG));
    }
    report(options).map(|_| ExitCode::SUCCESS)
}
