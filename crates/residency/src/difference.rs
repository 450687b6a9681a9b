//! What crosses under one set of documents and not under another.
//!
//! Crossings are told apart by link (from where to where), origin, signal, item and, where rules do, by sender and by what
//! data says of itself; what comes over a link is what can be at its
//! source on that day, by any path, in the form that the link leaves.
//!
//! Promises:
//! 1. Whatever crosses more, or in a form that shows more, is a widening: also a longer address, and a pseudonym of another
//!    group or key, of a longer epoch or kept longer, which can be joined with what could not be joined before.
//! 2. The order of rules and links, comments and layout make no difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use time::Date;
use tollgate_federation::{Federation, Link, Listener, Origin, Regime, Signal};

use crate::carrier::Carrier;
use crate::catalogue::Guard;
use crate::claims::{Claims, Example, Kinds};
use crate::class::Class;
use crate::day::When;
use crate::flow::{Alike, Crossed, Flow, Kind, One, Owner, Universe};
use crate::form::{Action, Form};
use crate::layers::Layers;
use crate::policy::Policy;
use crate::sender::{Proved, Sender, SentBy, Told};
use crate::tables::Tables;
use crate::transfer::Transfer;
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

/// What a difference is about, however reports call it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Attributes of this name, in this carrier or in any.
    Attribute {
        /// A key or a template, as one of the catalogues spells it.
        name: String,
        /// Where only one carrier is meant.
        carrier: Option<Carrier>,
    },
    /// A carrier's own value.
    Carrier(Carrier),
}

impl Subject {
    fn of(one: &One) -> Self {
        match &one.kind {
            Kind::Carrier(carrier) => Self::Carrier(*carrier),
            Kind::Attribute { name, carrier, also, .. } => {
                Self::Attribute { name: name.clone(), carrier: (*also == Alike::Nothing).then_some(*carrier) }
            }
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
    /// Who sent it inside its region; none where it is the same for everybody.
    pub sender: Option<Sender>,
    /// What its resource says of itself; none where that makes no difference.
    pub says: Option<String>,
    /// An attribute's key or a carrier, with what else tells it from others.
    pub item: String,
    /// The same for programs.
    pub subject: Subject,
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
        write!(f, "{}: {item} ({class}) of {signal} from {origin} over {from} → {to}", change.as_str())?;
        if let Some(sender) = &self.sender {
            write!(f, ", sent by {sender}")?;
        }
        if let Some(says) = &self.says {
            write!(f, ", for {says}")?;
        }
        f.write_str(": ")?;
        let said = |forms: &[String]| if forms.is_empty() { "absent".to_owned() } else { forms.join(" or ") };
        write!(f, "{} → {}", said(&self.before), said(&self.now))
    }
}

/// One link, origin and signal.
type Over = ((String, String), Regime, Signal);
/// The same, and an item.
type Key = ((String, String), Regime, Signal, String);

/// The forms of one item, by who sent it.
#[derive(Debug, Default)]
struct Forms(BTreeMap<Sender, BTreeSet<Shown>>);

/// Everything that crosses any link on a day.
struct Side {
    all: BTreeMap<Key, (One, Forms)>,
    told: BTreeMap<Over, Told>,
    /// What data says of itself is asked for on these ways.
    tables: BTreeMap<Over, Tables>,
}

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
            Action::Hmac(index) | Action::Blind(index) => {
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
            // Blinded ids are of no group: they are the same for whoever joins them.
            let group = if group.is_empty() { String::new() } else { format!(" as {group}") };
            write!(f, "{group} under {key} for {epoch} s, kept {retain} s")?;
        }
        if let Some(guard) = self.guard {
            write!(f, " if {guard}")?;
        }
        Ok(())
    }
}

impl Side {
    /// In which forms something crosses of a part.
    fn forms(&self, key: &Key, over: &Over, part: &Part) -> BTreeSet<Shown> {
        let proved = part.proved();
        let sender = self.told.get(over).map(|told| told.sender(proved)).unwrap_or_default();
        let Some((one, forms)) = self.all.get(key) else { return BTreeSet::new() };
        // What data says of itself only holds back.
        if self.layers(over, proved).is_some_and(|layers| !one.crosses(layers.of(&part.kind.claims).ok())) {
            return BTreeSet::new();
        }
        forms.0.get(&sender).cloned().unwrap_or_default()
    }

    fn layers(&self, over: &Over, proved: Proved<'_>) -> Option<&Layers> {
        let tables = self.tables.get(over)?;
        tables.at(tables.place(proved)).ok().filter(|layers| layers.tell_apart())
    }
}

/// A part of the data that either side tells apart: who sent it, with a cluster that stands for all of the kind, and what it
/// says of itself, with claims that do.
struct Part {
    sender: Sender,
    cluster: Option<String>,
    kind: Example,
}

impl Part {
    fn proved(&self) -> Proved<'_> {
        Proved { cluster: self.cluster.as_deref(), listener: self.sender.listener }
    }
}

/// The parts that data is told into on a way, by either side.
fn parts(sides: [&Side; 2], over: &Over) -> Vec<Part> {
    let mut parts = Vec::new();
    for (sender, cluster) in senders(sides, over) {
        let proved = Proved { cluster, listener: sender.listener };
        let layers = sides.into_iter().filter_map(|side| side.layers(over, proved));
        // With too many kinds to be told, those that most and least is let through of.
        let kinds = Kinds::of(layers.flat_map(Layers::asked).cloned().collect());
        let kinds = kinds.map(|kinds| kinds.iter().map(|(_, kind)| kind.clone()).collect());
        let kinds: Vec<Example> =
            kinds.unwrap_or_else(|| [Claims::OTHER, Claims::UNCLEAR].map(Example::unnamed).into());
        let of = |kind| Part { sender: sender.clone(), cluster: cluster.map(str::to_owned), kind };
        parts.extend(kinds.into_iter().map(of));
    }
    parts
}

/// Who is to be asked about, so that whatever either side tells apart is: with a cluster that stands for all of the kind.
fn senders<'s>(sides: [&'s Side; 2], over: &Over) -> Vec<(Sender, Option<&'s str>)> {
    let told = || sides.into_iter().filter_map(|side| side.told.get(over));
    let named: BTreeSet<&str> = told().flat_map(Told::named).collect();
    let others = (!named.is_empty()).then_some(SentBy::OtherCluster);
    let clusters = named.iter().map(|name| SentBy::Cluster((*name).to_owned())).chain(others);
    let listeners: BTreeSet<Option<Listener>> =
        std::iter::once(None).chain(told().flat_map(Told::listeners).map(Some)).collect();
    let of = |cluster: Option<SentBy>| {
        listeners.iter().map(move |listener| Sender { cluster: cluster.clone(), listener: *listener })
    };
    let with_one = |sender: Sender| {
        let is_one = |told: &Told, name: &str| told.has(name, sender.listener) && sender.may_be_of(name, &named);
        let mut there = told().flat_map(|told| told.clusters.keys().filter(|name| is_one(told, name)));
        // One that was there before and still is; a new one says nothing of the others.
        let stays = |name: &&String| told().all(|told| is_one(told, name));
        let one = there.clone().find(stays).or_else(|| there.next()).map(String::as_str);
        let of_nobody = sender == Sender::UNPROVED || (sender.cluster.is_none() && one.is_some());
        if of_nobody { Some((sender, None)) } else { Some((sender, Some(one?))) }
    };
    std::iter::once(None).chain(clusters.map(Some)).flat_map(of).filter_map(with_one).collect()
}

fn told(policy: &Policy, federation: &Federation) -> BTreeMap<Over, Told> {
    let mut all = BTreeMap::new();
    for link in federation.links() {
        for (origin, signal) in
            link.carries().flat_map(|origin| link.signals().iter().map(move |signal| (origin, signal)))
        {
            let from = Origin::of(origin.clone());
            if let Ok(transfer) = Transfer::over(federation, link.id(), signal, &from) {
                let ends = (link.source().to_string(), link.to().to_string());
                all.insert((ends, origin.clone(), signal), transfer.told(origin, &policy.residency));
            }
        }
    }
    all
}

fn side(
    (policy, federation): (&Policy, &Federation),
    (universe, markers): (&Universe, &BTreeSet<String>),
    today: Date,
) -> Side {
    let flow = Flow::within(universe, policy, federation, When::On(today));
    let mut all: BTreeMap<Key, (One, Forms)> = BTreeMap::new();
    for crossed in flow.crossings() {
        let one = flow.items.get(&crossed.at.signal).and_then(|items| items.list.get(crossed.item));
        let (Some(one), Some(link), Some(origin)) = (one, federation.link(crossed.link), flow.origin(crossed.at))
        else {
            continue;
        };
        let link = (link.source().to_string(), link.to().to_string());
        let (shown, sender) = (Shown::of(&crossed, one.class, policy), flow.sender(&crossed));
        for item in std::iter::once(one.full_name()).chain(below(one, policy, markers)) {
            let entry = all.entry((link.clone(), origin.clone(), crossed.at.signal, item));
            let (_, forms) = entry.or_insert_with(|| (one.clone(), Forms::default()));
            forms.0.entry(sender.clone()).or_default().insert(shown.clone());
        }
    }
    let told = told(policy, federation);
    let tables = if policy.asks_claims() { tables((policy, federation), told.keys(), today) } else { BTreeMap::new() };
    Side { all, told, tables }
}

fn tables<'o>(
    (policy, federation): (&Policy, &Federation),
    ways: impl Iterator<Item = &'o Over>,
    today: Date,
) -> BTreeMap<Over, Tables> {
    let compiled = ways.filter_map(|over| {
        let ((from, to), origin, signal) = over;
        let ends = |link: &&Link| link.source().to_string() == *from && link.to().to_string() == *to;
        let link = federation.links().iter().find(ends)?.id();
        let tables = policy.tables(federation, link, *signal, &Origin::of(origin.clone()), today).ok()?;
        Some((over.clone(), tables))
    });
    compiled.collect()
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
    let (before, now) = (side(old, within, today), side(new, within, today));
    let keys: BTreeSet<&Key> = before.all.keys().chain(now.all.keys()).collect();
    let ways: BTreeSet<&Over> = before.told.keys().chain(now.told.keys()).collect();
    let parts: BTreeMap<&Over, Vec<Part>> = ways.into_iter().map(|over| (over, parts([&before, &now], over))).collect();
    let of = |key: &Key| {
        let (link, origin, signal, _) = key.clone();
        let over = (link, origin, signal);
        of_item((&before, &now), key, (&over, parts.get(&over).map_or(&[], Vec::as_slice)))
    };
    let mut differences: Vec<Difference> = keys.into_iter().flat_map(of).collect();
    differences.sort();
    differences
}

/// What was and is, for somebody: of a sender, or of everybody; what says something of itself, or all.
type Said<'s> = (Option<&'s Sender>, Option<&'s str>, WasAndIs);
/// In which forms something crossed, and in which it does.
type WasAndIs = (BTreeSet<Shown>, BTreeSet<Shown>);

/// How one thing crosses otherwise: said once where that is the same for everybody.
fn of_item((before, now): (&Side, &Side), key: &Key, (over, parts): (&Over, &[Part])) -> Vec<Difference> {
    let (link, origin, signal, item) = key.clone();
    let Some((one, _)) = now.all.get(key).or(before.all.get(key)) else { return Vec::new() };
    let of_each: Vec<_> =
        parts.iter().map(|part| (part, (before.forms(key, over, part), now.forms(key, over, part)))).collect();
    let text = |forms: &BTreeSet<Shown>| forms.iter().map(ToString::to_string).collect();
    let told = told_apart(&of_each).into_iter().filter_map(|(sender, says, (was, is))| {
        Some(Difference {
            change: change(&was, &is)?,
            link: link.clone(),
            origin: origin.clone(),
            signal,
            sender: sender.cloned(),
            says: says.map(str::to_owned),
            item: item.clone(),
            subject: Subject::of(one),
            class: one.class,
            before: text(&was),
            now: text(&is),
        })
    });
    told.collect()
}

fn told_apart<'s>(of_each: &[(&'s Part, WasAndIs)]) -> Vec<Said<'s>> {
    let Some((first, forms)) = of_each.first() else { return Vec::new() };
    if of_each.iter().all(|(_, others)| others == forms) {
        return vec![(None, None, forms.clone())];
    }
    let are_several = of_each.iter().any(|(part, _)| part.sender != first.sender);
    let mut told = Vec::new();
    for of_sender in of_each.chunk_by(|(one, _), (two, _)| one.sender == two.sender) {
        let Some((part, forms)) = of_sender.first() else { continue };
        let sender = are_several.then_some(&part.sender);
        if of_sender.iter().all(|(_, others)| others == forms) {
            told.push((sender, None, forms.clone()));
        } else {
            let kinds = of_sender.iter();
            told.extend(kinds.map(|(part, forms)| (sender, Some(part.kind.name.as_str()), forms.clone())));
        }
    }
    told
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
