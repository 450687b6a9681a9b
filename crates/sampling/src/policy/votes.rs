//! How each policy voted on one trace, in a few words: what an answer to "why" is made of.

use super::vote::Ballot;

/// The votes of all policies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Votes {
    first: Word,
    /// Of the policies behind the first 64; most sets have none.
    more: Vec<Word>,
}

/// So many policies have a bit in each number.
const POLICIES: usize = u64::BITS as usize;

/// The votes of so many policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Word {
    wanted: u64,
    refused: u64,
    unknown: u64,
}

/// How one policy voted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voted {
    /// It was not asked: the answer was certain.
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
        let bit = 1 << (policy % POLICIES);
        let word = match (policy / POLICIES).checked_sub(1) {
            None => &mut self.first,
            Some(place) => {
                let words = self.more.len().max(place + 1);
                self.more.resize(words, Word::default());
                let Some(word) = self.more.get_mut(place) else { return };
                word
            }
        };
        match ballot {
            Ballot::Keep => word.wanted |= bit,
            Ballot::Pass => word.refused |= bit,
            Ballot::Unknown => word.unknown |= bit,
            Ballot::Veto => (word.refused, word.unknown) = (word.refused | bit, word.unknown | bit),
        }
    }

    /// How the policy at this place voted.
    pub fn of(&self, policy: usize) -> Voted {
        let bit = 1 << (policy % POLICIES);
        let word = (policy / POLICIES).checked_sub(1).map_or(Some(&self.first), |place| self.more.get(place));
        let Some(word) = word else { return Voted::NotAsked };
        match (word.wanted & bit != 0, word.refused & bit != 0, word.unknown & bit != 0) {
            (true, ..) => Voted::Keep,
            (_, true, true) => Voted::Veto,
            (_, true, _) => Voted::Pass,
            (.., true) => Voted::Unknown,
            _ => Voted::NotAsked,
        }
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
        for place in (1..200).filter(|place| *place != 150) {
            votes.note(place, given[place % 4]);
        }
        let expected = [Voted::Keep, Voted::Pass, Voted::Unknown, Voted::Veto];
        for place in 0..256 {
            let is_asked = (1..200).contains(&place) && place != 150;
            let expected = if is_asked { expected[place % 4] } else { Voted::NotAsked };
            assert_eq!(votes.of(place), expected, "{place}");
        }
        assert_eq!(votes.of(usize::MAX), Voted::NotAsked);
    }
}
