//! How a link stands for data of one regime: by which instrument it is open, until when, and what comes after.
//!
//! Promises:
//! 1. The first instrument in the order of preference that holds on a day is in force on that day; its last day counts.

use std::fmt;

use time::Date;

/// The instrument that a link names for data of one regime, and its fallbacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing<'p> {
    terms: Vec<Term<'p>>,
}

/// An instrument that covers the transfer, and how long it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term<'p> {
    /// Its name.
    pub instrument: &'p str,
    /// Where in the exporter's law it stands.
    pub basis: &'p str,
    /// The last day on which it holds.
    pub last: LastDay,
}

/// Why an instrument ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastDay {
    /// It is valid until then.
    Valid(Date),
    /// It is to be reviewed by then.
    Review(Date),
}

impl LastDay {
    /// The day.
    #[must_use]
    pub fn day(self) -> Date {
        match self {
            Self::Valid(day) | Self::Review(day) => day,
        }
    }
}

impl fmt::Display for LastDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid(day) => write!(f, "valid until {day}"),
            Self::Review(day) => write!(f, "to be reviewed by {day}"),
        }
    }
}

impl<'p> Standing<'p> {
    /// The terms in order of preference.
    pub(crate) fn new(terms: Vec<Term<'p>>) -> Self {
        Self { terms }
    }

    /// The instrument in force on a day; where there is none, nothing crosses.
    #[must_use]
    pub fn in_force(&self, today: Date) -> Option<Term<'p>> {
        self.terms.iter().copied().find(|term| today <= term.last.day())
    }

    /// Those that would have come before the one in force and have ended; all of them where none is in force.
    pub fn ended(&self, today: Date) -> impl Iterator<Item = Term<'p>> {
        self.terms.iter().copied().take_while(move |term| term.last.day() < today)
    }

    /// Those that come into force one after the other if nobody changes the documents.
    #[must_use]
    pub fn later(&self, today: Date) -> Vec<Term<'p>> {
        let mut later = Vec::new();
        let mut before = self.in_force(today);
        while let Some(next) = before.and_then(|term| self.in_force(term.last.day().next_day()?)) {
            later.push(next);
            before = Some(next);
        }
        later
    }

    /// The first day from which none of them holds any more; `None` where none ever did.
    #[must_use]
    pub fn closed_from(&self) -> Option<Date> {
        self.terms.iter().map(|term| term.last.day()).max()?.next_day()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    fn term(instrument: &'static str, last: Date) -> Term<'static> {
        Term { instrument, basis: "GDPR-45", last: LastDay::Valid(last) }
    }

    fn names<'p>(terms: impl IntoIterator<Item = Term<'p>>) -> Vec<&'p str> {
        terms.into_iter().map(|term| term.instrument).collect()
    }

    #[test]
    fn each_day_has_its_instrument_until_the_last_has_ended() {
        let days = [date!(2027 - 02 - 11), date!(2027 - 01 - 01), date!(2027 - 03 - 01), date!(2027 - 02 - 20)];
        let standing =
            Standing::new(["a", "b", "c", "d"].into_iter().zip(days).map(|(name, day)| term(name, day)).collect());
        let on = |day| (names(standing.in_force(day)), names(standing.ended(day)), names(standing.later(day)));
        assert_eq!(on(date!(2026 - 12 - 01)), (vec!["a"], vec![], vec!["c"]), "b ends before a, and d before c");
        assert_eq!(on(date!(2027 - 02 - 11)), (vec!["a"], vec![], vec!["c"]), "the last day counts");
        assert_eq!(on(date!(2027 - 02 - 12)), (vec!["c"], vec!["a", "b"], vec![]));
        assert_eq!(on(date!(2027 - 03 - 02)), (vec![], vec!["a", "b", "c", "d"], vec![]));
        assert_eq!(standing.closed_from(), Some(date!(2027 - 03 - 02)));
    }

    #[test]
    fn without_instruments_a_link_was_never_open() {
        let standing = Standing::new(Vec::new());
        assert_eq!((standing.in_force(Date::MIN), standing.closed_from()), (None, None));
        let endless = Standing::new(vec![term("a", Date::MAX)]);
        assert_eq!((names(endless.in_force(Date::MAX)), endless.closed_from()), (vec!["a"], None));
    }
}
