//! One destination's HTTP/2 connection: made when first used, made again when lost, replaced when trust changes.
//!
//! Promises:
//! 1. Nothing is sent on a connection whose certificates are no longer the current ones.
//! 2. What runs on a replaced connection finishes there: nothing is sent twice because of a rotation.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tollgate_federation::HostPort;
use tonic::transport::{Endpoint, Uri};

use super::connect::Peering;
use crate::tls::TlsError;

const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Answers are small; the windows and frames that matter are those the receiver announces for our requests.
const ANSWER_WINDOW: u32 = 1 << 20;

/// A way to a gRPC destination; clones share its connection.
#[derive(Clone, Debug)]
pub struct Channel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    address: HostPort,
    peering: Peering,
    live: Mutex<Option<Live>>,
}

#[derive(Clone, Debug)]
struct Live {
    generation: u64,
    channel: tonic::transport::Channel,
}

impl Channel {
    /// Names a destination; nothing is connected yet.
    pub fn new(address: HostPort, peering: Peering) -> Self {
        Self(Arc::new(Inner { address, peering, live: Mutex::new(None) }))
    }

    /// Where it leads.
    pub fn address(&self) -> &HostPort {
        &self.0.address
    }

    /// Whether it leads to a node of this federation.
    pub(crate) fn leads_to_a_node(&self) -> bool {
        matches!(self.0.peering, Peering::Tier { .. })
    }

    /// The connection under the certificates of now.
    pub(crate) fn current(&self) -> Result<tonic::transport::Channel, TlsError> {
        let mut live = self.0.live.lock().unwrap_or_else(PoisonError::into_inner);
        match &*live {
            Some(live) if live.generation >= self.0.peering.generation() => Ok(live.channel.clone()),
            _ => {
                let fresh = self.connect()?;
                *live = Some(fresh.clone());
                Ok(fresh.channel)
            }
        }
    }

    fn connect(&self) -> Result<Live, TlsError> {
        let (route, generation) = self.0.peering.route(&self.0.address, b"h2")?;
        // The URI only fills `:scheme` and `:authority`; the connector knows where to go and how to secure it.
        let connector = tower::service_fn(move |_: Uri| {
            let route = route.clone();
            async move { route.open().await.map(TokioIo::new) }
        });
        let endpoint = endpoint(&self.0.address);
        Ok(Live { generation, channel: endpoint.connect_with_connector_lazy(connector) })
    }
}

fn endpoint(address: &HostPort) -> Endpoint {
    // A host and a port that were read as such always make a URI; the fallback is never reached.
    let endpoint = Endpoint::from_shared(format!("http://{address}"));
    endpoint
        .unwrap_or_else(|_| Endpoint::from_static("http://destination.invalid"))
        .initial_stream_window_size(ANSWER_WINDOW)
        .initial_connection_window_size(ANSWER_WINDOW)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true)
}
