//! Loads federation and policy for tools that show what a policy does, whatever it should not: its invariants may be broken.

use std::fs;
use std::path::Path;

use time::{Date, OffsetDateTime};
use tollgate_config::{Faults, Set};
use tollgate_federation::{Federation, FederationDraft};
use tollgate_residency::Policy;
use tollgate_runtime::Clock;

use crate::cli::policy::Day;
use crate::exit::Exit;

/// What a set says of who there is and what may cross.
pub(crate) struct Unproved {
    pub(crate) federation: Federation,
    pub(crate) policy: tollgate_residency::Unproved,
}

/// Loads the set below a folder.
pub(crate) fn load(dir: &Path) -> Result<Unproved, Exit> {
    let (set, faults) = tollgate_config::load(dir);
    of(&set, faults)
}

/// Loads the set below a folder, with another residency policy in it.
pub(crate) fn load_with(dir: &Path, residency: &Path) -> Result<Unproved, Exit> {
    let text = fs::read_to_string(residency);
    let text = text.map_err(|error| Exit::Failed(format!("{}: {error}", residency.display())))?;
    let (set, faults) = tollgate_config::load_with(dir, "policies/residency.yaml", &text);
    of(&set, faults)
}

fn of(set: &Set, faults: Faults) -> Result<Unproved, Exit> {
    let draft = FederationDraft::read(set, &faults);
    let policy = Policy::unproved(set, &draft, &faults);
    match (draft.whole(), policy) {
        (Some(federation), Some(policy)) if faults.is_empty() => Ok(Unproved { federation, policy }),
        _ => Err(Exit::config(faults)),
    }
}

/// The day that was asked for, or today in UTC.
pub(crate) fn day(asked: &Day) -> Date {
    asked.on.unwrap_or_else(today)
}

/// Today in UTC.
pub(crate) fn today() -> Date {
    let now = OffsetDateTime::from_unix_timestamp_nanos(i128::from(Clock::system().now().nanos()));
    now.map_or(Date::MAX, OffsetDateTime::date) // a clock beyond all dates closes every dated link
}
