//! Rules and catalogue, compiled to the answers for one crossing.

use std::collections::HashMap;

use crate::answers::Answers;
use crate::carrier::{Carrier, Holds};
use crate::catalogue::{Catalogue, Entry, template_prefix};
use crate::class::Class;
use crate::form::Action;
use crate::rule::Crossing;
use crate::table::{Cell, Cells, Row, Rows};

/// Compiles the answer for every carrier and class.
pub(crate) fn cells(answers: &Answers<'_>, crossing: &Crossing) -> Cells {
    let by_class = Class::ALL.map(|class| answers.class(class));
    let cell = |carrier: Carrier, class: Class| {
        let holds = match carrier.holds() {
            Holds::Attributes => true,
            Holds::One(own) => own == class,
            Holds::Nothing => false,
        };
        let crosses = holds && carrier.is_on(crossing.signal) && !answers.stripped().contains(&carrier);
        let action = by_class.get(class as usize).copied().filter(|_| crosses).unwrap_or(Action::Absent);
        if carrier.holds() == Holds::Attributes { action.on_attributes() } else { action }
    };
    Carrier::ALL.iter().map(|carrier| Class::ALL.map(|class| cell(*carrier, class))).collect()
}

/// Compiles the answer for every name of the catalogue.
pub(crate) fn rows(answers: &Answers<'_>, catalogue: &Catalogue) -> Rows {
    let mut rows = Rows::default();
    for (name, entry) in catalogue.entries() {
        let row = row(answers, entry);
        match template_prefix(name) {
            Some(prefix) => rows.templates.insert(prefix.as_bytes().into(), row),
            None => rows.keys.insert(name.as_bytes().into(), row),
        };
    }
    if answers.has_pairs() {
        part(answers, &mut rows);
    }
    rows
}

fn row(answers: &Answers<'_>, entry: &Entry) -> Row {
    let answer = |class| answers.attribute(&entry.attribute, class).on_attributes();
    let action = answer(entry.class);
    let server = Cell { class: entry.class, action, slot: None };
    // On a device both classes must let it cross: what the sender says of itself can only narrow.
    let device = entry.on_device.map_or(server, |class| Cell { class, action: action.meet(answer(class)), slot: None });
    Row { attribute: entry.attribute.clone(), server, device }
}

/// Where both of a pair would cross, neither does; whether they would is asked of all pairs before any is parted, and of the
/// rules as they were before anything lapsed: a day that passes must not open one by closing the other.
fn part(answers: &Answers<'_>, rows: &mut Rows) {
    // What crosses on a device crosses on a server too.
    let crosses = |row: &Row| (row.attribute.clone(), answers.crosses_at_first(&row.attribute, row.server.class));
    let crossing: HashMap<String, bool> = rows.iter().map(crosses).collect();
    let crosses = |name: &str| crossing.get(name).copied().unwrap_or_default();
    for row in rows.rows_mut() {
        if answers.partners(&row.attribute).iter().any(|(other, _)| crosses(other)) {
            row.server.action = Action::Absent;
            row.device.action = Action::Absent;
        }
    }
}
