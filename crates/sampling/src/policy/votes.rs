//! How each policy voted on one trace, in a few words: what an answer to "why" is made of.

use super::vote::Ballot;

/// The votes of the first 64 policies; of more, the rest is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Votes {
    wanted: u64,
    refused: u64,
    unknown: u64,
}

/// How one policy voted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voted {
    /// It was not asked: the answer was certain, or it is beyond those that are recorded.
    NotAsked,
    /// It wanted the trace.
    Keep,
    /// It did not.
    Pass,
    /// It dropped the trace whoever wanted it.
    Veto,
    /// Part of the trace could not be evaluated.
    Unknown,
}

impl Votes {
    pub(super) fn note(&mut self, policy: usize, ballot: Ballot) {
        let bit = Self::bit(policy);
        match ballot {
            Ballot::Keep => self.wanted |= bit,
            Ballot::Pass => self.refused |= bit,
            Ballot::Unknown => self.unknown |= bit,
            Ballot::Veto => (self.refused, self.unknown) = (self.refused | bit, self.unknown | bit),
        }
    }

    /// How the policy at this place voted.
    pub fn of(&self, policy: usize) -> Voted {
        let bit = Self::bit(policy);
        match (self.wanted & bit != 0, self.refused & bit != 0, self.unknown & bit != 0) {
            (true, ..) => Voted::Keep,
            (_, true, true) => Voted::Veto,
            (_, true, _) => Voted::Pass,
            (.., true) => Voted::Unknown,
            _ => Voted::NotAsked,
        }
    }

    fn bit(policy: usize) -> u64 {
        u32::try_from(policy).ok().and_then(|policy| 1_u64.checked_shl(policy)).unwrap_or(0)
    }
}

impl Voted {
    /// As reports say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAsked => "not asked",
            Self::Keep => "keep",
            Self::Pass => "pass",
            Self::Veto => "drop",
            Self::Unknown => "could not be evaluated",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_vote_is_told_as_it_was_given() {
        let mut votes = Votes::default();
        let given = [Ballot::Keep, Ballot::Pass, Ballot::Unknown, Ballot::Veto];
        for (place, ballot) in given.into_iter().chain([Ballot::Keep; 61]).enumerate().skip(1) {
            votes.note(place, ballot);
        }
        let told = [0, 1, 2, 3, 4, 63, 64, usize::MAX].map(|place| votes.of(place));
        let Voted::Keep = told[4] else { panic!("{told:?}") };
        let expected = [Voted::NotAsked, Voted::Pass, Voted::Unknown, Voted::Veto];
        assert_eq!((&told[..4], told[5], &told[6..]), (&expected[..], Voted::Keep, &[Voted::NotAsked; 2][..]));
    }
}
