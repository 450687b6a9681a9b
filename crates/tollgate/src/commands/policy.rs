//! `tollgate policy`: what a residency policy does, shown before it is deployed and explained afterwards.
//!
//! None of these needs keys, a node file or a running process, and none prints a value.

mod diff;
mod explain;
mod seal;
mod show;
mod test;
mod what_if;

use std::process::ExitCode;

use serde_json::{Value, json};
use tollgate_federation::{Federation, Link};
use tollgate_residency::{Explanation, Proved, RuleAt};

use crate::cli::policy::Policy;
use crate::exit::Exit;

pub(crate) fn policy(command: &Policy) -> Result<ExitCode, Exit> {
    match command {
        Policy::Test(options) => test::test(options),
        Policy::Explain(options) => explain::explain(options),
        Policy::Diff(options) => diff::diff(options),
        Policy::WhatIf(options) => what_if::what_if(options),
        Policy::Show(options) => show::show(options),
        Policy::Seal(options) => seal::seal(options),
        Policy::Schema(options) => {
            super::print::json(&schema(&options.document));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn schema(document: &str) -> Value {
    match document {
        "catalogue" => tollgate_residency::schema::catalogue(),
        "cases" => tollgate_residency::schema::cases(),
        "sampling" => tollgate_sampling::schema(),
        _ => tollgate_residency::schema::residency(),
    }
}

/// Ends with a message if no region that sends over one of the links has the cluster, or such a listener.
fn known_sender<'f>(
    federation: &Federation,
    proved: Proved<'_>,
    links: impl Iterator<Item = &'f Link> + Clone,
) -> Result<(), Exit> {
    let has = |proved: Proved<'_>| {
        links.clone().filter_map(|link| federation.region(link.from())).any(|region| proved.is_of(region))
    };
    let cluster = Proved { listener: None, ..proved };
    match (cluster.cluster, proved.listener) {
        (Some(name), _) if !has(cluster) => {
            Err(Exit::Failed(format!("no region that would send has a cluster {name}")))
        }
        (_, Some(listener)) if !has(proved) => {
            Err(Exit::Failed(format!("no collector that would send has a listener {listener}")))
        }
        _ => Ok(()),
    }
}

/// A rule, and where it says so.
fn rule_json(rule: &RuleAt) -> Value {
    json!({"id": rule.id, "file": rule.at.file.as_ref(), "line": rule.at.line, "column": rule.at.column})
}

fn explanation_json(told: &Explanation) -> Value {
    json!({
        "class": told.class.as_str(),
        "form": told.form.as_str(),
        "transform": told.transform,
        "reason": told.reason.to_string(),
        "rules": told.rules.iter().map(rule_json).collect::<Vec<_>>(),
        "shadows": told.shadows,
        "unshadowed": told.unshadowed.map(tollgate_residency::Form::as_str),
    })
}

/// The form and why, then a line for each rule that decides.
fn explanation_text(told: &Explanation) -> String {
    let by = told.transform.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
    let mut text = format!("{}{by}: {}\n", told.form, told.reason);
    for rule in &told.rules {
        text.push_str(&format!("      rule {}  {}:{}:{}\n", rule.id, rule.at.file, rule.at.line, rule.at.column));
    }
    if let Some(would) = told.unshadowed {
        let what = if told.shadows.is_empty() { "the whole policy".to_owned() } else { told.shadows.join(", ") };
        text.push_str(&format!("      in shadow, deciding nothing: {what}; without the shadow: {would}\n"));
    }
    text
}
