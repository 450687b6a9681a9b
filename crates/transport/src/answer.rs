//! The two small messages of every OTLP answer: the partial success and `google.rpc.Status` with `RetryInfo`.
//!
//! Promises:
//! 1. What is written here is read back the same; what a peer wrote is read without a panic, unknown fields are passed over.
//! 2. A retry delay of a peer is never negative and never longer than [`MAX_RETRY_DELAY`].

use std::time::Duration;

use tollgate_federation::Signal;
use tollgate_otlp::wire::{Fields, Wire};
use tollgate_otlp::{Writer, json};

/// A peer that asks for more than this is asked again after this.
pub(crate) const MAX_RETRY_DELAY: Duration = Duration::from_secs(300);

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// What the receiver took: everything, unless some items were rejected (OTLP's partial success).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Items that were left out for good.
    pub rejected: u64,
    /// Why they were, or a warning when none was.
    pub message: String,
}

impl Receipt {
    /// Encodes an `Export*ServiceResponse`: its shape is the same for all three signals.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if *self != Self::default() {
            Writer::new(&mut out).message(1, |partial| {
                partial.varint(1, self.rejected);
                partial.string(2, &self.message);
            });
        }
        out
    }

    /// Reads an `Export*ServiceResponse`; what cannot be read is an answer without a partial success.
    ///
    /// The peer has said that it took the request, so a malformed detail must not make us send it again.
    pub(crate) fn decode(body: &[u8]) -> Self {
        let mut receipt = Self::default();
        let partial = last_bytes(body, 1).unwrap_or_default();
        for field in Fields::new(partial).map_while(Result::ok) {
            match (field.number, field.value) {
                (1, Wire::Varint(rejected)) if i64::try_from(rejected).is_ok() => receipt.rejected = rejected,
                (2, Wire::Bytes(text)) => receipt.message = String::from_utf8_lossy(text).into_owned(),
                _ => {}
            }
        }
        receipt
    }

    /// The same in OTLP/JSON.
    pub(crate) fn json(&self, signal: Signal) -> Vec<u8> {
        let response = match signal {
            Signal::Traces => json::Message::TracesResponse,
            Signal::Metrics => json::Message::MetricsResponse,
            Signal::Logs => json::Message::LogsResponse,
        };
        to_json(response, &self.encode())
    }
}

/// A `google.rpc.Status`, with the delay of its `RetryInfo` if it has one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RpcStatus {
    pub(crate) code: i32,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
}

impl RpcStatus {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut status = Writer::new(&mut out);
        status.int(1, self.code.into());
        status.string(2, &self.message);
        if let Some(delay) = self.retry_after {
            status.message(3, |any| write_retry_info(any, delay.as_secs(), delay.subsec_nanos().into()));
        }
        out
    }

    /// Reads as much as is well formed.
    pub(crate) fn decode(body: &[u8]) -> Self {
        let mut status = Self::default();
        for field in Fields::new(body).map_while(Result::ok) {
            match (field.number, field.value) {
                (1, Wire::Varint(code)) => status.code = i32::try_from(code).unwrap_or_default(),
                (2, Wire::Bytes(text)) => status.message = String::from_utf8_lossy(text).into_owned(),
                (3, Wire::Bytes(any)) => status.retry_after = status.retry_after.or_else(|| retry_info(any)),
                _ => {}
            }
        }
        status
    }

    /// The same in JSON; the delay stands in `Retry-After`.
    pub(crate) fn json(&self) -> Vec<u8> {
        to_json(json::Message::Status, &Self { retry_after: None, ..self.clone() }.encode())
    }
}

fn to_json(message: json::Message, encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    // What was encoded here is well formed; an answer without a body is one all the same.
    if json::encode(message, encoded, &mut out).is_err() {
        out.clear();
    }
    out
}

/// An `Any` with a `RetryInfo` with a `Duration`.
fn write_retry_info(any: &mut Writer<'_>, seconds: u64, nanos: u64) {
    any.string(1, RETRY_INFO);
    any.message(2, |info| {
        info.message(1, |duration| {
            duration.varint(1, seconds);
            duration.varint(2, nanos);
        });
    });
}

fn retry_info(any: &[u8]) -> Option<Duration> {
    (last_bytes(any, 1)? == RETRY_INFO.as_bytes()).then_some(())?;
    let duration = last_bytes(last_bytes(any, 2)?, 1)?;
    let mut delay = Duration::ZERO;
    for field in Fields::new(duration).map_while(Result::ok) {
        match (field.number, field.value) {
            // Negative values are huge as varints: they do not fit and count as zero.
            (1, Wire::Varint(seconds)) if i64::try_from(seconds).is_ok() => delay += Duration::from_secs(seconds),
            (2, Wire::Varint(nanos)) if nanos < 1_000_000_000 => delay += Duration::from_nanos(nanos),
            _ => {}
        }
        delay = delay.min(MAX_RETRY_DELAY);
    }
    Some(delay)
}

/// The last field of this number, as protobuf reads a singular field that stands more than once.
fn last_bytes(body: &[u8], number: u32) -> Option<&[u8]> {
    let of_number = Fields::new(body).map_while(Result::ok).filter(|field| field.number == number);
    of_number.filter_map(|field| if let Wire::Bytes(bytes) = field.value { Some(bytes) } else { None }).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_and_statuses_read_back_the_same() {
        for receipt in [Receipt::default(), Receipt { rejected: 3, message: "zero ids".into() }] {
            assert_eq!(Receipt::decode(&receipt.encode()), receipt);
        }
        for retry_after in [None, Some(Duration::ZERO), Some(Duration::new(7, 5))] {
            let status = RpcStatus { code: 8, message: "full".into(), retry_after };
            assert_eq!(RpcStatus::decode(&status.encode()), status);
        }
    }

    #[test]
    fn full_success_is_an_empty_message() {
        assert!(Receipt::default().encode().is_empty());
        assert_eq!(Receipt::default().json(Signal::Traces), b"{}");
    }

    #[test]
    fn json_writes_64_bit_integers_as_strings() {
        let receipt = Receipt { rejected: 3, message: "x".into() };
        let text = String::from_utf8(receipt.json(Signal::Metrics)).unwrap();
        assert_eq!(text, r#"{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"x"}}"#);
    }

    #[test]
    fn negative_and_endless_delays_are_bounded() {
        let delay = |seconds: u64, nanos: u64| {
            let mut any = Vec::new();
            write_retry_info(&mut Writer::new(&mut any), seconds, nanos);
            retry_info(&any)
        };
        assert_eq!(delay((-5_i64).cast_unsigned(), 0), Some(Duration::ZERO));
        assert_eq!(delay(u64::MAX >> 1, 999_999_999), Some(MAX_RETRY_DELAY));
        assert_eq!(delay(1, u64::MAX), Some(Duration::from_secs(1)));
    }

    #[test]
    fn broken_answers_never_panic() {
        let status = RpcStatus { code: 8, message: "full".into(), retry_after: Some(Duration::from_secs(1)) }.encode();
        for end in 0..status.len() {
            let _ = (RpcStatus::decode(&status[..end]), Receipt::decode(&status[..end]));
        }
    }
}
