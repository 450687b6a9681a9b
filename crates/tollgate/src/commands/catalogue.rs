//! `tollgate catalogue`: what the catalogue says of keys.

mod suggest;

use std::fs;
use std::process::ExitCode;

use serde_json::json;

use super::{print, unproved};
use crate::cli::Output;
use crate::cli::policy::{Catalogue, Unclassified};
use crate::exit::Exit;

pub(crate) fn catalogue(command: &Catalogue) -> Result<ExitCode, Exit> {
    match command {
        Catalogue::Unclassified(options) => unclassified(options),
        Catalogue::Suggest(options) => suggest::suggest(options),
    }
}

/// Lists the keys that no catalogue has, sorted, each once.
fn unclassified(options: &Unclassified) -> Result<ExitCode, Exit> {
    let unproved = unproved::load(&options.set.dir)?;
    let place = options.keys.display();
    let text = fs::read_to_string(&options.keys).map_err(|error| Exit::Failed(format!("{place}: {error}")))?;
    let keys: Vec<String> = serde_json::from_str(&text)
        .map_err(|error| Exit::Failed(format!("{place}: expected a json list of keys: line {}", error.line())))?;
    let mut missing: Vec<&String> = keys.iter().filter(|key| !unproved.policy.knows(key)).collect();
    missing.sort();
    missing.dedup();
    match options.output {
        Output::Text => print::text(&missing.iter().map(|key| format!("{key}\n")).collect::<String>()),
        Output::Json => print::json(&json!(missing)),
    }
    Ok(ExitCode::SUCCESS)
}
