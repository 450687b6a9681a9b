use proptest::prelude::*;

use super::*;

fn at(value: u64) -> Position {
    Position::new(value)
}

fn plan_of(from: u64, until: Option<u64>, members: Vec<usize>) -> (Position, Option<Position>, Vec<usize>) {
    (at(from), until.map(at), members)
}

fn shown(plan: Plan) -> (Position, Option<Position>, Vec<usize>) {
    (plan.from, plan.until, plan.members)
}

#[test]
fn lanes_at_one_position_go_as_one_convoy() {
    let mut lanes = Lanes::new();
    let (a, b, c) = (lanes.join(at(0)), lanes.join(at(0)), lanes.join(at(5)));
    let plan = lanes.plan(|_| true).unwrap();
    assert_eq!(shown(plan.clone()), plan_of(0, Some(5), vec![a, b]));
    lanes.swept(&plan, at(5));
    let plan = lanes.plan(|_| true).unwrap();
    assert_eq!(shown(plan.clone()), plan_of(5, None, vec![a, b, c]));
}

#[test]
fn a_lane_without_credit_stays_behind_and_rejoins_where_the_others_stand() {
    let mut lanes = Lanes::new();
    let (slow, fast) = (lanes.join(at(0)), lanes.join(at(0)));
    let plan = lanes.plan(|lane| lane != slow).unwrap();
    assert_eq!(plan.members, [fast]);
    lanes.swept(&plan, at(9));
    let alone = lanes.plan(|_| true).unwrap();
    assert_eq!(shown(alone.clone()), plan_of(0, Some(9), vec![slow]));
    lanes.swept(&alone, at(9));
    assert_eq!(lanes.plan(|_| true).unwrap().members, [slow, fast]);
    assert_eq!(lanes.plan(|_| false), None);
}

#[test]
fn cursor_waits_for_the_lowest_parcel_and_for_what_is_not_sent() {
    let mut lanes = Lanes::new();
    let lane = lanes.join(at(0));
    let plan = lanes.plan(|_| true).unwrap();
    lanes.swept(&plan, at(30));
    assert_eq!(lanes.cursor(lane), Some(at(0)), "swept, but not sent");
    let first = lanes.sent(lane, at(0), at(10)).unwrap();
    let second = lanes.sent(lane, at(10), at(20)).unwrap();
    assert!(lanes.acknowledged(second));
    assert_eq!((lanes.cursor(lane), lanes.unacknowledged(lane)), (Some(at(0)), 1));
    assert!(lanes.acknowledged(first));
    assert_eq!(lanes.cursor(lane), Some(at(20)));
    lanes.passed(lane, at(99));
    assert_eq!(lanes.cursor(lane), Some(at(30)), "no further than it was swept");
}

#[test]
fn a_record_in_several_parcels_holds_the_cursor_until_all_of_them_arrived() {
    let mut lanes = Lanes::new();
    let lane = lanes.join(at(0));
    let plan = lanes.plan(|_| true).unwrap();
    lanes.swept(&plan, at(20));
    let parts = [(0, 10), (10, 10), (10, 20)].map(|(from, to)| lanes.sent(lane, at(from), at(to)).unwrap());
    let [head, middle, tail] = parts;
    assert!(lanes.acknowledged(tail) && lanes.acknowledged(head));
    assert_eq!(lanes.cursor(lane), Some(at(10)));
    assert!(lanes.acknowledged(middle));
    assert_eq!(lanes.cursor(lane), Some(at(20)));
}

#[test]
fn rewinding_takes_back_what_is_not_acknowledged_and_forgets_its_tickets() {
    let mut lanes = Lanes::new();
    let (lane, other) = (lanes.join(at(0)), lanes.join(at(0)));
    let running = lanes.plan(|_| true).unwrap();
    lanes.rewind(lane);
    assert_eq!(lanes.swept(&running, at(10)), [other], "what was gathered for the lane was dropped with the rewind");
    let again = lanes.plan(|_| true).unwrap();
    assert_eq!(shown(again.clone()), plan_of(0, Some(10), vec![lane]));
    lanes.swept(&again, at(10));
    let ticket = lanes.sent(lane, at(0), at(10)).unwrap();
    let running = lanes.plan(|_| true).unwrap();
    lanes.rewind(lane);
    assert_eq!(lanes.swept(&running, at(20)), [other], "a sweep under way does not count for a lane taken back");
    assert!(!lanes.acknowledged(ticket));
    assert_eq!(shown(lanes.plan(|_| true).unwrap()), plan_of(0, Some(20), vec![lane]));
}

#[test]
fn lanes_behind_what_is_gone_go_on_after_it() {
    let mut lanes = Lanes::new();
    let (behind, ahead) = (lanes.join(at(0)), lanes.join(at(50)));
    let plan = lanes.plan(|_| true).unwrap();
    lanes.swept(&plan, at(10));
    let ticket = lanes.sent(behind, at(0), at(10)).unwrap();
    lanes.skip(at(40));
    assert_eq!((lanes.swept_to(behind), lanes.swept_to(ahead)), (Some(at(40)), Some(at(50))));
    assert!(lanes.acknowledged(ticket), "what was on its way may still arrive");
    assert_eq!(lanes.cursor(behind), Some(at(40)));
    lanes.leave(behind);
    assert_eq!(lanes.cursor(behind), None);
}

#[derive(Clone, Debug)]
enum Step {
    Join(u64),
    /// Sweep up to so many positions for the lanes whose bit is set.
    Sweep {
        credit: u8,
        length: u64,
    },
    /// Send what of a lane is not sent, up to so many positions less than all.
    Send {
        lane: usize,
        keep: u64,
    },
    Acknowledge(usize),
    Rewind(usize),
    Leave(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..50_u64).prop_map(Step::Join),
        8 => (any::<u8>(), 1..10_u64).prop_map(|(credit, length)| Step::Sweep { credit, length }),
        6 => (0..6_usize, 0..5_u64).prop_map(|(lane, keep)| Step::Send { lane, keep }),
        6 => (0..20_usize).prop_map(Step::Acknowledge),
        1 => (0..6_usize).prop_map(Step::Rewind),
        1 => (0..6_usize).prop_map(Step::Leave),
    ]
}

/// What one lane must look like, position by position.
#[derive(Debug)]
struct Expected {
    start: u64,
    swept: u64,
    sent: u64,
    /// Positions whose parcel was acknowledged.
    done: std::collections::BTreeSet<u64>,
}

impl Expected {
    fn cursor(&self) -> u64 {
        (self.start..self.sent).find(|position| !self.done.contains(position)).unwrap_or(self.sent)
    }
}

#[derive(Default)]
struct World {
    lanes: Lanes,
    expected: BTreeMap<usize, Expected>,
    flying: Vec<(Ticket, std::ops::Range<u64>)>,
}

impl World {
    fn step(&mut self, step: Step) {
        match step {
            Step::Join(start) => {
                let lane = self.lanes.join(at(start));
                let done = std::collections::BTreeSet::new();
                self.expected.insert(lane, Expected { start, swept: start, sent: start, done });
            }
            Step::Sweep { credit, length } => self.sweep(credit, length),
            Step::Send { lane, keep } => self.send(lane, keep),
            Step::Acknowledge(number) if !self.flying.is_empty() => {
                let (ticket, range) = self.flying.swap_remove(number % self.flying.len());
                let lane = ticket.lane();
                if self.lanes.acknowledged(ticket) {
                    self.expected.get_mut(&lane).unwrap().done.extend(range);
                }
            }
            Step::Acknowledge(_) => {}
            Step::Rewind(lane) => {
                self.lanes.rewind(lane);
                if let Some(expected) = self.expected.get_mut(&lane) {
                    let cursor = expected.cursor();
                    (expected.start, expected.swept, expected.sent) = (cursor, cursor, cursor);
                    expected.done.clear();
                }
            }
            Step::Leave(lane) => {
                self.lanes.leave(lane);
                self.expected.remove(&lane);
            }
        }
    }

    fn sweep(&mut self, credit: u8, length: u64) {
        let has_credit = |lane: usize| credit >> (lane % 8) & 1 == 1;
        let Some(plan) = self.lanes.plan(has_credit) else {
            assert!(self.expected.keys().all(|lane| !has_credit(*lane)), "whoever has credit is planned for");
            return;
        };
        let lowest = self.expected.iter().filter(|(lane, _)| has_credit(**lane)).map(|(_, lane)| lane.swept).min();
        assert_eq!(Some(plan.from.value()), lowest, "the group furthest back");
        let together: Vec<usize> =
            self.expected.iter().filter(|(_, lane)| Some(lane.swept) == lowest).map(|(number, _)| *number).collect();
        assert_eq!(plan.members, together.into_iter().filter(|lane| has_credit(*lane)).collect::<Vec<_>>());
        let next = self.expected.values().map(|lane| lane.swept).filter(|swept| Some(*swept) > lowest).min();
        assert_eq!(plan.until.map(Position::value), next, "they meet where the next ones stand");
        let to = (plan.from.value() + length).min(plan.until.map_or(u64::MAX, Position::value));
        for lane in self.lanes.swept(&plan, at(to)) {
            let expected = self.expected.get_mut(&lane).unwrap();
            assert_eq!(expected.swept, plan.from.value(), "each position once");
            expected.swept = to;
        }
    }

    fn send(&mut self, lane: usize, keep: u64) {
        let Some(expected) = self.expected.get_mut(&lane) else {
            assert_eq!(self.lanes.sent(lane, at(0), at(1)), None);
            return;
        };
        let to = expected.swept.saturating_sub(keep);
        if to > expected.sent {
            let ticket = self.lanes.sent(lane, at(expected.sent), at(to)).unwrap();
            self.flying.push((ticket, expected.sent..to));
            expected.sent = to;
        }
    }
}

proptest! {
    #[test]
    fn no_cursor_passes_what_is_not_acknowledged(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::default();
        for step in steps {
            world.step(step);
            for (lane, expected) in &world.expected {
                prop_assert_eq!(world.lanes.cursor(*lane).unwrap().value(), expected.cursor());
                prop_assert_eq!(world.lanes.swept_to(*lane).unwrap().value(), expected.swept);
            }
        }
    }

    #[test]
    fn lanes_with_credit_end_up_in_one_convoy(starts in prop::collection::vec(0..100_u64, 1..8), length in 1..20_u64) {
        let mut lanes = Lanes::new();
        for start in &starts {
            lanes.join(at(*start));
        }
        let highest = starts.iter().max().unwrap();
        let mut plan = lanes.plan(|_| true).unwrap();
        while plan.from.value() < *highest {
            let to = (plan.from.value() + length).min(plan.until.unwrap().value());
            lanes.swept(&plan, at(to));
            plan = lanes.plan(|_| true).unwrap();
        }
        prop_assert_eq!((plan.until, plan.members.len()), (None, starts.len()));
    }
}
