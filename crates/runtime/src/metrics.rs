//! The registry of the process's own metrics, and the text that a scrape reads.

use std::sync::{Arc, Mutex, PoisonError};

pub use prometheus_client::registry::Registry;

/// The process's metrics; clones share one registry.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<Registry>>);

impl Metrics {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers families; handles are taken once and kept by whoever counts.
    pub fn register<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        register(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All metrics as OpenMetrics text, version 1.0.0.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a String does not fail; a collector that does leaves a text without its `# EOF`, which scrapers refuse.
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn what_is_counted_is_scraped() {
        let metrics = Metrics::new();
        let counter = Counter::<u64>::default();
        metrics.register(|registry| registry.register("things", "Things", counter.clone()));
        counter.inc_by(3);
        let text = metrics.encode();
        assert!(text.contains("things_total 3\n") && text.ends_with("# EOF\n"), "{text}");
    }
}
