//! `kill -9` of any process, at random, again and again, under traffic from clients that try until they are told `Ok`.
//!
//! Guarantees: every acknowledged span of a kept trace arrives, none of a dropped one does, and no trace is split between
//! the central nodes; the region's own backends have every acknowledged span. Repetitions are allowed: delivery is at
//! least once.

use std::time::Duration;

use tollgate_integration::{Fleet, Traffic};
use tollgate_runtime::Clock;
use tollgate_testkit::wait_until;

const COLLECTORS: [&str; 2] = ["eu-west-collector-eu-west-a-0", "us-east-collector-us-east-a-0"];
const GATEWAYS: [&str; 3] = ["eu-west-gateway-0", "eu-west-gateway-1", "us-east-gateway-0"];
const CENTRAL: [&str; 2] = ["us-east-central-0", "us-east-central-1"];

const EVERY: Duration = Duration::from_millis(40);
const LIMIT: Duration = Duration::from_secs(60);
const ERRORS: &str = "    - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}\n";

/// How long processes are killed; minutes when time does not matter.
fn duration() -> Duration {
    Duration::from_secs(if std::env::var_os("TOLLGATE_FULL").is_some() { 180 } else { 20 })
}

/// `TOLLGATE_SEED` repeats a run as far as a machine lets itself be repeated.
fn seed() -> u64 {
    let chosen = std::env::var("TOLLGATE_SEED").ok().and_then(|seed| seed.parse().ok());
    chosen.unwrap_or(0x5eed)
}

#[test]
fn no_acknowledged_span_is_lost_and_no_trace_split_whatever_is_killed() {
    let seed = seed();
    println!("TOLLGATE_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let all: Vec<&str> = COLLECTORS.into_iter().chain(GATEWAYS).chain(CENTRAL).collect();
    let mut fleet = Fleet::lay_out();
    fleet.sample(ERRORS);
    fleet.start(all.iter().copied());
    let collectors = COLLECTORS.map(|collector| fleet.otlp(collector));
    let traffic = Traffic::start(&collectors, EVERY, random.u64(..));
    wait_until(LIMIT, "traffic flows", || traffic.acknowledged() > 100);

    let clock = Clock::system();
    let end = clock.uptime() + duration();
    let mut killed = Vec::new();
    while clock.uptime() < end {
        let victim = all[random.usize(..all.len())];
        fleet.kill(victim);
        std::thread::sleep(Duration::from_millis(random.u64(0..500)));
        fleet.spawn(victim);
        killed.push(victim);
        // It may be killed again before it is ready.
        std::thread::sleep(Duration::from_millis(random.u64(500..1500)));
    }
    println!("killed {} times: {}", killed.len(), killed.join(" "));
    for name in &all {
        fleet.wait_ready(name);
    }
    let ledger = traffic.stop();
    println!("{ledger}");
    let in_the_regions = || ledger.missing_anywhere(&fleet.exported(&GATEWAYS)).is_empty();
    wait_until(LIMIT, "the regions have everything", in_the_regions);
    wait_until(LIMIT, "all spans of kept traces arrive", || ledger.outstanding(&fleet.exported(&CENTRAL)) == 0);
    // Nobody runs in the UK.
    let is_idle = |node: &&str| fleet.is_idle(node, "uk-south");
    wait_until(LIMIT, "nothing is on its way", || all.iter().all(is_idle));
    let findings = ledger.check(&fleet.exported(&CENTRAL));
    println!("{findings}");
    findings.assert_complete();
}
