//! Legal instruments: the dated facts that justify a link.
//!
//! Promises:
//! 1. Each has an end or a review date; once it has passed, the instrument no longer holds a link open.
//! 2. A fallback covers the same two regimes and has its own assessment on file.

use std::collections::BTreeMap;

use time::Date;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tollgate_config::{At, Faults, Located, Read, Value};

use crate::document::Laws;

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// A dated legal fact.
#[derive(Debug, Clone)]
pub(crate) struct Instrument {
    pub(crate) from: String,
    pub(crate) to: String,
    /// Where in the exporter's law it stands.
    basis: String,
    /// The legal entities that may receive under it; any, if none is named.
    recipients: Vec<String>,
    /// The transfer impact assessment on file.
    tia: Option<String>,
    fallback: Option<Located<String>>,
    valid_until: Option<Date>,
    review_by: Option<Date>,
    at: At,
}

impl Instrument {
    /// Says whether the instrument still holds on that day; its last day counts.
    fn holds_on(&self, today: Date) -> bool {
        [self.valid_until, self.review_by].into_iter().flatten().all(|last| today <= last)
    }

    /// Says whether it covers a transfer between two regimes to a legal entity.
    pub(crate) fn covers(&self, from: &str, to: &str, recipient: &str) -> bool {
        let named = self.recipients.is_empty() || self.recipients.iter().any(|entity| entity == recipient);
        self.from == from && self.to == to && named
    }
}

impl Read for Instrument {
    fn read(value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let (from, to) = (fields.required::<String>("from"), fields.required::<String>("to"));
        let basis = fields.required::<String>("basis");
        let recipients = fields.value("recipients").and_then(recipients);
        let tia = fields.optional::<String>("tia");
        let fallback = fields.optional("fallback");
        let (valid_until, review_by) = (fields.value("valid_until"), fields.value("review_by"));
        fields.done();
        if valid_until.is_none() && review_by.is_none() {
            value.fault("an instrument says `valid_until` or `review_by`");
        }
        let valid_until = valid_until.map(day);
        let review_by = review_by.map(day);
        Some(Self {
            from: from?,
            to: to?,
            basis: basis?,
            recipients: recipients.unwrap_or_default(),
            tia,
            fallback,
            // A date that cannot be read was reported; the instrument must not look undated.
            valid_until: valid_until.map_or(Some(None), |date| date.map(Some))?,
            review_by: review_by.map_or(Some(None), |date| date.map(Some))?,
            at: value.at(),
        })
    }
}

/// An instrument without the key covers any recipient; one from whose list the last was struck must not.
fn recipients(value: Value<'_>) -> Option<Vec<String>> {
    let list: Vec<String> = value.read()?;
    if list.is_empty() {
        value.fault("an instrument that covers nobody justifies nothing: name a recipient, or leave the key out");
    }
    Some(list)
}

fn day(value: Value<'_>) -> Option<Date> {
    let date = value.as_text().and_then(|text| Date::parse(text, DAY).ok());
    if date.is_none() {
        value.expected("a date such as 2027-02-11");
    }
    date
}

/// All instruments, by name.
#[derive(Debug, Default)]
pub(crate) struct Instruments(BTreeMap<String, Instrument>);

impl Instruments {
    /// `laws` has every regime with the law of its exports, where it has one.
    pub(crate) fn new(list: BTreeMap<String, Instrument>, laws: &Laws, faults: &Faults) -> Self {
        for instrument in list.values() {
            for regime in [&instrument.from, &instrument.to] {
                if !laws.contains_key(regime) {
                    faults.report(&instrument.at, format_args!("no regime is called `{regime}`"));
                }
            }
            basis_stands_in_the_law(instrument, laws, faults);
            fallback_is_assessed(instrument, &list, faults);
        }
        Self(list)
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Instrument> {
        self.0.get(name)
    }

    /// Returns the first instrument that covers the transfer and holds today: the named one, else its fallbacks.
    pub(crate) fn in_force(&self, name: &str, need: &Need<'_>, today: Date) -> Option<&str> {
        let mut next = Some(name);
        // A chain longer than the list is a circle.
        for _ in 0..self.0.len() {
            let (name, instrument) = self.0.get_key_value(next?)?;
            if instrument.holds_on(today) && instrument.covers(need.from, need.to, need.recipient) {
                return Some(name);
            }
            next = instrument.fallback.as_ref().map(|fallback| fallback.value.as_str());
        }
        None
    }
}

/// What an instrument is to justify.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) recipient: &'a str,
}

fn basis_stands_in_the_law(instrument: &Instrument, laws: &Laws, faults: &Faults) {
    let Some(law) = laws.get(&instrument.from) else { return };
    let stands = law.as_ref().is_some_and(|law| {
        instrument.basis.strip_prefix(law.as_str()).is_some_and(|article| article.starts_with('-') && article.len() > 1)
    });
    if !stands {
        let expected = law.as_deref().map_or_else(|| "none is given".to_owned(), |law| format!("{law}-<article>"));
        let (basis, from) = (&instrument.basis, &instrument.from);
        faults.report(&instrument.at, format_args!("`{basis}` is no basis in the export law of {from}: {expected}"));
    }
}

fn fallback_is_assessed(instrument: &Instrument, list: &BTreeMap<String, Instrument>, faults: &Faults) {
    let Some(fallback) = &instrument.fallback else { return };
    let name = &fallback.value;
    match list.get(name) {
        None => faults.report(&fallback.at, format_args!("no instrument is called `{name}`")),
        Some(other) if other.from != instrument.from || other.to != instrument.to => {
            faults.report(&fallback.at, format_args!("`{name}` is for other regimes than this instrument"));
        }
        Some(other) if other.tia.as_ref().is_none_or(String::is_empty) => {
            faults.report(
                &fallback.at,
                format_args!("`{name}` needs its own assessment on file (`tia`) to be a fallback"),
            );
        }
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    const TWO: &str = concat!(
        "dpf: {from: EEA, to: US, basis: GDPR-45, recipients: [Acme Inc], review_by: 2027-02-11, fallback: scc}\n",
        "scc: {from: EEA, to: US, basis: GDPR-46-SCC, tia: TIA-1, valid_until: 2027-03-01}\n",
    );

    fn read(text: &str) -> (Instruments, String) {
        let (document, faults) = tollgate_config::parse("policies/residency.yaml", text);
        let list = crate::reading::entries(Some(document.root(&faults)));
        let laws = [("EEA", Some("GDPR")), ("UK", Some("UK-GDPR")), ("US", None)];
        let laws = laws.map(|(regime, law)| (regime.to_owned(), law.map(str::to_owned))).into();
        let instruments = Instruments::new(list, &laws, &faults);
        (instruments, faults.to_string())
    }

    const TO_ACME: Need<'_> = Need { from: "EEA", to: "US", recipient: "Acme Inc" };

    #[test]
    fn last_day_counts_and_the_fallback_takes_over() {
        let (instruments, faults) = read(TWO);
        assert_eq!(faults, "");
        let on = |day| instruments.in_force("dpf", &TO_ACME, day);
        assert_eq!(on(date!(2027 - 02 - 11)), Some("dpf"));
        assert_eq!(on(date!(2027 - 02 - 12)), Some("scc"));
        assert_eq!(on(date!(2027 - 03 - 01)), Some("scc"));
        assert_eq!(on(date!(2027 - 03 - 02)), None);
    }

    #[test]
    fn instrument_covers_only_its_regimes_and_recipients() {
        let (instruments, _) = read(TWO);
        let to = |recipient| Need { recipient, ..TO_ACME };
        let day = date!(2026 - 12 - 01);
        assert_eq!(instruments.in_force("dpf", &to("Vendor Inc"), day), Some("scc"));
        assert_eq!(instruments.in_force("dpf", &Need { to: "UK", ..TO_ACME }, day), None);
        assert_eq!(instruments.in_force("scc", &Need { from: "UK", ..TO_ACME }, day), None);
        assert_eq!(instruments.in_force("gone", &TO_ACME, day), None);
    }

    #[test]
    fn circle_of_fallbacks_ends() {
        let (instruments, _) = read(concat!(
            "a: {from: EEA, to: US, basis: GDPR-45, tia: T, review_by: 2020-01-01, fallback: b}\n",
            "b: {from: EEA, to: US, basis: GDPR-46, tia: T, review_by: 2020-01-01, fallback: a}\n",
        ));
        assert_eq!(instruments.in_force("a", &TO_ACME, date!(2026 - 12 - 01)), None);
    }

    #[test]
    fn undated_unfounded_and_dangling_instruments_are_faults() {
        let (_, faults) = read(concat!(
            "a: {from: EEA, to: US, basis: GDPR-45}\n",
            "b: {from: EEA, to: US, basis: UK-GDPR-45, review_by: 2027-01-01}\n",
            "c: {from: EEA, to: MARS, basis: GDPR-45, review_by: 2027-01-01}\n",
            "d: {from: EEA, to: US, basis: GDPR-45, review_by: 2027-13-01}\n",
            "e: {from: EEA, to: US, basis: GDPR-45, review_by: 2027-01-01, fallback: gone}\n",
            "f: {from: EEA, to: US, basis: GDPR-45, review_by: 2027-01-01, fallback: b}\n",
            "g: {from: US, to: EEA, basis: none, review_by: 2027-01-01}\n",
            "h: {from: EEA, to: US, basis: GDPR-45, review_by: 2027-01-01, caps: [raw]}\n",
            "i: {from: EEA, to: US, basis: GDPR-45, review_by: 2027-01-01, recipients: []}\n",
        ));
        for line in 1..=9 {
            assert!(faults.contains(&format!("residency.yaml:{line}:")), "nothing on line {line}:\n{faults}");
        }
    }
}
