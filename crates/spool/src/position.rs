//! A place in the log.

use std::fmt;

/// A place between two records: how many bytes of log lie before it. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(u64);

impl Position {
    /// The beginning of every log.
    pub const ZERO: Self = Self(0);

    /// The place with `bytes` bytes of log before it.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Bytes of log before it.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// Bytes of log since `earlier`, zero if that lies ahead.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    pub(crate) const fn forward(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
