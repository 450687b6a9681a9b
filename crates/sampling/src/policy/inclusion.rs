//! With which probability a trace like this one is kept: what its vote would be for any other randomness.
//!
//! Promises:
//! 1. The answer depends on what was seen of the trace, never on its randomness, so that counts by it are unbiased.
//! 2. What is no consistent probability (a rate limit, the negation of a share, something that could not be read) is not
//!    passed off as one.

use super::vote::{Ballot, Case, Vote};
use crate::tracestate::Threshold;

/// For which randomness a policy wants a trace like this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inclusion {
    /// For none.
    Never,
    /// From this on.
    From(Threshold),
    /// It is decided by something else.
    Unknown,
    /// A veto depends on it: whoever wants the trace, the probability is not known.
    Spoiled,
}

impl Inclusion {
    fn of(ballot: Ballot) -> Self {
        match ballot {
            Ballot::Keep => Self::From(Threshold::ALWAYS),
            Ballot::Pass => Self::Never,
            Ballot::Unknown | Ballot::Veto => Self::Unknown,
        }
    }

    /// Of two policies of which both must want it.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Spoiled, _) | (_, Self::Spoiled) => Self::Spoiled,
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (Self::From(one), Self::From(other)) => Self::From(one.max(other)),
            _ => Self::Unknown,
        }
    }

    /// Of two policies of which one must want it.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Spoiled, _) | (_, Self::Spoiled) => Self::Spoiled,
            (Self::From(Threshold::ALWAYS), _) | (_, Self::From(Threshold::ALWAYS)) => Self::From(Threshold::ALWAYS),
            (Self::Never, certain) | (certain, Self::Never) => certain,
            (Self::From(one), Self::From(other)) => Self::From(one.min(other)),
            _ => Self::Unknown,
        }
    }
}

impl Vote {
    pub(crate) fn inclusion(&self, case: &Case<'_>) -> Inclusion {
        let all = |votes: &[Self]| {
            let each = votes.iter().map(|vote| vote.inclusion(case));
            each.fold(Inclusion::From(Threshold::ALWAYS), Inclusion::and)
        };
        match self {
            Self::Share(share) => share.consistently().map_or(Inclusion::Never, Inclusion::From),
            Self::And(votes) => all(votes),
            Self::Or(votes) => votes.iter().map(|vote| vote.inclusion(case)).fold(Inclusion::Never, Inclusion::or),
            Self::Not(vote) => match vote.inclusion(case) {
                Inclusion::Never => Inclusion::From(Threshold::ALWAYS),
                Inclusion::From(Threshold::ALWAYS) => Inclusion::Never,
                Inclusion::From(_) | Inclusion::Unknown => Inclusion::Unknown,
                Inclusion::Spoiled => Inclusion::Spoiled,
            },
            Self::Drop(votes) => match all(votes) {
                Inclusion::Never => Inclusion::Never,
                _ => Inclusion::Spoiled,
            },
            Self::Composite(shared) => {
                let subs = shared.subs.iter().map(|(vote, _)| vote.inclusion(case));
                match subs.fold(Inclusion::Never, Inclusion::or) {
                    Inclusion::From(_) => Inclusion::Unknown,
                    other => other,
                }
            }
            Self::Spans(_) | Self::Bytes(_) => Inclusion::Unknown,
            Self::Always | Self::Latency(_) | Self::SpanCount(_) | Self::Mark(..) | Self::Condition(..) => {
                Inclusion::of(self.certain(case))
            }
        }
    }
}
