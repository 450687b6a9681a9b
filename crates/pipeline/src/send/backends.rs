//! How a backend of the documents is reached: headers with their secrets, TLS, compression, timeout.

use std::path::Path;

use tollgate_federation::{Backend, BackendTarget, BackendTls, HeaderValue};
use tollgate_runtime::Clock;
use tollgate_transport::{
    BackendTrust, Channel, Exporter, HeaderFault, Headers, HttpChannel, Options, Peering, TlsError,
};

use crate::node::secrets::{SecretError, Secrets};

/// A backend cannot be used as it is written.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// A header's secret is not there.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A header cannot be sent.
    #[error(transparent)]
    Header(#[from] HeaderFault),
    /// The authorities cannot be read.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The URL cannot be spoken to.
    #[error("the url of backend {0} is not http or https")]
    Url(String),
}

/// An exporter for a backend; `None` for the embedded file exporter, which is no network place.
pub(crate) fn exporter(
    backend: &Backend,
    secrets: &Secrets,
    set: &Path,
    clock: &Clock,
) -> Result<Option<Exporter>, BackendError> {
    let options =
        Options { headers: headers(backend, secrets)?, compression: backend.compression(), timeout: backend.timeout() };
    let peering = match backend.tls() {
        BackendTls::Off => Peering::Plain,
        BackendTls::System => Peering::Backend(BackendTrust::load(None, clock.clone())?),
        BackendTls::Ca(bundle) => Peering::Backend(BackendTrust::load(Some(set.join(bundle)), clock.clone())?),
    };
    match backend.target() {
        BackendTarget::File { .. } => Ok(None),
        BackendTarget::OtlpGrpc(address) => Ok(Some(Exporter::grpc(Channel::new(address.clone(), peering), options))),
        BackendTarget::OtlpHttp(url) => {
            let channel = HttpChannel::new(url, peering);
            let channel = channel.ok_or_else(|| BackendError::Url(backend.id().to_string()))?;
            Ok(Some(Exporter::http(channel, options)))
        }
    }
}

fn headers(backend: &Backend, secrets: &Secrets) -> Result<Headers, BackendError> {
    let mut pairs = Vec::new();
    for (name, value) in backend.headers() {
        let value = match value {
            HeaderValue::Literal(text) => zeroize::Zeroizing::new(text.clone()),
            HeaderValue::Secret(named) => secrets.find(named.as_str())?,
        };
        pairs.push((name, value));
    }
    Ok(Headers::new(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))?)
}
