//! How many records a day a change touches, by the shapes that collectors recorded.
//!
//! An estimate from above: a record that has an attribute in two shapes counts twice, up to all records there are.

use std::cmp::Reverse;
use std::path::PathBuf;

use tollgate_pipeline::Recorded;
use tollgate_residency::{Carrier, Difference, Holds};

use crate::commands::unproved::Unproved;
use crate::exit::Exit;

/// What the collectors recorded.
pub(super) struct Touched(Vec<Recorded>);

impl Touched {
    /// Reads the files; `None` if there are none to read.
    pub(super) fn read(files: &[PathBuf]) -> Result<Option<Self>, Exit> {
        let read =
            |file: &PathBuf| Recorded::read(file).map_err(|error| Exit::failed(format!("{}: {error}", file.display())));
        let recorded: Vec<_> = files.iter().map(read).collect::<Result<_, _>>()?;
        Ok((!recorded.is_empty()).then_some(Self(recorded)))
    }

    /// Records a day of each difference; `None` where the shapes cannot say: the key had no class when they were recorded.
    pub(super) fn by(&self, told: &[Difference], old: &Unproved, new: &Unproved) -> Vec<Option<u64>> {
        told.iter().map(|one| self.of(one, old, new)).collect()
    }

    fn of(&self, one: &Difference, old: &Unproved, new: &Unproved) -> Option<u64> {
        // What is recorded is named as the documents of then named it: those of before, at the latest.
        let was_known = old.policy.classify(&one.item).is_some() || one.item.ends_with(".*");
        let is_new = !was_known && new.policy.classify(&one.item).is_some();
        if is_new && self.attribute(one) == 0.0 {
            return None;
        }
        let records = if holds_attributes_or_is_none(&one.item) { self.attribute(one) } else { self.all(one) };
        Some(rounded(records))
    }

    /// The collectors whose data it is about: those of the link's own region, or of the origin where it came from elsewhere.
    fn concerned<'t>(&'t self, one: &'t Difference) -> impl Iterator<Item = &'t Recorded> {
        let of_origin = |recorded: &&Recorded| recorded.regime == one.origin.as_str();
        let region = one.link.0.split('/').next().unwrap_or_default();
        let is_home = self.0.iter().any(|recorded| recorded.region == region && of_origin(&recorded));
        self.0.iter().filter(of_origin).filter(move |recorded| !is_home || recorded.region == region)
    }

    fn attribute(&self, one: &Difference) -> f64 {
        self.concerned(one).map(|recorded| recorded.records_a_day(one.signal, &one.item)).sum()
    }

    /// A carrier that is no list of attributes: any record may hold it.
    fn all(&self, one: &Difference) -> f64 {
        self.concerned(one).map(|recorded| recorded.all_records_a_day(one.signal)).sum()
    }
}

fn holds_attributes_or_is_none(item: &str) -> bool {
    let carrier = Carrier::ALL.iter().find(|carrier| carrier.as_str() == item);
    carrier.is_none_or(|carrier| matches!(carrier.holds(), Holds::Attributes))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of records is far below 2^53")]
fn rounded(records: f64) -> u64 {
    records.round().max(0.0) as u64
}

/// What is touched most first; what no record has is only counted.
pub(super) fn text(told: &[Difference], touched: &[Option<u64>]) -> String {
    if told.is_empty() {
        return String::new();
    }
    let (nothing, mut some): (Vec<_>, Vec<_>) = told.iter().zip(touched).partition(|(_, records)| **records == Some(0));
    some.sort_by_key(|(one, records)| (Reverse(**records), &one.item));
    let line = |(one, records): &(&Difference, &Option<u64>)| {
        let Difference { change, link, signal, item, .. } = one;
        let how_many = records.map_or_else(
            || "nobody knows how many: it had no class when shapes were recorded".to_owned(),
            |records| format!("at most {records} records a day"),
        );
        format!("  {item} of {signal} over {} → {} {}: {how_many}\n", link.0, link.1, change.as_str())
    };
    let head = "by the shapes that were recorded this touches\n".to_owned();
    let mut text = head + &some.iter().map(line).collect::<String>();
    if !nothing.is_empty() {
        text +=
            &format!("  and nothing by {} of {} changes: no record had such an attribute\n", nothing.len(), told.len());
    }
    text
}
