//! The findings, as lines for people and as JSON.

use serde_json::{Value, json};
use tollgate_config::{Fault, Faults};
use tollgate_residency::{Finding, Kind, Severity};

/// What was proved, and what deserves a look.
pub(super) fn text(findings: &[Finding]) -> String {
    let broken = findings.iter().filter(|one| one.kind == Kind::BrokenInvariant).count();
    let mut text = match broken {
        0 => "\nproof: every invariant holds on all paths and places, on any day\n".to_owned(),
        1 => "\nproof: FAILED, an invariant does not hold\n".to_owned(),
        many => format!("\nproof: FAILED, {many} times an invariant does not hold\n"),
    };
    for (severity, head) in [
        (Severity::Error, "errors: the policy starts nowhere"),
        (Severity::Warning, "warnings: it may not do what somebody believes"),
        (Severity::Note, "residency notes"),
    ] {
        let of: Vec<&Finding> = findings.iter().filter(|one| one.kind.severity() == severity).collect();
        if !of.is_empty() {
            text.push_str(&format!("\n{head}\n"));
        }
        for finding in of {
            text.push_str(&format!("  {finding}\n"));
            for rule in finding.rules.iter().filter(|_| finding.kind == Kind::BrokenInvariant) {
                text.push_str(&format!(
                    "      rule {}  {}:{}:{}\n",
                    rule.id, rule.at.file, rule.at.line, rule.at.column
                ));
            }
        }
    }
    text.push_str(
        "\nnot expressed here: how many persons crossed, harm from combinations beyond declared pairs, re-identification from \
         timing,\nwhat a modified binary or another path does, remote access to regional backends. Nothing here is legal advice.\n",
    );
    text
}

pub(super) fn to_json(finding: &Finding) -> Value {
    let rule = |rule: &tollgate_residency::RuleAt| json!({"id": rule.id, "file": rule.at.file.as_ref(), "line": rule.at.line, "column": rule.at.column});
    json!({
        "kind": finding.kind.as_str(),
        "severity": level(finding.kind.severity()),
        "message": finding.message,
        "file": finding.at.as_ref().map(|at| at.file.as_ref()),
        "line": finding.at.as_ref().map(|at| at.line),
        "column": finding.at.as_ref().map(|at| at.column),
        "path": finding.path.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "rules": finding.rules.iter().map(rule).collect::<Vec<_>>(),
    })
}

/// The faults that are no findings: a broken invariant is both, and is told once.
pub(super) fn faults(faults: &Faults, findings: &[Finding]) -> Vec<Value> {
    let told = |fault: &Fault| {
        let same = |one: &Finding| one.at.as_ref() == Some(&fault.at) && one.message == fault.message;
        findings.iter().any(same)
    };
    let all = faults.iter().filter(|fault| !told(fault));
    all.map(|fault| {
        json!({
            "file": fault.at.file.as_ref(),
            "line": fault.at.line,
            "column": fault.at.column,
            "path": fault.at.path,
            "message": fault.message,
        })
    })
    .collect()
}

/// The words of SARIF (section 3.27.10), used in JSON too.
pub(super) const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}
