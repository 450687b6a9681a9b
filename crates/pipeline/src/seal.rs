//! The step over a link: what the policy lets through, newly constructed; the rest is counted and stays.
//!
//! Promises:
//! 1. A record is sealed by the meet of the policy in force when it arrived and the one in force today. A day that
//!    changes what crosses takes back what was sealed the day before.
//! 2. What may not cross at all (no rule, expired instrument, unknown policy, unreadable record) is withheld, counted,
//!    and the cursor passes.
//! 3. Data of an origin that the link does not carry is not offered to it.

pub(crate) mod manifests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use time::{Date, OffsetDateTime};
use tollgate_federation::{Link, LinkId, Origin, Signal};
use tollgate_otlp::{Batch, Index, Limits, select};
use tollgate_redaction::{Keys, Sealed, SealedBatch, Sealer};
use tollgate_residency::{Class, Closed, Form, Table};
use tollgate_runtime::{Clock, Timestamp};
use tollgate_spool::Record;

use crate::admit::walk;
use crate::documents::Documents;
use crate::load::map_keys;
use crate::node::archive::Archive;
use crate::node::counters::ConsumerCounters;
use crate::step::{Share, Step};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What sealing rests on.
#[derive(Clone)]
pub(crate) struct Basis {
    pub(crate) documents: Arc<Documents>,
    pub(crate) archive: Arc<Archive>,
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) clock: Clock,
}

/// The step of one link and signal.
pub(crate) struct Seal {
    basis: Basis,
    link: LinkId,
    signal: Signal,
    counters: Arc<ConsumerCounters>,
    day: Date,
    /// By origin and by the digest of the documents at arrival; `None` where nothing may cross.
    sealers: BTreeMap<(Origin, [u8; 32]), Option<Sealer>>,
}

impl Seal {
    pub(crate) fn new(basis: Basis, link: &Link, signal: Signal, counters: Arc<ConsumerCounters>) -> Self {
        let day = day(basis.clock.now());
        Self { basis, link: link.id(), signal, counters, day, sealers: BTreeMap::new() }
    }
}

impl Step for Seal {
    type Load = Sealed;

    fn run(&mut self, record: &Record, batch: Batch<'_>, share: &Share<'_>) -> Vec<Option<Sealed>> {
        let nothing = || share.lanes().map(|_| None).collect();
        let origin = record.origin.as_str().parse::<Origin>().ok();
        if origin.as_ref().is_some_and(|origin| !self.is_carried(origin)) {
            return nothing();
        }
        // A lane that sweeps alone seals and counts what is its own, or the others would count it too.
        let own = if share.is_complete() { None } else { own_part(self.signal, batch, share) };
        let batch = own.as_ref().map_or(batch, |(payload, index)| Batch::new(payload, index));
        let offered = batch.index.items() as u64;
        self.counters.offered(offered);
        let Some(sealed) = origin.and_then(|origin| self.seal(record, origin, batch)) else {
            self.counters.withheld(offered);
            return nothing();
        };
        self.count(&sealed);
        sealed.split(share.parts(), |trace| share.part_of(trace.as_bytes()))
    }

    fn renew(&mut self) -> bool {
        let today = day(self.basis.clock.now());
        if today == self.day {
            return false;
        }
        // Instruments have dates: a new day may close the link, or open it by a fallback.
        self.day = today;
        let mut changed = false;
        for ((origin, arrived_under), before) in std::mem::take(&mut self.sealers) {
            let now = self.sealer(&origin, arrived_under);
            changed |= digest(now.as_ref()) != digest(before.as_ref());
            self.sealers.insert((origin, arrived_under), now);
        }
        changed
    }

    fn renews_in(&self) -> Option<Duration> {
        let of_day = self.basis.clock.now().nanos() % u64::try_from(DAY.as_nanos()).unwrap_or(u64::MAX);
        Some(DAY.saturating_sub(Duration::from_nanos(of_day)))
    }
}

fn digest(sealer: Option<&Sealer>) -> Option<[u8; 32]> {
    sealer.map(|sealer| sealer.table().digest())
}

impl Seal {
    fn is_carried(&self, origin: &Origin) -> bool {
        let link = self.basis.documents.federation.link(self.link);
        link.is_some_and(|link| origin.regimes().iter().all(|regime| link.carries().any(|carried| carried == regime)))
    }

    fn seal(&mut self, record: &Record, origin: Origin, batch: Batch<'_>) -> Option<SealedBatch> {
        if self.signal != Signal::Traces {
            return None; // only aggregates of metrics and logs may ever cross, and nothing aggregates them yet
        }
        let key = (origin, record.policy);
        if !self.sealers.contains_key(&key) {
            let sealer = self.sealer(&key.0, record.policy);
            self.sealers.insert(key.clone(), sealer);
        }
        let sealer = self.sealers.get_mut(&key)?.as_mut()?;
        Some(sealer.seal(batch.payload, batch.index, record.arrival.nanos()))
    }

    fn sealer(&self, origin: &Origin, arrived_under: [u8; 32]) -> Option<Sealer> {
        let consumer = self.counters.name();
        let documents = &self.basis.documents;
        let table = table(documents, self.link, origin, self.day)
            .inspect_err(|closed| tracing::warn!(consumer, %origin, %closed, "the link is closed"))
            .ok()?;
        let table = if arrived_under == documents.federation.digest() {
            table
        } else {
            table.meet(&self.earlier_table(origin, &arrived_under)?)?
        };
        let keys = Arc::clone(&self.basis.keys);
        Sealer::new(Arc::new(table), keys).inspect_err(|error| tracing::error!(consumer, %error, "withheld")).ok()
    }

    /// The same link's table under the documents that were in force at arrival.
    fn earlier_table(&self, origin: &Origin, digest: &[u8; 32]) -> Option<Table> {
        let consumer = self.counters.name();
        let earlier = self.basis.archive.find(digest);
        if earlier.is_none() {
            tracing::error!(consumer, "the documents at a record's arrival are not in the archive: withheld");
        }
        let earlier = earlier?;
        let now = self.basis.documents.federation.link(self.link)?;
        let same = |link: &&Link| link.from() == now.from() && link.to() == now.to();
        let link = earlier.federation.links().iter().find(same)?.id();
        table(&earlier, link, origin, self.day)
            .inspect_err(|closed| tracing::warn!(consumer, %origin, %closed, "was closed when a record arrived"))
            .ok()
    }

    fn count(&self, sealed: &SealedBatch) {
        let counts = sealed.counts();
        self.counters.withheld(counts.withheld());
        self.counters.keys_missing(counts.keys_missing);
        for class in Class::ALL {
            for form in Form::ALL {
                let count = counts.values(class, form);
                if count > 0 {
                    self.counters.sealed_values(class.as_str(), form.as_str(), count);
                }
            }
        }
    }
}

fn table(documents: &Documents, link: LinkId, origin: &Origin, day: Date) -> Result<Table, Closed> {
    documents.policy.table(&documents.federation, link, Signal::Traces, origin, day)
}

pub(crate) fn day(now: Timestamp) -> Date {
    let now = OffsetDateTime::from_unix_timestamp_nanos(i128::from(now.nanos()));
    now.map_or(Date::MAX, OffsetDateTime::date) // a clock beyond all dates closes every dated link
}

/// The items of the lanes that sweep now, as a request of their own.
fn own_part(signal: Signal, batch: Batch<'_>, share: &Share<'_>) -> Option<(Vec<u8>, Index)> {
    let ours = map_keys(batch, &mut |key| share.part_of(key).is_some());
    let mut payload = Vec::new();
    select(batch, |item| ours.get(item) == Some(&true), &mut payload);
    let walked = walk(signal, &payload, &Limits::JOINED).ok()?;
    Some((payload, walked.index))
}

#[cfg(test)]
mod tests;
