//! Invariants: what must never be so, checked at load on what the rules compile to.
//!
//! A crossing is governed by the data's origin and the regime it reaches, whatever hop it is on; so an invariant
//! that holds for every crossing the rules speak of holds on every path.

use tollgate_config::{At, Value};

use crate::class::Class;
use crate::document::{Laws, regime};
use crate::form::Form;
use crate::reading::{if_there, only};

/// What must never be so.
#[derive(Debug)]
pub(crate) struct Invariant {
    /// Of any origin, if none is named.
    origin: Option<String>,
    classes: Vec<Class>,
    /// The least exposed form that is forbidden.
    form: Form,
    /// The regimes in which it is allowed after all.
    inside: Vec<String>,
    pub(crate) at: At,
}

impl Invariant {
    /// Says whether a value of this class may not cross in this form.
    pub(crate) fn forbids(&self, origin: &str, reaching: &str, class: Class, form: Form) -> bool {
        form != Form::Absent
            && self.origin.as_deref().is_none_or(|name| name == origin)
            && !self.inside.iter().any(|regime| regime == reaching)
            && self.classes.contains(&class)
            && form.exposes_at_least(self.form)
    }
}

impl Invariant {
    /// Reads an invariant; one that names a regime nobody knows would hold for nothing, or for too much.
    pub(crate) fn read(value: Value<'_>, laws: &Laws) -> Option<Self> {
        let mut fields = value.fields()?;
        let never = fields.required_value("never");
        let known = fields.done();
        let never = never?;
        let mut fields = never.fields()?;
        let origin = if_there(fields.value("origin"), |value| regime(value, laws));
        let classes = fields.required_value("class").and_then(classes);
        let (form, crosses) = (fields.value("form"), fields.value("crosses"));
        let inside = if_there(fields.value("outside"), |value| regimes(value, laws));
        let known = fields.done().and(known);
        let form = match (form, crosses) {
            (Some(form), None) => form.read(),
            (None, Some(crosses)) => only(crosses, "any", "it says that no form crosses").map(|()| Form::Aggregated),
            _ => {
                never.fault("say `form`, or `crosses: any`");
                None
            }
        };
        known?;
        Some(Self {
            origin: origin?,
            classes: classes?,
            form: form?,
            inside: inside?.unwrap_or_default(),
            at: value.at(),
        })
    }
}

fn regimes(value: Value<'_>, laws: &Laws) -> Option<Vec<String>> {
    // Collected before it is judged, so that every unknown regime is reported.
    let named: Vec<Option<String>> = value.items()?.into_iter().map(|item| regime(item, laws)).collect();
    named.into_iter().collect()
}

fn classes(value: Value<'_>) -> Option<Vec<Class>> {
    if value.is_scalar() { value.read().map(|class| vec![class]) } else { value.read() }
}
