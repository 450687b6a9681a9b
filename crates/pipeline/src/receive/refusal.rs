//! Why a request is not taken, and what its sender should do about it.
//!
//! Promises:
//! 1. Each reason has exactly one remedy, and one mapping turns it into gRPC and HTTP codes (`tollgate_transport`).
//! 2. No message carries anything from the payload.

use std::time::Duration;

use tollgate_federation::{NodeId, NotAdmitted, Origin, Signal};
use tollgate_otlp::Fault;
use tollgate_spool::AppendError;
use tollgate_transport::Denial;

/// Why a request is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The peer may not send here at all.
    #[error(transparent)]
    NotAdmitted(#[from] NotAdmitted),
    /// The listener is for tiers, and the peer did not prove that it is one.
    #[error("this listener takes requests from tollgate nodes only, by mutual tls")]
    NoIdentity,
    /// Between tiers every parcel has a manifest.
    #[error("a parcel between tiers needs a manifest in the metadata `tollgate-manifest-bin`")]
    NoManifest,
    /// The manifest names another node than the certificate.
    #[error("the manifest names {named}, the certificate {proved}")]
    ForeignManifest {
        /// Who sent it according to the manifest.
        named: Box<NodeId>,
        /// Who sent it according to the certificate.
        proved: Box<NodeId>,
    },
    /// The origin may not come this way.
    #[error("data of origin {origin} may not come from {peer}")]
    OriginNotCarried {
        /// The origin that the manifest gives.
        origin: Origin,
        /// Who sent it.
        peer: Box<NodeId>,
    },
    /// The link does not carry this signal.
    #[error("the link from {peer} does not carry {signal}")]
    SignalNotCarried {
        /// The signal.
        signal: Signal,
        /// Who sent it.
        peer: Box<NodeId>,
    },
    /// Sealed by a policy that is neither in force here nor was the last one to be.
    #[error("the parcel from {peer} was sealed by a policy that is not known here: one of us has older documents")]
    UnknownPolicy {
        /// Who sent it.
        peer: Box<NodeId>,
    },
    /// Sealed by a policy that may let through what ours forbids.
    #[error("the parcel from {peer} was sealed by a policy that is no longer in force here and let more through")]
    WiderPolicy {
        /// Who sent it.
        peer: Box<NodeId>,
    },
    /// The manifest is of another request.
    #[error("the manifest is of {stated}, the request of {found}")]
    ForeignSignal {
        /// The signal that the manifest gives.
        stated: Signal,
        /// The signal of the request.
        found: Signal,
    },
    /// The manifest counts other items than there are.
    #[error("the manifest counts {stated} items, the request has {found}")]
    Miscounted {
        /// What the manifest says.
        stated: u32,
        /// What the walk found, bad items included.
        found: u32,
    },
    /// The request is not OTLP.
    #[error("the request is not valid OTLP: {0}")]
    Malformed(Fault),
    /// The request is larger than a record may be.
    #[error("the request is larger than a record of the spool may be")]
    TooLarge,
    /// The disk budget is spent.
    #[error("the spool is full")]
    Full {
        /// When to try again.
        retry_after: Duration,
    },
    /// The spool cannot write.
    #[error("the spool cannot write")]
    Unwritable,
    /// The process is stopping.
    #[error("this node is shutting down")]
    Draining,
}

/// What the sender should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Send it again later.
    Retry(Duration),
    /// Send it again later: somebody is about to give both of us the same documents.
    Agree(Duration),
    /// Wait for people: who we are or what we are configured to do is wrong.
    Hold,
    /// Give this request up: it will never be taken.
    GiveUp,
}

/// How long a sender waits when there is no better estimate.
const SOON: Duration = Duration::from_secs(1);
/// How long a sender waits while the two of us have different documents.
const UNTIL_AGREED: Duration = Duration::from_secs(5);

impl Refusal {
    /// What the sender should do.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::NotAdmitted(_) | Self::NoIdentity | Self::NoManifest | Self::ForeignManifest { .. } => Remedy::Hold,
            Self::OriginNotCarried { .. } | Self::SignalNotCarried { .. } | Self::ForeignSignal { .. } => Remedy::Hold,
            Self::Miscounted { .. } | Self::Malformed(_) | Self::TooLarge => Remedy::GiveUp,
            Self::UnknownPolicy { .. } | Self::WiderPolicy { .. } => Remedy::Agree(UNTIL_AGREED),
            Self::Full { retry_after } => Remedy::Retry(*retry_after),
            Self::Unwritable | Self::Draining => Remedy::Retry(SOON),
        }
    }

    /// Its short name, a label of metrics.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::NotAdmitted(_) => "not_admitted",
            Self::NoIdentity => "no_identity",
            Self::NoManifest => "no_manifest",
            Self::ForeignManifest { .. } => "foreign_manifest",
            Self::OriginNotCarried { .. } => "origin_not_carried",
            Self::SignalNotCarried { .. } => "signal_not_carried",
            Self::UnknownPolicy { .. } => "unknown_policy",
            Self::WiderPolicy { .. } => "wider_policy",
            Self::ForeignSignal { .. } => "foreign_signal",
            Self::Miscounted { .. } => "miscounted",
            Self::Malformed(_) => "malformed",
            Self::TooLarge => "too_large",
            Self::Full { .. } => "full",
            Self::Unwritable => "unwritable",
            Self::Draining => "draining",
        }
    }
}

/// The short name of what a listener refused by itself.
pub(crate) const fn reason_of(denial: &Denial) -> &'static str {
    match denial {
        Denial::Malformed(_) => "malformed",
        Denial::TooLarge { .. } => "too_large",
        Denial::Exhausted { .. } => "no_memory",
        Denial::Unavailable { .. } => "unavailable",
        Denial::Disagrees { .. } => "disagrees",
        Denial::Forbidden(_) => "forbidden",
        Denial::Unsupported(_) => "unsupported",
        Denial::Internal(_) => "internal",
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Full { retry_after } => Self::Full { retry_after },
            AppendError::TooLarge => Self::TooLarge,
            AppendError::Failed => Self::Unwritable,
            AppendError::Closed => Self::Draining,
        }
    }
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match (refusal.remedy(), refusal) {
            (Remedy::Retry(retry_after), Refusal::Full { .. }) => Self::Exhausted { retry_after },
            (Remedy::Retry(retry_after), _) => Self::Unavailable { retry_after },
            (Remedy::Agree(retry_after), _) => Self::Disagrees { why: text, retry_after },
            (Remedy::Hold, _) => Self::Forbidden(text),
            (Remedy::GiveUp, _) => Self::Malformed(text),
        }
    }
}
