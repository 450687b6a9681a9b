//! What there is to follow: each carrier with a class of its own, and each attribute on a server and on a device.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_federation::Signal;

use crate::carrier::{Carrier, Holds};
use crate::class::Class;
use crate::explain::Item;
use crate::form::Action;
use crate::policy::Policy;
use crate::table::{Parts, Resource};

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
    /// An attribute, by its first name. The carrier stands for all that hold attributes and are answered alike.
    Attribute {
        name: String,
        carrier: Carrier,
        on_device: bool,
    },
}

impl Items {
    pub(crate) fn of(policy: &Policy, signal: Signal) -> Self {
        let on = Carrier::ALL.iter().copied().filter(|carrier| carrier.is_on(signal));
        let single = on.clone().filter_map(|carrier| match carrier.holds() {
            Holds::One(class) => Some(One { kind: Kind::Carrier(carrier), class }),
            Holds::Attributes | Holds::Nothing => None,
        });
        let mut list: Vec<One> = single.collect();
        let attributes: BTreeMap<&str, (Class, Option<Class>)> = policy
            .catalogue
            .entries()
            .map(|(_, entry)| (entry.attribute.as_str(), (entry.class, entry.on_device)))
            .collect();
        for carrier in different(policy, on) {
            for (name, (class, on_device)) in &attributes {
                let one = |class, on_device| One {
                    kind: Kind::Attribute { name: (*name).to_owned(), carrier, on_device },
                    class,
                };
                list.push(one(*class, false));
                list.extend(on_device.map(|class| one(class, true)));
            }
        }
        Self { list }
    }

    /// What a table does to each item.
    pub(crate) fn actions(&self, parts: &Parts) -> Vec<Action> {
        self.list.iter().map(|one| one.action(parts)).collect()
    }
}

/// One carrier for all that are answered alike, and each that a rule strips by itself.
fn different(policy: &Policy, on: impl Iterator<Item = Carrier>) -> Vec<Carrier> {
    let stripped: BTreeSet<Carrier> = policy
        .residency
        .rules
        .iter()
        .filter_map(|rule| rule.require.as_ref())
        .flat_map(|one| one.strip.clone())
        .collect();
    let holding: Vec<Carrier> = on.filter(|carrier| carrier.holds() == Holds::Attributes).collect();
    let (alone, alike): (Vec<Carrier>, Vec<Carrier>) = holding.into_iter().partition(|one| stripped.contains(one));
    alike.into_iter().take(1).chain(alone).collect()
}

impl One {
    fn action(&self, parts: &Parts) -> Action {
        match &self.kind {
            Kind::Carrier(carrier) => match parts.class(*carrier, self.class) {
                Action::Raw => Action::Raw,
                // No transform is defined outside attributes.
                Action::Absent | Action::Hmac(_) | Action::Truncate { .. } => Action::Absent,
            },
            Kind::Attribute { name, carrier, on_device } => {
                let row = parts.rows.named(name).filter(|_| !parts.strips(*carrier));
                row.map_or(Action::Absent, |row| if *on_device { row.device.action } else { row.server.action })
            }
        }
    }

    /// How reports call it.
    pub(crate) fn name(&self) -> String {
        match &self.kind {
            Kind::Carrier(carrier) => carrier.to_string(),
            Kind::Attribute { name, on_device: false, .. } => name.clone(),
            Kind::Attribute { name, on_device: true, .. } => format!("{name} on a device"),
        }
    }

    /// The same item, to be explained.
    pub(crate) fn item(&self) -> Item<'_> {
        match &self.kind {
            Kind::Carrier(carrier) => Item::Carrier(*carrier),
            Kind::Attribute { name, carrier, on_device } => {
                let resource = if *on_device { Resource::Device } else { Resource::Server };
                Item::Attribute { carrier: *carrier, key: name, resource }
            }
        }
    }
}
