//! What a root's file is called: the first moment of its epoch and how long that lasts, so that a root made for one length of
//! epochs is never taken for another's.

use std::ops::Range;
use std::time::Duration;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};
use tollgate_redaction::Epoch;

/// What a file is a root by. Others in the folder are not looked at.
pub(crate) const SUFFIX: &str = ".root";
const IN_NAMES: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");
const IN_TEXT: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// The file name of an epoch's root; none for a time beyond the calendar.
pub(crate) fn of(epoch: Epoch) -> Option<String> {
    let start = moment(epoch.seconds().start)?.format(IN_NAMES).ok()?;
    Some(format!("{start}-{}{SUFFIX}", length_text(epoch.length())))
}

/// The epoch that a root's file is named after; none for any other name.
pub(crate) fn epoch(name: &str) -> Option<Epoch> {
    let (start, length) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    let start = PrimitiveDateTime::parse(start, IN_NAMES).ok()?.assume_utc().unix_timestamp_nanos();
    let (count, unit) = length.split_at_checked(length.len().checked_sub(1)?)?;
    let unit = UNITS.iter().find(|(name, _)| *name == unit)?.1;
    let length = Duration::from_secs(count.parse::<u64>().ok()?.checked_mul(unit)?);
    let epoch = Epoch::at(u64::try_from(start).ok()?, length);
    // A start between two epochs and a length in another unit are other spellings of this one's name.
    (of(epoch)? == name).then_some(epoch)
}

/// How long epochs last, as documents say it.
#[must_use]
pub fn length_text(length: Duration) -> String {
    let seconds = length.as_secs();
    let unit = UNITS.iter().find(|(_, unit)| seconds.is_multiple_of(*unit)).unwrap_or(&("s", 1));
    format!("{}{}", seconds / unit.1, unit.0)
}

/// When an epoch begins and the next one does, as people and JSON read it.
#[must_use]
pub fn start_text(epoch: Epoch) -> Range<String> {
    let Range { start, end } = epoch.seconds();
    let text = |seconds| moment(seconds).and_then(|moment| moment.format(IN_TEXT).ok()).unwrap_or_default();
    text(start)..text(end)
}

pub(crate) fn moment(seconds: u64) -> Option<OffsetDateTime> {
    // Years of five digits have no place in the names.
    let moment = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
    (moment.year() <= 9999).then_some(moment)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn name_says_when_the_epoch_begins_and_how_long_it_lasts() {
        let epoch = Epoch::at(1_796_126_400_000_000_000, Duration::from_secs(30 * 86_400));
        assert_eq!(of(epoch).as_deref(), Some("20261103T000000Z-30d.root"));
        assert_eq!(start_text(epoch), "2026-11-03T00:00:00Z".to_owned().."2026-12-03T00:00:00Z".to_owned());
    }

    #[test]
    fn only_one_spelling_is_a_name() {
        for name in [
            "20261104T000000Z-30d.root",
            "20261103T000000Z-720h.root",
            "20261103T000000Z-030d.root",
            "20261103T000000Z-0d.root",
            "20261103T000000Z-+30d.root",
            "20261103T000000Z-30d.root.new",
            "20261103T000000Z-99999999999999999999d.root",
            "20261103T000000Z-.root",
            "20261103T000000Z-é.root",
            "user.root",
            ".root",
            "",
        ] {
            assert_eq!(epoch(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn names_read_back(seconds in 0..18_446_744_073_u64, length in 1..100_000_000_u64) {
            let at = Epoch::at(seconds * 1_000_000_000, Duration::from_secs(length));
            if let Some(name) = of(at) {
                prop_assert_eq!(epoch(&name), Some(at));
            }
        }

        #[test]
        fn no_name_makes_it_panic(name in "\\PC{0,40}") {
            epoch(&name);
            epoch(&(name + SUFFIX));
        }
    }
}
