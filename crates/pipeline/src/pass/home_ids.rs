//! The ids of a region's own spans on the way to its own central tier: where the policy blinds what comes there over links,
//! they are blinded alike, or nothing would join. Nothing else of a span changes.
//!
//! Promises:
//! 1. Whether and with what is read off the documents in force; another edition takes back what was made before.
//! 2. Where ids are to be blinded and the key is not here, no span goes.

use std::sync::Arc;

use tollgate_federation::{Name, Signal};
use tollgate_otlp::{Batch, Index, Limits};
use tollgate_redaction::{AtHome, Keys};
use tollgate_residency::Keyed;
use tollgate_spool::Record;

use crate::admit::walk;
use crate::node::in_force::InForce;

/// How ids go now.
pub(crate) struct HomeIds {
    in_force: InForce,
    keys: Arc<dyn Keys>,
    region: Name,
    blinding: Option<(Keyed, AtHome)>,
}

/// What becomes of a request.
pub(crate) enum Ids {
    /// It goes as it is.
    AsTheyAre,
    /// It goes like this.
    Blinded(Vec<u8>, Index),
    /// The key is not here.
    KeyMissing,
}

impl HomeIds {
    pub(crate) fn new(in_force: InForce, keys: Arc<dyn Keys>, region: Name) -> Self {
        let mut ids = Self { in_force, keys, region, blinding: None };
        ids.renew();
        ids
    }

    /// Takes in other documents and other roots; whether ids go otherwise now.
    pub(crate) fn renew(&mut self) -> bool {
        let documents = Arc::clone(&self.in_force.take().documents);
        let keyed = documents.policy.blinding_at_home(&documents.federation, self.region.as_str());
        if let Some((_, blinder)) = &mut self.blinding {
            blinder.refresh(self.keys.as_ref());
        }
        if keyed == self.blinding.as_ref().map(|(keyed, _)| keyed) {
            return false;
        }
        self.blinding = keyed.map(|keyed| (keyed.clone(), AtHome::new(keyed.clone())));
        true
    }

    pub(crate) async fn outdated(&mut self) {
        self.in_force.changed().await;
    }

    /// Whether anything is derived from roots that may go.
    pub(crate) fn is_on(&self) -> bool {
        self.blinding.is_some()
    }

    pub(crate) fn of(&mut self, record: &Record, batch: Batch<'_>) -> Ids {
        let Some((_, blinder)) = &mut self.blinding else { return Ids::AsTheyAre };
        let Some(request) = blinder.request(batch, record.arrival.nanos(), self.keys.as_ref()) else {
            return Ids::KeyMissing;
        };
        match walk(Signal::Traces, &request, &Limits::JOINED) {
            Ok(walked) => Ids::Blinded(request, walked.index),
            // It was walked before, with other ids.
            Err(_) => Ids::Blinded(Vec::new(), Index::default()),
        }
    }
}
