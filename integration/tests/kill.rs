//! `kill -9` of any process, at random, again and again, under traffic from clients that try until they are told `Ok`.
//!
//! Guarantees: every acknowledged span of a kept trace arrives, none of a dropped one does, and no trace is split between
//! the central nodes; the region's own backends have every acknowledged span. Repetitions are allowed: delivery is at
//! least once.

use std::time::Duration;

use tollgate_integration::Meeting;
use tollgate_runtime::Clock;

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
    let all: Vec<&str> = Meeting::names().collect();
    let mut meeting = Meeting::start(1);
    let traffic = meeting.traffic(random.u64(..));
    traffic.flow(100);

    let clock = Clock::system();
    let end = clock.uptime() + duration();
    let mut killed = Vec::new();
    while clock.uptime() < end {
        let victim = all[random.usize(..all.len())];
        meeting.fleet.kill(victim);
        std::thread::sleep(Duration::from_millis(random.u64(0..500)));
        meeting.fleet.spawn(victim);
        killed.push(victim);
        // It may be killed again before it is ready.
        std::thread::sleep(Duration::from_millis(random.u64(500..1500)));
    }
    println!("killed {} times: {}", killed.len(), killed.join(" "));
    for name in &all {
        meeting.fleet.wait_ready(name);
    }
    meeting.end(traffic);
}
