//! One of something for each signal.

use tollgate_federation::Signal;

/// One `T` for each signal.
#[derive(Debug, Clone, Default)]
pub(crate) struct BySignal<T> {
    pub(crate) traces: T,
    pub(crate) metrics: T,
    pub(crate) logs: T,
}

impl<T> BySignal<T> {
    /// Makes one for each signal, or stops at the first that cannot be made.
    pub(crate) fn try_new<E>(mut make: impl FnMut(Signal) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self { traces: make(Signal::Traces)?, metrics: make(Signal::Metrics)?, logs: make(Signal::Logs)? })
    }

    /// The one for this signal.
    pub(crate) fn of(&self, signal: Signal) -> &T {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        }
    }

    /// All of them, with their signals.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Signal, &T)> {
        Signal::ALL.into_iter().map(|signal| (signal, self.of(signal)))
    }
}
