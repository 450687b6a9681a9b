//! Who gets the share of an owner that may be away.

use std::time::Duration;

use crate::Standing;

/// How a hop treats the share of an owner that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HopKind {
    /// Whoever receives keeps no state of a trace: the next in rank takes over at once.
    FailOver,
    /// Whoever receives judges whole traces: the share waits in the log, so that a restart splits none.
    Wait {
        /// How long an owner may be away before the next in rank becomes the owner.
        handover_after: Duration,
    },
}

/// Where a share goes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// To this member.
    Send(usize),
    /// Nowhere yet; ask again then at the latest.
    WaitUntil(Duration),
    /// The set is empty: wait for a member to appear.
    Nobody,
}

/// Decides who gets the share whose members, best first, are `rank`.
pub fn target(rank: &[usize], standing: impl Fn(usize) -> Standing, hop: HopKind, now: Duration) -> Target {
    let mut ask_again = None;
    for &member in rank {
        let (since, until) = match standing(member) {
            Standing::Up | Standing::ProbeDue { .. } => return Target::Send(member),
            Standing::Ejected { since, until } => (since, until),
        };
        ask_again = Some(ask_again.map_or(until, |earliest: Duration| earliest.min(until)));
        let HopKind::Wait { handover_after } = hop else { continue };
        let handover = since.saturating_add(handover_after);
        if now < handover {
            return Target::WaitUntil(ask_again.map_or(handover, |probe| probe.min(handover)));
        }
    }
    ask_again.map_or(Target::Nobody, Target::WaitUntil)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HANDOVER: Duration = Duration::from_secs(60);
    const WAIT: HopKind = HopKind::Wait { handover_after: HANDOVER };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn ejected(since: u64, until: u64) -> Standing {
        Standing::Ejected { since: seconds(since), until: seconds(until) }
    }

    fn choose(standings: &[Standing], hop: HopKind, now: u64) -> Target {
        let rank: Vec<usize> = (0..standings.len()).collect();
        target(&rank, |member| standings[member], hop, seconds(now))
    }

    #[test]
    fn a_healthy_owner_gets_its_share() {
        for hop in [HopKind::FailOver, WAIT] {
            assert_eq!(choose(&[Standing::Up, Standing::Up], hop, 5), Target::Send(0));
        }
    }

    #[test]
    fn a_stateless_hop_fails_over_at_once() {
        assert_eq!(choose(&[ejected(5, 6), Standing::Up], HopKind::FailOver, 5), Target::Send(1));
    }

    #[test]
    fn a_due_probe_goes_to_the_owner() {
        let due = Standing::ProbeDue { since: seconds(5) };
        for hop in [HopKind::FailOver, WAIT] {
            assert_eq!(choose(&[due, Standing::Up], hop, 7), Target::Send(0));
        }
    }

    #[test]
    fn the_hop_to_central_waits_for_its_owner() {
        assert_eq!(choose(&[ejected(5, 9), Standing::Up], WAIT, 7), Target::WaitUntil(seconds(9)));
        assert_eq!(choose(&[ejected(5, 90), Standing::Up], WAIT, 64), Target::WaitUntil(seconds(65)));
    }

    #[test]
    fn ownership_moves_when_the_owner_was_down_for_handover_after() {
        assert_eq!(choose(&[ejected(5, 90), Standing::Up], WAIT, 65), Target::Send(1));
    }

    #[test]
    fn the_next_owner_is_waited_for_as_well() {
        let standings = [ejected(5, 90), ejected(60, 80), Standing::Up];
        assert_eq!(choose(&standings, WAIT, 70), Target::WaitUntil(seconds(80)));
    }

    #[test]
    fn a_tier_that_is_wholly_down_is_asked_at_its_first_probe() {
        let standings = [ejected(5, 90), ejected(5, 80)];
        assert_eq!(choose(&standings, HopKind::FailOver, 70), Target::WaitUntil(seconds(80)));
        assert_eq!(choose(&standings, WAIT, 70), Target::WaitUntil(seconds(80)));
    }

    #[test]
    fn an_empty_tier_has_no_target() {
        assert_eq!(choose(&[], WAIT, 0), Target::Nobody);
    }

    proptest! {
        #[test]
        fn nothing_is_sent_to_an_ejected_member(up in proptest::collection::vec(any::<bool>(), 0..6), now in 0_u64..200) {
            let standings: Vec<_> = up.iter().map(|up| if *up { Standing::Up } else { ejected(50, 300) }).collect();
            for hop in [HopKind::FailOver, WAIT] {
                if let Target::Send(member) = choose(&standings, hop, now) {
                    prop_assert_eq!(standings[member], Standing::Up);
                }
            }
        }
    }
}
