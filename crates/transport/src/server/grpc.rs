//! OTLP/gRPC: the three unary `Export` methods on raw bytes.
//!
//! Framing is read here and not by tonic's server codec, which takes memory for a message before a budget can be asked, gives
//! OUT_OF_RANGE (which clients retry) for a large one and INTERNAL for a broken one, and lets a zstd frame of a few bytes
//! demand a window of 128 MiB.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;
use tollgate_federation::{Compression, Manifest, Signal};

use super::denial::{Denial, Unsupported};
use super::front::{Front, manifest};
use super::gather::{Gate, Held, PREFIX};
use super::receive::{Peer, Receive, Transport};
use super::reply::Reply;
use crate::answer::Receipt;
use crate::inflate::named;

/// Answers one call.
pub(crate) async fn export<R, B>(front: &Front<R>, signal: Signal, peer: Peer, request: Request<B>) -> Response<Reply>
where
    R: Receive,
    B: Body<Data = Bytes> + Unpin,
{
    let taken = match front.gate() {
        Ok(gate) => take(&gate, request).await,
        Err(denial) => Err(denial),
    };
    let outcome = match front.refuse(signal, taken) {
        Ok(request) => front.hand_over((signal, Transport::Grpc), peer, request).await,
        Err(denial) => Err(denial),
    };
    let mut response = outcome.map_or_else(|denial| denial.grpc(), |receipt| ok(&receipt));
    response.headers_mut().insert("grpc-accept-encoding", HeaderValue::from_static("gzip,zstd,identity"));
    response
}

async fn take<B>(gate: &Gate<'_>, request: Request<B>) -> Result<(Held, Option<Manifest>), Denial>
where
    B: Body<Data = Bytes> + Unpin,
{
    let (head, body) = request.into_parts();
    let manifest = manifest(&head.headers)?;
    let encoding = named(head.headers.get("grpc-encoding")).ok_or(Unsupported::Encoding)?;
    match (gate.message(body).await?, encoding) {
        ((false, message), _) => Ok((message, manifest)),
        ((true, _), Compression::None) => {
            Err(Denial::Malformed("compressed, but grpc-encoding does not say how".into()))
        }
        ((true, message), encoding) => Ok((message.inflated(encoding, gate)?, manifest)),
    }
}

/// A message, then trailers: an answer without a message would not be one of a unary call.
fn ok(receipt: &Receipt) -> Response<Reply> {
    let message = receipt.encode();
    let length = u32::try_from(message.len()).unwrap_or_default();
    let mut body = Vec::with_capacity(PREFIX + message.len());
    body.push(0);
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(&message);
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let mut response = Response::new(Reply::data(body).with_trailers(trailers));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}
