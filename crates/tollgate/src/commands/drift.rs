//! `tollgate drift`: what services of a region send that the catalogue does not fit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;
use tollgate_pipeline::{Drifting, Drifts, Why};

use super::print;
use crate::cli::{Drift, Output};
use crate::exit::Exit;

pub(crate) fn drift(options: &Drift) -> Result<ExitCode, Exit> {
    let drifts = read(&options.data)?;
    match options.output {
        Output::Text => print::text(&text(&drifts)),
        Output::Json => {
            let one = |one: &Drifting| {
                let [service, key] = &one.fingerprints;
                json!({
                    "why": one.why.as_str(), "service": one.service, "key": one.key, "requests": one.requests,
                    "service_fingerprint": service, "key_fingerprint": key, "first": one.seen.0, "last": one.seen.1,
                })
            };
            let found: Vec<_> = drifts.found.iter().map(one).collect();
            print::json(&json!({"found": found, "left_out": drifts.left_out}));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What several nodes found. Their fingerprints differ, so findings of different nodes stay apart. A folder that is given
/// twice, by whatever way, is read once.
pub(super) fn read(folders: &[PathBuf]) -> Result<Drifts, Exit> {
    let mut all = Drifts::default();
    let mut read = BTreeSet::new();
    for folder in folders {
        if !read.insert(folder.canonicalize().unwrap_or_else(|_| folder.clone())) {
            continue;
        }
        let said = |why: &dyn std::fmt::Display| Exit::failed(format!("{}: {why}", folder.display()));
        let found = Drifts::of_node(folder).map_err(|error| said(&error))?;
        let found = found.ok_or_else(|| said(&"no `drift/drift.json` here: a gateway's data folder has one"))?;
        all.found.extend(found.found);
        all.left_out = all.left_out.saturating_add(found.left_out);
    }
    all.found.sort_by(|one, two| (one.why, &one.service, &one.key).cmp(&(two.why, &two.service, &two.key)));
    Ok(all)
}

fn text(drifts: &Drifts) -> String {
    if drifts.found.is_empty() {
        return "nothing drifts\n".to_owned();
    }
    let mut by_service: BTreeMap<(Why, &str), Vec<&Drifting>> = BTreeMap::new();
    for one in &drifts.found {
        by_service.entry((one.why, &one.service)).or_default().push(one);
    }
    let mut text = String::new();
    for ((why, service), found) in by_service {
        let what = match why {
            Why::Unclassified => "keys without a class",
            Why::Distinct => "operational keys with more than about a thousand distinct texts a day",
        };
        let fingerprint = found.first().map_or("", |one| &one.fingerprints[0]);
        text += &format!("{service:?} ({fingerprint}): {what}\n");
        for one in found {
            // Quoted with escapes: a service may have put anything into a key.
            text +=
                &format!("  {:<48} {:>8} requests  {}\n", format!("{:?}", one.key), one.requests, one.fingerprints[1]);
        }
    }
    if drifts.left_out > 0 {
        text += &format!("and {} times there was no room for one more\n", drifts.left_out);
    }
    text
}
