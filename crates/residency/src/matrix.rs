//! Link × class × form: what crosses, as a table that a lawyer can read.

use std::collections::{BTreeMap, BTreeSet};

use time::Date;
use tollgate_federation::{Federation, Link, Origin, Regime, Signal};

use crate::carrier::{Carrier, Holds};
use crate::class::Class;
use crate::closed::Closed;
use crate::existence::Lost;
use crate::form::{Action, Form};
use crate::policy::Policy;
use crate::sender::Sender;
use crate::table::Table;

/// What crosses one link of one origin and signal.
#[derive(Debug)]
pub struct MatrixRow {
    /// The link, as reports show it.
    pub link: String,
    /// The regime that it reaches.
    pub reaching: Regime,
    /// The legal entity that receives.
    pub recipient: String,
    /// Whose data it is.
    pub origin: Regime,
    /// The signal.
    pub signal: Signal,
    /// Who sent it inside its region; none where rules do not tell.
    pub sender: Option<Sender>,
    /// What it says of itself; none where rules do not tell.
    pub says: Option<String>,
    /// The instrument in force, if one is needed.
    pub instrument: Option<String>,
    /// Why nothing crosses, if nothing does.
    pub closed: Option<Closed>,
    /// What its items are without, if none of them can cross whatever rules allow of them.
    pub lost: Option<Lost>,
    /// For each class that crosses in some form: which attributes and carriers, by form.
    pub classes: BTreeMap<Class, BTreeMap<Form, Crosses>>,
}

/// What of a class crosses in one form.
#[derive(Debug, Default)]
pub struct Crosses {
    /// Keys and carriers.
    pub names: BTreeSet<String>,
    /// Whether these are all that the class has on this signal.
    pub whole: Whole,
}

/// Whether a form holds for a class as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Whole {
    /// For all of it.
    #[default]
    All,
    /// For a part of it.
    Part,
}

impl Policy {
    /// Returns a row for each link, origin and signal that can come over it, in the order of the documents; where rules tell
    /// senders apart, or data by what it says of itself, one for each of them.
    #[must_use]
    pub fn matrix(&self, federation: &Federation, today: Date) -> Vec<MatrixRow> {
        let mut rows = Vec::new();
        for link in federation.links() {
            for origin in federation.origins_over(link.id()) {
                let comes = |signal: &Signal| federation.lets_over(link.id(), *signal, origin);
                rows.extend(link.signals().iter().filter(comes).flat_map(|signal| {
                    let members = origin.regimes().iter();
                    members
                        .flat_map(|member| self.rows(federation, link, (signal, origin, member), today))
                        .collect::<Vec<_>>()
                }));
            }
        }
        rows
    }

    fn rows(
        &self,
        federation: &Federation,
        link: &Link,
        (signal, origin, member): (Signal, &Origin, &Regime),
        today: Date,
    ) -> Vec<MatrixRow> {
        match self.tables(federation, link.id(), signal, origin, today) {
            Ok(tables) => {
                let told = |sender: &Sender| tables.tell_apart().then(|| sender.clone());
                let mut rows = Vec::new();
                for (sender, layers) in tables.iter() {
                    let mut add = |says: Option<&str>, table: Result<&Table, &Closed>| {
                        rows.push(self.row(link, (signal, member), (told(sender), says.map(str::to_owned)), table));
                    };
                    match layers {
                        Ok(layers) => layers.iter().for_each(|(says, table)| add(says, table)),
                        Err(closed) => add(None, Err(closed)),
                    }
                }
                rows
            }
            Err(closed) => vec![self.row(link, (signal, member), (None, None), Err(&closed))],
        }
    }

    fn row(
        &self,
        link: &Link,
        (signal, member): (Signal, &Regime),
        (sender, says): (Option<Sender>, Option<String>),
        table: Result<&Table, &Closed>,
    ) -> MatrixRow {
        let instrument = table.ok().and_then(|table| Some(table.instruments().next()?.1.to_owned()));
        let lost = table.ok().and_then(Table::lost_items);
        let open = table.ok().filter(|_| lost.is_none());
        let classes = open.map(|table| self.classes(table, signal)).unwrap_or_default();
        MatrixRow {
            link: link.to_string(),
            reaching: link.regime().clone(),
            recipient: link.entity().to_owned(),
            origin: member.clone(),
            signal,
            sender,
            says,
            instrument,
            closed: table.err().cloned(),
            lost,
            classes,
        }
    }

    fn classes(&self, table: &Table, signal: Signal) -> BTreeMap<Class, BTreeMap<Form, Crosses>> {
        let mut seen: BTreeMap<Class, BTreeSet<Form>> = BTreeMap::new();
        let mut classes: BTreeMap<Class, BTreeMap<Form, Crosses>> = BTreeMap::new();
        let mut add = |class: Class, form: Form, name: String| {
            seen.entry(class).or_default().insert(form);
            if form != Form::Absent {
                classes.entry(class).or_default().entry(form).or_default().names.insert(name);
            }
        };
        for carrier in Carrier::ALL.iter().filter(|carrier| carrier.is_on(signal)) {
            if let Holds::One(class) = carrier.holds() {
                let form = if table.lost(*carrier).is_some() { Form::Absent } else { table.carrier(*carrier) };
                add(class, form, carrier.to_string());
            }
        }
        for entry in self.catalogue.attributes() {
            let action = table.row_action(&entry.attribute).unwrap_or(Action::Absent);
            add(entry.class, action.form(), entry.attribute.clone());
        }
        for (class, forms) in &mut classes {
            let whole = if seen.get(class).is_some_and(|seen| seen.len() == 1) { Whole::All } else { Whole::Part };
            forms.values_mut().for_each(|crosses| crosses.whole = whole);
        }
        classes
    }
}
