//! Why a value crosses as it does, in words.

use std::fmt;

use tollgate_federation::Signal;

use crate::answers::{Because, By};
use crate::carrier::Carrier;
use crate::class::Class;
use crate::closed::Closed;
use crate::form::Form;
use crate::mark::Mark;

/// Why a value crosses as it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Nothing of this signal and origin may cross the link.
    Closed(Closed),
    /// Messages of this signal have no such carrier.
    NoCarrier(Signal),
    /// No link lets the carrier cross, whatever the rules say.
    NeverCrosses,
    /// A rule strips the carrier.
    Stripped,
    /// The key stands in no catalogue.
    Unclassified,
    /// It is what a sealer says itself.
    Ours(Mark),
    /// No rule can allow the class.
    NeverAllowed(Class),
    /// No rule allows it: omission means absent.
    Omitted(Class),
    /// Only rules that are narrowed to a part of the data allow it, and nothing proves that this is of it.
    Narrowed,
    /// A rule denies it.
    Denied,
    /// A rule allows it; of several the strictest holds.
    Allowed,
    /// Rules allow it in forms that cannot be compared.
    Incomparable,
    /// The risk that an allow rests on has lapsed, or nobody makes its pseudonym yet.
    Unusable,
    /// A rule caps the class below the form in which it is allowed.
    Capped,
    /// It may not cross together with this attribute, which would cross too.
    NotTogether(String),
    /// It would cross, and what it stands in does not.
    Lost {
        /// What it stands in.
        what: &'static str,
        /// What that cannot be without.
        without: Carrier,
        /// Why this does not cross.
        because: Box<Reason>,
    },
    /// Only attributes can be transformed.
    NoTransform,
    /// Only ids can be blinded.
    OnlyIds,
    /// The instrument in force is not for this class.
    OutOfScope(String),
    /// The instrument in force lets the class cross at most in another form.
    AboveCap {
        /// The instrument.
        instrument: String,
        /// Its cap.
        cap: Form,
    },
    /// The key of the transform lies in the origin's region, not where the data is sealed.
    KeyElsewhere {
        /// The transform.
        transform: String,
        /// The region that seals.
        place: String,
    },
}

impl Reason {
    /// What the rules say, and which of them do.
    pub(crate) fn of<'b>(because: &'b Because<'_>, class: Class) -> (Self, Vec<By<'b>>) {
        let reason = match because {
            Because::Unclassified => Self::Unclassified,
            Because::NeverAllowed => Self::NeverAllowed(class),
            Because::Omitted => Self::Omitted(class),
            Because::Narrowed(_) => Self::Narrowed,
            Because::Denied(_) => Self::Denied,
            Because::Allowed(_) => Self::Allowed,
            Because::Incomparable(_) => Self::Incomparable,
            Because::Unusable(_) => Self::Unusable,
            Because::Capped(_) => Self::Capped,
        };
        (reason, because.by())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(closed) => closed.fmt(f),
            Self::NoCarrier(signal) => write!(f, "{signal} have no such carrier"),
            Self::NeverCrosses => f.write_str("no link lets this carrier cross"),
            Self::Stripped => f.write_str("the carrier is stripped"),
            Self::Unclassified => f.write_str("unclassified: no catalogue has it"),
            Self::Ours(mark) => write!(f, "a key of ours, {}", said(*mark)),
            Self::NeverAllowed(class) => write!(f, "{class}: no rule can allow it"),
            Self::Omitted(class) => write!(f, "{class}: no rule allows it"),
            Self::Narrowed => f.write_str("allowed only for a part of the data, and nothing proves that this is of it"),
            Self::Denied => f.write_str("denied"),
            Self::Allowed => f.write_str("allowed"),
            Self::Incomparable => f.write_str("allowed in forms that cannot be compared"),
            Self::Unusable => f.write_str("what the allow rests on has lapsed or cannot be carried out"),
            Self::Capped => f.write_str("capped below the form in which it is allowed"),
            Self::NotTogether(other) => write!(f, "not together with {other}, which would cross too"),
            Self::Lost { what, without, because } => {
                write!(f, "its {what} does not cross: {without}, without which there is none: {because}")
            }
            Self::NoTransform => f.write_str("only attributes can be transformed"),
            Self::OnlyIds => f.write_str("only ids can be blinded, not attributes"),
            Self::OutOfScope(instrument) => write!(f, "outside the scope of instrument {instrument}"),
            Self::AboveCap { instrument, cap } => write!(f, "instrument {instrument} lets it cross at most {cap}"),
            Self::KeyElsewhere { transform, place } => {
                write!(f, "the key of {transform} lies in the region of origin, not in {place}")
            }
        }
    }
}

/// What a gateway says by a mark, and what it makes of one that is there.
const fn said(mark: Mark) -> &'static str {
    match mark {
        Mark::Device => {
            "by which a gateway says that the resource is a device: it is believed where it stands, and said anew"
        }
        Mark::Policy => {
            "by which a gateway says under which policy it sealed the scope: what stands there is not copied"
        }
        Mark::Dropped => {
            "by which a gateway counts what it withheld of a metric's points: what stands there is added to"
        }
    }
}
