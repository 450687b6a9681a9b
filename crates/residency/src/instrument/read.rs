//! How an instrument is read.
//!
//! Promises:
//! 1. What others refer to (regimes, recipients, assessment) is known whatever else is wrong with it.

use std::collections::BTreeSet;

use time::Date;
use tollgate_config::{Located, Value};
use tollgate_federation::Signals;

use super::Instrument;
use crate::class::Class;
use crate::day::day;
use crate::document::{Laws, regime};
use crate::form::Form;
use crate::reading::{Found, by_class, if_there};
use crate::standing::LastDay;

/// The keys of an instrument, as the schema shows them.
pub(crate) const KEYS: [&str; 11] =
    ["from", "to", "basis", "exporter", "recipients", "scope", "caps", "tia", "fallback", "valid_until", "review_by"];
/// The keys of an instrument's scope.
pub(crate) const SCOPE_KEYS: [&str; 2] = ["signals", "classes"];

/// What could be read of an instrument. The inner `None` is what was not said.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) exporters: Option<Option<Vec<String>>>,
    pub(super) recipients: Option<Option<Vec<String>>>,
    /// The transfer impact assessment on file.
    pub(super) tia: Option<Option<String>>,
    pub(super) fallback: Option<Option<Located<String>>>,
    pub(super) instrument: Option<Instrument>,
}

/// What of a transfer an instrument is for.
type Scope = (Signals, Option<BTreeSet<Class>>);

impl Draft {
    pub(super) fn read(value: Value<'_>, laws: &Laws) -> Self {
        let Some(mut fields) = value.fields() else { return Self::default() };
        let from = fields.required_value("from").and_then(|value| regime(value, laws));
        let to = fields.required_value("to").and_then(|value| regime(value, laws));
        let basis = fields.required_value("basis").and_then(|value| basis(value, from.as_deref(), laws));
        let exporters = if_there(fields.value("exporter"), entities);
        let recipients = if_there(fields.value("recipients"), entities);
        let scope = if_there(fields.value("scope"), scope);
        let caps = if_there(fields.value("caps"), by_class::<Form>);
        let tia = if_there(fields.value("tia"), Value::read);
        let fallback = if_there(fields.value("fallback"), Value::read::<Located<String>>);
        let dates = (if_there(fields.value("valid_until"), day), if_there(fields.value("review_by"), day));
        // An unknown key may be what a missing one was meant to be.
        let known = fields.done();
        if (dates, known) == ((Some(None), Some(None)), Some(())) {
            value.fault("an instrument says `valid_until` or `review_by`");
        }
        let instrument = || {
            let fallback = fallback.clone()?.map(|name| name.value);
            let (signals, classes) = scope?.unwrap_or((Signals::ALL, None));
            known.and(Some(Instrument {
                from: from.clone()?,
                to: to.clone()?,
                basis: basis?,
                exporters: exporters.clone()?,
                recipients: recipients.clone()?,
                signals,
                classes,
                caps: caps?.unwrap_or_default().into_iter().map(|(class, (cap, _))| (class, cap)).collect(),
                fallback,
                last: last_day(dates.0?, dates.1?)?,
                at: value.at(),
            }))
        };
        let instrument = instrument();
        Self { from, to, exporters, recipients, tia: known.and(tia), fallback, instrument }
    }
}

/// The day that comes first.
fn last_day(valid_until: Option<Date>, review_by: Option<Date>) -> Option<LastDay> {
    match (valid_until, review_by) {
        (Some(valid), Some(review)) if review < valid => Some(LastDay::Review(review)),
        (Some(valid), _) => Some(LastDay::Valid(valid)),
        (None, review) => review.map(LastDay::Review),
    }
}

/// A basis stands in the law of the regime that exports.
fn basis(value: Value<'_>, from: Option<&str>, laws: &Laws) -> Option<String> {
    let basis = value.read::<String>()?;
    let from = from?;
    let Found::Whole(law) = laws.find(from) else { return None };
    let article = |law: &String| basis.strip_prefix(law.as_str()).and_then(|rest| rest.strip_prefix('-'));
    if law.as_ref().and_then(article).is_some_and(|article| !article.is_empty()) {
        return Some(basis);
    }
    let expected = law.as_deref().map_or_else(
        || format!("none is given, write `{from}: {{law: ...}}` below `regimes`"),
        |law| format!("{law}-<article>"),
    );
    value.fault(format_args!("`{basis}` is no basis in the export law of {from}: {expected}"));
    None
}

/// One legal entity, or a list. Without the key an instrument covers any; one from whose list the last was struck must not.
fn entities(value: Value<'_>) -> Option<Vec<String>> {
    if value.is_scalar() {
        return value.read::<String>().map(|entity| vec![entity]);
    }
    let list: Vec<String> = value.read()?;
    if list.is_empty() {
        value.fault("an instrument that covers nobody justifies nothing: name a legal entity, or leave the key out");
        return None;
    }
    Some(list)
}

fn scope(value: Value<'_>) -> Option<Scope> {
    let mut fields = value.fields()?;
    let signals = if_there(fields.value("signals"), Value::read::<Signals>);
    let classes = if_there(fields.value("classes"), classes);
    fields.done()?;
    if (signals, &classes) == (Some(None), &Some(None)) {
        value.fault("a scope names `signals`, `classes` or both");
        return None;
    }
    Some((signals?.unwrap_or(Signals::ALL), classes?))
}

fn classes(value: Value<'_>) -> Option<BTreeSet<Class>> {
    let classes: Vec<Class> = value.read()?;
    if classes.is_empty() {
        value.fault("an instrument for no class justifies nothing: name one, or leave the key out");
        return None;
    }
    Some(classes.into_iter().collect())
}
