//! The whole central tier dies and comes back under traffic.
//!
//! Guarantees: the regions go on as before meanwhile: services are taken, local backends and other links keep pace. What
//! central must have waits on disk, also through the death of a gateway, and arrives complete when central is back.

use std::time::Duration;

use tollgate_integration::meeting::{CENTRAL, COLLECTORS, GATEWAYS, UK};
use tollgate_integration::{Fleet, Meeting};
use tollgate_testkit::wait_until;

const LIMIT: Duration = Duration::from_secs(60);
/// As in the example: what comes late because central was away must still be in time for the verdict.
const DECISION_WAIT: u64 = 5;
/// What a sound consumer may have in front of it at any time: a few requests.
const BOUND: u64 = 48 << 10;

/// What waits for central at a gateway, and the most that waits for anybody else.
fn backlogs(fleet: &Fleet, gateway: &str) -> (u64, u64) {
    let (central, others): (Vec<_>, Vec<_>) =
        fleet.lags(gateway).into_iter().partition(|(consumer, _)| consumer.contains("central"));
    let most = |lags: Vec<(String, u64)>| lags.into_iter().map(|(_, lag)| lag).max().unwrap_or_default();
    (most(central), most(others))
}

#[test]
fn a_central_tier_that_is_wholly_dead_holds_up_no_region_and_gets_everything_when_it_is_back() {
    let mut meeting = Meeting::start(DECISION_WAIT);
    meeting.fleet.start([UK]);
    let traffic = meeting.traffic(1);
    traffic.flow(200);
    CENTRAL.iter().for_each(|central| meeting.fleet.kill(central));
    let all_behind = || GATEWAYS.iter().all(|gateway| backlogs(&meeting.fleet, gateway).0 > BOUND);
    wait_until(LIMIT, "the backlog of each gateway grows", || {
        for gateway in GATEWAYS {
            let (_, others) = backlogs(&meeting.fleet, gateway);
            assert!(others < BOUND, "{gateway}: {:?}", meeting.fleet.lags(gateway));
            assert!(meeting.fleet.is_ready(gateway), "{gateway}");
        }
        all_behind()
    });
    assert!(COLLECTORS.iter().all(|collector| meeting.fleet.is_ready(collector)));
    traffic.flow(200);
    // What waits lies on the disk, or this would cost it.
    meeting.fleet.kill(GATEWAYS[0]);
    meeting.fleet.start([GATEWAYS[0]]);
    traffic.flow(200);
    meeting.fleet.start(CENTRAL);
    traffic.flow(200);
    meeting.end(traffic).assert_in_time();
    meeting.fleet.wait_idle(LIMIT);
}
