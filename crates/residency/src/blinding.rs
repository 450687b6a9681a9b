//! `corr: {blind: KEY}`: trace and span ids cross under a keyed function that is the same in the whole federation.
//!
//! Promises:
//! 1. There is one such key in a policy, and it names nothing but ids: what two regions hold must not name persons.
//! 2. Blinding is for ids alone: no attribute crosses by it.

use std::time::Duration;

use tollgate_config::{Located, Value};
use tollgate_federation::{Federation, PlaceId, Regime, Signal};

use crate::class::Class;
use crate::form::TransformIndex;
use crate::policy::Policy;
use crate::rule::{Grant, How, Mode, Rule, Said, Words};
use crate::transform::{Does, KeyUse, Keyed, Makes, Transform, Transforms};

/// How long one root blinds ids. It is long, because a trace under way at its end falls apart.
const EPOCH: Duration = Duration::from_secs(365 * 24 * 3600);

/// What reports call it; no name in a document holds a colon and a blank.
fn name(key: &str) -> String {
    format!("blind: {key}")
}

impl Transforms {
    /// Adds what the rules blind ids with, before they are read: a key of its own for each that they name.
    pub(crate) fn add_blinding(&mut self, rules: Value<'_>) {
        let mut first: Option<Located<String>> = None;
        for value in rules.is_sequence().then(|| rules.items()).flatten().unwrap_or_default() {
            let Some(key) = key_of(value) else { continue };
            if let Some(first) = first.as_ref().filter(|first| first.value != key.value) {
                let message = format_args!(
                    "ids are blinded under one key in the whole federation, or nothing joins: it is `{}` in line {}",
                    first.value, first.at.line
                );
                rules.faults().report(&key.at, message);
            }
            if self.key_uses.iter().any(|one| one.keyed.key == key.value && one.keyed.makes == Makes::Pseudonyms) {
                let message = format_args!(
                    "`{}` makes pseudonyms of persons, and several regions hold the key that blinds: name another",
                    key.value
                );
                rules.faults().report(&key.at, message);
            }
            self.add(&key);
            first = first.or(Some(key));
        }
    }

    fn add(&mut self, key: &Located<String>) {
        if self.blinding(&key.value).is_some() {
            return;
        }
        let Ok(index) = u16::try_from(self.keyed.len()) else { return };
        let keyed = Keyed { makes: Makes::Ids, group: String::new(), key: key.value.clone(), epoch: EPOCH };
        self.keyed.push(keyed.clone());
        self.key_uses.push(KeyUse { keyed, retain: KeyUse::RETAIN });
        let does = Does::Blind(TransformIndex(index));
        self.list.push(Transform { name: name(&key.value), does, risk: None, at: key.at.clone() });
    }

    /// Where the list has what blinds under this key.
    fn blinding(&self, key: &str) -> Option<usize> {
        let name = name(key);
        self.list.iter().position(|one| matches!(one.does, Does::Blind(_)) && one.name == name)
    }
}

/// What a rule blinds ids with. Nothing is reported here: the rule is read once more.
fn key_of(rule: Value<'_>) -> Option<Located<String>> {
    let key = below(below(below(rule, "allow")?, Class::Corr.as_str())?, "blind")?;
    Some(Located { value: key.as_text()?.to_owned(), at: key.at() })
}

fn below<'v>(value: Value<'v>, name: &str) -> Option<Value<'v>> {
    let entries = value.is_mapping().then(|| value.entries()).flatten()?;
    entries.into_iter().find(|(key, _)| key.value == name).map(|(_, value)| value)
}

impl Words<'_> {
    /// Reads what stands below `blind`.
    pub(crate) fn blinded(&self, key: Value<'_>) -> Option<Grant> {
        let name = key.read::<String>()?;
        let place = self.transforms.blinding(&name);
        if place.is_none() {
            key.fault("`blind` is followed by the name of a key; the node file says where it lies");
        }
        Some(Grant::All(Said { how: How::By(place?), at: key.at() }))
    }
}

impl Policy {
    /// With what a region's own gateways blind ids on the way to its own central tier: as any rule does for what comes
    /// there over a link, or traces of several regions would not join. It is for ids alone, and asks for no day.
    #[must_use]
    pub fn blinding_at_home(&self, federation: &Federation, region: &str) -> Option<&Keyed> {
        let central = PlaceId::Tier(federation.home_central(region)?.id().clone());
        let links = federation.links().iter().filter(|link| *link.to() == central);
        let origins: Vec<(&Regime, &Regime)> =
            links.flat_map(|link| link.carries().map(move |origin| (origin, link.regime()))).collect();
        let comes = |rule: &Rule| {
            let crossing = &rule.crossing;
            let ends = (crossing.origin.as_str(), crossing.reaching.as_str());
            crossing.signal == Signal::Traces && origins.iter().any(|(from, to)| (from.as_str(), to.as_str()) == ends)
        };
        if self.residency.mode == Mode::Shadow {
            return None;
        }
        let rules = self.residency.rules.iter().filter(|rule| rule.is_active() && comes(rule));
        rules.filter_map(|rule| rule.blinding(&self.residency.transforms)).next()
    }
}

impl Rule {
    fn blinding<'t>(&self, transforms: &'t Transforms) -> Option<&'t Keyed> {
        match self.allow.get(&Class::Corr)? {
            Grant::All(Said { how: How::By(place), .. }) => match transforms.list.get(*place)?.does {
                Does::Blind(index) => transforms.keyed.get(index.position()),
                _ => None,
            },
            Grant::All(_) | Grant::Only(_) => None,
        }
    }
}
