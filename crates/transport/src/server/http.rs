//! OTLP/HTTP: `POST /v1/{traces,metrics,logs}` with protobuf or JSON, answered in the format of the request.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use http::{Method, Request, Response, request};
use http_body::Body;
use tollgate_federation::{Manifest, Signal};
use tollgate_otlp::{Limits, json};

use super::denial::{Denial, Format, Unsupported};
use super::front::{Front, content_type, manifest};
use super::gather::{Framing, Gate, Held};
use super::linger::linger;
use super::receive::{Peer, Receive, Transport};
use super::reply::Reply;
use crate::inflate::named;
use crate::paths;

/// Answers one request.
pub(crate) async fn answer<R, B>(front: &Front<R>, peer: Peer, request: Request<B>) -> Response<Reply>
where
    R: Receive,
    B: Body<Data = Bytes> + Unpin,
{
    let (head, mut body) = request.into_parts();
    let format = format_of(&head.headers);
    let outcome = match place(front, &head) {
        Ok(signal) => export(front, signal, peer, format, (&head, &mut body)).await,
        Err(unsupported) => Err(unsupported.into()),
    };
    match outcome {
        Ok(answer) => answer,
        Err(denial) => {
            linger(&head, &mut body, &front.limits).await;
            denial.http(format.unwrap_or(Format::Text))
        }
    }
}

/// The signal that is posted there.
fn place<R>(front: &Front<R>, head: &request::Parts) -> Result<Signal, Unsupported> {
    let signal = paths::signal_at(paths::path, head.uri.path()).filter(|_| front.protocols.http);
    let signal = signal.ok_or(Unsupported::Path)?;
    if head.method == Method::POST { Ok(signal) } else { Err(Unsupported::Method) }
}

async fn export<R, B>(
    front: &Front<R>,
    signal: Signal,
    peer: Peer,
    format: Option<Format>,
    request: (&request::Parts, &mut B),
) -> Result<Response<Reply>, Denial>
where
    R: Receive,
    B: Body<Data = Bytes> + Unpin,
{
    let taken = match (format, front.gate()) {
        (Some(format), Ok(gate)) => take(&gate, signal, format, request).await.map(|taken| (format, taken)),
        (None, _) => Err(Unsupported::MediaType.into()),
        (_, Err(denial)) => Err(denial),
    };
    let (format, taken) = front.refuse(signal, taken)?;
    let receipt = front.hand_over((signal, Transport::Http), peer, taken).await?;
    let mut response = Response::new(Reply::data(match format {
        Format::Json => receipt.json(signal),
        Format::Protobuf | Format::Text => receipt.encode(),
    }));
    response.headers_mut().insert(CONTENT_TYPE, format.content_type());
    Ok(response)
}

async fn take<B>(
    gate: &Gate<'_>,
    signal: Signal,
    format: Format,
    (head, body): (&request::Parts, &mut B),
) -> Result<(Held, Option<Manifest>), Denial>
where
    B: Body<Data = Bytes> + Unpin,
{
    let manifest = manifest(&head.headers)?;
    let encoding = named(head.headers.get(CONTENT_ENCODING)).ok_or(Unsupported::Encoding)?;
    let held = gate.gather(body, framing(&head.headers)?).await?.inflated(encoding, gate)?;
    match format {
        Format::Json => Ok((transcoded(gate, signal, held)?, manifest)),
        Format::Protobuf | Format::Text => Ok((held, manifest)),
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
