//! What an answer means for the parcel: sent, try again, hold and alarm, or find the guilty item.
//!
//! Promises:
//! 1. A failure of the connection is told from an answer by what happened, never by its code.
//! 2. Only codes that blame what was sent are `Guilty`; whatever is unclear is tried again, because the log still has it.
//! 3. No text holds anything of what was sent.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use thiserror::Error;
use tonic::Code;

use super::words::{Speaker, Words};
use crate::answer::{Receipt, RpcStatus};

/// Why a parcel was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// There was no answer: no connection, a broken one, or none in time.
    #[error("unreachable: {reason}")]
    Unreachable {
        /// What happened.
        reason: Words,
    },
    /// The peer cannot take it now.
    #[error("to be sent again: {code} {reason}")]
    Retry {
        /// What it answered.
        code: PeerCode,
        /// How long it asked us to wait.
        after: Option<Duration>,
        /// What it said.
        reason: Words,
    },
    /// The peer does not want it from us, or not this way: nothing changes until somebody changes something.
    #[error("held: {code} {reason}")]
    Held {
        /// What it answered.
        code: PeerCode,
        /// What it said.
        reason: Words,
    },
    /// It was sealed, or proved local, for another destination, or its manifest says something else: a fault of the
    /// program. Nothing was sent.
    #[error("not sent: what was to be sent belongs elsewhere")]
    Misdirected,
    /// The peer blames what was sent; a part of it would pass.
    #[error("refused for its content: {code} {reason}")]
    Guilty {
        /// What it answered.
        code: PeerCode,
        /// What it said.
        reason: Words,
    },
}

/// The code that a peer answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerCode {
    /// A gRPC status code.
    Grpc(i32),
    /// An HTTP status code.
    Http(u16),
}

impl PeerCode {
    /// The name that the protocol gives it.
    pub const fn name(self) -> &'static str {
        let Self::Grpc(code) = self else { return "HTTP" };
        match code {
            0 => "OK",
            1 => "CANCELLED",
            3 => "INVALID_ARGUMENT",
            4 => "DEADLINE_EXCEEDED",
            5 => "NOT_FOUND",
            6 => "ALREADY_EXISTS",
            7 => "PERMISSION_DENIED",
            8 => "RESOURCE_EXHAUSTED",
            9 => "FAILED_PRECONDITION",
            10 => "ABORTED",
            11 => "OUT_OF_RANGE",
            12 => "UNIMPLEMENTED",
            13 => "INTERNAL",
            14 => "UNAVAILABLE",
            15 => "DATA_LOSS",
            16 => "UNAUTHENTICATED",
            _ => "UNKNOWN",
        }
    }
}

impl fmt::Display for PeerCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grpc(_) => f.write_str(self.name()),
            Self::Http(code) => write!(f, "HTTP {code}"),
        }
    }
}

impl SendError {
    pub(crate) fn unreachable(error: &(dyn std::error::Error + 'static)) -> Self {
        // The outermost error says only "transport error": what helps is further in.
        let causes = std::iter::successors(Some(error), |error| error.source());
        let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
        texts.dedup();
        Self::Unreachable { reason: Words::of_library(&texts.join(": ")) }
    }

    pub(crate) fn silent(within: Duration) -> Self {
        Self::Unreachable { reason: Words::ours(&format!("no answer within {within:?}")) }
    }
}

/// What a gRPC status that the peer gave means.
pub(crate) fn of_grpc(speaker: Speaker, status: &RpcStatus, receipt: &[u8]) -> Result<Receipt, SendError> {
    let code = PeerCode::Grpc(status.code);
    let reason = Words::of(speaker, &status.message);
    let retry = |reason| Err(SendError::Retry { code, after: status.retry_after, reason });
    match Code::from_i32(status.code) {
        Code::Ok => Ok(receipt_of(speaker, Receipt::decode(receipt))),
        Code::InvalidArgument => Err(SendError::Guilty { code, reason }),
        // For "too large" there is no code of its own: grpc-go and grpc-java say RESOURCE_EXHAUSTED, tonic OUT_OF_RANGE.
        Code::ResourceExhausted | Code::OutOfRange
            if status.retry_after.is_none() && says_too_large(&status.message) =>
        {
            Err(SendError::Guilty { code, reason })
        }
        Code::Unauthenticated
        | Code::PermissionDenied
        | Code::Unimplemented
        | Code::FailedPrecondition
        | Code::NotFound
        | Code::AlreadyExists => Err(SendError::Held { code, reason }),
        // The specification lets a client drop what is answered RESOURCE_EXHAUSTED without RetryInfo, INTERNAL or UNKNOWN.
        // Receivers answer rate limits and passing trouble that way, and we still have the data.
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss
        | Code::Internal
        | Code::Unknown => retry(reason),
    }
}

/// What an HTTP answer means.
pub(crate) fn of_http(code: StatusCode, after: Option<Duration>, body: &[u8]) -> Result<Receipt, SendError> {
    // The body of an error is a Status in the request's format; a proxy's is a page, which reads as no words.
    let words = || Words::of(Speaker::Stranger, &RpcStatus::decode(body).message);
    let peer = PeerCode::Http(code.as_u16());
    match code.as_u16() {
        200..=299 => Ok(receipt_of(Speaker::Stranger, Receipt::decode(body))),
        400 | 413 | 422 => Err(SendError::Guilty { code: peer, reason: words() }),
        408 | 429 | 500..=599 => Err(SendError::Retry { code: peer, after, reason: words() }),
        // Who we are, where we went, how we spoke, a redirect: nothing that another try changes.
        _ => Err(SendError::Held { code: peer, reason: words() }),
    }
}

fn receipt_of(speaker: Speaker, receipt: Receipt) -> Receipt {
    let message = Words::of(speaker, &receipt.message).to_string();
    Receipt { message: if receipt.message.is_empty() { String::new() } else { message }, ..receipt }
}

fn says_too_large(message: &str) -> bool {
    ["larger than max", "too large", "exceeds maximum"].iter().any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grpc(code: Code, message: &str, retry_after: Option<Duration>) -> Result<Receipt, SendError> {
        of_grpc(Speaker::Node, &RpcStatus { code: code.into(), message: message.into(), retry_after }, &[])
    }

    fn kind(outcome: &Result<Receipt, SendError>) -> &'static str {
        match outcome {
            Ok(_) => "sent",
            Err(SendError::Unreachable { .. }) => "unreachable",
            Err(SendError::Retry { .. }) => "retry",
            Err(SendError::Held { .. }) => "held",
            Err(SendError::Guilty { .. }) => "guilty",
            Err(SendError::Misdirected) => "misdirected",
        }
    }

    #[test]
    fn every_grpc_code_has_its_remedy() {
        let expected = [
            "sent", "retry", "retry", "guilty", "retry", "held", "held", "held", "retry", "held", "retry", "retry",
            "held", "retry", "retry", "retry", "held",
        ];
        for (code, expected) in expected.into_iter().enumerate() {
            let code = Code::from_i32(i32::try_from(code).unwrap());
            assert_eq!(kind(&grpc(code, "", None)), expected, "{code:?}");
        }
    }

    #[test]
    fn too_large_is_blamed_on_the_parcel_unless_it_may_come_back() {
        let go = "grpc: received message larger than max (5 vs. 4)";
        let tonic = "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes";
        assert_eq!(kind(&grpc(Code::ResourceExhausted, go, None)), "guilty");
        assert_eq!(kind(&grpc(Code::OutOfRange, tonic, None)), "guilty");
        assert_eq!(kind(&grpc(Code::ResourceExhausted, go, Some(Duration::ZERO))), "retry");
    }

    #[test]
    fn every_http_code_has_its_remedy() {
        for (code, expected) in [
            (200, "sent"),
            (202, "sent"),
            (301, "held"),
            (400, "guilty"),
            (401, "held"),
            (403, "held"),
            (404, "held"),
            (408, "retry"),
            (413, "guilty"),
            (415, "held"),
            (429, "retry"),
            (500, "retry"),
            (502, "retry"),
            (503, "retry"),
            (504, "retry"),
        ] {
            let outcome = of_http(StatusCode::from_u16(code).unwrap(), None, b"<html>");
            assert_eq!(kind(&outcome), expected, "{code}");
        }
    }

    #[test]
    fn backends_words_are_not_shown() {
        let body = RpcStatus { code: 3, message: "bad value ada@example.org".into(), retry_after: None }.encode();
        let error = of_http(StatusCode::BAD_REQUEST, None, &body).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("ada"), "{error}");
        let body = Receipt { rejected: 1, message: "dropped ada@example.org".into() }.encode();
        assert!(!of_http(StatusCode::OK, None, &body).unwrap().message.contains("ada"));
    }
}
