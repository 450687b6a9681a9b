//! `tollgate subject find`: the pseudonyms of somebody, for requests of access and erasure.
//!
//! Promises:
//! 1. The value comes from standard input: what is on a command line, others can read.
//! 2. Where the keys of a group do not lie nothing is answered, rather than something that is not all. Where documents of
//!    another day are not known the answer says so, and the command ends with 78.

use std::fmt::Write as _;
use std::io::Read as _;
use std::process::ExitCode;

use serde_json::{Value, json};
use tollgate_keys::{KeyFolder, State, start_text};
use tollgate_redaction::{Epoch, NoPseudonym};
use tollgate_runtime::refuse_core_dumps;
use zeroize::Zeroizing;

use super::keys::Place;
use super::keys::derived::Ways;
use super::print;
use crate::cli::Output;
use crate::cli::keys::Subject;
use crate::exit::Exit;

/// More than this is nobody's name.
const LONGEST: u64 = 1 << 20;

/// One pseudonym that can be out there.
struct Row {
    destination: String,
    origin: String,
    key: String,
    epoch: Epoch,
    key_id: String,
    pseudonym: String,
}

pub(crate) fn subject(command: &Subject) -> Result<ExitCode, Exit> {
    let Subject::Find(options) = command;
    refuse_core_dumps().map_err(Exit::failed)?;
    let place = Place::load(&options.set, &options.node_file)?;
    let ways = Ways::of(&place, &options.set, &options.node)?;
    let (folders, gone) = folders(&place, &ways, &options.group)?;
    let value = value()?;
    let mut rows = Vec::new();
    for folder in folders {
        for epoch in folder.epochs().map_err(Exit::config)? {
            if State::of(epoch, std::time::Duration::ZERO, place.now) == State::Ahead {
                continue; // nothing has been named with it
            }
            let root = folder.read(epoch).map_err(Exit::config)?;
            for derived in ways.derived(folder.name(), epoch, &root) {
                if derived.keyed.group != options.group {
                    continue;
                }
                let pseudonym = derived.key.name(&value).map_err(|fault: NoPseudonym| Exit::failed(fault))?;
                let (key, key_id) = (folder.name().to_owned(), derived.key.id().to_owned());
                let (destination, origin) = (derived.destination.to_owned(), derived.origin);
                rows.push(Row { destination, origin, key, epoch, key_id, pseudonym });
            }
        }
    }
    rows.sort_by(|one, other| (&one.destination, one.epoch).cmp(&(&other.destination, other.epoch)));
    match options.output {
        Output::Text => print::text(&text(&rows)),
        Output::Json => {
            let rows: Vec<Value> = rows.iter().map(to_json).collect();
            print::json(&json!({"group": options.group, "pseudonyms": rows}));
        }
    }
    let unknown: Vec<String> = ways.unknown.iter().cloned().chain(gone).collect();
    if unknown.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let unknown = unknown.join("\n");
    Err(Exit::Config(format!("{unknown}\nthere may be other pseudonyms, made by documents of another day")))
}

/// The keys of a group: all of today have to lie here; what is said of earlier ones that do not comes beside them.
fn folders<'a>(place: &'a Place, ways: &Ways, group: &str) -> Result<(Vec<&'a KeyFolder>, Vec<String>), Exit> {
    let (today, keys) = (ways.keys_today(group), ways.keys(group));
    if keys.is_empty() {
        return Err(Exit::Config(format!("no transform of the policy makes pseudonyms of the group {group}")));
    }
    let (mut folders, mut gone) = (Vec::new(), Vec::new());
    for key in keys {
        match place.node_file.keys().iter().find(|folder| folder.name() == key) {
            Some(folder) => folders.push(folder),
            None if today.contains(key) => {
                return Err(Exit::Config(format!(
                    "key {key} of the group {group} does not lie here: its pseudonyms can be found only where they are \
                     made, in the region that the data comes from"
                )));
            }
            None => gone.push(format!(
                "the node file does not say where key {key} lies, which made pseudonyms of the group {group} before"
            )),
        }
    }
    Ok((folders, gone))
}

fn value() -> Result<Zeroizing<String>, Exit> {
    let mut value = Zeroizing::new(String::with_capacity(4096));
    // One more than is taken: what is cut off would be another's name.
    let read = std::io::stdin().lock().take(LONGEST + 1).read_to_string(&mut value);
    let read = read.map_err(|fault| Exit::Failed(format!("cannot read the value from standard input: {fault}")))?;
    if u64::try_from(read).is_ok_and(|read| read <= LONGEST) {
        Ok(value)
    } else {
        Err(Exit::Failed(format!("the value on standard input is longer than {LONGEST} bytes")))
    }
}

fn to_json(row: &Row) -> Value {
    let covers = start_text(row.epoch);
    json!({
        "destination": row.destination,
        "origin": row.origin,
        "key": row.key,
        "from": covers.start,
        "until": covers.end,
        "key_id": row.key_id,
        "pseudonym": row.pseudonym,
    })
}

fn text(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "no pseudonym can have been made: there is no root, or no link\n".to_owned();
    }
    rows.iter().fold(String::new(), |mut text, row| {
        let covers = start_text(row.epoch);
        let Row { destination, origin, pseudonym, .. } = row;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{pseudonym}  {origin} to {destination}  {} to {}", covers.start, covers.end);
        text
    })
}
