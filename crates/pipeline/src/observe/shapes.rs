//! The shapes of what services send: how many records have which attribute of the catalogue, where, of which type and about
//! how long. Never a value, and never a key that no catalogue has.
//!
//! Promises:
//! 1. A shape says only words of the documents and of this program; what a service made up is `unclassified`.
//! 2. It is bounded: so many shapes, and a sample of the records, whose share of all is known.

mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tollgate_disk::Disk;
use tollgate_federation::Signal;
use tollgate_otlp::{Batch, RawAttribute, ValueView, raw_attributes};
use tollgate_residency::{Carrier, Policy};
use tollgate_runtime::Clock;

use super::attributes::of_item;
use crate::documents::Documents;
use crate::node::in_force::InForce;
use crate::signals::BySignal;
pub use file::{Knows, Recorded, templates_around};

/// So many shapes are told apart: a few for each attribute of a large catalogue.
const MOST: usize = 8192;
/// So many records of one request are looked at, evenly spread over it.
const RECORDS: usize = 64;
/// So many attributes of one record are looked at.
const ATTRIBUTES: usize = 256;

/// What records have in common that hold an attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    /// The signal.
    pub signal: Signal,
    /// Where it stands.
    pub carrier: String,
    /// The first name of the attribute, or the template; empty if no catalogue has the key.
    pub attribute: String,
    /// The class of the key.
    pub class: String,
    /// What kind of value it is.
    pub kind: String,
    /// A text or bytes have at most so many bytes; zero for other kinds, and the greatest number for what is longer.
    pub length: u64,
}

#[derive(Default)]
struct State {
    recorded: Recorded,
    is_written: bool,
    /// Whose listed names were taken in last.
    listing: Option<Arc<Documents>>,
}

/// Records shapes.
pub(crate) struct Shapes {
    disk: Disk,
    dir: PathBuf,
    in_force: InForce,
    clock: Clock,
    /// Records that passed since the state was updated, looked at or not.
    passed: BySignal<AtomicU64>,
    state: Mutex<State>,
}

impl Shapes {
    /// Goes on with what an earlier process recorded; `of` is the region and its regime.
    pub(crate) fn open(
        disk: &Disk,
        dir: PathBuf,
        of: (String, String),
        in_force: InForce,
        clock: Clock,
    ) -> io::Result<Self> {
        disk.make_dir(&dir)?;
        let begun = clock.now().nanos() / 1_000_000_000;
        let (region, regime) = of;
        let kept = Recorded::read(&dir.join(file::NAME)).ok();
        let kept = kept.filter(|kept| (&kept.region, &kept.regime) == (&region, &regime));
        let listed = || listed(&in_force.edition().documents);
        let fresh =
            || Recorded { region, regime, period: (begun, begun), listed: Some(listed()), ..Recorded::default() };
        let state = State { recorded: kept.unwrap_or_else(fresh), is_written: true, listing: None };
        Ok(Self { disk: disk.clone(), dir, in_force, clock, passed: BySignal::default(), state: Mutex::new(state) })
    }

    /// So many records passed.
    pub(crate) fn passed(&self, signal: Signal, records: u64) {
        self.passed.of(signal).fetch_add(records, Ordering::Relaxed);
    }

    /// Looks at some records of a request.
    pub(crate) fn look(&self, signal: Signal, batch: Batch<'_>) {
        let edition = self.in_force.edition();
        let policy = &edition.documents.policy;
        let step = batch.index.items().div_ceil(RECORDS).max(1);
        // Each record that is looked at stands for those between it and the next.
        let (stands_for, mut looked) = (step as u64, 0);
        let mut counts: BTreeMap<Shape, u64> = BTreeMap::new();
        for group in batch.resources() {
            for scope in group.scopes() {
                for item in scope.items().filter(|item| item.number % step == 0) {
                    let mut shapes = BTreeSet::new();
                    let mut visit = |carrier, attribute| add(&mut shapes, policy, signal, (carrier, attribute));
                    raw_attributes(group.resource(), 1).for_each(|one| visit(Carrier::ResourceAttributes, one));
                    raw_attributes(scope.scope(), 3).for_each(|one| visit(Carrier::ScopeAttributes, one));
                    of_item(signal, item.body(), &mut visit);
                    looked += stands_for;
                    shapes.into_iter().for_each(|shape| *counts.entry(shape).or_default() += stands_for);
                }
            }
        }
        let mut state = self.lock();
        state.take_in(&edition.documents);
        state.add(signal, looked, counts);
    }

    /// Writes what was recorded.
    pub(crate) fn write(&self) {
        let recorded = {
            let mut state = self.lock();
            for (signal, passed) in self.passed.iter() {
                let passed = passed.swap(0, Ordering::Relaxed);
                state.is_written &= passed == 0;
                state.recorded.of_mut(signal).passed += passed;
            }
            if std::mem::replace(&mut state.is_written, true) {
                return;
            }
            state.recorded.period.1 = self.clock.now().nanos() / 1_000_000_000;
            state.recorded.encode()
        };
        if let Err(error) = self.disk.replace(&self.dir.join(file::NAME), &recorded) {
            self.lock().is_written = false;
            tracing::warn!(%error, "shapes cannot be kept");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listed(documents: &Documents) -> BTreeSet<String> {
    documents.policy.listed_names().map(str::to_owned).collect()
}

impl State {
    /// A name that one of the catalogues did not list was not listed all the time.
    fn take_in(&mut self, documents: &Arc<Documents>) {
        if self.listing.as_ref().is_some_and(|known| Arc::ptr_eq(known, documents)) {
            return;
        }
        self.listing = Some(Arc::clone(documents));
        if let Some(all) = &mut self.recorded.listed {
            let listed = listed(documents);
            all.retain(|name| listed.contains(name));
        }
    }

    fn add(&mut self, signal: Signal, looked: u64, counts: BTreeMap<Shape, u64>) {
        self.is_written = false;
        self.recorded.of_mut(signal).looked_at += looked;
        for (shape, count) in counts {
            let shapes = &mut self.recorded.shapes;
            if shapes.len() < MOST || shapes.contains_key(&shape) {
                *shapes.entry(shape).or_default() += count;
            } else {
                self.recorded.left_out += count;
            }
        }
    }
}

fn add(
    shapes: &mut BTreeSet<Shape>,
    policy: &Policy,
    signal: Signal,
    (carrier, attribute): (Carrier, RawAttribute<'_>),
) {
    if shapes.len() >= ATTRIBUTES {
        return;
    }
    let known = std::str::from_utf8(attribute.key).ok().and_then(|key| policy.classify(key));
    let (class, name) = known.map_or(("unclassified", ""), |(class, name)| (class.as_str(), name));
    let (kind, length) = kind(attribute.value);
    shapes.insert(Shape {
        signal,
        carrier: carrier.as_str().to_owned(),
        attribute: name.to_owned(),
        class: class.to_owned(),
        kind: kind.to_owned(),
        length,
    });
}

fn kind(value: &[u8]) -> (&'static str, u64) {
    match ValueView::parse(value) {
        Ok(ValueView::String(text)) => ("string", bucket(text.len())),
        Ok(ValueView::Bytes(bytes)) => ("bytes", bucket(bytes.len())),
        Ok(ValueView::Bool(_)) => ("bool", 0),
        Ok(ValueView::Int(_)) => ("int", 0),
        Ok(ValueView::Double(_)) => ("double", 0),
        Ok(ValueView::Array(_)) => ("array", 0),
        Ok(ValueView::KvList(_)) => ("kvlist", 0),
        Ok(ValueView::Empty) | Err(_) => ("empty", 0),
    }
}

fn bucket(length: usize) -> u64 {
    [0, 16, 64, 256, 1024].into_iter().find(|most| length as u64 <= *most).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
