//! How many records a day a change touches, by the shapes that collectors recorded.
//!
//! An estimate from above: a record that has an attribute in two shapes counts twice, up to all records there are.

use std::cmp::Reverse;
use std::path::PathBuf;

use tollgate_pipeline::{Knows, Recorded, templates_around};
use tollgate_residency::{Difference, Subject};

use crate::commands::unproved::Unproved;
use crate::exit::Exit;

/// What the collectors recorded.
pub(super) struct Touched {
    files: Vec<Recorded>,
}

/// What a difference touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touches {
    /// At most so many records a day.
    Records(u64),
    /// The shapes cannot say: the key had no class when they were recorded, or not all the time.
    HadNoClass,
    /// Nor can they here: no record of that region and signal was looked at.
    NotLookedAt,
}

impl Touches {
    pub(super) fn records(self) -> Option<u64> {
        match self {
            Self::Records(records) => Some(records),
            Self::HadNoClass | Self::NotLookedAt => None,
        }
    }
}

impl Touched {
    /// Reads the files; `None` if there are none to read.
    pub(super) fn read(files: &[PathBuf]) -> Result<Option<Self>, Exit> {
        let read =
            |file: &PathBuf| Recorded::read(file).map_err(|error| Exit::failed(format!("{}: {error}", file.display())));
        let files: Vec<_> = files.iter().map(read).collect::<Result<_, _>>()?;
        Ok((!files.is_empty()).then_some(Self { files }))
    }

    /// What each difference touches.
    pub(super) fn by(&self, told: &[Difference], old: &Unproved, new: &Unproved) -> Vec<Touches> {
        told.iter().map(|one| self.of(one, old, new)).collect()
    }

    /// How often there was no room for one shape more: of what they had, the files say nothing.
    pub(super) fn left_out(&self) -> u64 {
        self.files.iter().fold(0, |sum, recorded| sum.saturating_add(recorded.left_out))
    }

    fn of(&self, one: &Difference, old: &Unproved, new: &Unproved) -> Touches {
        let region = one.link.0.split('/').next().unwrap_or_default();
        let home = old.federation.region(region).or_else(|| new.federation.region(region));
        let is_home = home.is_some_and(|home| *home.regime() == one.origin);
        // Those of the link's own region, or of the origin where it came from elsewhere.
        let concerned = |recorded: &&Recorded| {
            recorded.regime == one.origin.as_str()
                && (!is_home || recorded.region == region)
                && recorded.looked_at(one.signal) > 0
        };
        let concerned: Vec<_> = self.files.iter().filter(concerned).collect();
        if concerned.is_empty() {
            return Touches::NotLookedAt;
        }
        let Subject::Attribute { name, carrier } = &one.subject else {
            // What is no attribute may be in any record.
            let all = concerned.iter().map(|recorded| recorded.all_records_a_day(one.signal));
            return Touches::Records(rounded(all.sum()));
        };
        // What is recorded is named as the documents of then named it: by an attribute's first name, or the template around it.
        let known = [old, new].map(|set| set.policy.classify(name).map(|(_, first)| first));
        let names: Vec<&str> = known.into_iter().flatten().chain([name.as_str()]).collect();
        let around: Vec<String> = templates_around(name).collect();
        let first = |template: &String| [old, new].map(|set| set.policy.classify(template).map(|(_, first)| first));
        let around: Vec<&str> =
            around.iter().flat_map(first).flatten().chain(around.iter().map(String::as_str)).collect();
        let of = |recorded: &&Recorded| {
            let around = around.iter().filter(|_| recorded.knows(name) == Knows::BelowTemplates);
            let names: Vec<&str> = names.iter().chain(around).copied().collect();
            recorded.records_a_day(one.signal, &names, *carrier)
        };
        let records = rounded(concerned.iter().map(of).sum());
        let is_new = matches!(known, [None, Some(_)]) && !name.ends_with(".*");
        let had_no_class = |recorded: &&Recorded| match recorded.knows(name) {
            Knows::All | Knows::BelowTemplates => false,
            Knows::NotAll => true,
            Knows::NotSaid => is_new && records == 0,
        };
        if concerned.iter().any(had_no_class) { Touches::HadNoClass } else { Touches::Records(records) }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of records is far below 2^53")]
fn rounded(records: f64) -> u64 {
    records.round().max(0.0) as u64
}

/// What is touched most first; what no record has is only counted, and so is what nothing is known of.
pub(super) fn text(told: &[Difference], touched: &[Touches], left_out: u64) -> String {
    if told.is_empty() {
        return String::new();
    }
    let mut some: Vec<_> = told.iter().zip(touched).filter(|(_, touches)| is_told(**touches)).collect();
    some.sort_by_key(|(one, touches)| (Reverse(touches.records()), &one.item));
    let line = |(one, touches): &(&Difference, &Touches)| {
        let Difference { change, link, signal, item, .. } = one;
        let how_many = touches.records().map_or_else(
            || "nobody knows how many: it had no class when shapes were recorded, or not all the time".to_owned(),
            |records| format!("at most {records} records a day"),
        );
        format!("  {item} of {signal} over {} → {} {}: {how_many}\n", link.0, link.1, change.as_str())
    };
    let mut text = "by the shapes that were recorded this touches\n".to_owned();
    some.iter().for_each(|one| text += &line(one));
    let count = |what| touched.iter().filter(|touches| **touches == what).count();
    let (nothing, unknown) = (count(Touches::Records(0)), count(Touches::NotLookedAt));
    if nothing > 0 {
        text += &format!("  and nothing by {nothing} of {} changes: no record had such an attribute\n", told.len());
    }
    if unknown > 0 {
        text += &format!(
            "  the shapes say nothing of {unknown} of {} changes: no record of that region and signal was looked at\n",
            told.len()
        );
    }
    if left_out > 0 {
        text += &format!("  and {left_out} times there was no room for one shape more: it may be more\n");
    }
    text
}

fn is_told(touches: Touches) -> bool {
    !matches!(touches, Touches::Records(0) | Touches::NotLookedAt)
}
