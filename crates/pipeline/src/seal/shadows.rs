//! Counts what rules in shadow would have done: which attributes would have crossed in another form.
//!
//! Promises:
//! 1. It changes nothing, makes no pseudonym and needs no key.
//! 2. Where no rule is in shadow no request is looked at.

use std::collections::BTreeMap;

use tollgate_federation::{Listener, Origin, Signal};
use tollgate_otlp::{Batch, raw_attributes};
use tollgate_redaction::claims;
use tollgate_residency::{Action, Carrier, Claims, Form, Keyed, Layers, Proved, Resource, Shadow, Table};

use crate::observe::attributes::each;

/// What would hold, by origin and by the cluster and listener that are proved. Made anew when the day or the documents change.
#[derive(Default)]
pub(super) struct Shadows(BTreeMap<(Origin, Option<String>, Option<Listener>), OfOrigin>);

/// What is in force, if anything, and what each rule in shadow would make of it.
pub(super) struct OfOrigin {
    now: Option<Layers>,
    shadows: Vec<Shadow>,
}

/// The form in which a value crosses now, and in which it would.
type Forms = (&'static str, &'static str);

impl Shadows {
    pub(super) fn of(
        &mut self,
        origin: &Origin,
        proved: Proved<'_>,
        compile: impl FnOnce(&Origin, Proved<'_>) -> (Option<Layers>, Vec<Shadow>),
    ) -> &OfOrigin {
        let key = (origin.clone(), proved.cluster.map(str::to_owned), proved.listener);
        self.0.entry(key).or_insert_with(|| {
            let (now, shadows) = compile(origin, proved);
            OfOrigin { now, shadows }
        })
    }
}

impl OfOrigin {
    /// How many attributes each rule would have let cross otherwise.
    pub(super) fn count(&self, signal: Signal, batch: Batch<'_>) -> Vec<(&str, Forms, u64)> {
        if self.shadows.is_empty() {
            return Vec::new();
        }
        let mut counts: BTreeMap<(&str, Forms), u64> = BTreeMap::new();
        let would = self.shadows.iter().filter_map(|shadow| shadow.layers.as_ref());
        let asks = self.now.iter().chain(would).any(Layers::tell_apart);
        for group in batch.resources() {
            let says = if asks { claims(group.resource()) } else { Claims::default() };
            let now = own_table(self.now.as_ref(), &says, group.resource());
            let then = self.shadows.iter();
            let then: Vec<_> = then.map(|shadow| own_table(shadow.layers.as_ref(), &says, group.resource())).collect();
            each(signal, &group, &mut |carrier, attribute| {
                let before = answer(now, carrier, attribute.key);
                let shadows = self.shadows.iter().zip(&then);
                let after = shadows.map(|(shadow, then)| (&*shadow.rule, answer(*then, carrier, attribute.key)));
                for (rule, after) in after.filter(|(_, after)| *after != before) {
                    *counts.entry((rule, (before.0.as_str(), after.0.as_str()))).or_default() += 1;
                }
            });
        }
        counts.into_iter().map(|((rule, forms), count)| (rule, forms, count)).collect()
    }
}

/// What becomes of a value. A transform is told by what it is: its place in another table's list means nothing.
type Answer<'t> = (Form, Option<&'t Keyed>, Action);

/// The table for a resource, and whose it is.
type Own<'t> = Option<(&'t Table, Resource)>;

fn own_table<'t>(layers: Option<&'t Layers>, says: &Claims, resource: &[u8]) -> Own<'t> {
    let table = layers?.of(says).ok()?;
    Some((table, whose(table, resource)))
}

fn answer<'t>(own: Own<'t>, carrier: Carrier, key: &[u8]) -> Answer<'t> {
    let Some((table, whose)) = own else { return (Form::Absent, None, Action::Absent) };
    match table.attribute(carrier, key, whose).action {
        Action::Hmac(index) => (Form::Keyed, table.keyed().get(index.position()), Action::Absent),
        other => (other.form(), None, other),
    }
}

fn whose(table: &Table, resource: &[u8]) -> Resource {
    let marks = |key: &[u8]| std::str::from_utf8(key).is_ok_and(|key| table.marks_device(key));
    let is_device = raw_attributes(resource, 1).any(|attribute| marks(attribute.key));
    if is_device { Resource::Device } else { Resource::Server }
}
