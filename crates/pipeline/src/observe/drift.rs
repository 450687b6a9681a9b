//! What services send that the catalogue does not fit: keys without a class, and operational keys with so many distinct
//! values that they may hold identifiers.
//!
//! Promises:
//! 1. Names are kept in clear in one file of the data folder, which only its owner can open, and nowhere else: metrics show
//!    fingerprints under a key of this node. Values are not kept at all.
//! 2. What the catalogue has by now is found no longer, nor what was not seen for thirty days.
//! 3. It is bounded, whatever services send: so many findings, so many counted keys, so many series.

mod distinct;
mod file;
mod shown;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tollgate_disk::Disk;
use tollgate_otlp::{RawAttribute, ValueView};
use tollgate_residency::{Carrier, Class, Policy};
use tollgate_runtime::Clock;

use crate::documents::Documents;
use crate::node::in_force::InForce;
use distinct::Distinct;
pub use file::Drifts;
use file::{Fingerprints, Kept};
pub(crate) use shown::Shown;

/// So many findings are kept.
const MOST: usize = 2048;
/// The longest name that is kept; no catalogue has a longer key.
const LONGEST: usize = 128;
/// Values are counted anew after this time.
const COUNTED_FOR: Duration = Duration::from_secs(24 * 3600);

/// What was not seen for so many seconds is forgotten.
const FORGOTTEN: u64 = 30 * 24 * 3600;

/// Why something is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// No catalogue has the key.
    Unclassified,
    /// The key is operational, and has more distinct texts than such a key should have.
    Distinct,
}

impl Why {
    /// The word in metrics and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unclassified => "unclassified",
            Self::Distinct => "distinct",
        }
    }
}

/// One finding: a key of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drifting {
    /// Why it is one.
    pub why: Why,
    /// The name that the service gives itself; empty if none.
    pub service: String,
    /// The key.
    pub key: String,
    /// How metrics of its node name the service and the key.
    pub fingerprints: [String; 2],
    /// How many of the requests that were looked at had it.
    pub requests: u64,
    /// When it was found first and last, in seconds since the Unix epoch.
    pub seen: (u64, u64),
}

type Name = (Why, String, String);

#[derive(Default)]
struct State {
    found: BTreeMap<Name, (u64, (u64, u64))>,
    /// Findings for which there was no room.
    left_out: u64,
    distinct: Distinct,
    counted_since: Duration,
    /// The documents by which all that is found drifts.
    judged_by: Option<Arc<Documents>>,
    is_written: bool,
}

/// Collects findings.
pub(crate) struct Drift {
    in_force: InForce,
    clock: Clock,
    fingerprints: Fingerprints,
    kept: Kept,
    state: Mutex<State>,
}

impl Drift {
    /// Goes on with what an earlier process found.
    pub(crate) fn open(disk: &Disk, dir: PathBuf, in_force: InForce, clock: Clock) -> io::Result<Self> {
        let (kept, fingerprints) = Kept::open(disk, dir)?;
        let mut state = State { is_written: true, ..State::default() };
        if let Some(drifts) = kept.read() {
            state.left_out = drifts.left_out;
            let found = drifts.found.into_iter().take(MOST);
            state.found = found.map(|one| ((one.why, one.service, one.key), (one.requests, one.seen))).collect();
        }
        state.follow(&in_force);
        Ok(Self { in_force, clock, fingerprints, kept, state: Mutex::new(state) })
    }

    /// Looks at the attributes that `each` yields, all of one service.
    pub(crate) fn look<'a>(&self, service: &str, each: impl FnOnce(&mut dyn FnMut(Carrier, RawAttribute<'a>))) {
        let (now, uptime) = (self.now(), self.clock.uptime());
        let service = shortened(service);
        let mut state = self.lock();
        let documents = state.follow(&self.in_force);
        if uptime.saturating_sub(state.counted_since) > COUNTED_FOR {
            (state.distinct, state.counted_since) = (Distinct::default(), uptime);
        }
        let mut found: Vec<(Why, &str)> = Vec::new();
        each(&mut |_, attribute| found.extend(state.judge(&documents.policy, service, attribute)));
        found.sort_unstable();
        found.dedup();
        found.into_iter().for_each(|(why, key)| state.add((why, service.to_owned(), shortened(key).to_owned()), now));
    }

    /// Writes what was found, if there is anything new.
    pub(crate) fn write(&self) {
        let drifts = {
            let mut state = self.lock();
            state.follow(&self.in_force);
            state.forget(self.now());
            if std::mem::replace(&mut state.is_written, true) {
                return;
            }
            self.drifts(&state)
        };
        if let Err(error) = self.kept.write(&drifts) {
            self.lock().is_written = false;
            tracing::warn!(%error, "what drifts cannot be kept");
        }
    }

    fn drifts(&self, state: &State) -> Drifts {
        let one = |((why, service, key), (requests, seen)): (&Name, &(u64, (u64, u64)))| Drifting {
            why: *why,
            fingerprints: self.fingerprints.of(service, key),
            service: service.clone(),
            key: key.clone(),
            requests: *requests,
            seen: *seen,
        };
        Drifts { found: state.found.iter().map(one).collect(), left_out: state.left_out }
    }

    /// Seconds since the Unix epoch.
    fn now(&self) -> u64 {
        self.clock.now().nanos() / 1_000_000_000
    }

    fn all(&self) -> Drifts {
        self.drifts(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The documents in force; what no longer drifts by them goes.
    fn follow(&mut self, in_force: &InForce) -> Arc<Documents> {
        let documents = Arc::clone(&in_force.edition().documents);
        if self.judged_by.as_ref().is_none_or(|before| !Arc::ptr_eq(before, &documents)) {
            self.keep(|(why, _, key), _| match (why, documents.policy.classify(key)) {
                (Why::Unclassified, class) => class.is_none(),
                (Why::Distinct, class) => matches!(class, Some((Class::Op, _))),
            });
            self.judged_by = Some(Arc::clone(&documents));
        }
        documents
    }

    fn forget(&mut self, now: u64) {
        self.keep(|_, last| now.saturating_sub(last) <= FORGOTTEN);
    }

    /// Keeps the findings of which this holds, by name and when they were seen last.
    fn keep(&mut self, holds: impl Fn(&Name, u64) -> bool) {
        let before = self.found.len();
        self.found.retain(|name, (_, (_, last))| holds(name, *last));
        self.is_written &= self.found.len() == before;
    }

    fn judge<'a>(&mut self, policy: &Policy, service: &str, attribute: RawAttribute<'a>) -> Option<(Why, &'a str)> {
        let key = std::str::from_utf8(attribute.key).ok()?;
        match policy.classify(key) {
            None => Some((Why::Unclassified, key)),
            Some((Class::Op, _)) => match ValueView::parse(attribute.value) {
                // Numbers measure: they are many in any case.
                Ok(ValueView::String(text)) => {
                    self.distinct.are_many((service, key), text).then_some((Why::Distinct, key))
                }
                _ => None,
            },
            Some(_) => None,
        }
    }

    fn add(&mut self, name: Name, now: u64) {
        self.is_written = false;
        if let Some((requests, (_, last))) = self.found.get_mut(&name) {
            *requests = requests.saturating_add(1);
            *last = now;
        } else if self.found.len() < MOST {
            self.found.insert(name, (1, (now, now)));
        } else {
            self.left_out += 1;
        }
    }
}

fn shortened(name: &str) -> &str {
    let end = (0..=LONGEST.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    name.get(..end.unwrap_or(0)).unwrap_or_default()
}
