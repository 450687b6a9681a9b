//! What was decided about a trace, and why.

/// Keep or drop; a trace without either is pending. The order is the one in which verdicts may rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// Its spans go no further.
    Drop,
    /// Its spans are delivered.
    Keep,
}

/// Whether all evidence was there when a verdict was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coverage {
    /// As far as is known.
    Complete,
    /// Somebody who lagged was not waited for, or not long enough.
    Incomplete,
}

/// Why a verdict was given, as a number; `Sampler::reason` gives the name. With it goes by which threshold, if by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason {
    /// In two bytes, so that a verdict fits four.
    number: [u8; 2],
    /// One more than the place of the threshold in the list of its set; zero for none.
    threshold: u8,
}

/// The decision about one trace with its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Keep or drop.
    pub decision: Decision,
    /// The policy that kept or dropped it, or why none did.
    pub reason: Reason,
}

impl Reason {
    /// No policy wanted the trace.
    pub const NO_POLICY_MATCHED: Self = Self::numbered(0);
    /// Part of the trace could not be evaluated, so it is kept.
    pub const EVALUATION_ERROR: Self = Self::numbered(1);
    /// A policy of an earlier configuration whose name is no longer known.
    pub const EARLIER_POLICY: Self = Self::numbered(2);

    /// The trace had more bytes than `maximum_trace_size_bytes`.
    pub const TOO_LARGE: Self = Self::numbered(3);

    /// All that name no policy.
    pub(crate) const FIXED: [Self; 4] =
        [Self::NO_POLICY_MATCHED, Self::EVALUATION_ERROR, Self::EARLIER_POLICY, Self::TOO_LARGE];

    /// The first number that belongs to a policy.
    const FIRST_POLICY: u16 = 4;

    const fn numbered(number: u16) -> Self {
        Self { number: number.to_be_bytes(), threshold: 0 }
    }

    /// The same, for a trace that was kept by the threshold at this place of the list.
    pub(crate) fn at_threshold(self, place: usize) -> Self {
        let threshold = u8::try_from(place).ok().and_then(|place| place.checked_add(1));
        Self { threshold: threshold.unwrap_or(0), ..self }
    }

    /// The same, for a trace that was kept by no threshold.
    pub(crate) fn without_threshold(self) -> Self {
        Self { threshold: 0, ..self }
    }

    /// The place of the threshold, if the trace was kept by one.
    pub(crate) fn threshold(self) -> Option<usize> {
        self.threshold.checked_sub(1).map(usize::from)
    }

    /// The reason that names the policy at this place of the list.
    pub(crate) fn policy(place: usize) -> Self {
        let number = u16::try_from(place).ok().and_then(|place| place.checked_add(Self::FIRST_POLICY));
        number.map_or(Self::EARLIER_POLICY, Self::numbered)
    }

    /// Whether it names a policy.
    pub fn is_policy(self) -> bool {
        self.place().is_some()
    }

    /// The place of the policy, if the reason is one.
    pub(crate) fn place(self) -> Option<usize> {
        u16::from_be_bytes(self.number).checked_sub(Self::FIRST_POLICY).map(usize::from)
    }

    /// The name of a reason that is no policy.
    pub(crate) fn fixed_name(self) -> &'static str {
        match self {
            Self::NO_POLICY_MATCHED => "no policy matched",
            Self::EVALUATION_ERROR => "evaluation error",
            Self::TOO_LARGE => "larger than maximum_trace_size_bytes",
            _ => "an earlier policy",
        }
    }
}

impl Verdict {
    /// The higher of two verdicts about one trace; of two equal ones the first.
    #[must_use]
    pub fn raised_by(self, other: Self) -> Self {
        if other.decision > self.decision { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_only_rise() {
        let drop = Verdict { decision: Decision::Drop, reason: Reason::NO_POLICY_MATCHED };
        let keep = Verdict { decision: Decision::Keep, reason: Reason::policy(0) };
        let other_keep = Verdict { decision: Decision::Keep, reason: Reason::policy(1) };
        assert_eq!(drop.raised_by(keep), keep);
        assert_eq!(keep.raised_by(drop), keep);
        assert_eq!(keep.raised_by(other_keep), keep, "the first reason stays");
    }

    #[test]
    fn a_policy_reason_knows_its_place() {
        assert_eq!(Reason::policy(62).place(), Some(62));
        assert_eq!(Reason::policy(usize::MAX), Reason::EARLIER_POLICY);
        assert_eq!(Reason::EVALUATION_ERROR.place(), None);
    }
}
