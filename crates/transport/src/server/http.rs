//! OTLP/HTTP: `POST /v1/{traces,metrics,logs}` with protobuf or JSON, answered in the format of the request.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use http::{Request, Response};
use http_body::Body;
use tollgate_federation::{Manifest, Signal};
use tollgate_otlp::{Limits, json};

use super::denial::{Denial, Format};
use super::front::{Front, content_type, manifest};
use super::gather::{Framing, Gate, Held};
use super::receive::{Peer, Receive};
use super::reply::Reply;
use crate::inflate::named;

/// Answers one request.
pub(crate) async fn export<R, B>(front: &Front<R>, signal: Signal, peer: Peer, request: Request<B>) -> Response<Reply>
where
    R: Receive,
    B: Body<Data = Bytes> + Unpin,
{
    let format = format_of(request.headers());
    let taken = match (format, front.gate()) {
        (Some(format), Ok(gate)) => take(&gate, signal, format, request).await,
        (None, _) => {
            Err(Denial::Unsupported("only application/x-protobuf and application/json are spoken here".into()))
        }
        (_, Err(denial)) => Err(denial),
    };
    let outcome = match front.refuse(signal, taken) {
        Ok(request) => front.hand_over(signal, peer, request).await,
        Err(denial) => Err(denial),
    };
    let format = format.unwrap_or(Format::Protobuf);
    let receipt = match outcome {
        Ok(receipt) => receipt,
        Err(denial) => return denial.http(format),
    };
    let mut response = Response::new(Reply::data(match format {
        Format::Protobuf => receipt.encode(),
        Format::Json => receipt.json(signal),
    }));
    response.headers_mut().insert(CONTENT_TYPE, format.content_type());
    response
}

async fn take<B>(
    gate: &Gate<'_>,
    signal: Signal,
    format: Format,
    request: Request<B>,
) -> Result<(Held, Option<Manifest>), Denial>
where
    B: Body<Data = Bytes> + Unpin,
{
    let (head, body) = request.into_parts();
    let manifest = manifest(&head.headers)?;
    let encoding = named(head.headers.get(CONTENT_ENCODING))
        .ok_or_else(|| Denial::Unsupported("this compression is not spoken here: gzip and zstd are".into()))?;
    let held = gate.gather(body, framing(&head.headers)?).await?.inflated(encoding, gate)?;
    match format {
        Format::Protobuf => Ok((held, manifest)),
        Format::Json => Ok((transcoded(gate, signal, held)?, manifest)),
    }
}

fn transcoded(gate: &Gate<'_>, signal: Signal, held: Held) -> Result<Held, Denial> {
    let message = match signal {
        Signal::Traces => json::Message::Traces,
        Signal::Metrics => json::Message::Metrics,
        Signal::Logs => json::Message::Logs,
    };
    let mut permit = held.permit;
    let before = permit.bytes();
    // What comes out is smaller than the text in all but contrived cases; it is covered as if it were as long.
    gate.grow(&mut permit, held.bytes.len())?;
    let payload = json::decode(message, &held.bytes, &Limits::default())
        .map_err(|fault| Denial::Malformed(format!("not OTLP/JSON: {fault}")))?;
    drop(held.bytes);
    permit.shrink_to(permit.bytes() - before);
    let covered = usize::try_from(permit.bytes()).unwrap_or(usize::MAX);
    gate.grow(&mut permit, payload.len().saturating_sub(covered))?;
    Ok(Held { bytes: payload.into(), permit })
}

fn format_of(headers: &HeaderMap) -> Option<Format> {
    let media_type = content_type(headers).split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/x-protobuf") {
        Some(Format::Protobuf)
    } else if media_type.eq_ignore_ascii_case("application/json") {
        Some(Format::Json)
    } else {
        None
    }
}

fn framing(headers: &HeaderMap) -> Result<Framing, Denial> {
    let Some(length) = headers.get(CONTENT_LENGTH) else { return Ok(Framing::Open) };
    let length = length.to_str().ok().and_then(|length| length.parse().ok());
    length.map(Framing::Length).ok_or_else(|| Denial::Malformed("content-length is not a number".into()))
}
