//! One unary gRPC call on raw bytes.
//!
//! Promises:
//! 1. Chunks go out as they lie: nothing large is copied to frame it.
//! 2. Any answer is read without a panic and within [`MAX_ANSWER`]: tonic's own client panics on details that are not base64.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use data_encoding::BASE64_NOPAD;
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tollgate_federation::Compression;
use tonic::body::Body;
use tower::ServiceExt;
use tower_service::Service;

use super::channel::Channel;
use super::deflate::compress;
use super::exporter::{Options, Outgoing};
use super::outcome::{SendError, of_grpc, of_http};
use super::retry_after::retry_after;
use super::words::{Speaker, Words};
use crate::answer::{Receipt, RpcStatus};
use crate::{inflate, paths};

/// The most bytes of an answer that are read.
pub(crate) const MAX_ANSWER: usize = 64 << 10;

/// Chunks below this are joined: each chunk becomes a frame of its own.
const WORTH_A_FRAME: usize = 16 << 10;

/// Calls `Export` and waits for the answer; the caller bounds the time.
pub(crate) async fn call(channel: &Channel, options: &Options, outgoing: Outgoing<'_>) -> Result<Receipt, SendError> {
    let speaker = if channel.leads_to_a_node() { Speaker::Node } else { Speaker::Stranger };
    let request = request(options, &outgoing)?;
    let mut connection = channel.current().map_err(|error| SendError::unreachable(&error))?;
    let connection = connection.ready().await.map_err(|error| SendError::unreachable(&error))?;
    let response = connection.call(request).await.map_err(|error| SendError::unreachable(&error))?;
    let (head, body) = response.into_parts();
    if let Some(status) = status_in(&head.headers) {
        return of_grpc(speaker, &status, &[]);
    }
    if head.status != StatusCode::OK {
        // A proxy answered: its HTTP code says more than any translation of it.
        return of_http(head.status, retry_after(&head.headers), &[]);
    }
    let (message, trailers) = read(body).await?;
    // An orderly end without a status is how a cut stream looks from here.
    let status = status_in(&trailers).ok_or_else(|| broken("the answer ends without a status"))?;
    of_grpc(speaker, &status, message.get(5..).unwrap_or_default())
}

fn request(options: &Options, outgoing: &Outgoing<'_>) -> Result<Request<Body>, SendError> {
    let chunks = compress(options.compression, outgoing.chunks);
    let length: usize = chunks.iter().map(Bytes::len).sum();
    let length = u32::try_from(length).map_err(|_| broken("a message of 4 GiB or more cannot be framed"))?;
    let mut prefix = BytesMut::with_capacity(5);
    prefix.put_u8(u8::from(options.compression != Compression::None));
    prefix.put_u32(length);
    let mut request = Request::new(Body::new(Chunks::new(std::iter::once(prefix.freeze()).chain(chunks))));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = Uri::from_static(paths::method(outgoing.signal));
    let headers = request.headers_mut();
    headers.extend(options.headers.0.clone());
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    if let Some(name) = inflate::name(options.compression) {
        headers.insert("grpc-encoding", HeaderValue::from_static(name));
    }
    if let Some(manifest) = outgoing.manifest {
        let value = HeaderValue::try_from(BASE64_NOPAD.encode(&manifest.encode()));
        headers.insert(paths::MANIFEST, value.map_err(|_| broken("the manifest cannot be sent"))?);
    }
    Ok(request)
}

async fn read(mut body: Body) -> Result<(Vec<u8>, HeaderMap), SendError> {
    let mut message = Vec::new();
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await {
        // The body's error has a code, but one that tonic chose: the peer said nothing.
        match frame.map_err(|status| SendError::unreachable(&status))?.into_data() {
            Ok(data) if message.len() + data.len() <= MAX_ANSWER => message.extend_from_slice(&data),
            Ok(_) => return Err(broken("the answer is too long")),
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    Ok((message, trailers))
}

fn broken(text: &str) -> SendError {
    SendError::Unreachable { reason: Words::ours(text) }
}

fn status_in(headers: &HeaderMap) -> Option<RpcStatus> {
    let text = |name: &str| headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
    let code = headers.get("grpc-status")?.to_str().ok().and_then(|code| code.parse().ok()).unwrap_or(2);
    let details = text("grpc-status-details-bin");
    let padding = details.iter().rev().take_while(|byte| **byte == b'=').count();
    let details = BASE64_NOPAD.decode(details.get(..details.len() - padding).unwrap_or_default()).unwrap_or_default();
    let message = percent_decoded(text("grpc-message"));
    Some(RpcStatus { code, message, retry_after: RpcStatus::decode(&details).retry_after })
}

/// Undoes the percent-encoding of `grpc-message`; what is not an escape stays as it is.
fn percent_decoded(text: &[u8]) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let escape = after.first_chunk::<2>().filter(|_| *first == b'%');
        let byte =
            escape.and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// A body of chunks whose length is known.
#[derive(Debug)]
pub(crate) struct Chunks {
    chunks: VecDeque<Bytes>,
    length: u64,
}

impl Chunks {
    pub(crate) fn new(chunks: impl IntoIterator<Item = Bytes>) -> Self {
        let chunks: Vec<Bytes> = chunks.into_iter().filter(|chunk| !chunk.is_empty()).collect();
        let is_small = |chunk: &Bytes| chunk.len() < WORTH_A_FRAME;
        let runs = chunks.chunk_by(|before, after| is_small(before) && is_small(after));
        let length = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        Self { chunks: runs.map(joined).collect(), length }
    }
}

/// Chunks put together in memory of the size they need: they can be hundreds.
fn joined(chunks: &[Bytes]) -> Bytes {
    if let [alone] = chunks {
        return alone.clone();
    }
    let mut whole = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
    chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
    whole.freeze()
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.chunks.pop_front();
        self.length -= next.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Poll::Ready(next.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn status_with_retry_info_is_read_with_and_without_padding() {
        let status = RpcStatus { code: 8, message: "full".into(), retry_after: Some(Duration::from_millis(1500)) };
        let padded = data_encoding::BASE64.encode(&status.encode());
        for details in [padded.as_str(), padded.trim_end_matches('=')] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", HeaderValue::from_static("8"));
            headers.insert("grpc-message", HeaderValue::from_static("f%75ll"));
            headers.insert("grpc-status-details-bin", details.parse().unwrap());
            assert_eq!(status_in(&headers), Some(status.clone()));
        }
    }

    #[test]
    fn broken_status_is_read_as_far_as_it_goes() {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", HeaderValue::from_static("eight"));
        headers.insert("grpc-message", HeaderValue::from_bytes(b"100%, %zz, %c3\xff%").unwrap());
        headers.insert("grpc-status-details-bin", HeaderValue::from_static("not base64!"));
        let status = status_in(&headers).unwrap();
        assert_eq!((status.code, status.retry_after), (2, None));
        assert!(status.message.starts_with("100%, %zz, "), "{status:?}");
    }

    #[test]
    fn small_chunks_are_joined_and_large_ones_are_not_copied() {
        let large = Bytes::from(vec![1; WORTH_A_FRAME]);
        let small = Bytes::from_static(b"ab");
        let chunks = Chunks::new([small.clone(), small.clone(), large.clone(), Bytes::new(), small]);
        let parts: Vec<&[u8]> = chunks.chunks.iter().map(|chunk| &chunk[..]).collect();
        assert_eq!(parts, [&b"abab"[..], &large[..], &b"ab"[..]]);
        assert_eq!(chunks.chunks[1].as_ptr(), large.as_ptr());
        assert_eq!(chunks.length, 6 + WORTH_A_FRAME as u64);
    }
}
