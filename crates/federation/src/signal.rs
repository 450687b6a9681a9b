//! The kinds of telemetry.

use std::fmt;
use std::str::FromStr;

use tollgate_config::{Read, Value};

/// A kind of telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metric data points.
    Metrics,
    /// Log records.
    Logs,
}

/// The text names no signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one of: traces, metrics, logs")]
pub struct UnknownSignal;

impl Signal {
    /// All signals.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// The name used in documents, labels and paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Signal {
    type Err = UnknownSignal;

    fn from_str(text: &str) -> Result<Self, UnknownSignal> {
        Self::ALL.into_iter().find(|signal| signal.as_str() == text).ok_or(UnknownSignal)
    }
}

impl Read for Signal {
    fn read(value: Value<'_>) -> Option<Self> {
        value.choice(&Self::ALL.map(|signal| (signal.as_str(), signal)))
    }
}

/// A set of signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signals(u8);

impl Signals {
    /// Every signal.
    pub const ALL: Self = Self(0b111);

    /// Whether the signal is in the set.
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & 1 << signal as u8 != 0
    }

    /// Whether no signal is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The signals in the set.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        Signal::ALL.into_iter().filter(move |signal| self.contains(*signal))
    }

    /// The signals that are in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The signals that are not in the set.
    #[must_use]
    pub const fn others(self) -> Self {
        Self(Self::ALL.0 & !self.0)
    }
}

impl FromIterator<Signal> for Signals {
    fn from_iter<I: IntoIterator<Item = Signal>>(signals: I) -> Self {
        Self(signals.into_iter().fold(0, |set, signal| set | 1 << signal as u8))
    }
}

impl fmt::Display for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Signal::as_str).collect();
        f.write_str(&names.join(", "))
    }
}

impl Read for Signals {
    fn read(value: Value<'_>) -> Option<Self> {
        let signals: Vec<Signal> = value.read()?;
        if signals.is_empty() {
            value.fault("at least one signal is needed");
            return None;
        }
        Some(signals.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: Signals = [Signal::Logs, Signal::Traces].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Signal::Traces, Signal::Logs]);
        assert_eq!(set.others().iter().collect::<Vec<_>>(), [Signal::Metrics]);
        assert_eq!(set.to_string(), "traces, logs");
        assert!(set.and(set.others()).is_empty());
        assert_eq!(Signal::ALL.into_iter().collect::<Signals>(), Signals::ALL);
    }

    #[test]
    fn signals_read_back_as_they_print() {
        for signal in Signal::ALL {
            assert_eq!(signal.to_string().parse(), Ok(signal));
        }
        assert_eq!("trace".parse::<Signal>(), Err(UnknownSignal));
    }
}
