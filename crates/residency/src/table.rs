//! The compiled answer for one link, signal and origin: what to do with every value, looked up by carrier or key.
//!
//! Promises:
//! 1. Whatever it does not know is unclassified and absent.
//! 2. The meet of two tables lets through only what both let through; it is commutative, associative and idempotent.
//! 3. Equal tables have equal digests, wherever and on whatever day they were compiled; different ones do not.
//!
//! Not here: how it is compiled (`compile.rs`), and how it is applied (`tollgate_redaction`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tollgate_federation::{LinkId, Origin, Signal};

use crate::carrier::{Carrier, Holds};
use crate::catalogue::{Guard, is_credential, marks_device, template_prefix};
use crate::class::Class;
use crate::digest;
use crate::existence::{self, Lost};
use crate::form::{Action, Form, TransformIndex};
use crate::lookup::{KeyNumber, Lookup};
use crate::pattern::{Pattern, Piece};
use crate::transform::Keyed;

/// The answer for each carrier and class, where no attribute has an answer of its own.
pub(crate) type Cells = Vec<[Action; Class::ALL.len()]>;

/// Whose resource a value describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// A server, a container, a function: nobody's in particular.
    Server,
    /// A browser, a phone, a laptop: what is operational of a server tells a person here.
    Device,
}

impl Resource {
    /// Key and value by which a sealer says of a resource that it judged it as a device: what made it one may not cross, and
    /// the next sealer judges it alike. Whoever says so is believed, because it only holds back.
    pub const DEVICE_MARK: (&str, &str) = ("tollgate.resource", "device");
}

/// The answer for one attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// What the value is.
    pub class: Class,
    /// What is to be done with it.
    pub action: Action,
    /// Its place among the values that span names are composed of.
    pub slot: Option<u8>,
}

impl Cell {
    /// The answer for what is in no catalogue.
    pub const UNKNOWN: Self = Self { class: Class::Unclassified, action: Action::Absent, slot: None };

    fn meet(self, other: Self) -> Self {
        if self.class != other.class {
            return Self::UNKNOWN;
        }
        Self { action: self.action.meet(other.action), ..self }
    }
}

/// The answers for one name of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The attribute's first name.
    pub(crate) attribute: String,
    pub(crate) server: Cell,
    pub(crate) device: Cell,
}

impl Row {
    fn unknown() -> Self {
        Self { attribute: String::new(), server: Cell::UNKNOWN, device: Cell::UNKNOWN }
    }

    fn is_unknown(&self) -> bool {
        [self.server, self.device] == [Cell::UNKNOWN; 2]
    }

    fn meet(&self, other: &Self) -> Self {
        let (server, device) = (self.server.meet(other.server), self.device.meet(other.device));
        let attribute = if self.attribute == other.attribute { self.attribute.clone() } else { String::new() };
        Self { attribute, server, device }
    }

    fn cells_mut(&mut self) -> [&mut Cell; 2] {
        [&mut self.server, &mut self.device]
    }
}

/// Keys, and templates by what stands before their star. Every template ends with a dot before the star.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rows {
    pub(crate) keys: HashMap<Box<[u8]>, Row>,
    pub(crate) templates: HashMap<Box<[u8]>, Row>,
}

impl Rows {
    /// One lookup for a key of the catalogue; one more for each dot of any other.
    fn find(&self, key: &[u8]) -> Option<&Row> {
        self.keys.get(key).or_else(|| self.below_template(key))
    }

    /// A document can let a template cross, but no credential below it: nobody listed that key.
    fn below_template(&self, key: &[u8]) -> Option<&Row> {
        let dots = key.iter().enumerate().rev().filter(|(_, byte)| **byte == b'.');
        let row = dots.filter_map(|(at, _)| self.templates.get(key.get(..=at)?)).next()?;
        let crosses = [row.server, row.device].iter().any(|cell| cell.action != Action::Absent);
        let secret = || std::str::from_utf8(key).map_or(true, is_credential);
        (!crosses || !secret()).then_some(row)
    }

    fn meet(&self, other: &Self) -> Self {
        let unknown = Row::unknown();
        let both = |one: Option<&Row>, two: Option<&Row>| one.unwrap_or(&unknown).meet(two.unwrap_or(&unknown));
        let keys: BTreeSet<_> = self.keys.keys().chain(other.keys.keys()).collect();
        let templates: BTreeSet<_> = self.templates.keys().chain(other.templates.keys()).collect();
        // A template's prefix is found as a key would be: by itself, else by the longest template around it.
        let found = |name: &[u8]| (name.into(), both(self.find(name), other.find(name)));
        let mut met = Self {
            keys: keys.into_iter().map(|key| found(key)).collect(),
            templates: templates.into_iter().map(|prefix| found(prefix)).collect(),
        };
        met.leave_out_unknown();
        met
    }

    /// What is unknown need not be listed, or a key that only one of two catalogues has would make their meet differ from
    /// the other. Below a template it must be: its row keeps the template's from answering.
    fn leave_out_unknown(&mut self) {
        let mut templates: Vec<_> = std::mem::take(&mut self.templates).into_iter().collect();
        templates.sort_by_key(|(prefix, _)| prefix.len());
        for (prefix, row) in templates {
            if !row.is_unknown() || self.has_template_around(&prefix) {
                self.templates.insert(prefix, row);
            }
        }
        let mut keys = std::mem::take(&mut self.keys);
        keys.retain(|key, row| !row.is_unknown() || self.has_template_around(key));
        self.keys = keys;
    }

    fn has_template_around(&self, name: &[u8]) -> bool {
        let dots = name.iter().enumerate().filter(|(_, byte)| **byte == b'.');
        dots.filter_map(|(at, _)| name.get(..=at)).any(|prefix| self.templates.contains_key(prefix))
    }

    /// The row that answers for a name, key or template.
    pub(crate) fn of(&self, name: &str) -> Option<&Row> {
        match template_prefix(name) {
            Some(prefix) => self.below_template(prefix.as_bytes()),
            None => self.find(name.as_bytes()),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.keys.values().chain(self.templates.values())
    }

    pub(crate) fn rows_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        self.keys.values_mut().chain(self.templates.values_mut())
    }

    fn cells_mut(&mut self) -> impl Iterator<Item = &mut Cell> {
        self.rows_mut().flat_map(Row::cells_mut)
    }
}

/// Where a table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) link: LinkId,
    /// The region that seals.
    pub(crate) from: String,
    /// The tier or backend that receives.
    pub(crate) destination: String,
    pub(crate) signal: Signal,
    pub(crate) origin: Origin,
}

impl Scope {
    /// Whether both are for the same crossing. A link's number means nothing in another set of documents: a link that
    /// was added before it moves it.
    fn is_of_the_same(&self, other: &Self) -> bool {
        let crossing =
            |scope: &Self| (scope.from.clone(), scope.destination.clone(), scope.signal, scope.origin.clone());
        crossing(self) == crossing(other)
    }
}

/// What a table is made of, before its indices are put in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) scope: Scope,
    pub(crate) cells: Cells,
    pub(crate) rows: Rows,
    pub(crate) keyed: Vec<Keyed>,
    pub(crate) patterns: BTreeSet<Pattern>,
    pub(crate) event_names: BTreeSet<String>,
    pub(crate) devices: BTreeSet<String>,
    /// Carriers of which nothing crosses, whatever is answered for what they hold.
    pub(crate) stripped: BTreeSet<Carrier>,
    /// What a text of a class must look like besides; none for most.
    pub(crate) guards: BTreeMap<Class, Guard>,
    /// The instruments in force, one for each origin that needs one.
    pub(crate) instruments: BTreeMap<String, String>,
}

/// What one link's policy says of every value of one signal from one origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    parts: Parts,
    span_names: Vec<Vec<Piece<u8>>>,
    /// `parts.rows.keys` once more, made for looking up.
    lookup: Lookup,
    /// For each carrier, the form in which its value crosses, and whether it holds attributes of this signal.
    carriers: Vec<(Form, bool)>,
    guards: [Guard; Class::ALL.len()],
    digest: [u8; 32],
}

impl Table {
    /// Puts transforms and slots in an order that depends on nothing but their content.
    pub(crate) fn new(mut parts: Parts) -> Self {
        keep_used_transforms(&mut parts);
        Self::as_numbered(parts)
    }

    fn as_numbered(mut parts: Parts) -> Self {
        let span_names = number_slots(&mut parts);
        let digest = digest::of(&parts);
        let lookup = Lookup::new(parts.rows.keys.iter().map(|(key, row)| (&**key, row)));
        let carriers = Carrier::ALL.iter().map(|carrier| (parts.form(*carrier), parts.holds_attributes(*carrier)));
        let guards = Class::ALL.map(|class| parts.guards.get(&class).copied().unwrap_or_default());
        Self { span_names, lookup, carriers: carriers.collect(), guards, parts, digest }
    }

    /// Returns the answer for an attribute in one of the carriers that hold attributes.
    #[must_use]
    pub fn attribute(&self, carrier: Carrier, key: &[u8], resource: Resource) -> Cell {
        let listed = self.listed(carrier, key, resource).map(|(cell, _)| cell);
        listed.unwrap_or_else(|| self.below_template(carrier, key, resource))
    }

    /// Returns the answer for an attribute whose very key is known.
    #[inline]
    #[must_use]
    pub fn listed(&self, carrier: Carrier, key: &[u8], resource: Resource) -> Option<(Cell, KeyNumber)> {
        if self.holds_attributes(carrier) { self.lookup.find(key, resource) } else { None }
    }

    /// Returns the answer for an attribute whose key is not listed itself: what a template around it says. It takes one
    /// lookup for each dot of the key.
    #[must_use]
    pub fn below_template(&self, carrier: Carrier, key: &[u8], resource: Resource) -> Cell {
        let row = if self.holds_attributes(carrier) { self.parts.rows.below_template(key) } else { None };
        row.map_or(Cell::UNKNOWN, |row| match resource {
            Resource::Server => row.server,
            Resource::Device => row.device,
        })
    }

    fn holds_attributes(&self, carrier: Carrier) -> bool {
        self.carriers.get(carrier as usize).is_some_and(|(_, attributes)| *attributes)
    }

    /// Returns what is done with an attribute of a server, by its first name, key or template.
    pub(crate) fn row_action(&self, attribute: &str) -> Option<Action> {
        self.parts.rows.of(attribute).map(|row| row.server.action)
    }

    /// Whether any value may cross, by itself.
    pub(crate) fn lets_anything(&self) -> bool {
        let cells = self.parts.cells.iter().flatten();
        let rows = self.parts.rows.iter().map(|row| &row.server.action);
        cells.chain(rows).any(|action| *action != Action::Absent)
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Returns how many keys are listed.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.lookup.len()
    }

    /// Returns the form in which a carrier's value crosses: raw, absent, or keyed where ids are blinded. Attributes are
    /// asked for one by one.
    #[inline]
    #[must_use]
    pub fn carrier(&self, carrier: Carrier) -> Form {
        self.carriers.get(carrier as usize).map_or(Form::Absent, |(form, _)| *form)
    }

    /// Says what a value of a carrier would stand in, if that does not cross: then the value does not either.
    #[must_use]
    pub fn lost(&self, carrier: Carrier) -> Option<Lost> {
        existence::lost(carrier, self.signal(), |needed| self.carrier(needed) != Form::Absent)
    }

    /// Says what items are without, if none of them can cross.
    #[must_use]
    pub fn lost_items(&self) -> Option<Lost> {
        existence::lost_items(self.signal(), |needed| self.carrier(needed) != Form::Absent)
    }

    /// Returns the answer for whatever is of a class, in a carrier, and has no answer of its own.
    #[must_use]
    pub fn class(&self, carrier: Carrier, class: Class) -> Action {
        self.parts.class(carrier, class)
    }

    /// Returns what a text of a class must look like to cross as it is, besides looking operational.
    #[inline]
    #[must_use]
    pub fn guard(&self, class: Class) -> Guard {
        self.guards.get(class as usize).copied().unwrap_or_default()
    }

    /// Says whether the presence of this resource attribute tells that the resource is somebody's device.
    #[must_use]
    pub fn marks_device(&self, key: &str) -> bool {
        marks_device(&self.parts.devices, key)
    }

    /// Returns the patterns of span names that may cross, the most telling first.
    #[must_use]
    pub fn span_names(&self) -> &[Vec<Piece<u8>>] {
        &self.span_names
    }

    /// Says whether an event name is listed as operational.
    #[must_use]
    pub fn lists_event(&self, name: &str) -> bool {
        self.parts.event_names.contains(name)
    }

    /// Returns the keyed transforms; an action refers to them by position.
    #[must_use]
    pub fn keyed(&self) -> &[Keyed] {
        &self.parts.keyed
    }

    /// Returns with what ids are blinded, if they are.
    #[must_use]
    pub fn blinding(&self) -> Option<&Keyed> {
        let index = self.parts.cells.iter().flatten().find_map(|action| match action {
            Action::Blind(index) => Some(index),
            Action::Absent | Action::Hmac(_) | Action::Truncate { .. } | Action::Raw => None,
        })?;
        self.parts.keyed.get(index.position())
    }

    /// Returns the link it holds for.
    #[must_use]
    pub fn link(&self) -> LinkId {
        self.parts.scope.link
    }

    /// Returns the name of the tier or backend at the far end.
    #[must_use]
    pub fn destination(&self) -> &str {
        &self.parts.scope.destination
    }

    /// Returns the signal it holds for.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.parts.scope.signal
    }

    /// Returns the origin it holds for.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.parts.scope.origin
    }

    /// Returns the instrument that justifies each origin's crossing, by regime. Not part of the digest.
    pub fn instruments(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parts.instruments.iter().map(|(regime, name)| (regime.as_str(), name.as_str()))
    }

    /// Returns the identity of the table: all that decides over a value, and nothing else.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The same table under the number that its link has elsewhere: in another set of documents a link may have another.
    #[must_use]
    pub fn renumbered(mut self, link: LinkId) -> Self {
        self.parts.scope.link = link;
        self
    }

    /// Says whether all that this table lets through the other does too, in no stricter form.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.digest == other.digest || self.meet(other).is_some_and(|met| met.digest == self.digest)
    }

    /// Returns what both tables let through, with the transforms numbered as here. Its digest is that of any table like it.
    pub(crate) fn held_back_by(&self, other: &Self) -> Self {
        let met = Self::new(self.parts.meet(&other.parts));
        let parts = met.parts.with_transforms(&self.parts.keyed);
        Self { digest: met.digest, ..Self::as_numbered(parts) }
    }

    /// Returns what both tables let through, for the link of this one; `None` if they are not for the same two places,
    /// signal and origin.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Option<Self> {
        self.parts.scope.is_of_the_same(&other.parts.scope).then(|| Self::new(self.parts.meet(&other.parts)))
    }
}

impl Parts {
    pub(crate) fn class(&self, carrier: Carrier, class: Class) -> Action {
        let row = self.cells.get(carrier as usize);
        row.and_then(|row| row.get(class as usize)).copied().unwrap_or(Action::Absent)
    }

    fn holds_attributes(&self, carrier: Carrier) -> bool {
        matches!(carrier.holds(), Holds::Attributes) && carrier.is_on(self.scope.signal) && !self.strips(carrier)
    }

    pub(crate) fn strips(&self, carrier: Carrier) -> bool {
        self.stripped.contains(&carrier)
    }

    fn form(&self, carrier: Carrier) -> Form {
        let action = carrier.class().map_or(Action::Absent, |class| self.class(carrier, class));
        action.outside_attributes().form()
    }

    /// Cell by cell the stricter answer. The scope is taken from `self`.
    pub(crate) fn meet(&self, other: &Self) -> Self {
        let (one, two) = self.on_common_transforms(other);
        let meet_row = |(one, two): (&[Action; 9], &[Action; 9])| {
            let mut row = *one;
            row.iter_mut().zip(two).for_each(|(action, other)| *action = action.meet(*other));
            row
        };
        Self {
            cells: one.cells.iter().zip(&two.cells).map(meet_row).collect(),
            rows: one.rows.meet(&two.rows),
            patterns: &one.patterns & &two.patterns,
            event_names: &one.event_names & &two.event_names,
            devices: &one.devices | &two.devices,
            stripped: &one.stripped | &two.stripped,
            guards: meet_guards(&one.guards, &two.guards),
            instruments: two.instruments.into_iter().chain(one.instruments).collect(),
            keyed: one.keyed,
            scope: one.scope,
        }
    }

    /// Makes an index mean the same transform on both sides.
    fn on_common_transforms(&self, other: &Self) -> (Self, Self) {
        let all: BTreeSet<_> = self.keyed.iter().chain(&other.keyed).cloned().collect();
        let all: Vec<_> = all.into_iter().collect();
        (self.with_transforms(&all), other.with_transforms(&all))
    }

    /// Renumbers every action after a list of transforms; one whose transform is missing there becomes absent.
    fn with_transforms(&self, all: &[Keyed]) -> Self {
        let mut parts = self.clone();
        let number = |index: TransformIndex| {
            let transform = self.keyed.get(index.position());
            let position = all.iter().position(|keyed| Some(keyed) == transform);
            position.and_then(|position| u16::try_from(position).ok()).map(TransformIndex)
        };
        let renumbered = |action: Action| match action {
            Action::Hmac(index) => number(index).map_or(Action::Absent, Action::Hmac),
            Action::Blind(index) => number(index).map_or(Action::Absent, Action::Blind),
            Action::Absent | Action::Truncate { .. } | Action::Raw => action,
        };
        parts.actions_mut(|action| *action = renumbered(*action));
        parts.keyed = all.to_vec();
        parts
    }

    /// Calls back for every action, to change it.
    pub(crate) fn actions_mut(&mut self, mut change: impl FnMut(&mut Action)) {
        self.cells.iter_mut().flatten().for_each(&mut change);
        self.rows.cells_mut().for_each(|cell| change(&mut cell.action));
    }
}

/// Of two guards both hold.
fn meet_guards(one: &BTreeMap<Class, Guard>, two: &BTreeMap<Class, Guard>) -> BTreeMap<Class, Guard> {
    let mut met = one.clone();
    for (class, guard) in two {
        met.entry(*class).and_modify(|other| *other = other.meet(*guard)).or_insert(*guard);
    }
    met
}

/// A transform that nothing refers to would make equal tables differ.
fn keep_used_transforms(parts: &mut Parts) {
    let mut used = BTreeSet::new();
    let keyed = parts.keyed.clone();
    parts.actions_mut(|action| {
        if let Action::Hmac(index) | Action::Blind(index) = action {
            used.extend(keyed.get(index.position()).cloned());
        }
    });
    let used: Vec<_> = used.into_iter().collect();
    *parts = parts.with_transforms(&used);
}

/// Gives each attribute that a span name is composed of its number, and returns the patterns by those numbers.
fn number_slots(parts: &mut Parts) -> Vec<Vec<Piece<u8>>> {
    let attributes: BTreeSet<&str> = parts.patterns.iter().flat_map(Pattern::attributes).collect();
    let slots: BTreeMap<String, u8> = attributes.into_iter().map(str::to_owned).zip(0..=u8::MAX).collect();
    for row in parts.rows.keys.values_mut().chain(parts.rows.templates.values_mut()) {
        let slot = slots.get(&row.attribute).copied();
        row.cells_mut().into_iter().for_each(|cell| cell.slot = slot);
    }
    let piece = |piece: &Piece<String>| match piece {
        Piece::Text(text) => Some(Piece::Text(text.clone())),
        Piece::Slot(attribute) => slots.get(attribute).map(|slot| Piece::Slot(*slot)),
    };
    let mut patterns: Vec<Vec<Piece<u8>>> = parts
        .patterns
        .iter()
        // More attributes than numbers: the pattern is given up, not one of its pieces.
        .filter_map(|pattern| pattern.pieces().iter().map(piece).collect())
        .collect();
    // More attributes tell more; of two that tell as much, the plainer one.
    let slots = |pattern: &[Piece<u8>]| pattern.iter().filter(|piece| matches!(piece, Piece::Slot(_))).count();
    patterns.sort_by_key(|pattern| (std::cmp::Reverse(slots(pattern)), pattern.len()));
    patterns
}

#[cfg(test)]
mod tests;
