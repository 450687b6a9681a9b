//! What a crossing must fulfil besides: aggregation, a least size of groups, carriers that are stripped.

use std::collections::BTreeSet;

use tollgate_config::{At, Located, Value};

use super::Words;
use crate::carrier::Carrier;
use crate::reading::if_there;

/// Exemplars are single measurements: all that is on one.
const EXEMPLARS: &str = "exemplars";

/// What a rule requires of all data of its crossing, whichever rule allows it.
#[derive(Debug)]
pub(crate) struct Requirement {
    /// What nothing carries out yet: while it is required, nothing crosses.
    pub(crate) unmet: Vec<&'static str>,
    /// Carriers that never cross.
    pub(crate) strip: BTreeSet<Carrier>,
    pub(crate) at: At,
}

impl Requirement {
    /// The keys of `require`.
    pub(crate) const KEYS: [&str; 3] = ["aggregated_at", "min_group", "strip"];
    /// Where aggregation can be required.
    pub(crate) const STEPS: [&str; 2] = ["cluster", "region"];

    pub(super) fn read(value: Value<'_>, words: Words<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let step = if_there(fields.value("aggregated_at"), |value| value.choice(&Self::STEPS.map(|step| (step, ()))));
        let group = if_there(fields.value("min_group"), |value| min_group(value, words));
        let strip = if_there(fields.value("strip"), strip);
        let known = fields.done();
        if (step, group, &strip) == (Some(None), Some(None), &Some(None)) && known.is_some() {
            value.fault("nothing is required: say `aggregated_at`, `min_group` or `strip`, or leave `require` out");
            return None;
        }
        known?;
        let unmet = [("aggregated_at", step?), ("min_group", group?)];
        let unmet = unmet.into_iter().filter_map(|(key, required)| required.map(|()| key)).collect();
        Some(Self { unmet, strip: strip?.unwrap_or_default(), at: value.at() })
    }

    /// The words of `strip`.
    pub(crate) fn strip_words() -> impl Iterator<Item = &'static str> {
        std::iter::once(EXEMPLARS).chain(Carrier::ALL.iter().map(|carrier| carrier.as_str()))
    }
}

fn min_group(value: Value<'_>, words: Words<'_>) -> Option<()> {
    let mut fields = value.fields()?;
    let k = fields.required::<u32>("k");
    let subject = fields.required_value("subject");
    fields.done()?;
    if k.is_some_and(|k| k < 2) {
        value.fault("a group of one is a person: `k` is at least 2");
        return None;
    }
    let subject = subject?;
    let name = Located { value: subject.read::<String>()?, at: subject.at() };
    words.attribute(&name, subject)?;
    k.map(drop)
}

fn strip(value: Value<'_>) -> Option<BTreeSet<Carrier>> {
    let words: Vec<(&str, Option<Carrier>)> =
        std::iter::once((EXEMPLARS, None)).chain(Carrier::ALL.iter().map(|one| (one.as_str(), Some(*one)))).collect();
    let chosen: Vec<Option<Option<Carrier>>> = value.items()?.into_iter().map(|item| item.choice(&words)).collect();
    let mut strip = BTreeSet::new();
    for carrier in chosen.into_iter().collect::<Option<Vec<_>>>()? {
        match carrier {
            Some(carrier) => drop(strip.insert(carrier)),
            None => strip.extend(Carrier::ALL.iter().copied().filter(|one| one.as_str().starts_with("exemplar."))),
        }
    }
    if strip.is_empty() {
        value.fault("nothing is stripped: name a carrier such as `exemplars`, or leave `strip` out");
        return None;
    }
    Some(strip)
}
