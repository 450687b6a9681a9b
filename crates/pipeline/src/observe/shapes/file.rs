//! The file of shapes: what `tollgate policy diff --shapes` reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};
use tollgate_federation::Signal;
use tollgate_residency::Carrier;

use super::Shape;

pub(super) const NAME: &str = "shapes.json";
const VERSION: u64 = 1;
/// More than any collector writes.
const LARGEST: u64 = 16 << 20;
const DAY: f64 = 86_400.0;

/// What one collector recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The region that the records are from.
    pub region: String,
    /// The regime that it lies in.
    pub regime: String,
    /// From when to when, in seconds since the Unix epoch.
    pub period: (u64, u64),
    /// Of the records that were looked at or stood for, how many have each shape.
    pub shapes: BTreeMap<Shape, u64>,
    /// How often there was no room for one shape more.
    pub left_out: u64,
    /// What catalogues listed all the time that shapes were recorded; none where nobody knows.
    pub(super) listed: Option<BTreeSet<String>>,
    pub(super) records: BTreeMap<Signal, Records>,
}

/// What the shapes know of a key, by what catalogues listed while they were recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knows {
    /// It was listed by itself, so all of it goes by its name.
    All,
    /// It was not listed by itself all the time, but a template around it was: some of it may go by that.
    BelowTemplates,
    /// It had no class, at least for a time: of some of it nothing is known.
    NotAll,
    /// The shapes are of a release that did not write down what was listed.
    NotSaid,
}

/// Records of one signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) passed: u64,
    pub(super) looked_at: u64,
}

impl Recorded {
    /// Reads a file of shapes.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub fn read(path: &Path) -> io::Result<Self> {
        if fs::metadata(path)?.len() > LARGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let value: Value = serde_json::from_slice(&fs::read(path)?)?;
        Self::decode(&value).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a file of shapes"))
    }

    /// How many records a day have an attribute of one of these names, in a carrier or in any: at most, because one may have
    /// it in several shapes.
    #[must_use]
    pub fn records_a_day(&self, signal: Signal, names: &[&str], carrier: Option<Carrier>) -> f64 {
        let is_there = |shape: &Shape| carrier.is_none_or(|carrier| shape.carrier == carrier.as_str());
        let is_meant = |shape: &Shape| shape.signal == signal && names.contains(&shape.attribute.as_str());
        let of = self.shapes.iter().filter(|(shape, _)| is_meant(shape) && is_there(shape));
        let count = of.fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        let looked_at = self.looked_at(signal);
        let all = self.all_records_a_day(signal);
        if looked_at == 0 { 0.0 } else { (count as f64 / looked_at as f64 * all).min(all) }
    }

    /// What is known of a key, or of a template.
    #[must_use]
    pub fn knows(&self, key: &str) -> Knows {
        let Some(listed) = &self.listed else { return Knows::NotSaid };
        if listed.contains(key) {
            return Knows::All;
        }
        let is_around = templates_around(key).any(|template| listed.contains(&template));
        if is_around { Knows::BelowTemplates } else { Knows::NotAll }
    }

    /// How many records of a signal were looked at.
    #[must_use]
    pub fn looked_at(&self, signal: Signal) -> u64 {
        self.records.get(&signal).map_or(0, |records| records.looked_at)
    }

    /// How many records of a signal there are a day.
    #[must_use]
    pub fn all_records_a_day(&self, signal: Signal) -> f64 {
        let passed = self.records.get(&signal).map_or(0, |records| records.passed);
        let seconds = self.period.1.saturating_sub(self.period.0).max(1);
        passed as f64 / seconds as f64 * DAY
    }

    pub(super) fn of_mut(&mut self, signal: Signal) -> &mut Records {
        self.records.entry(signal).or_default()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let one = |(shape, count): (&Shape, &u64)| {
            let Shape { signal, carrier, attribute, class, kind, length } = shape;
            json!({
                "signal": signal.as_str(), "carrier": carrier, "attribute": attribute, "class": class, "type": kind,
                "length": length, "records": count,
            })
        };
        let records = self.records.iter().map(|(signal, records)| {
            (signal.as_str().to_owned(), json!({"passed": records.passed, "looked_at": records.looked_at}))
        });
        let value = json!({
            "version": VERSION, "region": self.region, "regime": self.regime, "from": self.period.0, "to": self.period.1,
            "records": records.collect::<serde_json::Map<_, _>>(), "left_out": self.left_out,
            "listed": self.listed, "shapes": self.shapes.iter().map(one).collect::<Vec<_>>(),
        });
        format!("{value:#}\n").into_bytes()
    }

    fn decode(value: &Value) -> Option<Self> {
        let number = |value: &Value, key| value.get(key)?.as_u64();
        let text = |value: &Value, key| Some(value.get(key)?.as_str()?.to_owned());
        if number(value, "version")? != VERSION {
            return None;
        }
        let records = |(signal, of): (&String, &Value)| {
            let records = Records { passed: number(of, "passed")?, looked_at: number(of, "looked_at")? };
            Some((signal.parse().ok()?, records))
        };
        let name = |one: &Value| one.as_str().map(str::to_owned);
        let shape = |one: &Value| {
            let shape = Shape {
                signal: text(one, "signal")?.parse().ok()?,
                carrier: text(one, "carrier")?,
                attribute: text(one, "attribute")?,
                class: text(one, "class")?,
                kind: text(one, "type")?,
                length: number(one, "length")?,
            };
            Some((shape, number(one, "records")?))
        };
        Some(Self {
            region: text(value, "region")?,
            regime: text(value, "regime")?,
            period: (number(value, "from")?, number(value, "to")?),
            shapes: value.get("shapes")?.as_array()?.iter().map(shape).collect::<Option<_>>()?,
            left_out: number(value, "left_out")?,
            listed: value.get("listed").and_then(Value::as_array).map(|names| names.iter().filter_map(name).collect()),
            records: value.get("records")?.as_object()?.iter().map(records).collect::<Option<_>>()?,
        })
    }
}

/// Every template that a key, or a template, lies below.
pub fn templates_around(key: &str) -> impl Iterator<Item = String> {
    let stem = key.strip_suffix(".*").unwrap_or(key);
    stem.match_indices('.').filter_map(|(at, _)| Some(format!("{}.*", stem.get(..at)?)))
}
