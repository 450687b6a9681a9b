//! Waiting for something to become true, without a sleep that guesses how long it takes.

use std::thread;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(20);

/// Polls until `ready` says yes; stops the test when it did not within `limit`.
#[track_caller]
pub fn wait_until(limit: Duration, what: &str, ready: impl FnMut() -> bool) {
    assert!(holds_within(limit, ready), "not within {limit:?}: {what}");
}

/// Polls until `ready` says yes or `limit` has passed; returns what it said last.
#[expect(clippy::disallowed_methods, reason = "waits for other processes, which live in real time")]
pub fn holds_within(limit: Duration, mut ready: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if ready() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(PAUSE);
    }
}
