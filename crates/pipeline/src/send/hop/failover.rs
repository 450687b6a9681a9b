//! Splits the share of a node that is away among those who take it over.
//!
//! Promises:
//! 1. Each trace goes to the next in its own rank, so that all who fail over agree without talking to each other.
//! 2. Nothing of the share is lost: what may go nowhere yet is given back to wait.

use std::sync::Arc;
use std::time::Duration;

use tollgate_federation::Signal;
use tollgate_routing::{HopKind, Owners, Rank, Standing, Target, target};

use super::{LONGEST_WAIT, Route};
use crate::load::Load;

/// How long a tier without any member is left alone.
pub(super) const NOBODY: Duration = Duration::from_millis(500);

/// Who could take a share, at one moment.
pub(super) struct Others<'a> {
    pub(super) kind: HopKind,
    pub(super) owners: &'a Owners,
    /// How each member stands, by its number.
    pub(super) standings: &'a [Standing],
    pub(super) now: Duration,
}

/// Splits a share among the others.
pub(super) fn split<L: Load>(others: &Others<'_>, signal: Signal, load: L) -> Route<L> {
    let ids: Vec<Arc<str>> = others.owners.members().iter().map(Arc::from).collect();
    let mut rank = Rank::default();
    let mut wait = None;
    let mut part_of = |key: &[u8]| {
        // Who is missing there has not failed.
        let standing = |member: usize| others.standings.get(member).copied().unwrap_or(Standing::Up);
        match target(others.owners.rank(key, &mut rank), standing, others.kind, others.now) {
            Target::Send(member) => Some(member),
            Target::WaitUntil(until) => {
                let until = until.saturating_sub(others.now);
                wait = Some(wait.map_or(until, |known: Duration| known.min(until)));
                Some(ids.len())
            }
            Target::Nobody => Some(ids.len()),
        }
    };
    let mut parts = load.split(signal, ids.len() + 1, &mut part_of).unwrap_or_else(|whole| {
        // What cannot be parted goes where its first trace might go; others in it may then miss their trace.
        let part = part_of(&[]);
        let mut whole = Some(whole);
        (0..=ids.len()).map(|number| if Some(number) == part { whole.take() } else { None }).collect()
    });
    let waiting = parts.pop().flatten();
    let sent: Vec<_> = ids.into_iter().zip(parts).filter_map(|(id, part)| Some((id, part?))).collect();
    match waiting {
        Some(waiting) if sent.is_empty() => Route::Wait(wait.unwrap_or(NOBODY).min(LONGEST_WAIT), waiting),
        waiting => Route::Elsewhere(sent, waiting),
    }
}
