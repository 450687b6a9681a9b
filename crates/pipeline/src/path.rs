//! The one path of all three roles, up to the promise that `Ok` makes. Read this file first.
//!
//! receive (`tollgate_transport`) → **admit** (`admit.rs`) → **store** (`tollgate_spool`) → prepare (`prepare.rs`) →
//! hold (`hold.rs`) → seal (`seal.rs`, `tollgate_redaction`) → route and send (`send.rs`).
//!
//! Promises:
//! 1. `Ok` is said only after the bytes are ours: durable in the spool.
//! 2. Origin is given by who the peer proved to be, never by what it sent, except where the documents let a link carry it.
//! 3. What is refused leaves no trace but a counter.

use std::sync::Arc;

use tollgate_federation::Signal;
use tollgate_runtime::Shutdown;
use tollgate_spool::Spool;
use tollgate_transport::{Denial, Inbound, Receipt, Receive};

use crate::admit::{Admission, Admitted};
use crate::node::counters::Counters;
use crate::receive::refusal::Refusal;
use crate::signals::BySignal;

/// Where requests enter a node.
pub(crate) struct Path {
    pub(crate) admission: Admission,
    pub(crate) logs: BySignal<Spool>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) shutdown: Shutdown,
}

impl Path {
    /// One request. `Ok` is the promise made to the sender: these bytes are ours now.
    async fn ingest(&self, inbound: Inbound) -> Result<Receipt, Refusal> {
        if self.shutdown.is_started() {
            return Err(Refusal::Draining);
        }
        let admitted = self.admission.admit(inbound)?; // a known peer, an origin that may come from it; walked once
        self.store(admitted).await // as received, with its index; durable before we say so
    }

    async fn store(&self, admitted: Admitted) -> Result<Receipt, Refusal> {
        let Admitted { signal, entry, receipt, items, permit } = admitted;
        if items > 0 {
            self.logs.of(signal).append(entry).await?;
        }
        drop(permit); // from here on the spool's own budget counts these bytes
        let counted = self.counters.receiver(signal);
        counted.accepted.inc_by(items);
        counted.rejected.inc_by(receipt.rejected);
        Ok(receipt)
    }
}

impl Receive for Path {
    async fn receive(&self, inbound: Inbound) -> Result<Receipt, Denial> {
        let signal = inbound.signal;
        match self.ingest(inbound).await {
            Ok(receipt) => Ok(receipt),
            Err(refusal) => {
                self.counters.receiver(signal).refused.inc();
                tracing::debug!(%signal, %refusal, "refused a request");
                Err(refusal.into())
            }
        }
    }

    fn draining(&self) -> bool {
        self.shutdown.is_started()
    }

    fn refused(&self, signal: Signal, _denial: &Denial) {
        self.counters.receiver(signal).refused.inc();
    }
}
