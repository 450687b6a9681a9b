//! What crosses under one set of documents and not under another.
//!
//! Crossings are told apart by link (from where to where), origin, signal and item; what comes over a link is what can be at its
//! source on that day, by any path, in the form that the link leaves.
//!
//! Promises:
//! 1. Whatever crosses more, or in a form that shows more, is a widening: also a longer address, and a pseudonym of another
//!    group or key, of a longer epoch or kept longer, which can be joined with what could not be joined before.
//! 2. The order of rules and links, comments and layout make no difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use time::Date;
use tollgate_federation::{Federation, Regime, Signal};

use crate::carrier::Carrier;
use crate::catalogue::Guard;
use crate::class::Class;
use crate::day::When;
use crate::flow::{Crossed, Flow, Kind, One, Owner, Universe};
use crate::form::{Action, Form};
use crate::policy::Policy;
use crate::transform::KeyUse;

/// How something crosses otherwise than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It did not cross, and does now.
    Newly,
    /// It crosses in a form that shows more, or that cannot be compared.
    Weaker,
    /// It crosses in a form that shows less.
    Stricter,
    /// It crossed, and does no longer.
    NoLonger,
}

impl Change {
    /// Whether more is shown than before.
    #[must_use]
    pub const fn widens(self) -> bool {
        matches!(self, Self::Newly | Self::Weaker)
    }

    /// Returns the words that reports use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Newly => "newly crosses",
            Self::Weaker => "crosses in a weaker form",
            Self::Stricter => "crosses in a stricter form",
            Self::NoLonger => "no longer crosses",
        }
    }
}

/// One thing that crosses otherwise than before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// How.
    pub change: Change,
    /// The link: its source and where it leads.
    pub link: (String, String),
    /// Whose data it is.
    pub origin: Regime,
    /// The signal.
    pub signal: Signal,
    /// An attribute's key or a carrier.
    pub item: String,
    /// Its class now, or before where it crosses no longer.
    pub class: Class,
    /// The forms in which it crossed before; none if it did not.
    pub before: Vec<String>,
    /// The forms in which it crosses now; none if it does not.
    pub now: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = &self.link;
        let Self { change, origin, signal, item, class, .. } = self;
        write!(f, "{}: {item} ({class}) of {signal} from {origin} over {from} → {to}: ", change.as_str())?;
        let said = |forms: &[String]| if forms.is_empty() { "absent".to_owned() } else { forms.join(" or ") };
        write!(f, "{} → {}", said(&self.before), said(&self.now))
    }
}

/// One link, origin, signal and item.
type Key = ((String, String), Regime, Signal, String);

/// How something shows itself at the far end of a link.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Shown {
    form: Form,
    /// The bits of an address that are left.
    bits: Option<(u8, u8)>,
    /// Group and key of a pseudonym, how long it stays the same and how much longer it can be made again, in seconds.
    pseudonym: Option<(String, String, u64, u64)>,
    /// What a text must look like to cross as it is.
    guard: Option<Guard>,
}

impl Shown {
    fn of(crossed: &Crossed, class: Class, policy: &Policy) -> Self {
        let (mut bits, mut pseudonym) = (None, None);
        match crossed.action {
            Action::Truncate { v4, v6 } => bits = Some((v4, v6)),
            Action::Hmac(index) => {
                pseudonym = policy.key_uses().get(index.position()).map(|KeyUse { keyed, retain }| {
                    (keyed.group.clone(), keyed.key.clone(), keyed.epoch.as_secs(), retain.as_secs())
                });
            }
            Action::Absent | Action::Raw => {}
        }
        let guard = policy.catalogue.guards.get(&class).copied().filter(|_| crossed.form == Form::Raw);
        Self { form: crossed.form, bits, pseudonym, guard }
    }

    /// Whether whoever sees this sees no more than with the other.
    fn is_within(&self, other: &Self) -> bool {
        if self.form != other.form {
            return other.form.exposes_at_least(self.form);
        }
        let bits = match (self.bits, other.bits) {
            (Some((v4, v6)), Some((other_v4, other_v6))) => v4 <= other_v4 && v6 <= other_v6,
            _ => true,
        };
        let joinable = match (&self.pseudonym, &other.pseudonym) {
            (Some((group, key, epoch, retain)), Some((other_group, other_key, other_epoch, other_retain))) => {
                (group, key) == (other_group, other_key) && epoch <= other_epoch && retain <= other_retain
            }
            _ => true,
        };
        let guard = self.guard.unwrap_or_default();
        bits && joinable && guard.meet(other.guard.unwrap_or_default()) == guard
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.form.fmt(f)?;
        if let Some((v4, v6)) = self.bits {
            write!(f, " to /{v4} and /{v6}")?;
        }
        if let Some((group, key, epoch, retain)) = &self.pseudonym {
            write!(f, " as {group} under {key} for {epoch} s, kept {retain} s")?;
        }
        if let Some(guard) = self.guard {
            write!(f, " if {guard}")?;
        }
        Ok(())
    }
}

/// Everything that crosses any link on a day.
fn crossings(
    (policy, federation): (&Policy, &Federation),
    (universe, markers): (&Universe, &BTreeSet<String>),
    today: Date,
) -> BTreeMap<Key, (Class, BTreeSet<Shown>)> {
    let flow = Flow::within(universe, policy, federation, When::On(today));
    let mut all: BTreeMap<Key, (Class, BTreeSet<Shown>)> = BTreeMap::new();
    for crossed in flow.crossings() {
        let one = flow.items.get(&crossed.at.signal).and_then(|items| items.list.get(crossed.item));
        let (Some(one), Some(link), Some(origin)) = (one, federation.link(crossed.link), flow.origin(crossed.at))
        else {
            continue;
        };
        let link = (link.source().to_string(), link.to().to_string());
        let shown = Shown::of(&crossed, one.class, policy);
        for item in std::iter::once(one.full_name()).chain(below(one, policy, markers)) {
            let entry = all.entry((link.clone(), origin.clone(), crossed.at.signal, item));
            entry.or_insert_with(|| (one.class, BTreeSet::new())).1.insert(shown.clone());
        }
    }
    all
}

/// What an item's answer stands for besides: each listed name of a span or an event, and resources that one of two policies
/// takes for devices and the other does not.
fn below(one: &One, policy: &Policy, markers: &BTreeSet<String>) -> Vec<String> {
    let catalogue = &policy.catalogue;
    match &one.kind {
        Kind::Carrier(Carrier::SpanName) => {
            catalogue.span_names.iter().map(|pattern| format!("span.name {:?}", pattern.text())).collect()
        }
        Kind::Carrier(Carrier::EventName) => {
            catalogue.event_names.iter().map(|name| format!("event.name {name:?}")).collect()
        }
        Kind::Attribute { name, on: Some(owner), .. } => {
            let marked = |marker: &&String| catalogue.devices.contains(*marker) == (*owner == Owner::Device);
            markers.iter().filter(marked).map(|marker| format!("{name} beside {marker}")).collect()
        }
        Kind::Carrier(_) | Kind::Attribute { .. } => Vec::new(),
    }
}

/// Compares what crosses under two sets of documents on the same day.
#[must_use]
pub fn difference(old: (&Policy, &Federation), new: (&Policy, &Federation), today: Date) -> Vec<Difference> {
    let universe = Universe::names(old.0, new.0);
    let markers = &old.0.catalogue.devices ^ &new.0.catalogue.devices;
    let within = (&universe, &markers);
    let (before, now) = (crossings(old, within, today), crossings(new, within, today));
    let nothing = BTreeSet::new();
    let keys: BTreeSet<&Key> = before.keys().chain(now.keys()).collect();
    let mut differences = Vec::new();
    for key in keys {
        let (was, is) = (before.get(key), now.get(key));
        let Some((class, _)) = is.or(was) else { continue };
        let forms = |side: Option<&'_ (Class, BTreeSet<Shown>)>| {
            side.map_or_else(|| nothing.clone(), |(_, forms)| forms.clone())
        };
        let (was, is) = (forms(was), forms(is));
        let Some(change) = change(&was, &is) else { continue };
        let (link, origin, signal, item) = key.clone();
        let text = |forms: &BTreeSet<Shown>| forms.iter().map(ToString::to_string).collect();
        differences.push(Difference {
            change,
            link,
            origin,
            signal,
            item,
            class: *class,
            before: text(&was),
            now: text(&is),
        });
    }
    differences.sort();
    differences
}

fn change(was: &BTreeSet<Shown>, is: &BTreeSet<Shown>) -> Option<Change> {
    let within = |some: &BTreeSet<Shown>, others: &BTreeSet<Shown>| {
        some.iter().all(|one| others.iter().any(|other| one.is_within(other)))
    };
    match (was.is_empty(), is.is_empty()) {
        (true, true) => None,
        (true, false) => Some(Change::Newly),
        (false, true) => Some(Change::NoLonger),
        (false, false) if !within(is, was) => Some(Change::Weaker),
        (false, false) if !within(was, is) => Some(Change::Stricter),
        (false, false) => None,
    }
}
