//! What is counted of reloads of the documents.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tollgate_runtime::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// Reloads by what they came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReloadCounters {
    reloads: Family<Outcome, Counter>,
    refused: Gauge,
    closed: Gauge,
}

impl ReloadCounters {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Times the documents were read again, by what became of them";
        registry.register("tollgate_documents_reloads", help, self.reloads.clone());
        let help = "1 while the documents that were read last are not in force, because they were refused";
        registry.register("tollgate_documents_refused", help, self.refused.clone());
        let help = "1 while all links are closed, because the documents were refused at the start";
        registry.register("tollgate_links_closed", help, self.closed.clone());
    }

    /// The documents were refused at the start.
    pub(crate) fn started_on_kept(&self) {
        self.refused.set(1);
        self.closed.set(1);
    }

    pub(crate) fn adopted(&self) {
        self.closed.set(0);
        self.count("adopted", 0);
    }

    pub(crate) fn unchanged(&self) {
        self.count("unchanged", 0);
    }

    /// They were refused for this reason, and the old ones stay.
    pub(crate) fn refused(&self, reason: &'static str) {
        self.count(reason, 1);
    }

    fn count(&self, outcome: &'static str, refused: i64) {
        self.reloads.get_or_create(&Outcome { outcome }).inc();
        self.refused.set(refused);
    }
}
