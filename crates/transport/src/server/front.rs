//! What all requests of a listener have in common: where they go, their body, their manifest, the receiver.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64_NOPAD;
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{HeaderValue, Request, Response};
use http_body::Body;
use tokio::time::Instant;
use tollgate_federation::{Manifest, ManifestError, Signal};
use tollgate_runtime::ByteBudget;

use super::denial::{Denial, Unsupported};
use super::gather::{Gate, Held, SEAT};
use super::listener::{Limits, Protocols};
use super::receive::{Inbound, Peer, Receive, Transport};
use super::reply::Reply;
use super::{grpc, http as plain};
use crate::answer::Receipt;
use crate::paths;

/// How long a sender of another release waits: an update takes minutes.
const UNTIL_UPDATED: Duration = Duration::from_secs(30);

/// One listener's request handling, shared by its connections.
pub(crate) struct Front<R> {
    pub(crate) receiver: Arc<R>,
    pub(crate) protocols: Protocols,
    pub(crate) limits: Limits,
    pub(crate) budget: ByteBudget,
    pub(crate) arriving: ByteBudget,
}

impl<R: Receive> Front<R> {
    /// Answers one request, whatever it is.
    pub(crate) async fn answer<B>(&self, peer: Peer, request: Request<B>) -> Response<Reply>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        if !self.protocols.grpc || !content_type(request.headers()).starts_with("application/grpc") {
            return plain::answer(self, peer, request).await;
        }
        match paths::signal_at(paths::method, request.uri().path()) {
            Some(signal) => grpc::export(self, signal, peer, request).await,
            None => Denial::Unsupported(Unsupported::Rpc).grpc(),
        }
    }

    /// What a request of this listener may take, from now on.
    pub(crate) fn gate(&self) -> Result<Gate<'_>, Denial> {
        if self.receiver.draining() {
            return Err(Denial::Unavailable { retry_after: self.limits.retry_after });
        }
        let deadline = Instant::now() + self.limits.body_deadline;
        let full = || Denial::Exhausted { retry_after: self.limits.retry_after };
        let seat = self.arriving.try_take(SEAT).ok_or_else(full)?;
        Ok(Gate { limits: &self.limits, budget: &self.budget, deadline, arriving: &self.arriving, seat })
    }

    /// Hands a gathered request to the receiver.
    pub(crate) async fn hand_over(
        &self,
        (signal, transport): (Signal, Transport),
        peer: Peer,
        (held, manifest): (Held, Option<Manifest>),
    ) -> Result<Receipt, Denial> {
        let Held { bytes: payload, permit } = held;
        self.receiver.receive(Inbound { signal, transport, payload, peer, manifest, permit }).await
    }

    /// Notes a refusal of the listener's own.
    pub(crate) fn refuse<T>(&self, signal: Signal, outcome: Result<T, Denial>) -> Result<T, Denial> {
        outcome.inspect_err(|denial| self.receiver.refused(signal, denial))
    }
}

pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The manifest that came with a request, if one did.
pub(crate) fn manifest(headers: &HeaderMap) -> Result<Option<Manifest>, Denial> {
    let decode = |value: &HeaderValue| {
        // gRPC libraries write binary metadata with padding or without; both are allowed.
        let padding = value.as_bytes().iter().rev().take_while(|byte| **byte == b'=').count();
        let text = value.as_bytes().get(..value.len() - padding).unwrap_or_default();
        let bytes = BASE64_NOPAD.decode(text).map_err(|_| Denial::Malformed("the manifest is not base64".into()))?;
        Manifest::decode(&bytes).map_err(|error| match error {
            // The other side of an update: a parcel is not guilty of its sender's release.
            ManifestError::Version(_) => Denial::Disagrees { why: error.to_string(), retry_after: UNTIL_UPDATED },
            _ => Denial::Malformed(format!("the manifest cannot be read: {error}")),
        })
    };
    headers.get(paths::MANIFEST).map(decode).transpose()
}
