//! Why a link is closed.

use tollgate_federation::{Origin, Regime, Signal};

/// Why nothing of this origin and signal may cross a link on this day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The federation has no such link.
    #[error("the federation has no such link")]
    NoLink,
    /// The link does not carry the signal.
    #[error("the link does not carry {0}")]
    Signal(Signal),
    /// The link does not carry this origin.
    #[error("the link does not carry data from {0}")]
    Origin(Origin),
    /// The documents of this policy and this federation do not belong together.
    #[error("no instrument justifies data from {0} on this link")]
    NoInstrument(Regime),
    /// Neither the instrument nor a fallback covers the transfer: another signal, exporter or recipient.
    #[error("neither instrument {instrument} nor a fallback covers {signal} from {origin} on this link")]
    NotCovered {
        /// The instrument that the link names.
        instrument: String,
        /// Whose data it would justify.
        origin: Regime,
        /// The signal.
        signal: Signal,
    },
    /// The instrument and its fallbacks have expired, or are due for review.
    #[error("instrument {instrument} no longer holds for data from {origin}")]
    Expired {
        /// The instrument that the link names.
        instrument: String,
        /// Whose data it justified.
        origin: Regime,
    },
    /// No rule speaks of this crossing, and omission means absent.
    #[error("no rule speaks of {signal} from {origin} reaching {reaching}")]
    NoRule {
        /// Where the data comes from.
        origin: Regime,
        /// What it would reach.
        reaching: Regime,
        /// The signal.
        signal: Signal,
    },
    /// The whole policy is in shadow: it counts, and nothing crosses.
    #[error("the policy is in shadow, so nothing crosses")]
    Shadow,
    /// A rule denies the whole crossing.
    #[error("rule {rule} denies all")]
    Denied {
        /// The rule's id.
        rule: String,
    },
    /// A rule requires what nothing carries out yet.
    #[error("rule {rule} requires `{what}`, which nothing carries out yet")]
    Required {
        /// The rule's id.
        rule: String,
        /// The key of the requirement.
        what: &'static str,
    },
}
