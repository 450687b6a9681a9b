//! How rules are read.
//!
//! Promises:
//! 1. Every fault of a rule is reported; a rule with one is none, since what is missing may be a deny.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_config::{Located, Value, nearest};
use tollgate_federation::Signal;

use super::{Crossing, Denial, Grant, How, Mode, Narrowing, Pair, Requirement, Rule, Said};
use crate::catalogue::{Catalogue, Entry, template_prefix};
use crate::class::Class;
use crate::document::{Laws, regime};
use crate::form::Form;
use crate::reading::{Found, by_class, if_there};
use crate::risk::Risk;
use crate::transform::Transforms;

/// The keys of a rule, as the schema shows them.
pub(crate) const KEYS: [&str; 12] = [
    "id",
    "origin",
    "reaching",
    "signal",
    "mode",
    "where",
    "allow",
    "deny",
    "cap",
    "require",
    "not_together",
    "accept_risk",
];

/// What `all` stands for in an allow: the classes there are today. A class that is added later is not among them.
pub(crate) const ALLOWED_BY_ALL: [Class; 7] =
    [Class::Direct, Class::Online, Class::Quasi, Class::Special, Class::Free, Class::Op, Class::Corr];

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
    /// The rule, if nothing of it had a fault.
    pub(crate) rule: Option<Rule>,
}

/// What a rule's words refer to.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) transforms: &'a Transforms,
    pub(crate) regimes: &'a Laws,
}

/// What a rule says of its data, each part as far as it could be read.
struct Parts {
    mode: Option<Option<Mode>>,
    narrowing: Option<Option<Narrowing>>,
    risk: Option<Option<Risk>>,
    allow: Option<BTreeMap<Class, Grant>>,
    deny: Option<Denial>,
    cap: Option<Option<BTreeMap<Class, (Form, tollgate_config::At)>>>,
    require: Option<Option<Requirement>>,
    not_together: Option<Option<Vec<Pair>>>,
}

impl RuleDraft {
    pub(crate) fn read(value: Value<'_>, words: Words<'_>) -> Self {
        let Some(mut fields) = value.fields() else { return Self::default() };
        let id = fields.required::<Located<String>>("id");
        let origin = fields.required_value("origin").and_then(|value| regime(value, words.regimes));
        let reaching = fields.required_value("reaching").and_then(|value| regime(value, words.regimes));
        let signal = fields.required_value("signal").and_then(Value::read::<Signal>);
        let (allow, deny) = (fields.value("allow"), fields.value("deny"));
        let parts = Parts {
            mode: if_there(fields.value("mode"), mode),
            narrowing: if_there(fields.value("where"), Narrowing::read),
            risk: if_there(fields.value("accept_risk"), Risk::read),
            allow: allow.map_or_else(|| Some(BTreeMap::new()), |value| words.grants(value)),
            deny: deny.map_or_else(|| Some(Denial::default()), |value| words.denial(value)),
            cap: if_there(fields.value("cap"), by_class::<Form>),
            require: if_there(fields.value("require"), |value| Requirement::read(value, words)),
            not_together: if_there(fields.value("not_together"), |value| pairs(value, words)),
        };
        let known = fields.done();
        let said = allow.is_some() || deny.is_some() || !parts.is_silent();
        if !said {
            value.fault("a rule says `allow`, `deny`, `cap`, `require` or `not_together`");
        }
        let fitting = parts.fits(value, allow);
        let outline = Outline { origin, reaching, signal };
        let sound = known.and(fitting).filter(|()| said);
        let rule = || Rule::of(id.as_ref()?.value.clone(), value, outline.whole()?, parts);
        let rule = sound.and_then(|()| rule());
        Self { id, outline, rule }
    }
}

impl Parts {
    fn is_silent(&self) -> bool {
        (&self.cap, self.require.as_ref().map(Option::is_none), self.not_together.as_ref().map(Option::is_none))
            == (&Some(None), Some(true), Some(true))
    }

    /// An allow rests on what is authenticated; what the sender says of itself can only hold back.
    fn fits(&self, rule: Value<'_>, allow: Option<Value<'_>>) -> Option<()> {
        let claimed = self.narrowing.iter().flatten().find_map(Narrowing::asks);
        match (allow, claimed) {
            (Some(_), Some(asks)) => {
                rule.fault(format_args!(
                    "an allow cannot be narrowed by {}, which the sender chooses: narrow it by cluster or listener, or \
                     say `deny` or `cap`",
                    asks.about()
                ));
                None
            }
            _ => Some(()),
        }
    }
}

impl Rule {
    fn of(id: String, value: Value<'_>, crossing: Crossing, parts: Parts) -> Option<Self> {
        Some(Self {
            id,
            at: value.at(),
            crossing,
            mode: parts.mode?.unwrap_or_default(),
            narrowing: parts.narrowing?,
            risk: parts.risk?,
            allow: parts.allow?,
            deny: parts.deny?,
            cap: parts.cap?.unwrap_or_default(),
            require: parts.require?,
            not_together: parts.not_together?.unwrap_or_default(),
        })
    }
}

/// Reads `mode`.
pub(crate) fn mode(value: Value<'_>) -> Option<Mode> {
    value.choice(&[("active", Mode::Active), ("shadow", Mode::Shadow)])
}

/// Reads pairs of attributes that never cross together.
pub(crate) fn pairs(value: Value<'_>, words: Words<'_>) -> Option<Vec<Pair>> {
    // Collected before it is judged, so that every pair's faults are reported.
    let pairs: Vec<Option<Vec<Pair>>> = value.items()?.into_iter().map(|item| pair(item, words)).collect();
    Some(pairs.into_iter().collect::<Option<Vec<_>>>()?.concat())
}

/// A template stands for itself and for all that is listed below it, as in a deny.
fn pair(value: Value<'_>, words: Words<'_>) -> Option<Vec<Pair>> {
    let names: Vec<Located<String>> = value.read()?;
    let attribute = |name: &Located<String>| words.attribute(name, value).map(|entry| entry.attribute.clone());
    let attributes: Vec<Option<String>> = names.iter().map(attribute).collect();
    match attributes.as_slice() {
        [Some(one), Some(two)] if one == two => {
            value.fault("both are names of one attribute: say `deny` if it is not to cross");
            None
        }
        [Some(one), Some(two)] => {
            let [ones, twos] = [one, two].map(|name| words.with_all_below(name));
            let pairs = ones.iter().flat_map(|one| twos.iter().map(move |two| (one, two)));
            let differing = pairs.filter(|(one, two)| one != two);
            Some(differing.map(|(one, two)| Pair { one: one.clone(), two: two.clone(), at: value.at() }).collect())
        }
        [_, _] => None,
        _ => {
            value.fault("a pair is two attributes, such as [geo.postal_code, user.id]");
            None
        }
    }
}

impl Words<'_> {
    fn said(self, value: Value<'_>) -> Option<Said> {
        let name = value.read::<String>()?;
        let how = match self.transforms.names.find(&name) {
            _ if name == "raw" => How::Raw,
            Found::Whole(place) => How::By(*place),
            Found::Faulty => return None,
            Found::Nowhere => {
                let names = self.transforms.names.names().map(String::as_str);
                let hint = match nearest(&name, names.clone().chain(["raw"])) {
                    Some(word) => format!(", did you mean `{word}`?"),
                    None => {
                        format!("; known here: {}", ["raw"].into_iter().chain(names).collect::<Vec<_>>().join(", "))
                    }
                };
                value.fault(format_args!("`{name}` is neither `raw` nor the name of a transform{hint}"));
                return None;
            }
        };
        Some(Said { how, at: value.at() })
    }

    /// Reads `all`, or a mapping from classes.
    fn grants(self, value: Value<'_>) -> Option<BTreeMap<Class, Grant>> {
        let listed = value.is_sequence().then(|| value.items()).flatten();
        let word = match listed.as_deref() {
            Some([item]) => *item,
            _ => value,
        };
        if word.as_text() == Some("all") {
            let said = Said { how: How::Raw, at: value.at() };
            return Some(ALLOWED_BY_ALL.map(|class| (class, Grant::All(said.clone()))).into());
        }
        if !value.is_mapping() {
            value.fault("say which class crosses in which form, such as {op: raw}, or `all`");
            return None;
        }
        let mut fields = value.fields()?;
        let grants = Class::ALL.into_iter().filter_map(|class| {
            let value = fields.value(class.as_str())?;
            Some(self.grant(class, value).map(|grant| (class, grant)))
        });
        let grants: Vec<Option<(Class, Grant)>> = grants.collect();
        fields.done()?;
        grants.into_iter().collect()
    }

    fn grant(self, class: Class, value: Value<'_>) -> Option<Grant> {
        if !class.may_be_allowed() {
            value.fault(format_args!("no rule can allow {class}: leave it out"));
            return None;
        }
        if value.is_scalar() {
            return self.said(value).map(Grant::All);
        }
        let mut fields = value.fields()?;
        let blind = if class == Class::Corr { fields.value("blind") } else { None };
        if let Some(key) = blind {
            let (known, grant) = (fields.done(), self.blinded(key));
            return known.and(grant);
        }
        let list = fields.required_value("only");
        let known = fields.done();
        let list: Vec<_> = list?.entries()?.into_iter().map(|(name, value)| self.only(class, &name, value)).collect();
        known?;
        let mut only: BTreeMap<String, Vec<Said>> = BTreeMap::new();
        for (attribute, said) in list.into_iter().collect::<Option<Vec<_>>>()? {
            only.entry(attribute).or_default().push(said);
        }
        Some(Grant::Only(only))
    }

    fn only(self, class: Class, name: &Located<String>, value: Value<'_>) -> Option<(String, Said)> {
        let (entry, said) = (self.attribute(name, value), self.said(value));
        let entry = entry?;
        if entry.class != class {
            let message =
                format_args!("`{}` is {}, not {class}: list it below `{}`", name.value, entry.class, entry.class);
            value.faults().report(&name.at, message);
            return None;
        }
        Some((entry.attribute.clone(), said?))
    }

    fn denial(self, value: Value<'_>) -> Option<Denial> {
        let mut denial = Denial::default();
        let mut whole = Some(());
        for item in value.items()? {
            let read = if item.is_mapping() {
                let at = item.at();
                let attributes = self.denied_attributes(item);
                attributes.map(|found| denial.attributes.extend(found.into_iter().map(|name| (name, at.clone()))))
            } else if item.as_text() == Some("all") {
                denial.all = Some(item.at());
                Some(())
            } else {
                item.read::<Class>().map(|class| denial.classes.extend([(class, item.at())]))
            };
            whole = whole.and(read);
        }
        whole.map(|()| denial)
    }

    fn denied_attributes(self, item: Value<'_>) -> Option<BTreeSet<String>> {
        let mut fields = item.fields()?;
        let value = fields.required_value("attribute");
        let known = fields.done();
        let value = value?;
        let name = Located { value: value.read::<String>()?, at: value.at() };
        let denied = &self.attribute(&name, value)?.attribute;
        known.map(|()| self.with_all_below(denied))
    }

    /// Whoever holds back a template means every name below it, also those with an entry of their own.
    fn with_all_below(self, attribute: &str) -> BTreeSet<String> {
        if template_prefix(attribute).is_none() {
            // All names of one attribute are keys, or all are templates: below a key there is nothing.
            return BTreeSet::from([attribute.to_owned()]);
        }
        let own = self.catalogue.entries().filter(|(_, entry)| entry.attribute == attribute);
        let prefixes: Vec<_> = own.filter_map(|(name, _)| template_prefix(name)).collect();
        let below = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let entries = self.catalogue.entries().filter(|(name, entry)| entry.attribute == attribute || below(name));
        entries.map(|(_, entry)| entry.attribute.clone()).collect()
    }

    pub(super) fn attribute(&self, name: &Located<String>, value: Value<'_>) -> Option<&Entry> {
        match self.catalogue.find(&name.value) {
            Found::Whole(entry) => Some(entry),
            Found::Faulty => None,
            Found::Nowhere => {
                let near = nearest(&name.value, self.catalogue.names());
                let hint = near.map_or_else(
                    || ": give it a class in a catalogue first".to_owned(),
                    |near| format!(", did you mean `{near}`?"),
                );
                value.faults().report(&name.at, format_args!("the catalogue does not know `{}`{hint}", name.value));
                None
            }
        }
    }
}
