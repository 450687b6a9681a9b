use proptest::collection::vec;
use proptest::prelude::*;
use tollgate_federation::Presence;
use tollgate_runtime::ManualClock;

use super::*;
use crate::rig;

impl Attendance {
    /// How many words are kept of all senders.
    pub(crate) fn words(&self) -> usize {
        self.lock().values().map(Heard::kept).sum()
    }
}

const PATIENCE: Duration = Duration::from_secs(20);

/// A receiver, and senders each with a clock that is off by so many seconds.
struct Room {
    attendance: Arc<Attendance>,
    hand: ManualClock,
    clock: Clock,
}

impl Room {
    fn new() -> Self {
        let (clock, hand) = rig::standing();
        let attendance = Attendance::new(clock.clone(), Duration::ZERO, PATIENCE);
        attendance.open();
        Self { attendance, hand, clock }
    }

    fn pass(&self, seconds: u64) {
        self.hand.advance(Duration::from_secs(seconds));
    }

    /// A word that was written `written` seconds ago, when the oldest had waited for `waited` seconds.
    fn hear(&self, node: &str, off: i64, ages: (u64, u64), end: u64) {
        self.hear_of(Presence::Stays, node, off, ages, end);
    }

    fn hear_of(&self, presence: Presence, node: &str, off: i64, (written, waited): (u64, u64), end: u64) {
        let seconds = |seconds: u64| seconds * 1_000_000_000;
        let now = self.clock.now().nanos().saturating_add_signed(off * 1_000_000_000) - seconds(written);
        let progress = Some(Progress { oldest_unsent: now - seconds(waited), now, presence });
        let word = Word::of(&Manifest { progress, ..rig::manifest(node, "EEA", 0) }).unwrap();
        self.attendance.heard(&word, Position::new(end));
    }

    fn awaited(&self, position: u64) -> u64 {
        self.attendance.lag(Position::new(position)).awaited.as_secs()
    }
}

const EU: &str = "eu-west/gateway/0";
const EU_OTHER: &str = "eu-west/gateway/1";
const UK: &str = "uk-south/gateway/0";

/// Guarantees: a sender is as far behind as it says, then by as much more as it is silent; whatever its clock shows.
#[test]
fn who_is_behind_is_told_by_its_own_clock_and_then_by_its_silence() {
    for off in [-7200, 0, 7200] {
        let room = Room::new();
        room.pass(100);
        room.hear(EU, off, (0, 3), 5);
        assert_eq!(room.awaited(5), 3);
        room.pass(4);
        assert_eq!(room.awaited(5), 7);
        room.hear(UK, -off, (0, 0), 6);
        room.hear(EU, off, (0, 0), 6);
        assert_eq!(room.awaited(6), 0);
    }
}

/// Guarantees: a word counts once the log is read up to where it was said.
#[test]
fn a_word_counts_for_who_has_read_what_came_before() {
    let room = Room::new();
    room.pass(100);
    room.hear(EU, 0, (0, 0), 10);
    room.pass(5);
    room.hear(EU, 0, (0, 0), 20);
    assert_eq!([9, 10, 19, 20].map(|position| room.awaited(position)), [105, 5, 5, 0]);
}

/// Scenario: a word is written, then the path is cut for as long as it takes; then it arrives. Guarantees: it tells what was
/// true when it was written.
#[test]
fn a_word_that_was_held_up_is_as_old_as_it_is() {
    let room = Room::new();
    room.pass(100);
    room.hear(EU, 55, (0, 0), 1);
    room.pass(90);
    room.hear(EU, 55, (12, 0), 1);
    assert_eq!(room.awaited(1), 12);
    room.pass(1);
    room.hear(EU, 55, (0, 2), 1);
    assert_eq!(room.awaited(1), 2);
}

/// Guarantees: who is silent for longer than patience is no longer waited for, but known to be missing; who comes back is.
#[test]
fn who_is_gone_is_waited_for_no_longer_and_still_missing() {
    let room = Room::new();
    room.hear(EU, 0, (0, 0), 1);
    room.pass(PATIENCE.as_secs());
    assert_eq!(room.awaited(1), PATIENCE.as_secs());
    room.pass(1);
    let lag = room.attendance.lag(Position::new(1));
    assert_eq!((lag.awaited.as_secs(), lag.of_all), (0, PATIENCE + Duration::from_secs(1)));
    assert!(!room.attendance.all()[0].is_awaited);
    room.hear(EU, 0, (0, 9), 1);
    assert_eq!(room.awaited(1), 9);
    room.pass(FORGOTTEN.as_secs() + 1);
    assert_eq!(room.attendance.lag(Position::new(1)).of_all, Duration::ZERO);
}

/// Guarantees: who said goodbye is missed by nobody once all that it had sent is read; who comes back is waited for as ever.
#[test]
fn who_said_goodbye_is_not_missed() {
    let room = Room::new();
    room.pass(100);
    room.hear(EU, 0, (0, 0), 10);
    room.hear(EU_OTHER, 0, (0, 0), 10);
    let comings = room.attendance.names().0;
    room.hear_of(Presence::Leaves, EU, 0, (0, 0), 20);
    room.pass(30);
    room.hear(EU_OTHER, 0, (0, 0), 19);
    assert_eq!(room.awaited(20), 0);
    assert_eq!(room.attendance.lag(Position::new(19)).of_all.as_secs(), 30, "it has sent more than is read");
    assert_eq!((room.attendance.all().len(), room.attendance.names().1.len()), (1, 1));
    room.hear(EU, 0, (0, 4), 30);
    assert_eq!((room.awaited(30), room.attendance.all().len()), (4, 2));
    assert_eq!(room.attendance.names().0, comings + 2, "both are for the file");
}

/// Scenario: the nodes of a region's tier are stopped in order, for a restart of all. Guarantees: the last one is missed, as what
/// they would have got waits in the region; whoever stays elsewhere does not stand in for them.
#[test]
fn the_last_of_a_tier_is_missed_also_after_its_goodbye() {
    let room = Room::new();
    room.pass(100);
    [EU, EU_OTHER, UK].iter().for_each(|node| room.hear(node, 0, (0, 0), 10));
    [EU, EU_OTHER].iter().for_each(|node| room.hear_of(Presence::Leaves, node, 0, (0, 0), 10));
    room.pass(5);
    room.hear(UK, 0, (0, 0), 10);
    assert_eq!((room.awaited(10), room.attendance.names().1.len()), (5, 3));
    room.hear(EU, 0, (0, 1), 20);
    assert_eq!((room.awaited(20), room.attendance.names().1.len()), (1, 2));
    room.pass(21);
    [EU_OTHER, UK].iter().for_each(|node| room.hear_of(Presence::Leaves, node, 0, (0, 0), 20));
    room.pass(3);
    assert_eq!(room.awaited(20), 3, "who fell silent long ago gets nothing either");
}

/// Guarantees: a process that just started says nothing of those who have yet to come back to it.
#[test]
fn a_process_that_starts_vouches_for_nobody() {
    let (clock, hand) = rig::standing();
    let attendance = Attendance::new(clock.clone(), Duration::from_secs(2), PATIENCE);
    let start = clock.now();
    hand.advance(Duration::from_secs(9));
    assert_eq!(attendance.sent_before(Position::ZERO), start, "nobody can reach it yet");
    attendance.open();
    hand.advance(Duration::from_secs(1));
    assert_eq!(attendance.sent_before(Position::ZERO), start);
    hand.advance(Duration::from_secs(1));
    assert_eq!(attendance.sent_before(Position::ZERO), clock.now());
}

proptest! {
    /// Guarantees: no word makes a sender less than up to date, or delays anybody by more than time has passed; what was
    /// said once stays true, and no number of words takes more memory than promised.
    #[test]
    fn no_words_do_harm(words in vec((any::<u64>(), any::<u64>(), 0_u64..3, 0_u64..2_000, 0_u64..50), 1..400)) {
        let room = Room::new();
        let mut newest = Duration::ZERO;
        for (one, other, boot, millis, end) in words {
            room.hand.advance(Duration::from_millis(millis));
            let progress = Progress { oldest_unsent: one.min(other), now: one.max(other), presence: Presence::Stays };
            let progress = Some(progress);
            let manifest = Manifest { progress, boot, ..rig::manifest(EU, "EEA", 0) };
            room.attendance.heard(&Word::of(&manifest).unwrap(), Position::new(end));
            let uptime = room.clock.uptime();
            let said = uptime - room.attendance.all()[0].lag;
            prop_assert!(said >= newest && said <= uptime);
            newest = said;
            prop_assert!(room.attendance.lag(Position::new(end)).awaited <= uptime);
        }
        prop_assert!(room.attendance.lock().values().all(|heard| heard.kept() <= 1024));
    }
}
