//! Invariants: what must never be so, checked at load on what the rules compile to.
//!
//! A crossing is governed by the data's origin and the regime it reaches, whatever hop it is on; so an invariant
//! that holds for every crossing the rules speak of holds on every path.

use tollgate_config::{At, Read, Value};

use crate::class::Class;
use crate::form::Form;
use crate::reading::only;

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
    /// The regimes it names; one that nobody knows would make it hold for nothing.
    pub(crate) fn regimes(&self) -> impl Iterator<Item = &str> {
        self.origin.iter().chain(&self.inside).map(String::as_str)
    }

    /// Says whether a value of this class may not cross in this form.
    pub(crate) fn forbids(&self, origin: &str, reaching: &str, class: Class, form: Form) -> bool {
        form != Form::Absent
            && self.origin.as_deref().is_none_or(|name| name == origin)
            && !self.inside.iter().any(|regime| regime == reaching)
            && self.classes.contains(&class)
            && form.exposes_at_least(self.form)
    }
}

impl Read for Invariant {
    fn read(value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let never = fields.required_value("never");
        fields.done();
        let never = never?;
        let mut fields = never.fields()?;
        let origin = fields.optional("origin");
        let classes = fields.required_value("class").and_then(classes);
        let (form, crosses) = (fields.value("form"), fields.value("crosses"));
        let inside = fields.optional::<Vec<String>>("outside").unwrap_or_default();
        fields.done();
        let form = match (form, crosses) {
            (Some(form), None) => form.read(),
            (None, Some(crosses)) => only(crosses, "any", "it says that no form crosses").map(|()| Form::Aggregated),
            _ => {
                never.fault("say `form`, or `crosses: any`");
                None
            }
        };
        Some(Self { origin, classes: classes?, form: form?, inside, at: value.at() })
    }
}

fn classes(value: Value<'_>) -> Option<Vec<Class>> {
    if value.is_scalar() { value.read().map(|class| vec![class]) } else { value.read() }
}
