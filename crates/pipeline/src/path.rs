//! The one path of all three roles, up to the promise that `Ok` makes. Read this file first.
//!
//! receive (`tollgate_transport`) → **admit** (`admit.rs`) → **store** (`tollgate_spool`) → prepare (`prepare.rs`) →
//! hold (`hold.rs`) → seal (`seal.rs`, `tollgate_redaction`) → route and send (`send.rs`).
//!
//! Promises:
//! 1. `Ok` is said only after the bytes are ours: durable in the spool.
//! 2. Origin is given by who the peer proved to be, never by what it sent, except where the documents let a link carry it.
//! 3. What is refused leaves no trace but a counter, and a line in the log where people must act.

use std::sync::Arc;

use tollgate_federation::{Role, Signal};
use tollgate_runtime::Shutdown;
use tollgate_spool::Spool;
use tollgate_transport::{Denial, HandshakeFault, Inbound, Peer, Receipt, Receive, Stranger};

use crate::admit::attendance::{Attendance, Word};
use crate::admit::{Admission, Admitted};
use crate::node::counters::Counters;
use crate::observe::Observer;
use crate::receive::notices::{Notices, Who};
use crate::receive::refusal::{Refusal, Remedy, reason_of};
use crate::signals::BySignal;

/// Where requests enter a node.
pub(crate) struct Path {
    pub(crate) admission: Admission,
    pub(crate) logs: BySignal<Spool>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) notices: Notices,
    /// Looks at some of what came in, after it is ours.
    pub(crate) observer: Option<Arc<Observer>>,
    /// Where traces are judged or passed on to where they are: who of the senders lags.
    pub(crate) attendance: Option<Arc<Attendance>>,
    pub(crate) shutdown: Shutdown,
}

impl Path {
    /// One request. `Ok` is the promise made to the sender: these bytes are ours now.
    async fn ingest(&self, inbound: Inbound) -> Result<Receipt, Refusal> {
        if self.shutdown.is_started() {
            return Err(Refusal::Draining);
        }
        let word = inbound.manifest.as_ref().filter(|_| self.attendance.is_some()).and_then(Word::of);
        let admitted = self.admission.admit(inbound)?; // a known peer, an origin that may come from it; walked once
        let receipt = self.store(admitted).await?; // as received, with its index; durable before we say so
        self.hear(word);
        Ok(receipt)
    }

    /// Takes in how far the sender of traces is. A gateway waits for its own collectors only.
    fn hear(&self, word: Option<Word>) {
        let (Some(attendance), Some(word)) = (&self.attendance, word) else { return };
        if self.admission.me.role() == Role::Central || word.node().role() == Role::Collector {
            attendance.heard(&word, self.logs.of(Signal::Traces).durable_end());
        }
    }

    async fn store(&self, admitted: Admitted) -> Result<Receipt, Refusal> {
        let Admitted { signal, transport, entry, receipt, items, permit } = admitted;
        let counted = self.counters.receiver(signal, transport);
        let look = self.observer.as_ref().and_then(|observer| observer.take_turn(signal, &entry, items));
        if items > 0 {
            let stored = self.logs.of(signal).append(entry).await;
            stored.inspect_err(|_| {
                counted.refused.inc_by(items);
            })?;
        }
        if let (Some(observer), Some(look)) = (&self.observer, look) {
            observer.look(signal, &look);
        }
        drop(permit); // from here on the spool's own budget counts these bytes
        counted.accepted.inc_by(items);
        counted.rejected.inc_by(receipt.rejected);
        Ok(receipt)
    }

    /// Whom only people can help is made known to them; what a sender can mend by itself is only counted.
    fn tell(&self, signal: Signal, peer: &Peer, refusal: &Refusal) {
        self.counters.refused_request(signal, refusal.reason());
        match (refusal.remedy(), peer) {
            (Remedy::Hold | Remedy::Agree(_), Peer::Node(node)) => {
                let documents = &self.admission.in_force.edition().documents;
                let who = Who::Node(node.spiffe(documents.federation.trust_domain()));
                self.notices.turned_away(&who, refusal.reason(), refusal);
            }
            (Remedy::Hold | Remedy::Agree(_), Peer::Plain(address)) => {
                self.notices.turned_away(&Who::Unknown(*address), refusal.reason(), refusal);
            }
            (Remedy::Retry(_) | Remedy::GiveUp, _) => tracing::debug!(%signal, %refusal, "refused a request"),
        }
    }
}

impl Receive for Path {
    async fn receive(&self, inbound: Inbound) -> Result<Receipt, Denial> {
        let (signal, peer) = (inbound.signal, inbound.peer.clone());
        let outcome = self.ingest(inbound).await;
        outcome.inspect_err(|refusal| self.tell(signal, &peer, refusal)).map_err(Denial::from)
    }

    fn draining(&self) -> bool {
        self.shutdown.is_started()
    }

    fn refused(&self, signal: Signal, denial: &Denial) {
        self.counters.refused_request(signal, reason_of(denial));
    }

    fn turned_away(&self, stranger: &Stranger, fault: &HandshakeFault) {
        self.counters.refused_connection(fault.reason());
        let Stranger { address, claims } = stranger;
        match fault {
            // Whoever looks whether the port is open.
            HandshakeFault::BrokeOff => tracing::debug!(%address, %fault, "a connection came to nothing"),
            _ => {
                let who = claims.clone().map_or(Who::Unknown(*address), Who::Claimant);
                self.notices.turned_away(&who, fault.reason(), fault);
            }
        }
    }
}

#[cfg(test)]
mod tests;
