//! Reads on what a refused sender still sends, so that it lives to see its answer.
//!
//! An HTTP/1.1 client that writes its whole body before it reads finds a broken pipe, and no answer, where the connection
//! closes under it: the refusal would look like a network fault and come back.
//!
//! Promises:
//! 1. What is read here is thrown away at once; it takes nothing from a budget.
//! 2. Both bytes and time are bounded, and who is silent is not waited for.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{Version, request};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::listener::Limits;

/// How many of the largest requests are read at the most.
const LARGEST: u64 = 4;
const PATIENCE: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(1);

/// Reads the rest of a body and throws it away, within bounds.
pub(crate) async fn linger<B>(head: &request::Parts, body: &mut B, limits: &Limits)
where
    B: Body<Data = Bytes> + Unpin,
{
    let bound = LARGEST * limits.max_message as u64;
    let length = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    // HTTP/2 ends a stream without ending its connection; who expects to be told first has sent nothing yet.
    let is_blind = matches!(head.version, Version::HTTP_10 | Version::HTTP_11) && !head.headers.contains_key(EXPECT);
    if !is_blind || length.is_some_and(|length: u64| length > bound) {
        return;
    }
    let end = Instant::now() + PATIENCE;
    let mut read = 0;
    while read <= bound && !body.is_end_stream() {
        // Cancel safe: nothing is wanted of what is lost.
        match timeout_at(end.min(Instant::now() + SILENCE), body.frame()).await {
            Ok(Some(Ok(frame))) => read += frame.data_ref().map_or(0, |data| data.len() as u64),
            Ok(None | Some(Err(_))) | Err(_) => return,
        }
    }
}
