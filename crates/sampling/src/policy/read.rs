//! The Collector's `tail_sampling` block, unchanged: same keys, same types, same defaults.
//!
//! Promises:
//! 1. Every fault of the block is reported, each where it stands.
//! 2. Nothing is ignored in silence: what means another thing here, or nothing, is noted where it stands.
//!
//! Stricter than the Collector: a number that a policy needs has no silent zero.

mod composite;
mod condition;
mod kind;
mod simple;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use tollgate_config::{At, Faults, Fields, Located, Read, Set, Value};

pub(crate) use condition::ERROR_MODES;
pub(crate) use kind::{KINDS, Kind};
pub(crate) use simple::STATUS_CODES;

use super::own::{self, Consistency};
use super::rule::Rule;
use super::{Ask, Bounds, Note, PolicySet, Remarks};

const DOCUMENT: &str = "policies/sampling.yaml";

/// Whose keys these are. A fault of an unknown one says so: it may be of a later version.
pub(crate) const COLLECTOR: &str = "the Collector 0.160";

const DEFAULT_WAIT: Duration = Duration::from_secs(30);
const DEFAULT_TRACES: usize = 50_000;
/// The Collector's caches are off by default; ours holds this many verdicts for each trace that may be pending.
const REMEMBERED_PER_TRACE: usize = 10;
/// More do not fit the memory of any machine, so the number is a slip.
pub(super) const MAX_TRACES: usize = 1 << 27;
const MAX_SHARDS: u64 = 256;

pub(crate) const STRATEGIES: [(&str, Strategy); 2] =
    [("trace-complete", Strategy::TraceComplete), ("span-ingest", Strategy::SpanIngest)];

/// When the Collector judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    TraceComplete,
    SpanIngest,
}

/// Collects what is noted while a block is read.
#[derive(Debug, Default)]
struct Notes(RefCell<Remarks>);

impl Notes {
    fn add(&self, value: Value<'_>, text: impl Display) {
        self.add_at(value.at(), text);
    }

    fn add_at(&self, at: At, text: impl Display) {
        self.0.borrow_mut().notes.push(Note { at, text: text.to_string() });
    }

    /// The policy that stands here reads one of these carriers.
    fn ask(&self, value: Value<'_>, carriers: &[&'static str], key: Option<&str>) {
        self.0.borrow_mut().asks.push(Ask { at: value.at(), carriers: carriers.to_vec(), key: key.map(Box::from) });
    }
}

impl PolicySet {
    /// Reads `policies/sampling.yaml`: the block under `tail_sampling`, and our own keys beside it.
    pub fn load(set: &Set, faults: &Faults) -> Option<Self> {
        Self::document(set.require(DOCUMENT, faults)?.root(faults))
    }

    /// Reads the whole of such a document.
    pub fn document(root: Value<'_>) -> Option<Self> {
        let mut fields = root.fields()?;
        let mut policies: Option<Self> = fields.required("tail_sampling");
        let own = own::read(&mut fields, policies.as_mut().map(|policies| &mut policies.bounds));
        fields.done();
        let (own, mut policies) = (own?, policies?);
        policies.layout.randomness = own.sampling == Consistency::TraceState;
        Some(Self { own, ..policies })
    }
}

impl Read for PolicySet {
    fn read(value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let notes = Notes::default();
        let bounds = bounds(&mut fields, &notes);
        note_what_differs(&mut fields, &notes);
        let ends_at_first_match = or_default(&mut fields, "sample_on_first_match", false);
        let rules = fields.required_value("policies").and_then(|list| policies(list, &notes));
        done(fields);
        Some(Self::new(bounds?, ends_at_first_match?, rules?, notes.0.into_inner()))
    }
}

/// Reports unknown keys of a mapping that the Collector has too.
fn done(fields: Fields<'_>) {
    fields.done_with(format_args!("these are the keys of {COLLECTOR}"));
}

fn bounds(fields: &mut Fields<'_>, notes: &Notes) -> Option<Bounds> {
    let decision_wait = or_default(fields, "decision_wait", DEFAULT_WAIT);
    let wait_after_root = or_default(fields, "decision_wait_after_root_received", Duration::ZERO);
    let max_trace_bytes = or_default(fields, "maximum_trace_size_bytes", 0_u64);
    let num_traces = or_default(fields, "num_traces", Located { value: DEFAULT_TRACES, at: fields.mapping().at() });
    let expected_new_traces_per_sec = or_default(fields, "expected_new_traces_per_sec", 0);
    let cached = fields.value("decision_cache").map_or(Some(0), decision_cache);
    let num_traces = num_traces.filter(|traces| {
        let fits = (1..=MAX_TRACES).contains(&traces.value);
        if !fits {
            fields.mapping().faults().report(&traces.at, format_args!("out of range, expected 1 to {MAX_TRACES}"));
        }
        fits
    });
    let num_traces = num_traces?.value;
    let remembered = match cached? {
        0 => num_traces.saturating_mul(REMEMBERED_PER_TRACE).min(MAX_TRACES),
        cached => cached,
    };
    let wait_after_root = Some(wait_after_root?).filter(|wait| !wait.is_zero());
    if let Some(value) = fields.value("decision_wait_after_root_received").filter(|_| wait_after_root.is_some()) {
        notes.add(value, "what arrives later than this after a root is not judged by; the verdict is still given after `decision_wait`");
    }
    Some(Bounds {
        decision_wait: decision_wait?,
        decision_wait_max: own::default_wait_max(decision_wait?),
        wait_after_root,
        num_traces,
        remembered,
        expected_new_traces_per_sec: expected_new_traces_per_sec?,
        max_trace_bytes: Some(max_trace_bytes?).filter(|bytes| *bytes > 0),
    })
}

/// The Collector keeps kept and dropped traces in two caches; one memory of both sizes holds at least as many of each.
fn decision_cache(value: Value<'_>) -> Option<usize> {
    let mut fields = value.fields()?;
    let sampled = or_default(&mut fields, "sampled_cache_size", 0_usize);
    let non_sampled = or_default(&mut fields, "non_sampled_cache_size", 0_usize);
    done(fields);
    let both = sampled?.saturating_add(non_sampled?);
    if both > MAX_TRACES {
        value.fault(format_args!("the sizes add up to more than {MAX_TRACES}"));
        return None;
    }
    Some(both)
}

/// `None` only if a fault was reported.
pub(super) fn or_default<T: Read>(fields: &mut Fields<'_>, key: &'static str, default: T) -> Option<T> {
    fields.value(key).map_or(Some(default), Value::read)
}

/// Keys that have nothing to decide here.
fn note_what_differs(fields: &mut Fields<'_>, notes: &Notes) {
    let strategy = fields.value("sampling_strategy");
    if let Some(value) = strategy
        && value.choice(&STRATEGIES) == Some(Strategy::SpanIngest)
    {
        notes.add(
            value,
            "whole traces are judged, once, after `decision_wait`: what arrives in two batches is seen together",
        );
    }
    note_if_set(
        fields,
        notes,
        "block_on_overflow",
        "at `num_traces` the oldest is judged early by what has arrived; nothing is evicted unjudged",
    );
    note_if_set(
        fields,
        notes,
        "drop_pending_traces_on_shutdown",
        "what is pending stays in the log, and is judged after the restart",
    );
    let shards = fields.value("num_shards");
    match shards.and_then(|value| Some((value, value.read::<u64>()?))) {
        Some((value, shards)) if shards > MAX_SHARDS => {
            value.fault(format_args!("out of range, expected 0 to {MAX_SHARDS}"))
        }
        Some((value, 2..)) => {
            notes.add(value, "one table holds all traces, so sizes and rates are those of the node and not of a shard")
        }
        _ => {}
    }
    if let Some(value) = fields.value("tail_storage") {
        notes.add(value, "needs no extension: spans wait in the log");
    }
}

fn note_if_set(fields: &mut Fields<'_>, notes: &Notes, key: &'static str, text: &str) {
    if let Some(value) = fields.value(key)
        && value.read() == Some(true)
    {
        notes.add(value, text);
    }
}

fn policies(value: Value<'_>, notes: &Notes) -> Option<Vec<(String, Rule)>> {
    let items = value.items()?;
    if items.is_empty() {
        value.fault("there is no policy: every trace would be dropped");
        return None;
    }
    let mut names = BTreeSet::new();
    // Collected before it is judged, so that every policy's faults are reported.
    let rules: Vec<Option<(String, Rule)>> = items
        .into_iter()
        .map(|item| {
            let mut fields = item.fields()?;
            let name = fields.required_value("name").and_then(|name| unique_name(name, &mut names));
            let rule = kind::rule(fields, notes);
            Some((name?, rule?))
        })
        .collect();
    rules.into_iter().collect()
}

fn unique_name(value: Value<'_>, names: &mut BTreeSet<String>) -> Option<String> {
    let name: String = value.read()?;
    if name.is_empty() {
        value.fault("a policy needs a name");
        return None;
    }
    if !names.insert(name.clone()) {
        value.fault("another policy has this name");
        return None;
    }
    Some(name)
}

#[cfg(test)]
mod tests;
