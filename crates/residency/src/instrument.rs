//! Legal instruments: the dated facts that justify a link.
//!
//! Promises:
//! 1. Each has an end or a review date; once it has passed, the instrument no longer holds a link open.
//! 2. A fallback covers the same two regimes and has its own assessment on file.

use std::collections::BTreeMap;

use time::Date;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tollgate_config::{Faults, Located, Value};
use tollgate_federation::Reliance;

use crate::document::{Laws, regime};
use crate::reading::{Found, if_there};
use crate::standing::{LastDay, Standing, Term};

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// A dated legal fact.
#[derive(Debug, Clone)]
struct Instrument {
    from: String,
    to: String,
    /// Where in the exporter's law it stands.
    basis: String,
    /// The legal entities that may receive under it; any, if none is named.
    recipients: Option<Vec<String>>,
    fallback: Option<String>,
    last: LastDay,
}

impl Instrument {
    /// Says whether it covers a transfer between two regimes to a legal entity.
    fn covers(&self, need: &Need<'_>) -> bool {
        let named = self.recipients.as_ref().is_none_or(|list| list.iter().any(|entity| entity == need.recipient));
        self.from == need.from && self.to == need.to && named
    }

    fn term<'i>(&'i self, name: &'i str) -> Term<'i> {
        Term { instrument: name, basis: &self.basis, last: self.last }
    }
}

/// What could be read of an instrument. The inner `None` is what was not said.
#[derive(Debug)]
struct Draft {
    from: Option<String>,
    to: Option<String>,
    recipients: Option<Option<Vec<String>>>,
    /// The transfer impact assessment on file.
    tia: Option<Option<String>>,
    fallback: Option<Option<Located<String>>>,
    instrument: Option<Instrument>,
}

impl Draft {
    fn read(value: Value<'_>, laws: &Laws) -> Self {
        let Some(mut fields) = value.fields() else {
            return Self { from: None, to: None, recipients: None, tia: None, fallback: None, instrument: None };
        };
        let from = fields.required_value("from").and_then(|value| regime(value, laws));
        let to = fields.required_value("to").and_then(|value| regime(value, laws));
        let basis = fields.required_value("basis").and_then(|value| basis(value, from.as_deref(), laws));
        let recipients = if_there(fields.value("recipients"), recipients);
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
            let last = last_day(dates.0?, dates.1?)?;
            let (from, to, recipients) = (from.clone()?, to.clone()?, recipients.clone()?);
            known.and(Some(Instrument { from, to, basis: basis?, recipients, fallback, last }))
        };
        let instrument = instrument();
        Self { from, to, recipients, tia: known.and(tia), fallback, instrument }
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
    let expected = law.as_deref().map_or_else(|| "none is given".to_owned(), |law| format!("{law}-<article>"));
    value.fault(format_args!("`{basis}` is no basis in the export law of {from}: {expected}"));
    None
}

/// An instrument without the key covers any recipient; one from whose list the last was struck must not.
fn recipients(value: Value<'_>) -> Option<Vec<String>> {
    let list: Vec<String> = value.read()?;
    if list.is_empty() {
        value.fault("an instrument that covers nobody justifies nothing: name a recipient, or leave the key out");
        return None;
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
#[derive(Debug)]
pub(crate) struct Instruments {
    drafts: BTreeMap<String, Draft>,
    /// Whether these are all: in a section that could not be read any may stand.
    complete: bool,
}

impl Default for Instruments {
    fn default() -> Self {
        Self { drafts: BTreeMap::new(), complete: true }
    }
}

impl Instruments {
    pub(crate) fn read(section: Value<'_>, laws: &Laws) -> Self {
        let Some(entries) = section.entries() else { return Self { complete: false, ..Self::default() } };
        let drafts = entries.into_iter().map(|(key, value)| (key.value, Draft::read(value, laws))).collect();
        let instruments = Self { drafts, complete: true };
        for draft in instruments.drafts.values() {
            instruments.check_fallback(draft, section.faults());
        }
        instruments
    }

    fn check_fallback(&self, draft: &Draft, faults: &Faults) {
        let Some(Some(Located { value: name, at })) = &draft.fallback else { return };
        let Some(other) = self.drafts.get(name) else {
            faults.report(at, format_args!("no instrument is called `{name}`"));
            return;
        };
        if differ(&draft.from, &other.from) || differ(&draft.to, &other.to) {
            faults.report(at, format_args!("`{name}` is for other regimes than this instrument"));
        }
        if other.tia.as_ref().is_some_and(|tia| tia.as_deref().is_none_or(str::is_empty)) {
            faults.report(at, format_args!("`{name}` needs its own assessment on file (`tia`) to be a fallback"));
        }
    }

    /// Checks that what a link relies on is there and covers what crosses, as far as either is known.
    pub(crate) fn check_reliance(&self, reliance: &Reliance, faults: &Faults) {
        let Located { value: name, at } = &reliance.instrument;
        let Some(draft) = self.drafts.get(name) else {
            if self.complete {
                faults.report(at, format_args!("no instrument is called `{name}`"));
            }
            return;
        };
        let Some(reaching) = &reliance.reaching else { return };
        let (needed_from, needed_to) = (reliance.origin.as_str(), reaching.as_str());
        match (&draft.from, &draft.to, &draft.recipients, &reliance.recipient) {
            (Some(from), Some(to), _, _) if from != needed_from || to != needed_to => {
                let message =
                    format_args!("instrument `{name}` is for {from} to {to}, not for {needed_from} to {needed_to}");
                faults.report(at, message);
            }
            (_, _, Some(Some(listed)), Some(recipient)) if !listed.contains(recipient) => {
                faults.report(at, format_args!("instrument `{name}` is not for the recipient {recipient}"));
            }
            _ => {}
        }
    }

    /// Returns how a link stands that names this instrument: it and its fallbacks, as far as they cover the transfer.
    pub(crate) fn standing(&self, name: &str, need: &Need<'_>) -> Standing<'_> {
        let mut next = self.drafts.get_key_value(name);
        // A chain longer than the list is a circle.
        let chain = (0..self.drafts.len()).map_while(|_| {
            let (name, draft) = next?;
            let instrument = draft.instrument.as_ref()?;
            next = instrument.fallback.as_ref().and_then(|fallback| self.drafts.get_key_value(fallback));
            Some((name, instrument))
        });
        let covering = chain.filter(|(_, instrument)| instrument.covers(need));
        Standing::new(covering.map(|(name, instrument)| instrument.term(name)).collect())
    }
}

fn differ(one: &Option<String>, other: &Option<String>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}

/// What an instrument is to justify.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) recipient: &'a str,
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
        let mut laws = Laws::default();
        for (regime, law) in [("EEA", Some("GDPR")), ("UK", Some("UK-GDPR")), ("US", None)] {
            laws.insert(regime, Some(law.map(str::to_owned)));
        }
        laws.insert("CH", None);
        let instruments = Instruments::read(document.root(&faults), &laws);
        (instruments, faults.to_string())
    }

    fn in_force<'i>(instruments: &'i Instruments, name: &str, need: &Need<'_>, today: Date) -> Option<&'i str> {
        instruments.standing(name, need).in_force(today).map(|term| term.instrument)
    }

    const TO_ACME: Need<'_> = Need { from: "EEA", to: "US", recipient: "Acme Inc" };

    #[test]
    fn last_day_counts_and_the_fallback_takes_over() {
        let (instruments, faults) = read(TWO);
        assert_eq!(faults, "");
        let on = |day| in_force(&instruments, "dpf", &TO_ACME, day);
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
        assert_eq!(in_force(&instruments, "dpf", &to("Vendor Inc"), day), Some("scc"));
        assert_eq!(in_force(&instruments, "dpf", &Need { to: "UK", ..TO_ACME }, day), None);
        assert_eq!(in_force(&instruments, "scc", &Need { from: "UK", ..TO_ACME }, day), None);
        assert_eq!(in_force(&instruments, "gone", &TO_ACME, day), None);
    }

    #[test]
    fn circle_of_fallbacks_ends() {
        let (instruments, _) = read(concat!(
            "a: {from: EEA, to: US, basis: GDPR-45, tia: T, review_by: 2020-01-01, fallback: b}\n",
            "b: {from: EEA, to: US, basis: GDPR-46, tia: T, review_by: 2020-01-01, fallback: a}\n",
        ));
        assert_eq!(in_force(&instruments, "a", &TO_ACME, date!(2026 - 12 - 01)), None);
    }

    #[test]
    fn of_two_dates_the_first_closes() {
        let (instruments, faults) = read(concat!(
            "a: {from: EEA, to: US, basis: GDPR-45, valid_until: 2027-05-01, review_by: 2027-04-01}\n",
            "b: {from: EEA, to: US, basis: GDPR-45, valid_until: 2027-05-01, review_by: 2027-06-01}\n",
        ));
        assert_eq!(faults, "");
        let last = |name| instruments.standing(name, &TO_ACME).in_force(date!(2026 - 12 - 01)).unwrap().last;
        assert_eq!(last("a"), LastDay::Review(date!(2027 - 04 - 01)));
        assert_eq!(last("b"), LastDay::Valid(date!(2027 - 05 - 01)));
    }

    #[test]
    fn a_fault_of_an_instrument_hides_no_other_and_is_not_repeated() {
        let (_, faults) = read(concat!(
            "a: {from: MARS, to: PLUTO, basis: 7, valid_until: soon, recipients: [], fallback: gone, tia: 7, extra: 1}\n",
            "b: {from: EEA, to: US, basis: UK-GDPR-45, valid_untill: 2027-01-01, fallback: c}\n",
            "c: {from: UK, to: US, basis: UK-GDPR-45, review_by: 7}\n",
            "d: {from: CH, to: EEA, basis: FADP-16, review_by: 2027-01-01, fallback: e}\n",
            "e: 7\n",
        ));
        let places: Vec<&str> = faults
            .lines()
            .filter_map(|line| line.split(": ").next()?.strip_prefix("policies/residency.yaml:"))
            .collect();
        let expected = [
            "1:11", "1:21", "1:35", "1:51", "1:69", "1:83", "1:94", "1:97", "2:31", "2:43", "2:79", "2:79", "3:53",
            "5:4",
        ];
        assert_eq!(places, expected, "{faults}");
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
