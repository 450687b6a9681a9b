//! Faults and findings as SARIF 2.1.0, for tools that show them beside the documents.

use serde_json::{Value, json};
use tollgate_config::{At, Faults};
use tollgate_residency::{Finding, Kind};

use super::proof;

/// The rule of whatever is wrong with a document itself.
const FAULT: &str = "invalid-document";

/// One run with a result for each fault and finding.
pub(super) fn log(faults: &Faults, findings: &[Finding]) -> Value {
    let rules = Kind::ALL.iter().map(|kind| (kind.as_str(), kind.about().trim(), proof::level(kind.severity())));
    let rules = std::iter::once((FAULT, "A document cannot be read as it stands.", "error")).chain(rules);
    let rules: Vec<Value> = rules
        .map(|(id, about, level)| {
            json!({"id": id, "shortDescription": {"text": about}, "defaultConfiguration": {"level": level}})
        })
        .collect();
    let wrong = proof::faults(faults, findings).into_iter().map(|fault| {
        json!({
            "ruleId": FAULT,
            "level": "error",
            "message": {"text": format!("{}: {}", text(&fault["path"]), text(&fault["message"]))},
            "locations": [location(&text(&fault["file"]), &fault["line"], &fault["column"])],
        })
    });
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "tollgate", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": wrong.chain(findings.iter().map(result)).collect::<Vec<_>>(),
        }],
    })
}

fn result(finding: &Finding) -> Value {
    let mut result = json!({
        "ruleId": finding.kind.as_str(),
        "level": proof::level(finding.kind.severity()),
        "message": {"text": finding.message},
        "relatedLocations": finding.rules.iter().map(|rule| at(&rule.at)).collect::<Vec<_>>(),
        "properties": {
            "path": finding.path.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "rules": finding.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(),
        },
    });
    if let Some(place) = &finding.at {
        result["locations"] = json!([at(place)]);
    }
    result
}

fn at(at: &At) -> Value {
    location(&at.file, &at.line.into(), &at.column.into())
}

fn location(file: &str, line: &Value, column: &Value) -> Value {
    json!({
        "physicalLocation": {
            "artifactLocation": {"uri": file},
            "region": {"startLine": line, "startColumn": column},
        },
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
