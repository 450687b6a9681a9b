//! Rules and catalogue, compiled to the answers for one crossing.

use crate::carrier::{Carrier, Holds};
use crate::catalogue::{Catalogue, Entry, template_prefix};
use crate::class::Class;
use crate::form::Action;
use crate::rule::{Answers, Crossing};
use crate::table::{Cell, Cells, Row, Rows};

/// Compiles the answer for every carrier and class.
pub(crate) fn cells(answers: &Answers<'_>, crossing: &Crossing) -> Cells {
    let cell = |carrier: Carrier, class: Class| {
        let holds = match carrier.holds() {
            Holds::Attributes => true,
            Holds::One(own) => own == class,
            Holds::Nothing => false,
        };
        if holds && carrier.is_on(crossing.signal) { answers.class(class) } else { Action::Absent }
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
    rows
}

fn row(answers: &Answers<'_>, entry: &Entry) -> Row {
    let action = answers.attribute(&entry.attribute, entry.class);
    let server = Cell { class: entry.class, action, slot: None };
    // On a device both classes must let it cross: what the sender says of itself can only narrow.
    let device = entry.on_device.map_or(server, |class| Cell {
        class,
        action: action.meet(answers.attribute(&entry.attribute, class)),
        slot: None,
    });
    Row { attribute: entry.attribute.clone(), server, device }
}
