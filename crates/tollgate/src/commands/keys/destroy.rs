//! `tollgate keys destroy`: roots that are due, or those of an epoch that is named.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::Value;
use tollgate_keys::{KeyFolder, State, start_text};
use tollgate_redaction::Epoch;

use super::derived::{Derived, Ways};
use super::{Place, done};
use crate::cli::keys::Destroy;
use crate::commands::print;
use crate::exit::Exit;

pub(super) fn destroy(options: &Destroy) -> Result<ExitCode, Exit> {
    let place = Place::load(&options.which.set, &options.which.node_file)?;
    let ways = Ways::of(&place, &options.which.set, &options.node)?;
    let (mut text, mut faults, mut found) = (String::new(), Vec::new(), false);
    for folder in place.folders(&options.which.keys)? {
        // A file of another name keeps none of the others.
        let there = match folder.names() {
            Ok((there, odd)) => {
                faults.extend(odd);
                there
            }
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        for epoch in there.into_iter().filter(|epoch| is_meant(options, &place, folder, *epoch)) {
            found = true;
            // The names of what was derived are the only trace that is left.
            let root = folder.read(epoch).ok();
            let derived = root.map(|root| ways.derived(folder.name(), epoch, &root)).unwrap_or_default();
            let derived: Value = derived.iter().map(Derived::to_json).collect();
            match folder.destroy(epoch, &derived, place.now) {
                Ok(destroyed) => {
                    let (key, covers, id) = (folder.name(), start_text(epoch), destroyed.root);
                    let id = id.as_deref().unwrap_or("that could not be read");
                    // Writing to a string cannot fail.
                    let _ = writeln!(text, "destroyed key {key} of {} to {}, root {id}", covers.start, covers.end);
                }
                Err(fault) => faults.push(fault),
            }
        }
    }
    if !found && faults.is_empty() {
        if options.epoch.is_some() {
            return Err(Exit::Failed(
                "no root is there for an epoch that begins then; `tollgate keys list` shows all".to_owned(),
            ));
        }
        text = "no root is due\n".to_owned();
    }
    print::text(&text);
    done(faults)
}

fn is_meant(options: &Destroy, place: &Place, folder: &KeyFolder, epoch: Epoch) -> bool {
    match options.epoch {
        Some(start) => epoch.seconds().start == start,
        None => State::of(epoch, place.retain(folder.name(), epoch), place.now) == State::Due,
    }
}
