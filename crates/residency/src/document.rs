//! The sections of `policies/residency.yaml`.

use std::collections::BTreeMap;

use tollgate_config::Value;

use crate::catalogue::Catalogue;
use crate::form::{Action, TransformIndex};
use crate::instrument::Instruments;
use crate::invariant::Invariant;
use crate::reading::{Named, if_there, only, unsupported};
use crate::rule::{Outline, Rule, RuleDraft, Words};
use crate::transform::{Keyed, Transform};

/// Every regime with the law that its exports need a basis in; some have none.
pub(crate) type Laws = Named<Option<String>>;

/// What the document says.
#[derive(Debug)]
pub(crate) struct Residency {
    pub(crate) laws: Laws,
    pub(crate) instruments: Instruments,
    pub(crate) keyed: Vec<Keyed>,
    pub(crate) rules: Vec<Rule>,
    /// What rules with faults may speak of: nothing is proved of it.
    pub(crate) unsettled: Vec<Outline>,
    pub(crate) invariants: Vec<Invariant>,
}

impl Residency {
    /// Reads every section whatever is wrong with another, so that one run finds all faults.
    pub(crate) fn read(root: Value<'_>, catalogue: &Catalogue) -> Option<Self> {
        let mut fields = root.fields()?;
        let laws = fields.required_value("regimes").map_or_else(Named::unread, |value| Named::read(value, law));
        let instruments =
            fields.value("instruments").map_or_else(Instruments::default, |value| Instruments::read(value, &laws));
        let (transforms, keyed) = fields.value("transforms").map(transforms).unwrap_or_default();
        let words = Words { catalogue, transforms: &transforms, regimes: &laws };
        let drafts = fields.required_value("rules").map(|value| read_rules(value, words));
        if let Some(defaults) = fields.required_value("defaults") {
            check_defaults(defaults);
        }
        let invariants = fields.value("invariants").and_then(|value| value.items()).unwrap_or_default();
        unsupported(&mut fields, &["mode", "not_together"]);
        fields.done();
        let (mut rules, mut unsettled) = (Vec::new(), Vec::new());
        for draft in drafts.unwrap_or_default() {
            match draft.rule {
                Some(rule) => rules.push(rule),
                None => unsettled.push(draft.outline),
            }
        }
        let invariants = invariants.into_iter().filter_map(|value| Invariant::read(value, &laws)).collect();
        Some(Self { laws, instruments, keyed, rules, unsettled, invariants })
    }
}

/// Reads the name of a regime that the document declares.
pub(crate) fn regime(value: Value<'_>, laws: &Laws) -> Option<String> {
    let name = value.read::<String>()?;
    if laws.knows(&name) {
        return Some(name);
    }
    value.fault(format_args!("no regime is called `{name}`"));
    None
}

fn law(value: Value<'_>) -> Option<Option<String>> {
    let mut fields = value.fields()?;
    let law = if_there(fields.value("law"), Value::read);
    fields.done()?;
    law
}

/// Returns the action that each transform's name stands for, and the keyed ones by their index.
fn transforms(section: Value<'_>) -> (Named<Action>, Vec<Keyed>) {
    let mut keyed = Vec::new();
    let actions = Named::read(section, |value| match value.read()? {
        Transform::Truncate { v4, v6 } => Some(Action::Truncate { v4, v6 }),
        Transform::Keyed(transform) => {
            let index = u16::try_from(keyed.len()).map_err(|_| value.fault("no more transforms have a number")).ok()?;
            keyed.push(transform);
            Some(Action::Hmac(TransformIndex(index)))
        }
    });
    for (key, _) in section.is_mapping().then(|| section.entries()).flatten().unwrap_or_default() {
        if key.value == "raw" {
            section.faults().report(&key.at, "`raw` is a form and cannot be the name of a transform");
        }
    }
    (actions, keyed)
}

/// The answers that a deployment could want otherwise one day. Until then each must stand as it is carried out.
fn check_defaults(value: Value<'_>) {
    const ANSWERS: [(&str, &str); 4] = [
        ("unclassified", "drop"),
        ("on_error", "drop"),
        ("expired_instrument", "deny_link"),
        ("audit_unwritable", "deny_link"),
    ];
    let Some(mut fields) = value.fields() else { return };
    for (key, word) in ANSWERS {
        if let Some(value) = fields.required_value(key) {
            only(value, word, "nothing else is supported");
        }
    }
    unsupported(&mut fields, &["mode"]);
    fields.done();
}

fn read_rules(value: Value<'_>, words: Words<'_>) -> Vec<RuleDraft> {
    let Some(items) = value.items() else { return vec![RuleDraft::default()] };
    let mut ids: BTreeMap<String, usize> = BTreeMap::new();
    let mut drafts = Vec::new();
    for item in items {
        let draft = RuleDraft::read(item, words);
        if let Some(id) = &draft.id {
            match ids.get(&id.value) {
                Some(line) => {
                    let message = format_args!("the id `{}` is already that of the rule in line {line}", id.value);
                    item.faults().report(&id.at, message);
                }
                None => drop(ids.insert(id.value.clone(), id.at.line)),
            }
        }
        drafts.push(draft);
    }
    drafts
}
