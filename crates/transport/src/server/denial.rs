//! Why a request is not taken, and the one mapping of that to gRPC and HTTP answers.
//!
//! Promises:
//! 1. A sender that should come back is told so in its protocol's words: `RetryInfo`, `Retry-After`.
//! 2. A sender that should not come back never gets a code that SDKs retry.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use thiserror::Error;
use tonic::{Code, Status};

use super::reply::Reply;
use crate::answer::RpcStatus;

/// Why a request is refused. The texts go to the sender and to logs: they never hold a value of the payload.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Denial {
    /// The request is not what it says it is; sent again it fails again.
    #[error("{0}")]
    Malformed(String),
    /// The request is larger than this receiver takes, before or after inflating.
    #[error("the request is larger than {limit} bytes")]
    TooLarge {
        /// The most bytes that are taken.
        limit: u64,
    },
    /// There is no room now.
    #[error("no room for more data now")]
    Exhausted {
        /// When to come back.
        retry_after: Duration,
    },
    /// This node cannot take anything now: it drains, or what it needs is missing.
    #[error("not available now")]
    Unavailable {
        /// When to come back.
        retry_after: Duration,
    },
    /// The two of us do not have the same documents or releases: it passes when they do.
    #[error("{why}")]
    Disagrees {
        /// In what.
        why: String,
        /// When to come back.
        retry_after: Duration,
    },
    /// This peer may not send this.
    #[error("{0}")]
    Forbidden(String),
    /// The request uses something that is not spoken here.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// Something is wrong on this side and will not pass by itself; `Unavailable` if it will.
    #[error("{0}")]
    Internal(String),
}

/// What is not spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unsupported {
    /// A gRPC method that is not one of OTLP's.
    #[error("no such method: OTLP exports traces, metrics and logs")]
    Rpc,
    /// An HTTP path that is not one of OTLP's, or HTTP where only gRPC is spoken.
    #[error("nothing is taken here: OTLP/HTTP posts to /v1/traces, /v1/metrics and /v1/logs")]
    Path,
    /// Another HTTP method than POST.
    #[error("only POST is taken here")]
    Method,
    /// A body that is neither protobuf nor JSON.
    #[error("only application/x-protobuf and application/json are spoken here")]
    MediaType,
    /// A compression.
    #[error("this compression is not spoken here: gzip and zstd are")]
    Encoding,
}

impl Unsupported {
    const fn code(self) -> StatusCode {
        match self {
            Self::Rpc | Self::Path => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType | Self::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    /// What would have been taken (RFC 9110, sections 15.5.6 and 15.5.16).
    const fn instead(self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::Rpc | Self::Path => None,
            Self::Method => Some((ALLOW, "POST")),
            Self::MediaType => Some((ACCEPT, "application/x-protobuf, application/json")),
            Self::Encoding => Some((ACCEPT_ENCODING, "gzip, zstd, identity")),
        }
    }
}

/// How a body of OTLP/HTTP is written; an error is answered the way the request was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Protobuf,
    Json,
    /// For those who did not speak OTLP.
    Text,
}

impl Format {
    pub(crate) const fn content_type(self) -> HeaderValue {
        match self {
            Self::Protobuf => HeaderValue::from_static("application/x-protobuf"),
            Self::Json => HeaderValue::from_static("application/json"),
            Self::Text => HeaderValue::from_static("text/plain; charset=utf-8"),
        }
    }
}

impl Denial {
    const fn codes(&self) -> (Code, StatusCode) {
        match self {
            Self::Malformed(_) => (Code::InvalidArgument, StatusCode::BAD_REQUEST),
            // gRPC libraries say RESOURCE_EXHAUSTED or (tonic) OUT_OF_RANGE. The specification retries the second
            // always and the first only with RetryInfo, but several SDKs do not look for that: the same batch would
            // come back for ever. Nobody retries INVALID_ARGUMENT.
            Self::TooLarge { .. } => (Code::InvalidArgument, StatusCode::PAYLOAD_TOO_LARGE),
            Self::Exhausted { .. } => (Code::ResourceExhausted, StatusCode::TOO_MANY_REQUESTS),
            Self::Unavailable { .. } | Self::Disagrees { .. } => (Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
            Self::Forbidden(_) => (Code::PermissionDenied, StatusCode::FORBIDDEN),
            Self::Unsupported(what) => (Code::Unimplemented, what.code()),
            Self::Internal(_) => (Code::Internal, StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// When the sender should come back, if at all.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Exhausted { retry_after }
            | Self::Unavailable { retry_after }
            | Self::Disagrees { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    fn rpc_status(&self) -> RpcStatus {
        RpcStatus { code: self.codes().0.into(), message: self.to_string(), retry_after: self.retry_after() }
    }

    pub(crate) fn grpc(&self) -> Response<Reply> {
        let details = self.retry_after().map(|_| Bytes::from(self.rpc_status().encode())).unwrap_or_default();
        Status::with_details(self.codes().0, self.to_string(), details).into_http()
    }

    pub(crate) fn http(&self, format: Format) -> Response<Reply> {
        let status = self.rpc_status();
        let body = match format {
            Format::Protobuf => status.encode(),
            Format::Json => status.json(),
            Format::Text => (status.message + "\n").into_bytes(),
        };
        let mut response = Response::new(Reply::data(body));
        *response.status_mut() = self.codes().1;
        response.headers_mut().insert(CONTENT_TYPE, format.content_type());
        if let Some(delay) = self.retry_after() {
            // Whole seconds only: rounded up, so that nobody comes back early.
            let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Self::Unsupported(what) = self
            && let Some((name, value)) = what.instead()
        {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(1500);

    fn every() -> [Denial; 8] {
        [
            Denial::Malformed("broken".into()),
            Denial::TooLarge { limit: 7 },
            Denial::Exhausted { retry_after: SOON },
            Denial::Unavailable { retry_after: SOON },
            Denial::Disagrees { why: "older documents".into(), retry_after: SOON },
            Denial::Forbidden("not you".into()),
            Denial::Unsupported(Unsupported::Encoding),
            Denial::Internal("our fault".into()),
        ]
    }

    #[test]
    fn only_what_should_come_back_carries_a_retryable_code() {
        // What the OTLP specification lets clients retry, and what several SDKs retry although it does not.
        let retried = [
            Code::Cancelled,
            Code::DeadlineExceeded,
            Code::ResourceExhausted,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unavailable,
            Code::DataLoss,
        ];
        for denial in every() {
            let (grpc, http) = denial.codes();
            let comes_back = denial.retry_after().is_some();
            assert_eq!(retried.contains(&grpc), comes_back, "{denial:?}");
            assert_eq!([429, 502, 503, 504].contains(&http.as_u16()), comes_back, "{denial:?}");
        }
    }

    #[test]
    fn retry_info_and_retry_after_say_when() {
        let denial = Denial::Exhausted { retry_after: SOON };
        let status = denial.grpc().extensions().get::<Status>().cloned().unwrap();
        assert_eq!(RpcStatus::decode(status.details()).retry_after, Some(SOON));
        assert_eq!(denial.http(Format::Json).headers()[RETRY_AFTER], "2");
        assert!(Denial::TooLarge { limit: 1 }.http(Format::Json).headers().get(RETRY_AFTER).is_none());
    }
}
