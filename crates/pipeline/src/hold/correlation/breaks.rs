//! What does not join, by service: a bounded list for the admin listener. Services are values from payloads and stand nowhere else.
//!
//! Promises:
//! 1. The list is bounded; when it is full what was seen last longest ago is forgotten, and counted.
//! 2. Nothing of a payload but names of services; of traces the id of one that shows it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tollgate_otlp::TraceId;
use tollgate_runtime::{Clock, Timestamp};
use tollgate_sampling::Entered;

use super::sight::Absence;
use crate::hold::history::time;

/// Entries of each of the two lists.
const MOST: usize = 2000;

/// A service in a region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) service: Arc<str>,
    pub(crate) region: Arc<str>,
}

/// What does not join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    EntryRoot,
    InnerRoot,
    Orphan(Absence),
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::EntryRoot => "entry_root",
            Self::InnerRoot => "inner_root",
            Self::Orphan(Absence::Withheld) => "parent_withheld",
            Self::Orphan(Absence::Missing) => "parent_missing",
            Self::Orphan(Absence::Unknown) => "parent_unknown",
        }
    }
}

/// What is told of one trace.
pub(crate) enum Told {
    TooLarge,
    Whole {
        trace: TraceId,
        /// Where it began, if that is here.
        from: Option<Place>,
        breaks: Vec<(Kind, Place, u32)>,
        entered: Vec<(Place, Entered)>,
    },
}

/// The lists; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Breaks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    began: Timestamp,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    traces: u64,
    too_large: u64,
    share: f64,
    hidden: Vec<String>,
    breaks: BTreeMap<(Kind, Option<Place>, Place), Counted>,
    entered: BTreeMap<Place, Entrance>,
    forgotten: u64,
}

/// How often something was seen, and when.
#[derive(Clone, Copy, Debug)]
struct Counted {
    traces: u64,
    spans: u64,
    first: Timestamp,
    last: Timestamp,
    example: TraceId,
}

/// How often traces came to a service with and without a parent.
#[derive(Clone, Copy, Debug)]
struct Entrance {
    with: u64,
    without: u64,
    last: Timestamp,
    example: Option<TraceId>,
}

impl Breaks {
    pub(crate) fn new(clock: Clock) -> Self {
        let kept = Kept {
            traces: 0,
            too_large: 0,
            share: 1.0,
            hidden: Vec::new(),
            breaks: BTreeMap::new(),
            entered: BTreeMap::new(),
            forgotten: 0,
        };
        Self(Arc::new(Shared { began: clock.now(), clock, kept: Mutex::new(kept) }))
    }

    /// Takes in what traces were told of, and what holds now.
    pub(super) fn add(&self, told: Vec<Told>, share: f64, hidden: Vec<String>) {
        let now = self.0.clock.now();
        let mut kept = self.lock();
        (kept.share, kept.hidden) = (share, hidden);
        for told in told {
            kept.add(told, now);
        }
    }

    /// Everything that is known.
    pub(crate) fn page(&self) -> Value {
        let kept = self.lock();
        let mut breaks: Vec<_> = kept.breaks.iter().collect();
        breaks.sort_by_key(|(_, counted)| std::cmp::Reverse(counted.traces));
        json!({
            "since": time(self.0.began),
            "share": kept.share,
            "traces": kept.traces,
            "traces_too_large": kept.too_large,
            "regions_withheld": kept.hidden,
            "breaks": breaks.into_iter().map(shown).collect::<Value>(),
            "entered": kept.entered.iter().map(entrance).collect::<Value>(),
            "forgotten": kept.forgotten,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn add(&mut self, told: Told, now: Timestamp) {
        let Told::Whole { trace, from, breaks, entered } = told else {
            self.too_large += 1;
            return;
        };
        self.traces += 1;
        for (kind, to, spans) in breaks {
            let new = Counted { traces: 0, spans: 0, first: now, last: now, example: trace };
            let counted = self.breaks.entry((kind, from.clone(), to)).or_insert(new);
            (counted.traces, counted.spans) = (counted.traces + 1, counted.spans + u64::from(spans));
            (counted.last, counted.example) = (now, trace);
        }
        for (place, how) in entered {
            let new = Entrance { with: 0, without: 0, last: now, example: None };
            let entrance = self.entered.entry(place).or_insert(new);
            entrance.last = now;
            match how {
                Entered::WithParent => entrance.with += 1,
                Entered::WithoutParent => (entrance.without, entrance.example) = (entrance.without + 1, Some(trace)),
            }
        }
        self.forgotten += forget(&mut self.breaks, |counted| counted.last);
        forget(&mut self.entered, |entrance| entrance.last);
    }
}

/// Leaves half of a list that is full; returns how much that forgot.
fn forget<K: Ord, V>(list: &mut BTreeMap<K, V>, last: impl Fn(&V) -> Timestamp) -> u64 {
    let before = list.len();
    if before > MOST {
        let mut times: Vec<_> = list.values().map(&last).collect();
        times.sort_unstable();
        let middle = times.get(MOST / 2).copied();
        list.retain(|_, entry| middle.is_some_and(|middle| last(entry) >= middle));
        // Seen at the same moment: which of them stay means nothing.
        while list.len() > MOST {
            list.pop_first();
        }
    }
    (before - list.len()) as u64
}

fn shown(((kind, from, to), counted): (&(Kind, Option<Place>, Place), &Counted)) -> Value {
    json!({
        "kind": kind.as_str(),
        "from": from.as_ref().map(place),
        "to": place(to),
        "traces": counted.traces,
        "spans": counted.spans,
        "first": time(counted.first),
        "last": time(counted.last),
        "example": counted.example.to_string(),
    })
}

fn entrance((to, entrance): (&Place, &Entrance)) -> Value {
    json!({
        "service": &*to.service,
        "region": &*to.region,
        "with_parent": entrance.with,
        "without_parent": entrance.without,
        "last": time(entrance.last),
        "example": entrance.example.map(|trace| trace.to_string()),
    })
}

fn place(place: &Place) -> Value {
    json!({"service": &*place.service, "region": &*place.region})
}

#[cfg(test)]
mod tests {
    use tollgate_runtime::Clock;

    use super::*;

    /// Guarantees: services of any number leave the list bounded, and what was seen last stays.
    #[test]
    fn the_list_is_bounded_and_forgets_what_was_seen_longest_ago() {
        let breaks = Breaks::new(Clock::system());
        let place = |number: usize| Place { service: number.to_string().into(), region: "us-east".into() };
        for number in 0..MOST * 3 {
            let (trace, to) = (TraceId([1; 16]), place(number));
            let entered = vec![(to.clone(), Entered::WithParent)];
            let told = Told::Whole { trace, from: None, breaks: vec![(Kind::EntryRoot, to, 2)], entered };
            breaks.add(vec![told], 1.0, Vec::new());
        }
        let page = breaks.page();
        let listed = page["breaks"].as_array().unwrap();
        assert!(listed.len() <= MOST && listed.len() as u64 + page["forgotten"].as_u64().unwrap() == 3 * MOST as u64);
        let last = (MOST * 3 - 1).to_string();
        assert!(listed.iter().any(|entry| entry["to"]["service"] == *last && entry["spans"] == 2));
        assert!(breaks.lock().entered.len() <= MOST);
    }
}
