//! `Retry-After` of an HTTP answer: seconds, or a date (RFC 9110, section 10.2.3).
//!
//! Promises:
//! 1. A date is measured against the answer's own `Date`, so the peer's clock may be wrong.
//! 2. Never longer than [`MAX_RETRY_DELAY`].

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

use crate::answer::MAX_RETRY_DELAY;

/// How long the peer asked us to wait, if it did.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = match value.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => seconds_of(value)?.saturating_sub(seconds_of(headers.get(DATE)?.to_str().ok()?)?),
    };
    Some(Duration::from_secs(seconds).min(MAX_RETRY_DELAY))
}

/// Seconds since the epoch of an IMF-fixdate such as `Sun, 06 Nov 1994 08:49:37 GMT`, the only form that may be sent.
fn seconds_of(date: &str) -> Option<u64> {
    let parts: Vec<&str> = date.strip_suffix(" GMT")?.split_once(", ")?.1.split([' ', ':']).collect();
    let [day, month, year, hours, minutes, seconds] = parts[..] else { return None };
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        .iter()
        .position(|name| *name == month)?;
    let number = |text: &str, most: u64| text.parse::<u64>().ok().filter(|number| *number <= most);
    let days = days_before(number(year, 9999)?, month as u64)? + number(day, 31)?.checked_sub(1)?;
    Some(((days * 24 + number(hours, 23)?) * 60 + number(minutes, 59)?) * 60 + number(seconds, 60)?)
}

/// Days from the epoch to the first of a month (0 is January) of the Gregorian calendar.
fn days_before(year: u64, month: u64) -> Option<u64> {
    // Counted from March, the leap day is a year's last, and months take 153 days in five.
    let (year, month) = if month < 2 { (year.checked_sub(1)?, month + 10) } else { (year, month - 2) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5;
    days.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(retry: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        retry_after(&headers)
    }

    #[test]
    fn seconds_and_dates_are_read() {
        assert_eq!(asked("7", None), Some(Duration::from_secs(7)));
        let date = asked("Wed, 21 Oct 2015 07:28:05 GMT", Some("Wed, 21 Oct 2015 07:27:50 GMT"));
        assert_eq!(date, Some(Duration::from_secs(15)));
        let past = asked("Wed, 21 Oct 2015 07:28:05 GMT", Some("Wed, 21 Oct 2015 08:00:00 GMT"));
        assert_eq!(past, Some(Duration::ZERO));
    }

    #[test]
    fn dates_are_counted_right() {
        for (date, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799),
            ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
        ] {
            assert_eq!(seconds_of(date), Some(seconds), "{date}");
        }
    }

    #[test]
    fn nonsense_is_no_delay_and_long_ones_are_cut() {
        for text in ["soon", "-1", "", "1.5", "Wed, 00 Oct 2015 07:28:00 GMT", "Wed, 21 Okt 2015 07:28:00 GMT"] {
            assert_eq!(asked(text, Some("Wed, 21 Oct 2015 07:28:00 GMT")), None, "{text:?}");
        }
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT", None), None);
        assert_eq!(asked("18446744073709551615", None), Some(MAX_RETRY_DELAY));
    }
}
