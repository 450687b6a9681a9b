//! The floor under a gateway: the same walk and the same sealing between the same TLS, with nothing around them.
//!
//! Messages have four bytes of length instead of HTTP/2 and gRPC, one after the other on each connection; nothing is on
//! disk, nothing is counted, and the answer comes when the next hop has answered.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use bytes::BufMut;
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tollgate_federation::{FederationDraft, Signal};
use tollgate_otlp::{Limits, walk_traces};
use tollgate_redaction::{Epoch, Keys, RootKey, Sealer};
use tollgate_residency::Policy;
use tollgate_runtime::{Clock, TaskGroup, Timestamp};

use super::StandError;
use super::cores::Cores;

/// What the floor is made of.
pub(crate) struct Floor {
    pub(crate) listen: SocketAddr,
    pub(crate) sink: SocketAddr,
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) client: Arc<ClientConfig>,
    /// The documents.
    pub(crate) set: std::path::PathBuf,
    pub(crate) clock: Clock,
}

impl Floor {
    /// Starts a thread on the measured core and returns its id; it ends with the process.
    pub(crate) fn start(self, cores: Cores) -> Result<i32, StandError> {
        let (ready, started) = sync_channel(1);
        let run = move || {
            let id = rustix::thread::gettid().as_raw_nonzero().get();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let outcome = runtime.and_then(|runtime| {
                runtime.block_on(async {
                    let listener = TcpListener::bind(self.listen).await?;
                    let _ = ready.send(id);
                    self.accept(listener).await
                })
            });
            if let Err(fault) = outcome {
                crate::found::note(&format!("the floor has ended: {fault}"));
            }
        };
        cores.on_measured(|| std::thread::Builder::new().name("floor".to_owned()).spawn(run))?;
        started.recv().map_err(|_| StandError::Ended("the floor says why".to_owned()))
    }

    async fn accept(self, listener: TcpListener) -> io::Result<()> {
        let (floor, tasks) = (Arc::new(self), TaskGroup::new());
        loop {
            let (stream, _) = listener.accept().await?;
            let floor = Arc::clone(&floor);
            tasks.spawn("connection", async move {
                // The load hangs up when its time is over.
                let _ = floor.pass_on(stream).await;
            });
        }
    }

    async fn pass_on(&self, stream: TcpStream) -> Result<(), StandError> {
        stream.set_nodelay(true)?;
        let mut from = TlsAcceptor::from(Arc::clone(&self.server)).accept(stream).await?;
        let to = TcpStream::connect(self.sink).await?;
        to.set_nodelay(true)?;
        let name = ServerName::IpAddress(self.sink.ip().into());
        let mut to = TlsConnector::from(Arc::clone(&self.client)).connect(name, to).await?;
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
