//! Rules: what data of one origin may become when it reaches a regime, by whatever path.
//!
//! Promises:
//! 1. What no rule allows is absent; a deny beats every allow; of several allows the strictest holds.
//! 2. Rules have no order.
//! 3. Secret and unclassified values cannot be allowed, and nothing can be denied that the catalogue does not know.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_config::{Located, Value};
use tollgate_federation::Signal;

use crate::catalogue::{Catalogue, Entry, template_prefix};
use crate::class::Class;
use crate::document::{Laws, regime};
use crate::form::Action;
use crate::reading::{Found, Named, unsupported};

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
}

/// What could be read of the data that a rule speaks of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outline {
    origin: Option<String>,
    reaching: Option<String>,
    signal: Option<Signal>,
}

impl Outline {
    /// Says whether the rule may speak of this crossing.
    pub(crate) fn may_be(&self, crossing: &Crossing) -> bool {
        self.origin.as_ref().is_none_or(|origin| *origin == crossing.origin)
            && self.reaching.as_ref().is_none_or(|reaching| *reaching == crossing.reaching)
            && self.signal.is_none_or(|signal| signal == crossing.signal)
    }

    fn whole(&self) -> Option<Crossing> {
        Some(Crossing { origin: self.origin.clone()?, reaching: self.reaching.clone()?, signal: self.signal? })
    }
}

/// What could be read of a rule.
#[derive(Debug, Default)]
pub(crate) struct RuleDraft {
    pub(crate) id: Option<Located<String>>,
    pub(crate) outline: Outline,
    /// The rule, if nothing of it had a fault: what is missing may be a deny.
    pub(crate) rule: Option<Rule>,
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
    pub(crate) transforms: &'a Named<Action>,
    pub(crate) regimes: &'a Laws,
}

impl RuleDraft {
    pub(crate) fn read(value: Value<'_>, words: Words<'_>) -> Self {
        let Some(mut fields) = value.fields() else { return Self::default() };
        let id = fields.required::<Located<String>>("id");
        let origin = fields.required_value("origin").and_then(|value| regime(value, words.regimes));
        let reaching = fields.required_value("reaching").and_then(|value| regime(value, words.regimes));
        let signal = fields.required_value("signal").and_then(Value::read::<Signal>);
        let (allow, deny) = (fields.value("allow"), fields.value("deny"));
        if allow.is_none() && deny.is_none() {
            value.fault("a rule allows or denies something");
        }
        let supported = unsupported(
            &mut fields,
            &["where", "mode", "require", "not_together", "service", "namespace", "environment"],
        );
        let known = fields.done();
        let allow = allow.map_or_else(|| Some(BTreeMap::new()), |value| words.grants(value));
        let deny = deny.map_or_else(|| Some(Denial::default()), |value| words.denial(value));
        if let (Some(signal), Some(deny)) = (signal, &deny)
            && signal != Signal::Traces
            && !deny.all
        {
            value.fault("only traces can cross a border yet: say `deny: [all]`");
        }
        let outline = Outline { origin, reaching, signal };
        let rule = || {
            let (id, crossing) = (id.as_ref()?.value.clone(), outline.whole()?);
            supported.and(known).and(Some(Rule { id, crossing, allow: allow?, deny: deny? }))
        };
        let rule = rule();
        Self { id, outline, rule }
    }
}

impl Rule {
    /// Says whether the rule closes the crossing as a whole.
    pub(crate) fn denies_all(&self) -> bool {
        self.deny.all
    }
}

impl Words<'_> {
    fn action(self, value: Value<'_>) -> Option<Action> {
        let name = value.read::<String>()?;
        if name == "raw" {
            return Some(Action::Raw);
        }
        match self.transforms.find(&name) {
            Found::Whole(action) => Some(*action),
            Found::Faulty => None,
            Found::Nowhere => {
                value.fault(format_args!("`{name}` is neither `raw` nor the name of a transform"));
                None
            }
        }
    }

    fn grants(self, value: Value<'_>) -> Option<BTreeMap<Class, Grant>> {
        let mut fields = value.fields()?;
        let grants = Class::ALL.into_iter().filter_map(|class| {
            let value = fields.value(class.as_str())?;
            Some(self.grant(class, value).map(|grant| (class, grant)))
        });
        // Collected before it is judged, so that every grant's faults are reported.
        let grants: Vec<Option<(Class, Grant)>> = grants.collect();
        fields.done()?;
        grants.into_iter().collect()
    }

    fn grant(self, class: Class, value: Value<'_>) -> Option<Grant> {
        if !class.may_be_allowed() {
            value.fault(format_args!("no rule can allow {class}"));
            return None;
        }
        if value.is_scalar() {
            return self.action(value).map(Grant::All);
        }
        let mut fields = value.fields()?;
        let list = fields.required_value("only");
        let known = fields.done();
        let list: Vec<_> = list?.entries()?.into_iter().map(|(name, value)| self.only(class, &name, value)).collect();
        known?;
        let mut only = BTreeMap::new();
        for (attribute, action) in list.into_iter().collect::<Option<Vec<_>>>()? {
            // Two names of one attribute: the stricter answer holds for both.
            only.entry(attribute).and_modify(|other: &mut Action| *other = other.meet(action)).or_insert(action);
        }
        Some(Grant::Only(only))
    }

    fn only(self, class: Class, name: &Located<String>, value: Value<'_>) -> Option<(String, Action)> {
        let (entry, action) = (self.attribute(name, value), self.action(value));
        let entry = entry?;
        if entry.class != class {
            value.faults().report(&name.at, format_args!("`{}` is {}, not {class}", name.value, entry.class));
            return None;
        }
        Some((entry.attribute.clone(), action?))
    }

    fn denial(self, value: Value<'_>) -> Option<Denial> {
        let mut denial = Denial::default();
        let mut whole = Some(());
        for item in value.items()? {
            let read = if item.is_mapping() {
                self.denied_attributes(item).map(|attributes| denial.attributes.extend(attributes))
            } else if item.as_text() == Some("all") {
                denial.all = true;
                Some(())
            } else {
                item.read::<Class>().map(|class| denial.classes.extend([class]))
            };
            whole = whole.and(read);
        }
        whole.map(|()| denial)
    }

    /// Whoever denies a template means every name below it, also those with an entry of their own.
    fn denied_attributes(self, item: Value<'_>) -> Option<BTreeSet<String>> {
        let mut fields = item.fields()?;
        let value = fields.required_value("attribute");
        let known = fields.done();
        let value = value?;
        let name = Located { value: value.read::<String>()?, at: value.at() };
        let denied = &self.attribute(&name, value)?.attribute;
        let own = self.catalogue.entries().filter(|(_, entry)| entry.attribute == *denied);
        let prefixes: Vec<_> = own.filter_map(|(name, _)| template_prefix(name)).collect();
        let below = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let entries = self.catalogue.entries().filter(|(name, entry)| entry.attribute == *denied || below(name));
        known.map(|()| entries.map(|(_, entry)| entry.attribute.clone()).collect())
    }

    fn attribute(&self, name: &Located<String>, value: Value<'_>) -> Option<&Entry> {
        match self.catalogue.find(&name.value) {
            Found::Whole(entry) => Some(entry),
            Found::Faulty => None,
            Found::Nowhere => {
                value.faults().report(&name.at, format_args!("the catalogue does not know `{}`", name.value));
                None
            }
        }
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
