//! Regimes, and the origin of data: the set of regimes it comes from.
//!
//! Promises:
//! 1. An origin is never empty, and equal sets are equal whatever their order of writing.
//! 2. Its text reads back as the same origin; any other text is refused without a panic.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use tollgate_config::{Read, Value};

/// The name of a legal regime, such as `EEA`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Regime(Arc<str>);

/// The regimes that data comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(Arc<[Regime]>);

/// Why a text is no regime or origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Not the name of a regime.
    #[error("a regime is 1 to 16 of A-Z, 0-9 and '-', beginning with a letter, such as EEA")]
    Regime,
    /// More regimes than any data comes from.
    #[error("an origin has at most {MAX_REGIMES} regimes")]
    TooMany,
    /// Written in another order, or a regime twice: two texts of one origin would be two names of one lane.
    #[error("the regimes of an origin are written sorted, each once")]
    NotSorted,
}

/// More than there are regimes in any federation; bounds what a manifest can make us allocate.
const MAX_REGIMES: usize = 16;

impl Regime {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Regime {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let allowed = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
        let begins = text.bytes().next().is_some_and(|b| b.is_ascii_uppercase());
        if begins && text.len() <= 16 && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(OriginError::Regime)
        }
    }
}

impl Read for Regime {
    fn read(value: Value<'_>) -> Option<Self> {
        value.parse()
    }
}

impl fmt::Display for Regime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Origin {
    /// The origin of data that comes from one regime.
    pub fn of(regime: Regime) -> Self {
        Self(Arc::new([regime]))
    }

    /// The regimes, sorted.
    pub fn regimes(&self) -> &[Regime] {
        &self.0
    }

    /// Whether the data comes from this regime, alone or among others.
    pub fn contains(&self, regime: &Regime) -> bool {
        self.0.contains(regime)
    }

    /// Whether every regime of the origin is in `allowed`.
    pub fn is_within(&self, allowed: &BTreeSet<Regime>) -> bool {
        self.0.iter().all(|regime| allowed.contains(regime))
    }

    /// The origin of data merged from both.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let regimes: BTreeSet<&Regime> = self.0.iter().chain(other.0.iter()).collect();
        Self(regimes.into_iter().cloned().collect())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, regime) in self.0.iter().enumerate() {
            let separator = if number == 0 { "" } else { "+" };
            write!(f, "{separator}{regime}")?;
        }
        Ok(())
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text.split('+').nth(MAX_REGIMES).is_some() {
            return Err(OriginError::TooMany);
        }
        let regimes: Vec<Regime> = text.split('+').map(str::parse).collect::<Result<_, _>>()?;
        if regimes.is_sorted_by(|left, right| left < right) {
            Ok(Self(regimes.into()))
        } else {
            Err(OriginError::NotSorted)
        }
    }
}

impl Read for Origin {
    fn read(value: Value<'_>) -> Option<Self> {
        value.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_text() {
        assert_eq!("EEA+UK".parse::<Origin>().map(|origin| origin.to_string()), Ok("EEA+UK".to_owned()));
        for (text, error) in [
            ("", OriginError::Regime),
            ("UK+EEA", OriginError::NotSorted),
            ("UK+UK", OriginError::NotSorted),
            ("EEA+", OriginError::Regime),
            ("eea", OriginError::Regime),
            ("EEA UK", OriginError::Regime),
            ("ABCDEFGHIJKLMNOPQ", OriginError::Regime),
        ] {
            assert_eq!(text.parse::<Origin>(), Err(error), "{text:?}");
        }
        assert_eq!(vec!["A"; 17].join("+").parse::<Origin>(), Err(OriginError::TooMany));
    }

    #[test]
    fn merged_data_has_the_origins_of_all_its_parts() {
        let [eea, uk, us] = ["EEA", "UK", "US"].map(|text| text.parse::<Regime>().unwrap());
        let merged = Origin::of(uk.clone()).merge(&Origin::of(eea.clone())).merge(&Origin::of(uk.clone()));
        assert_eq!(merged.to_string(), "EEA+UK");
        assert!(merged.contains(&eea) && !merged.contains(&us));
        assert!(!merged.is_within(&BTreeSet::from([eea.clone()])));
        assert!(merged.is_within(&BTreeSet::from([eea, uk, us])));
    }
}
