//! `tollgate keys list`: what roots there are and what is to be done with them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::process::ExitCode;

use serde_json::{Value, json};
use tollgate_keys::{KeyError, KeyFolder, State, length_text, start_text};
use tollgate_redaction::Epoch;

use super::derived::{Derived, Ways};
use super::{Place, done};
use crate::cli::Output;
use crate::cli::keys::List;
use crate::commands::print;
use crate::exit::Exit;

/// One epoch of a key.
struct Row<'a> {
    key: &'a str,
    epoch: Epoch,
    /// What of the epoch itself, or that its root is not there, or cannot be used.
    state: &'static str,
    root: Option<String>,
    derived: Vec<Derived<'a>>,
}

pub(super) fn list(options: &List) -> Result<ExitCode, Exit> {
    let place = Place::load(&options.which.set, &options.which.node_file)?;
    let ways = Ways::of(&place, &options.which.set, &options.node)?;
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for folder in place.folders(&options.which.keys)? {
        let (there, absent) = look(folder, &mut faults);
        let needed = place.lengths(folder.name()).into_iter().map(|length| Epoch::at(place.now.nanos(), length));
        let needed = needed.flat_map(|epoch| [epoch, epoch.next()]);
        let all: BTreeSet<Epoch> = there.iter().copied().chain(needed).collect();
        for epoch in all {
            let is_there = there.contains(&epoch);
            let root = is_there.then(|| folder.read(epoch).map_err(|fault| faults.push(fault)).ok()).flatten();
            let state = if !is_there {
                absent
            } else if root.is_none() {
                "unusable"
            } else {
                state(&place, folder, epoch)
            };
            let derived = root.as_ref().map(|root| ways.derived(folder.name(), epoch, root));
            let (root, derived) = (root.map(|root| root.id()), derived.unwrap_or_default());
            rows.push(Row { key: folder.name(), epoch, state, root, derived });
        }
    }
    match options.output {
        Output::Text => print::text(&rows.iter().map(text).collect::<String>()),
        Output::Json => print::json(&json!({"roots": rows.iter().map(to_json).collect::<Vec<_>>()})),
    }
    done(faults)
}

/// The epochs that have a file, and what is said of those that have none.
fn look(folder: &KeyFolder, faults: &mut Vec<KeyError>) -> (Vec<Epoch>, &'static str) {
    match folder.names() {
        Ok((there, odd)) => {
            faults.extend(odd);
            (there, "missing")
        }
        Err(fault) => {
            // What lies in a folder that cannot be trusted or read is not known to be missing.
            let is_gone = matches!(&fault, KeyError::Unreadable { source, .. } if source.kind() == ErrorKind::NotFound);
            faults.push(fault);
            (Vec::new(), if is_gone { "missing" } else { "unusable" })
        }
    }
}

fn state(place: &Place, folder: &KeyFolder, epoch: Epoch) -> &'static str {
    State::of(epoch, place.retain(folder.name(), epoch), place.now).as_str()
}

fn to_json(row: &Row<'_>) -> Value {
    let covers = start_text(row.epoch);
    json!({
        "key": row.key,
        "from": covers.start,
        "until": covers.end,
        "length": length_text(row.epoch.length()),
        "state": row.state,
        "root_id": row.root,
        "derived": row.derived.iter().map(Derived::to_json).collect::<Vec<_>>(),
    })
}

fn text(row: &Row<'_>) -> String {
    let (covers, length, root) = (start_text(row.epoch), length_text(row.epoch.length()), row.root.as_deref());
    let (key, state, root) = (row.key, row.state, root.unwrap_or("-"));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{key:<16} {} to {}  {length:>5}  {state:<8}  root {root}", covers.start, covers.end);
    for derived in &row.derived {
        let (id, group, origin, to) = (derived.key.id(), &derived.keyed.group, &derived.origin, derived.destination);
        let _ = writeln!(text, "  tg1.{id}.  {group} of {origin} to {to}");
    }
    text
}
