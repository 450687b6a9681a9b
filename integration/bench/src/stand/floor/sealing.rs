//! The floor under a gateway: the same walk and the same sealing between the same TLS, with nothing around them.
//!
//! Nothing is on disk, nothing is counted, and the answer comes when the next hop has answered.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BufMut;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tollgate_federation::{FederationDraft, Signal};
use tollgate_otlp::{Limits, walk_traces};
use tollgate_redaction::{Epoch, Keys, RootKey, Sealer};
use tollgate_residency::Policy;
use tollgate_runtime::{Clock, Timestamp};

use super::{Connection, Onward, Serve, StandError};

/// Seals each message and passes it on.
pub(crate) struct Sealing {
    pub(crate) onward: Onward,
    /// The documents.
    pub(crate) set: PathBuf,
    pub(crate) clock: Clock,
}

impl Serve for Sealing {
    async fn serve(&self, mut from: Connection) -> Result<(), StandError> {
        let mut to = self.onward.open().await?;
        let mut sealer = sealer(&self.set, self.clock.now())?;
        let mut message = Vec::new();
        loop {
            let length = from.read_u32().await?;
            message.clear();
            (&mut from).take(length.into()).read_to_end(&mut message).await?;
            let sealed = seal(&mut sealer, &message, self.clock.now())?;
            to.write_all(&sealed).await?;
            to.flush().await?;
            from.write_u8(to.read_u8().await?).await?;
            from.flush().await?;
        }
    }
}

/// A length and the sealed request.
fn seal(sealer: &mut Sealer, message: &[u8], now: Timestamp) -> Result<Vec<u8>, StandError> {
    let walked = walk_traces(message, &Limits::default()).map_err(|fault| StandError::Output(fault.to_string()))?;
    let sealed = sealer.seal(message, &walked.index, now.nanos()).whole();
    let mut framed = Vec::with_capacity(4 + sealed.len());
    framed.put_u32(u32::try_from(sealed.len()).unwrap_or_default());
    sealed.chunks().iter().for_each(|chunk| framed.extend_from_slice(chunk));
    Ok(framed)
}

/// The sealer of the documents' one link.
fn sealer(set: &Path, now: Timestamp) -> Result<Sealer, StandError> {
    let refused = |text: &dyn std::fmt::Display| StandError::Documents(text.to_string());
    let (set, faults) = tollgate_config::load(set);
    let draft = FederationDraft::read(&set, &faults);
    let policy = Policy::read(&set, &draft, &faults);
    let (Some(federation), Some(policy)) = (draft.whole(), policy) else { return Err(refused(&faults)) };
    let link = federation.links().first().ok_or_else(|| refused(&"no link"))?.id();
    let origin = "EEA".parse().map_err(|fault| refused(&fault as &tollgate_federation::OriginError))?;
    let day = OffsetDateTime::from_unix_timestamp_nanos(i128::from(now.nanos())).map_err(|fault| refused(&fault))?;
    let table =
        policy.table(&federation, link, Signal::Traces, &origin, day.date()).map_err(|closed| refused(&closed))?;
    Ok(Sealer::new(Arc::new(table), Arc::new(OneKey)))
}

struct OneKey;

impl Keys for OneKey {
    fn root(&self, _: &str, _: Epoch) -> Option<RootKey> {
        Some(RootKey::new([0x5a; 32]))
    }
}
