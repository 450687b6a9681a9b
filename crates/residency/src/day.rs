//! The day on which a policy is asked, and dates in documents.

use time::Date;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tollgate_config::Value;

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// When a policy is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// On one day: what has passed no longer holds.
    On(Date),
    /// On any day: whatever could hold is taken to hold, so that what is proved stays proved tomorrow.
    Ever,
}

impl When {
    /// Whether something whose last day this is has ended. The last day counts.
    pub(crate) fn is_after(self, last: Date) -> bool {
        match self {
            Self::On(today) => last < today,
            Self::Ever => false,
        }
    }
}

/// Reads a date as documents write it: `2027-02-11`.
#[must_use]
pub fn parse_day(text: &str) -> Option<Date> {
    Date::parse(text, DAY).ok()
}

/// Reads a date.
pub(crate) fn day(value: Value<'_>) -> Option<Date> {
    let date = value.as_text().and_then(parse_day);
    if date.is_none() {
        value.expected("a date such as 2027-02-11");
    }
    date
}
