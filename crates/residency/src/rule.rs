//! Rules: what data of one origin may become when it reaches a regime, by whatever path.
//!
//! Promises:
//! 1. What no rule allows is absent; a deny beats every allow; of several allows the strictest holds.
//! 2. Rules have no order.
//! 3. Secret and unclassified values cannot be allowed, and nothing can be denied that the catalogue does not know.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_config::{At, Value};
use tollgate_federation::Signal;

use crate::catalogue::{Catalogue, Entry, template_prefix};
use crate::class::Class;
use crate::document::Laws;
use crate::form::Action;
use crate::reading::unsupported;

/// Which data a rule speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crossing {
    /// Regime that the data comes from.
    pub(crate) origin: String,
    /// Regime that it would reach.
    pub(crate) reaching: String,
    pub(crate) signal: Signal,
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) crossing: Crossing,
    allow: BTreeMap<Class, Grant>,
    deny: Denial,
    pub(crate) at: At,
}

/// What a rule allows of one class.
#[derive(Debug)]
enum Grant {
    /// Every attribute and carrier of the class.
    All(Action),
    /// These attributes, by first name; the rule says nothing of others.
    Only(BTreeMap<String, Action>),
}

#[derive(Debug, Default)]
struct Denial {
    all: bool,
    classes: BTreeSet<Class>,
    attributes: BTreeSet<String>,
}

/// What a rule's words refer to.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) transforms: &'a BTreeMap<String, Action>,
    pub(crate) regimes: &'a Laws,
}

impl Rule {
    pub(crate) fn read(value: Value<'_>, words: Words<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let id = fields.required::<String>("id");
        let origin = fields.required_value("origin").and_then(|value| words.regime(value));
        let reaching = fields.required_value("reaching").and_then(|value| words.regime(value));
        let signal = fields.required_value("signal").and_then(Value::parse::<Signal>);
        let (allow, deny) = (fields.value("allow"), fields.value("deny"));
        if allow.is_none() && deny.is_none() {
            value.fault("a rule allows or denies something");
        }
        unsupported(&mut fields, &["where", "mode", "require", "not_together", "service", "namespace", "environment"]);
        fields.done();
        let rule = Self {
            allow: allow.map(|value| words.grants(value)).unwrap_or_default(),
            deny: deny.map(|value| words.denial(value)).unwrap_or_default(),
            id: id?,
            crossing: Crossing { origin: origin?, reaching: reaching?, signal: signal? },
            at: value.at(),
        };
        if rule.crossing.signal != Signal::Traces && !rule.deny.all {
            value.fault("only traces can cross a border yet: say `deny: [all]`");
        }
        Some(rule)
    }

    /// Says whether the rule closes the crossing as a whole.
    pub(crate) fn denies_all(&self) -> bool {
        self.deny.all
    }
}

impl Words<'_> {
    fn regime(self, value: Value<'_>) -> Option<String> {
        let name = value.read::<String>()?;
        if self.regimes.contains_key(&name) {
            return Some(name);
        }
        value.fault(format_args!("no regime is called `{name}`"));
        None
    }

    fn action(self, value: Value<'_>) -> Option<Action> {
        let name = value.read::<String>()?;
        let action = if name == "raw" { Some(Action::Raw) } else { self.transforms.get(&name).copied() };
        if action.is_none() {
            value.fault(format_args!("`{name}` is neither `raw` nor the name of a transform"));
        }
        action
    }

    fn grants(self, value: Value<'_>) -> BTreeMap<Class, Grant> {
        let mut fields = match value.fields() {
            Some(fields) => fields,
            None => return BTreeMap::new(),
        };
        let mut grants = BTreeMap::new();
        for class in Class::ALL {
            let Some(value) = fields.value(class.as_str()) else { continue };
            if !class.may_be_allowed() {
                value.fault(format_args!("no rule can allow {class}"));
                continue;
            }
            if let Some(grant) = self.grant(class, value) {
                grants.insert(class, grant);
            }
        }
        fields.done();
        grants
    }

    fn grant(self, class: Class, value: Value<'_>) -> Option<Grant> {
        if value.is_scalar() {
            return self.action(value).map(Grant::All);
        }
        let mut fields = value.fields()?;
        let list = fields.required_value("only");
        fields.done();
        let mut only = BTreeMap::new();
        for (name, value) in list?.entries()? {
            let Some(entry) = self.attribute(&name.value, value) else { continue };
            if entry.class != class {
                value.fault(format_args!("`{}` is {}, not {class}", name.value, entry.class));
            }
            let Some(action) = self.action(value) else { continue };
            let attribute = entry.attribute.clone();
            // Two names of one attribute: the stricter answer holds for both.
            only.entry(attribute).and_modify(|other: &mut Action| *other = other.meet(action)).or_insert(action);
        }
        Some(Grant::Only(only))
    }

    fn denial(self, value: Value<'_>) -> Denial {
        let mut denial = Denial::default();
        for item in value.items().unwrap_or_default() {
            if item.is_mapping() {
                denial.attributes.extend(self.denied_attributes(item).unwrap_or_default());
            } else if item.as_text() == Some("all") {
                denial.all = true;
            } else {
                denial.classes.extend(item.read::<Class>());
            }
        }
        denial
    }

    /// Whoever denies a template means every name below it, also those with an entry of their own.
    fn denied_attributes(self, item: Value<'_>) -> Option<BTreeSet<String>> {
        let mut fields = item.fields()?;
        let value = fields.required_value("attribute");
        fields.done();
        let value = value?;
        let denied = &self.attribute(&value.read::<String>()?, value)?.attribute;
        let own = self.catalogue.entries().filter(|(_, entry)| entry.attribute == *denied);
        let prefixes: Vec<_> = own.filter_map(|(name, _)| template_prefix(name)).collect();
        let below = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let entries = self.catalogue.entries().filter(|(name, entry)| entry.attribute == *denied || below(name));
        Some(entries.map(|(_, entry)| entry.attribute.clone()).collect())
    }

    fn attribute(&self, name: &str, value: Value<'_>) -> Option<&Entry> {
        let entry = self.catalogue.named(name);
        if entry.is_none() {
            value.fault(format_args!("the catalogue does not know `{name}`"));
        }
        entry
    }
}

/// The rules that speak of one crossing.
pub(crate) struct Answers<'a>(Vec<&'a Rule>);

impl<'a> Answers<'a> {
    pub(crate) fn of(rules: &'a [Rule], crossing: &Crossing) -> Self {
        Self(rules.iter().filter(|rule| rule.crossing == *crossing).collect())
    }

    pub(crate) fn rules(&self) -> &[&'a Rule] {
        &self.0
    }

    /// Answers for whatever is of a class and has no name of its own.
    pub(crate) fn class(&self, class: Class) -> Action {
        self.strictest(class, |grant| match grant {
            Grant::All(action) => Some(*action),
            Grant::Only(_) => None,
        })
    }

    /// Answers for an attribute, taken as one of that class.
    pub(crate) fn attribute(&self, attribute: &str, class: Class) -> Action {
        if self.0.iter().any(|rule| rule.deny.attributes.contains(attribute)) {
            return Action::Absent;
        }
        self.strictest(class, |grant| match grant {
            Grant::All(action) => Some(*action),
            Grant::Only(list) => list.get(attribute).copied(),
        })
    }

    fn strictest(&self, class: Class, answer: impl Fn(&Grant) -> Option<Action>) -> Action {
        let denied = self.0.iter().any(|rule| rule.deny.all || rule.deny.classes.contains(&class));
        if denied || !class.may_be_allowed() {
            return Action::Absent;
        }
        let answers = self.0.iter().filter_map(|rule| rule.allow.get(&class)).filter_map(answer);
        answers.reduce(Action::meet).unwrap_or(Action::Absent)
    }
}
