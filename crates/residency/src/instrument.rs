//! Legal instruments: the dated facts that justify a link.
//!
//! Promises:
//! 1. Each has an end or a review date; once it has passed, the instrument no longer holds a link open.
//! 2. A fallback covers the same two regimes and has its own assessment on file.
//! 3. It covers only the exporters, recipients and signals that it names, and lets no class cross that lies outside its scope
//!    or in a form above its cap.

mod read;

use std::collections::{BTreeMap, BTreeSet};

use tollgate_config::{At, Faults, Located, Value};
use tollgate_federation::{Reliance, Signal, Signals};

use crate::class::Class;
use crate::document::Laws;
use crate::form::{Action, Form};
use crate::reading::{unknown, unknown_in};
use crate::standing::{LastDay, Standing, Term};

pub(crate) use read::{Draft, KEYS, SCOPE_KEYS};

/// A dated legal fact.
#[derive(Debug, Clone)]
pub(crate) struct Instrument {
    from: String,
    to: String,
    /// Where in the exporter's law it stands.
    basis: String,
    /// The legal entities that may send under it; any, if none is named.
    exporters: Option<Vec<String>>,
    /// The legal entities that may receive under it; any, if none is named.
    recipients: Option<Vec<String>>,
    signals: Signals,
    classes: Option<BTreeSet<Class>>,
    caps: BTreeMap<Class, Form>,
    fallback: Option<String>,
    pub(crate) last: LastDay,
    pub(crate) at: At,
}

/// What an instrument says of a value that the rules would let cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lets {
    /// It crosses as the rules say.
    Through,
    /// Its class is outside the scope.
    Outside,
    /// The form is above the cap, or cannot be compared with it.
    Above(Form),
}

impl Instrument {
    /// Says whether it covers a transfer between two regimes and two legal entities.
    fn covers(&self, need: &Need<'_>) -> bool {
        let named = |list: &Option<Vec<String>>, name: &str| {
            list.as_ref().is_none_or(|list| list.iter().any(|one| one == name))
        };
        self.from == need.from
            && self.to == need.to
            && named(&self.exporters, need.exporter)
            && named(&self.recipients, need.recipient)
            && need.signal.is_none_or(|signal| self.signals.contains(signal))
    }

    /// What it makes of an answer of the rules.
    pub(crate) fn lets(&self, class: Class, action: Action) -> Lets {
        if action == Action::Absent {
            return Lets::Through;
        }
        if self.classes.as_ref().is_some_and(|classes| !classes.contains(&class)) {
            return Lets::Outside;
        }
        match self.caps.get(&class) {
            Some(cap) if !cap.exposes_at_least(action.form()) => Lets::Above(*cap),
            _ => Lets::Through,
        }
    }

    fn term<'i>(&'i self, name: &'i str) -> Term<'i> {
        Term { instrument: name, basis: &self.basis, last: self.last }
    }
}

/// All instruments, by name.
#[derive(Debug)]
pub(crate) struct Instruments {
    drafts: BTreeMap<String, Draft>,
    /// Whether these are all: in a section that could not be read any may stand.
    complete: bool,
}

impl Default for Instruments {
    fn default() -> Self {
        Self { drafts: BTreeMap::new(), complete: true }
    }
}

impl Instruments {
    pub(crate) fn read(section: Value<'_>, laws: &Laws) -> Self {
        let Some(entries) = section.entries() else { return Self { complete: false, ..Self::default() } };
        let drafts = entries.into_iter().map(|(key, value)| (key.value, Draft::read(value, laws))).collect();
        let instruments = Self { drafts, complete: true };
        for draft in instruments.drafts.values() {
            instruments.check_fallback(draft, section.faults());
        }
        instruments
    }

    /// The instruments without faults, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Instrument)> {
        self.drafts.iter().filter_map(|(name, draft)| Some((name.as_str(), draft.instrument.as_ref()?)))
    }

    /// Forgets an instrument, to see what depends on it.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let Some(draft) = self.drafts.get_mut(name) else { return false };
        let Some(instrument) = &mut draft.instrument else { return false };
        // Its place in the chains of fallbacks stays: whoever names it goes on to what comes after it.
        instrument.recipients = Some(Vec::new());
        true
    }

    fn check_fallback(&self, draft: &Draft, faults: &Faults) {
        let Some(Some(Located { value: name, at })) = &draft.fallback else { return };
        let Some(other) = self.drafts.get(name) else {
            faults.report(at, unknown("instrument", name, self.drafts.keys()));
            return;
        };
        if differ(&draft.from, &other.from) || differ(&draft.to, &other.to) {
            let (from, to) = (draft.from.as_deref().unwrap_or("?"), draft.to.as_deref().unwrap_or("?"));
            let message =
                format_args!("`{name}` is for other regimes than this instrument: name one from {from} to {to}");
            faults.report(at, message);
        }
        if other.tia.as_ref().is_some_and(|tia| tia.as_deref().is_none_or(str::is_empty)) {
            faults.report(at, format_args!("`{name}` needs its own assessment on file (`tia`) to be a fallback"));
        }
    }

    /// Checks that what a link relies on is there and covers what crosses, as far as either is known.
    pub(crate) fn check_reliance(&self, reliance: &Reliance, faults: &Faults) {
        let Located { value: name, at } = &reliance.instrument;
        let Some(draft) = self.drafts.get(name) else {
            if self.complete {
                let (from, to) = (reliance.origin.as_str(), reliance.reaching.as_ref().map(|to| to.as_str()));
                let fits = |draft: &Draft| draft.from.as_deref() == Some(from) && draft.to.as_deref() == to;
                let known = self.drafts.iter().filter(|(_, draft)| fits(draft)).map(|(name, _)| name);
                faults.report(at, unknown_in("instrument", name, known, self.drafts.keys()));
            }
            return;
        };
        let Some(reaching) = &reliance.reaching else { return };
        let (needed_from, needed_to) = (reliance.origin.as_str(), reaching.as_str());
        let lacks = |list: &Option<Option<Vec<String>>>, who: &Option<String>| match (list, who) {
            (Some(Some(listed)), Some(who)) => !listed.contains(who),
            _ => false,
        };
        match (&draft.from, &draft.to) {
            (Some(from), Some(to)) if from != needed_from || to != needed_to => {
                let fits = |draft: &Draft| {
                    (draft.from.as_deref(), draft.to.as_deref()) == (Some(needed_from), Some(needed_to))
                };
                let fitting: Vec<&str> =
                    self.drafts.iter().filter(|(_, draft)| fits(draft)).map(|(name, _)| name.as_str()).collect();
                let instead = match fitting.as_slice() {
                    [] => "declare one".to_owned(),
                    fitting => format!("there is {}", fitting.join(", ")),
                };
                let message = format_args!(
                    "instrument `{name}` is for {from} to {to}, not for {needed_from} to {needed_to}: {instead}"
                );
                faults.report(at, message);
            }
            _ if lacks(&draft.recipients, &reliance.recipient) => {
                let who = reliance.recipient.as_deref().unwrap_or_default();
                faults.report(
                    at,
                    format_args!(
                        "instrument `{name}` is not for the recipient {who}: name another, or add it to `recipients`"
                    ),
                );
            }
            _ if lacks(&draft.exporters, &reliance.exporter) => {
                let who = reliance.exporter.as_deref().unwrap_or_default();
                faults.report(
                    at,
                    format_args!(
                        "instrument `{name}` is not for the exporter {who}: name another, or add it to `exporter`"
                    ),
                );
            }
            _ => {}
        }
    }

    /// Returns how a link stands that names this instrument: it and its fallbacks, as far as they cover the transfer.
    pub(crate) fn standing(&self, name: &str, need: &Need<'_>) -> Standing<'_> {
        Standing::new(self.chain(name, need).map(|(name, instrument)| instrument.term(name)).collect())
    }

    /// The instrument of that name and its fallbacks, in order of preference, as far as they cover the transfer.
    pub(crate) fn chain<'i>(&'i self, name: &str, need: &Need<'_>) -> impl Iterator<Item = (&'i str, &'i Instrument)> {
        let mut next = self.drafts.get_key_value(name);
        // A chain longer than the list is a circle.
        let chain = (0..self.drafts.len()).map_while(move |_| {
            let (name, draft) = next?;
            let instrument = draft.instrument.as_ref()?;
            next = instrument.fallback.as_ref().and_then(|fallback| self.drafts.get_key_value(fallback));
            Some((name.as_str(), instrument))
        });
        chain.filter(|(_, instrument)| instrument.covers(need))
    }
}

fn differ(one: &Option<String>, other: &Option<String>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}

/// What an instrument is to justify.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) exporter: &'a str,
    pub(crate) recipient: &'a str,
    /// Any signal of the link, where none is said.
    pub(crate) signal: Option<Signal>,
}

#[cfg(test)]
mod tests;
