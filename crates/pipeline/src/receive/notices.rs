//! Tells the operator whom this node turned away, without letting whoever is turned away fill the log.
//!
//! Promises:
//! 1. At most one line a minute for each peer and reason; it says how many were left out since the last.
//! 2. A line holds identities, addresses and the reason; nothing of a payload.
//! 3. Memory is bounded, however many identities somebody claims: the metrics count them all.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tollgate_runtime::Clock;

/// How long the same is not said again.
const QUIET: Duration = Duration::from_secs(60);
/// How many peers and reasons are told apart.
const MOST: usize = 1024;

/// Who was turned away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// A node that proved its identity, which is given as a URI.
    Node(String),
    /// Somebody whose certificate names this identity and does not prove it.
    Claimant(String),
    /// Somebody at this address.
    Unknown(SocketAddr),
}

impl Who {
    /// What stays the same when they come back.
    fn key(&self) -> String {
        match self {
            Self::Node(uri) | Self::Claimant(uri) => uri.clone(),
            Self::Unknown(address) => address.ip().to_string(),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(uri) => f.write_str(uri),
            Self::Claimant(uri) => write!(f, "{uri} (claimed, not proved)"),
            Self::Unknown(address) => address.fmt(f),
        }
    }
}

/// What was told of each peer and reason.
pub(crate) struct Notices {
    /// Who we are, as a URI.
    me: String,
    clock: Clock,
    told: Mutex<BTreeMap<(String, &'static str), Told>>,
}

struct Told {
    at: Duration,
    left_out: u64,
}

impl Notices {
    pub(crate) fn new(me: String, clock: Clock) -> Self {
        Self { me, clock, told: Mutex::default() }
    }

    /// Somebody was turned away.
    pub(crate) fn turned_away(&self, who: &Who, reason: &'static str, why: &dyn fmt::Display) {
        if let Some(left_out) = self.due(who.key(), reason) {
            tracing::warn!(node = self.me, peer = %who, reason, left_out, "turned away a peer: {why}");
        }
    }

    /// Whether it is time to say so, and how many were left out meanwhile.
    fn due(&self, who: String, reason: &'static str) -> Option<u64> {
        let now = self.clock.uptime();
        let told = &mut *self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (who, reason);
        if told.len() >= MOST && !told.contains_key(&key) {
            told.retain(|_, last| now.saturating_sub(last.at) < QUIET);
            if told.len() >= MOST {
                key.0.clear(); // one line for all who are too many
            }
        }
        let Some(last) = told.get_mut(&key) else {
            told.insert(key, Told { at: now, left_out: 0 });
            return Some(0);
        };
        if now.saturating_sub(last.at) < QUIET {
            last.left_out += 1;
            return None;
        }
        last.at = now;
        Some(std::mem::take(&mut last.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig;

    #[test]
    fn one_line_a_minute_for_each_peer_and_reason_says_how_many_it_stands_for() {
        let (clock, hand) = rig::standing();
        let notices = Notices::new("spiffe://acme.example/region/us-east/central/0".to_owned(), clock);
        let due = |who: &str, reason| notices.due(who.to_owned(), reason);
        assert_eq!((due("a", "expired"), due("a", "no_manifest"), due("b", "expired")), (Some(0), Some(0), Some(0)));
        for _ in 0..5 {
            hand.advance(Duration::from_secs(10));
            assert_eq!(due("a", "expired"), None);
        }
        hand.advance(Duration::from_secs(10));
        assert_eq!((due("a", "expired"), due("a", "expired")), (Some(5), None));
        assert_eq!(due("b", "expired"), Some(0), "nothing of the others is in its count");
    }

    #[test]
    fn claims_without_end_take_no_memory_without_end() {
        let (clock, hand) = rig::standing();
        let notices = Notices::new("me".to_owned(), clock);
        let lines = (0..50 * MOST).filter_map(|number| notices.due(number.to_string(), "unknown_issuer")).count();
        assert_eq!((lines, notices.told.lock().unwrap().len()), (MOST + 1, MOST + 1));
        hand.advance(QUIET);
        assert_eq!(notices.due("new".to_owned(), "unknown_issuer"), Some(0), "what is old makes room");
    }
}
