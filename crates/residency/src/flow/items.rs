//! What there is to follow: each carrier with a class of its own, and each attribute on a server and on a device.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_federation::Signal;

use crate::carrier::{Carrier, Holds};
use crate::class::Class;
use crate::explain::Item;
use crate::form::Action;
use crate::policy::Policy;
use crate::table::{Parts, Resource, Table};

/// Whose resources an attribute is followed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum On {
    /// Servers and devices, which are answered alike.
    Any,
    /// Each by itself.
    Each,
}

/// The names and carriers that are followed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Universe {
    names: BTreeMap<String, On>,
    /// Carriers that a rule strips are followed by themselves; all others that hold attributes are answered alike.
    alone: BTreeSet<Carrier>,
}

impl Universe {
    /// Each attribute of a policy by its first name.
    pub(crate) fn attributes(policy: &Policy) -> Self {
        let on = |entry: &crate::catalogue::Entry| if entry.on_device.is_some() { On::Each } else { On::Any };
        let names = policy.catalogue.attributes().map(|entry| (entry.attribute.clone(), on(entry)));
        Self { names: names.collect(), alone: stripped(policy) }
    }

    /// Every name that one of two policies knows: a name that is new to one may lie below a template of the other.
    pub(crate) fn names(one: &Policy, two: &Policy) -> Self {
        let mut universe = Self { names: BTreeMap::new(), alone: &stripped(one) | &stripped(two) };
        for (name, entry) in one.catalogue.entries().chain(two.catalogue.entries()) {
            let on = if entry.on_device.is_some() { On::Each } else { On::Any };
            let known = universe.names.entry(name.to_owned()).or_insert(on);
            *known = (*known).max(on);
        }
        universe
    }
}

fn stripped(policy: &Policy) -> BTreeSet<Carrier> {
    let required = policy.residency.rules.iter().filter_map(|rule| rule.require.as_ref());
    required.flat_map(|one| one.strip.iter().copied()).collect()
}

/// The items of a signal.
#[derive(Debug)]
pub(crate) struct Items {
    pub(crate) list: Vec<One>,
}

/// One item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct One {
    pub(crate) kind: Kind,
    pub(crate) class: Class,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Carrier(Carrier),
    /// An attribute by its name, in this carrier or in all that are answered like it.
    Attribute {
        name: String,
        carrier: Carrier,
        also: Alike,
        on: Option<Owner>,
    },
}

/// Whether a carrier stands for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alike {
    Others,
    Nothing,
}

/// Whose resource is meant, where that makes a difference. It is the same on every hop: a sealer writes
/// [`Resource::DEVICE_MARK`] on a device, whatever else of it crosses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Server,
    Device,
}

impl Items {
    pub(crate) fn of(policy: &Policy, signal: Signal, universe: &Universe) -> Self {
        let on = || Carrier::ALL.iter().copied().filter(|carrier| carrier.is_on(signal));
        let single = on().filter_map(|carrier| match carrier.holds() {
            Holds::One(class) => Some(One { kind: Kind::Carrier(carrier), class }),
            Holds::Attributes | Holds::Nothing => None,
        });
        let mut list: Vec<One> = single.collect();
        let holding = on().filter(|carrier| carrier.holds() == Holds::Attributes);
        let (alone, alike): (Vec<Carrier>, Vec<Carrier>) = holding.partition(|one| universe.alone.contains(one));
        let alike = alike.into_iter().take(1).map(|carrier| (carrier, Alike::Others));
        for (carrier, also) in alike.chain(alone.into_iter().map(|carrier| (carrier, Alike::Nothing))) {
            for (name, on) in &universe.names {
                let entry = policy.catalogue.classify(name);
                let class = entry.map_or(Class::Unclassified, |entry| entry.class);
                let mut add = |class, on| {
                    list.push(One { kind: Kind::Attribute { name: name.clone(), carrier, also, on }, class });
                };
                match on {
                    On::Any => add(class, None),
                    On::Each => {
                        add(class, Some(Owner::Server));
                        add(entry.and_then(|entry| entry.on_device).unwrap_or(class), Some(Owner::Device));
                    }
                }
            }
        }
        Self { list }
    }

    /// What a table does to each item.
    pub(crate) fn actions(&self, parts: &Parts) -> Vec<Action> {
        self.list.iter().map(|one| one.action(parts)).collect()
    }
}

impl One {
    fn action(&self, parts: &Parts) -> Action {
        match &self.kind {
            Kind::Carrier(carrier) => parts.class(*carrier, self.class).outside_attributes(),
            Kind::Attribute { name, carrier, on, .. } => {
                let row = parts.rows.of(name).filter(|_| !parts.strips(*carrier));
                let action = |row: &crate::table::Row| match on {
                    Some(Owner::Device) => row.device.action,
                    Some(Owner::Server) | None => row.server.action,
                };
                row.map_or(Action::Absent, action)
            }
        }
    }

    /// Whether a table lets anything of it cross.
    pub(crate) fn crosses(&self, table: Option<&Table>) -> bool {
        let lets = |table: &Table| self.action(table.parts()) != Action::Absent && table.lost(self.carrier()).is_none();
        table.is_some_and(lets)
    }

    /// Where it stands; where it stands in several that are answered alike, that which needs least.
    pub(crate) fn carrier(&self) -> Carrier {
        match &self.kind {
            Kind::Carrier(carrier) | Kind::Attribute { carrier, .. } => *carrier,
        }
    }

    /// How reports call it.
    pub(crate) fn name(&self) -> String {
        match &self.kind {
            Kind::Carrier(carrier) => carrier.to_string(),
            Kind::Attribute { name, on: Some(Owner::Device), .. } => format!("{name} on a device"),
            Kind::Attribute { name, .. } => name.clone(),
        }
    }

    /// As `name`, and with the carrier where only that one is meant.
    pub(crate) fn full_name(&self) -> String {
        match &self.kind {
            Kind::Attribute { carrier, also: Alike::Nothing, .. } => format!("{} in {carrier}", self.name()),
            Kind::Attribute { .. } | Kind::Carrier(_) => self.name(),
        }
    }

    /// The same item, to be explained.
    pub(crate) fn item(&self) -> Item<'_> {
        match &self.kind {
            Kind::Carrier(carrier) => Item::Carrier(*carrier),
            Kind::Attribute { name, carrier, on, .. } => {
                let resource = if *on == Some(Owner::Device) { Resource::Device } else { Resource::Server };
                Item::Attribute { carrier: *carrier, key: name, resource }
            }
        }
    }
}
