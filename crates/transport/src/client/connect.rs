//! Opens one connection: TCP, then the TLS that the destination calls for.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tollgate_federation::{HostPort, NodeId};

use crate::tls::{BackendTrust, Expected, IdentityFault, TierTls, TlsError};

/// TCP and TLS together.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How much is encrypted before it is written: a parcel takes two calls of the system then, and eight as rustls has it.
const ENCRYPTED_AHEAD: usize = 256 << 10;

/// A byte stream, secured or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// How connections to a destination are secured.
#[derive(Clone, Debug)]
pub enum Peering {
    /// Plain text.
    Plain,
    /// Mutual TLS 1.3 with a node of this federation.
    Tier {
        /// Our certificate and whom we believe.
        tls: TierTls,
        /// Who must answer.
        expected: Expected,
    },
    /// Ordinary TLS: the destination proves its name.
    Backend(BackendTrust),
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The address does not answer.
    #[error("cannot connect: {0}")]
    Tcp(#[source] std::io::Error),
    /// The handshake failed; in TLS 1.3 a client is not told why it was refused.
    #[error("the tls handshake failed: {0}")]
    Handshake(#[source] std::io::Error),
    /// No answer in time.
    #[error("no connection within {} s", CONNECT_TIMEOUT.as_secs())]
    Timeout,
    /// The host is no name that a certificate could prove.
    #[error("the host is not a name that a certificate can prove")]
    HostName,
    /// Our side of TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Whoever answers is not who was called, or nobody that we believe.
    #[error(transparent)]
    Identity(#[from] IdentityFault),
}

/// One way to a destination, for as long as the certificates stay the same.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    address: HostPort,
    config: Option<Arc<ClientConfig>>,
}

impl Peering {
    /// The route under the certificates of now, and their generation.
    pub(crate) fn route(&self, address: &HostPort, protocol: &'static [u8]) -> Result<(Route, u64), TlsError> {
        let (config, generation) = match self {
            Self::Plain => (None, 0),
            Self::Tier { tls, expected } => tls.client(expected).map(|(config, at)| (Some(config), at))?,
            Self::Backend(trust) => trust.client(protocol).map(|(config, at)| (Some(config), at))?,
        };
        Ok((Route { address: address.clone(), config }, generation))
    }

    /// The generation of the certificates of now.
    pub(crate) fn generation(&self) -> u64 {
        match self {
            Self::Plain => 0,
            Self::Tier { tls, .. } => tls.generation(),
            Self::Backend(trust) => trust.generation(),
        }
    }
}

impl Route {
    /// Opens a connection.
    pub(crate) async fn open(self) -> Result<Box<dyn Stream>, ConnectError> {
        let opening = async {
            let stream = tcp(&self.address).await?;
            Ok(match self.config {
                None => Box::new(stream) as Box<dyn Stream>,
                Some(config) => Box::new(secure(stream, &self.address, config).await?),
            })
        };
        timeout(CONNECT_TIMEOUT, opening).await.unwrap_or(Err(ConnectError::Timeout))
    }
}

impl TierTls {
    /// Connects and says which node proved itself: DNS tells addresses, only certificates tell names.
    ///
    /// # Errors
    /// When there is no connection, or whoever answers is not `expected`.
    pub async fn peer_identity(&self, address: SocketAddr, expected: &Expected) -> Result<NodeId, ConnectError> {
        let (config, _) = self.client(expected)?;
        let asking = async {
            let stream = TcpStream::connect(address).await.map_err(ConnectError::Tcp)?;
            handshake(stream, ServerName::from(address.ip()), config).await
        };
        let stream = timeout(CONNECT_TIMEOUT, asking).await.unwrap_or(Err(ConnectError::Timeout))?;
        Ok(self.peer_of(stream.get_ref().1.peer_certificates())?)
    }
}

async fn tcp(address: &HostPort) -> Result<TcpStream, ConnectError> {
    let host = bare(address.host());
    let stream = TcpStream::connect((host, address.port())).await.map_err(ConnectError::Tcp)?;
    stream.set_nodelay(true).map_err(ConnectError::Tcp)?;
    Ok(stream)
}

async fn secure(
    stream: TcpStream,
    address: &HostPort,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let host = bare(address.host());
    let name = match host.parse::<IpAddr>() {
        Ok(address) => ServerName::from(address),
        // A fully qualified name ends with a dot, which certificates do not have.
        Err(_) => ServerName::try_from(host.trim_end_matches('.').to_owned()).map_err(|_| ConnectError::HostName)?,
    };
    let mut stream = handshake(stream, name, config).await?;
    stream.get_mut().1.set_buffer_limit(Some(ENCRYPTED_AHEAD));
    Ok(stream)
}

async fn handshake(
    stream: TcpStream,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    TlsConnector::from(config).connect(name, stream).await.map_err(|error| match IdentityFault::behind(&error) {
        Some(fault) => ConnectError::Identity(fault),
        None => ConnectError::Handshake(error),
    })
}

/// An IPv6 address without its brackets.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}
