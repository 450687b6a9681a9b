//! The transforms that a document can name: a keyed pseudonym and a shortened address. There is no un-keyed hash.
//!
//! Promises:
//! 1. What cannot be carried out (a risk that has lapsed, a pseudonym that nothing makes yet) is absent, never raw.

use std::time::Duration;

use tollgate_config::{At, Value};

use crate::day::When;
use crate::form::{Action, TransformIndex};
use crate::reading::{Named, if_there};
use crate::risk::Risk;

/// Longest prefix of an IPv4 address that still covers more than a household.
const LONGEST_V4: u8 = 24;
/// Longest prefix of an IPv6 address that can be asked for; it may be one household.
const LONGEST_V6: u8 = 48;
/// From this length on an IPv6 prefix may be one customer of a provider, and the risk is accepted by name.
const HOUSEHOLD_V6: u8 = 33;

/// A pseudonym: values of one group get equal pseudonyms, for one destination, within one epoch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keyed {
    /// What is made with it.
    pub makes: Makes,
    /// Attributes of one group are joinable with each other: `user`. Ids have none.
    pub group: String,
    /// The name of the root key; the node file says where it lies.
    pub key: String,
    /// How long a root key is used. Never zero.
    pub epoch: Duration,
}

/// What is made with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Makes {
    /// Names of values, for one origin and one destination.
    Pseudonyms,
    /// Blinded ids, alike wherever they are made.
    Ids,
}

/// What a policy needs root keys for. How long roots are kept says nothing of what crosses, so it is no part of [`Keyed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// What is made with them.
    pub keyed: Keyed,
    /// How long the root of an epoch is kept after it.
    pub retain: Duration,
}

impl KeyUse {
    /// How long a root is kept after its epoch where a transform does not say.
    pub const RETAIN: Duration = Duration::from_secs(90 * 24 * 3600);
}

/// A transform, by the name that rules use.
#[derive(Debug, Clone)]
pub(crate) struct Transform {
    pub(crate) name: String,
    pub(crate) does: Does,
    pub(crate) risk: Option<Risk>,
    pub(crate) at: At,
}

/// What a transform does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    /// A pseudonym for one destination.
    Keyed(TransformIndex),
    /// A blinded id.
    Blind(TransformIndex),
    /// A pseudonym that several destinations can join. Nothing makes one yet, so it stands for nothing at all.
    Shared,
    /// A shorter address.
    Truncate { v4: u8, v6: u8 },
}

impl Transform {
    /// What it does to a value; absent where it cannot do it.
    pub(crate) fn action(&self, when: When) -> Action {
        if self.risk.as_ref().is_some_and(|risk| risk.has_lapsed(when)) {
            return Action::Absent;
        }
        match self.does {
            Does::Keyed(index) => Action::Hmac(index),
            Does::Blind(index) => Action::Blind(index),
            Does::Shared => Action::Absent,
            Does::Truncate { v4, v6 } => Action::Truncate { v4, v6 },
        }
    }
}

/// All transforms.
#[derive(Debug, Default)]
pub(crate) struct Transforms {
    /// Where each name's transform lies in the list.
    pub(crate) names: Named<usize>,
    pub(crate) list: Vec<Transform>,
    /// The keyed ones, by their index.
    pub(crate) keyed: Vec<Keyed>,
    /// The same, with how long their roots are kept.
    pub(crate) key_uses: Vec<KeyUse>,
}

impl Transforms {
    /// The name of the transform that does this.
    pub(crate) fn name_of(&self, action: Action, when: When) -> Option<String> {
        let of = |one: &&Transform| !matches!(action, Action::Absent | Action::Raw) && one.action(when) == action;
        self.list.iter().find(of).map(|one| one.name.clone())
    }

    pub(crate) fn read(section: Value<'_>) -> Self {
        let (mut list, mut key_uses) = (Vec::new(), Vec::new());
        let entries = section.is_mapping().then(|| section.entries()).flatten().unwrap_or_default();
        for (key, _) in entries.iter().filter(|(key, _)| ["raw", "absent", "all"].contains(&&*key.value)) {
            let message = format_args!("`{}` is a word of rules and cannot be the name of a transform", key.value);
            section.faults().report(&key.at, message);
        }
        let mut names = entries.into_iter().map(|(key, _)| key.value);
        let names = Named::read(section, |value| {
            let name = names.next().unwrap_or_default();
            let (does, risk) = read(value, &mut key_uses)?;
            list.push(Transform { name, does, risk, at: value.at() });
            Some(list.len() - 1)
        });
        let keyed = key_uses.iter().map(|one: &KeyUse| one.keyed.clone()).collect();
        Self { names, list, keyed, key_uses }
    }
}

fn read(value: Value<'_>, all: &mut Vec<KeyUse>) -> Option<(Does, Option<Risk>)> {
    let mut fields = value.fields()?;
    let (hmac, truncate) = (fields.value("hmac"), fields.value("truncate"));
    let risk = if_there(fields.value("accept_risk"), Risk::read);
    let known = fields.done();
    if hmac.is_some() == truncate.is_some() {
        value.fault("a transform is either `hmac` or `truncate`; hashing without a key is none");
    }
    // What has another fault, or may be an unknown key, is not called missing too.
    let accepted = known.is_none() || !matches!(risk, Some(None));
    let (keyed, truncated) = (hmac.map(|value| keyed(value, all)), truncate.map(truncated));
    if let (Some(value), Some((_, Some(v6)))) = (truncate, truncated)
        && v6 >= HOUSEHOLD_V6
        && !accepted
    {
        value.fault(format_args!("a /{v6} may be one household: name the accepted risk as `accept_risk`"));
        return None;
    }
    let does = match (keyed, truncated) {
        (Some(keyed), None) => keyed?,
        (None, Some((v4, v6))) => Does::Truncate { v4: v4?, v6: v6? },
        _ => return None,
    };
    Some((does, risk?))
}

fn keyed(value: Value<'_>, all: &mut Vec<KeyUse>) -> Option<Does> {
    let mut fields = value.fields()?;
    let (group, key) = (fields.required::<String>("group"), fields.required::<String>("key"));
    let epoch = fields.required::<Duration>("epoch");
    let scope = fields.required_value("scope");
    let kept = if_there(fields.value("retain"), |value| Some((value.read::<Duration>()?, value)));
    fields.done();
    let scope = scope.and_then(|scope| scope.choice(&[("per_destination", true), ("federation", false)]));
    // An epoch under a second would make more keys than events; whole seconds keep the arithmetic exact.
    if epoch.is_some_and(|epoch| epoch.as_secs() == 0 || epoch.subsec_nanos() != 0) {
        value.fault("an epoch lasts whole seconds, at least one");
        return None;
    }
    let keyed = Keyed { makes: Makes::Pseudonyms, group: group?, key: key?, epoch: epoch? };
    let kept = kept?;
    if !scope? {
        return Some(Does::Shared);
    }
    let index = u16::try_from(all.len()).map_err(|_| value.fault("no more transforms have a number")).ok()?;
    let retain = kept.map_or(KeyUse::RETAIN, |(retain, _)| retain);
    // The root is one file, and goes once.
    let is_same_root = |other: &&KeyUse| other.keyed.key == keyed.key && other.keyed.epoch == keyed.epoch;
    if all.iter().find(is_same_root).is_some_and(|other| other.retain != retain) {
        let at = kept.map_or(value, |(_, at)| at);
        at.fault(format_args!("another transform keeps the same roots, of key {}, for another time", keyed.key));
    }
    all.push(KeyUse { keyed, retain });
    Some(Does::Keyed(TransformIndex(index)))
}

fn truncated(value: Value<'_>) -> (Option<u8>, Option<u8>) {
    let Some(mut fields) = value.fields() else { return (None, None) };
    let v4 = fields.required_value("v4").and_then(|bits| prefix(bits, LONGEST_V4));
    let v6 = fields.required_value("v6").and_then(|bits| prefix(bits, LONGEST_V6));
    fields.done();
    (v4, v6)
}

fn prefix(value: Value<'_>, longest: u8) -> Option<u8> {
    let bits = value.read::<u8>()?;
    if bits > longest {
        value.fault(format_args!("a prefix longer than /{longest} still tells one subscriber: /{bits}"));
        return None;
    }
    Some(bits)
}
