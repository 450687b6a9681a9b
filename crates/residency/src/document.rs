//! The sections of `policies/residency.yaml`.

use std::collections::BTreeMap;

use tollgate_config::{Read, Value};

use crate::catalogue::Catalogue;
use crate::form::{Action, TransformIndex};
use crate::instrument::{Instrument, Instruments};
use crate::invariant::Invariant;
use crate::reading::{entries, only, unsupported};
use crate::rule::{Rule, Words};
use crate::transform::{Keyed, Transform};

/// Every regime with the law that its exports need a basis in; some have none.
pub(crate) type Laws = BTreeMap<String, Option<String>>;

/// What the document says.
#[derive(Debug)]
pub(crate) struct Residency {
    pub(crate) laws: Laws,
    pub(crate) instruments: Instruments,
    pub(crate) keyed: Vec<Keyed>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) invariants: Vec<Invariant>,
}

impl Residency {
    /// Reads every section whatever is wrong with another, so that one run finds all faults.
    pub(crate) fn read(root: Value<'_>, catalogue: &Catalogue) -> Option<Self> {
        let mut fields = root.fields()?;
        let laws = laws(fields.required_value("regimes"));
        let instruments: BTreeMap<String, Instrument> = entries(fields.value("instruments"));
        let instruments = Instruments::new(instruments, &laws, root.faults());
        let (transforms, keyed) = transforms(fields.value("transforms"));
        let rules = fields.required_value("rules");
        if let Some(defaults) = fields.required_value("defaults") {
            check_defaults(defaults);
        }
        let invariants = fields.value("invariants").and_then(|value| value.items()).unwrap_or_default();
        unsupported(&mut fields, &["mode", "not_together"]);
        fields.done();
        let words = Words { catalogue, transforms: &transforms, regimes: &laws };
        let rules = rules.map(|value| read_rules(value, words)).unwrap_or_default();
        let invariants: Vec<Invariant> = invariants.into_iter().filter_map(Value::read).collect();
        for invariant in &invariants {
            for regime in invariant.regimes().filter(|regime| !laws.contains_key(*regime)) {
                root.faults().report(&invariant.at, format_args!("no regime is called `{regime}`"));
            }
        }
        Some(Self { laws, instruments, keyed, rules, invariants })
    }
}

/// What a regime's entry says.
struct Regime {
    law: Option<String>,
}

impl Read for Regime {
    fn read(value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let law = fields.optional("law");
        fields.done();
        Some(Self { law })
    }
}

fn laws(value: Option<Value<'_>>) -> Laws {
    entries(value).into_iter().map(|(name, regime): (String, Regime)| (name, regime.law)).collect()
}

/// Returns the action that each transform's name stands for, and the keyed ones by their index.
fn transforms(value: Option<Value<'_>>) -> (BTreeMap<String, Action>, Vec<Keyed>) {
    let (mut actions, mut keyed) = (BTreeMap::new(), Vec::new());
    for (name, transform) in entries::<Transform>(value) {
        let action = match transform {
            Transform::Truncate { v4, v6 } => Action::Truncate { v4, v6 },
            Transform::Keyed(transform) => {
                let Ok(index) = u16::try_from(keyed.len()) else { break };
                keyed.push(transform);
                Action::Hmac(TransformIndex(index))
            }
        };
        actions.insert(name, action);
    }
    if let Some(value) = value.filter(|_| actions.contains_key("raw")) {
        value.fault("`raw` is a form and cannot be the name of a transform");
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

fn read_rules(value: Value<'_>, words: Words<'_>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for item in value.items().unwrap_or_default() {
        let Some(rule) = Rule::read(item, words) else { continue };
        if let Some(other) = rules.iter().find(|other| other.id == rule.id) {
            item.fault(format_args!("the id `{}` is already that of the rule in line {}", rule.id, other.at.line));
        }
        rules.push(rule);
    }
    rules
}
