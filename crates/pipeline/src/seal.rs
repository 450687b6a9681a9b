//! The step over a link: what the policy lets through, newly constructed; the rest is counted and stays.
//!
//! Promises:
//! 1. A record is sealed by the meet of the policy in force when it arrived and the one in force today. A day or a reload
//!    that changes what crosses takes back what was sealed before.
//! 2. What may not cross at all (no rule, expired instrument, unknown policy, unreadable record) is withheld, counted,
//!    and the cursor passes.
//! 3. Data of an origin that the link does not carry is not offered to it.

pub(crate) mod manifests;
mod sealers;
mod shadows;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use time::{Date, OffsetDateTime};
use tollgate_federation::{Link, LinkId, Name, Origin, PlaceId, Signal};
use tollgate_otlp::{Batch, Index, Limits, TraceId, select};
use tollgate_redaction::{Keys, Route, Sealed, SealedBatch, Sealer};
use tollgate_residency::{Class, Form, Proved, Tables};
use tollgate_runtime::{Clock, Timestamp};
use tollgate_spool::{Name as SpoolName, Record};

use crate::admit::walk;
use crate::documents::Documents;
use crate::node::archive::Archive;
use crate::node::counters::ConsumerCounters;
use crate::node::in_force::InForce;
use crate::node::keys;
use crate::records::FromCollector;
use crate::step::{Share, Step};
use crate::thin::{Thin, Thinned};
use sealers::Sealers;
use shadows::Shadows;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// So many sets of documents at arrival are compared at a reload: each takes as long as a start on it. With more of them
/// all that is under way is made anew, and what no record needs any more is forgotten.
const MOST: usize = 8;

/// What sealing rests on.
#[derive(Clone)]
pub(crate) struct Basis {
    pub(crate) in_force: InForce,
    pub(crate) archive: Arc<Archive>,
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) clock: Clock,
}

/// The step of one link and signal.
pub(crate) struct Seal {
    basis: Basis,
    /// All of a batch is sealed by these, whatever comes into force meanwhile.
    documents: Arc<Documents>,
    /// The link's number when this node started, under which its door knows it; the documents of now may give it another.
    link: LinkId,
    edge: (Name, PlaceId),
    signal: Signal,
    counters: Arc<ConsumerCounters>,
    day: Date,
    /// Of which keys the sealers' derived ones are.
    keys: u64,
    /// By origin and by the digest of the documents at arrival; `None` where nothing may cross.
    sealers: BTreeMap<(Origin, [u8; 32]), Option<Sealers>>,
    shadows: Shadows,
    thin: Option<Thin>,
}

impl Seal {
    pub(crate) fn new(mut basis: Basis, link: &Link, signal: Signal, counters: Arc<ConsumerCounters>) -> Self {
        let day = day(basis.clock.now());
        let documents = Arc::clone(&basis.in_force.take().documents);
        let keys = basis.keys.version();
        let edge = (link.from().clone(), link.to().clone());
        Self {
            basis,
            documents,
            link: link.id(),
            edge,
            signal,
            counters,
            day,
            keys,
            sealers: BTreeMap::new(),
            shadows: Shadows::default(),
            thin: None,
        }
    }

    /// The same, for a link that the documents thin.
    pub(crate) fn thinned(self, thin: Option<Thin>) -> Self {
        Self { thin, ..self }
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
        let cut = self.thin.as_mut().map(|thin| thin.cut(record, batch, &|_| true));
        let own = if share.is_complete() {
            None
        } else {
            let signal = self.signal;
            let sealer = origin.as_ref().and_then(|origin| self.sealer_of(record, origin.clone()));
            own_part(signal, batch, share, route(sealer, record))
        };
        let batch = own.as_ref().map_or(batch, |(payload, index)| Batch::new(payload, index));
        let offered = batch.index.items() as u64;
        self.counters.offered(offered);
        let thinned = self.thin.as_ref().zip(cut).and_then(|(thin, cut)| thin.apply(cut, batch, &|_| true));
        let dropped = thinned.as_ref().map_or(0, |thinned| thinned.dropped);
        self.counters.dropped(dropped);
        let batch = thinned.as_ref().map_or(batch, Thinned::batch);
        if let Some(origin) = &origin {
            self.count_shadows(record, origin, batch);
        }
        let Some(sealed) = origin.and_then(|origin| self.seal(record, origin, batch)) else {
            self.counters.withheld(offered - dropped);
            return nothing();
        };
        self.count(&sealed);
        let of_resource = self.parts_of_resources(batch, share);
        sealed.split(share.parts(), |route| match route {
            Route::Trace(trace) => share.part_of(trace.as_bytes()),
            Route::Resource(number) => of_resource.get(number).copied().flatten(),
        })
    }

    /// By today's policy, under the first origin of which anything may cross.
    fn pulse(&mut self) -> Option<(SpoolName, Sealed)> {
        let federation = Arc::clone(&self.documents.federation);
        let link = self.link_in(&self.documents)?.id();
        let nothing = walk(self.signal, &[], &Limits::default()).ok()?;
        let now = self.basis.clock.now().nanos();
        federation.origins_over(link).iter().find_map(|origin| {
            let key = (origin.clone(), federation.digest());
            self.find_sealers(&key);
            let sealer = self.sealers.get_mut(&key)?.as_mut()?.any(&self.basis.keys)?;
            let sealed = sealer.seal(&[], &nothing.index, now).whole();
            Some((SpoolName::from(origin.to_string()), sealed))
        })
    }

    fn renew(&mut self) -> bool {
        self.forget_gone_keys();
        let today = day(self.basis.clock.now());
        let edition = self.basis.in_force.take();
        if today == self.day && Arc::ptr_eq(&edition.documents, &self.documents) {
            return false;
        }
        // Instruments have dates: a new day may close the link, or open it by a fallback.
        self.day = today;
        self.documents = Arc::clone(&edition.documents);
        self.shadows = Shadows::default();
        let before = std::mem::take(&mut self.sealers);
        if before.len() > MOST {
            return true;
        }
        let mut changed = false;
        for ((origin, arrived_under), before) in before {
            let now = self.is_carried(&origin).then(|| self.sealers(&origin, arrived_under)).flatten();
            // A receiver may not know for long what was in force before, so what names it is made anew too.
            changed |= now.as_ref().map(Sealers::digests) != before.as_ref().map(Sealers::digests);
            self.sealers.insert((origin, arrived_under), now);
        }
        if changed {
            // All that is under way is made anew, and asks for the ones it needs.
            self.sealers.clear();
        }
        changed
    }

    async fn outdated(&mut self) {
        self.basis.in_force.changed().await;
    }

    fn renews_in(&self) -> Option<Duration> {
        let of_day = self.basis.clock.now().nanos() % u64::try_from(DAY.as_nanos()).unwrap_or(u64::MAX);
        // What was derived from a root that is gone does not wait for the next batch to go too.
        Some(DAY.saturating_sub(Duration::from_nanos(of_day)).min(keys::INTERVAL))
    }
}

impl Seal {
    fn is_carried(&self, origin: &Origin) -> bool {
        self.link_in(&self.documents)
            .is_some_and(|link| origin.regimes().iter().all(|regime| link.carries().any(|carried| carried == regime)))
    }

    /// The part of each resource, for items that have no trace: the one that `map_keys` would find.
    fn parts_of_resources(&self, batch: Batch<'_>, share: &Share<'_>) -> Vec<Option<usize>> {
        match self.signal {
            Signal::Traces => Vec::new(),
            Signal::Metrics | Signal::Logs => batch.resources().map(|group| share.part_of(group.resource())).collect(),
        }
    }

    fn seal(&mut self, record: &Record, origin: Origin, batch: Batch<'_>) -> Option<SealedBatch> {
        let sealer = self.sealer_of(record, origin)?;
        Some(sealer.seal(batch.payload, batch.index, record.arrival.nanos()))
    }

    fn sealer_of(&mut self, record: &Record, origin: Origin) -> Option<&mut Sealer> {
        let key = (origin, record.policy);
        self.find_sealers(&key);
        let sealers = self.sealers.get_mut(&key)?.as_mut()?;
        let sender = if sealers.tell_apart() { own_collector(record, &self.edge.0) } else { None };
        let proved = sender.as_ref().map(FromCollector::proved).unwrap_or_default();
        sealers.of(proved, &self.basis.keys)
    }

    fn find_sealers(&mut self, key: &(Origin, [u8; 32])) {
        if !self.sealers.contains_key(key) {
            let sealers = self.sealers(&key.0, key.1);
            self.sealers.insert(key.clone(), sealers);
        }
    }

    /// The same link in a set of documents, whatever number it has there.
    fn link_in<'d>(&self, documents: &'d Documents) -> Option<&'d Link> {
        let (from, to) = &self.edge;
        documents.federation.links().iter().find(|link| link.from() == from && link.to() == to)
    }

    fn sealers(&self, origin: &Origin, arrived_under: [u8; 32]) -> Option<Sealers> {
        let now = self.tables(&self.documents, origin, "the link is closed")?;
        let is_of_now = arrived_under == self.documents.federation.digest();
        let then = if is_of_now { None } else { Some(self.earlier_tables(origin, &arrived_under)?) };
        Some(Sealers::new(now, then, self.link))
    }

    /// The same link's tables under the documents that were in force at arrival.
    fn earlier_tables(&self, origin: &Origin, digest: &[u8; 32]) -> Option<Tables> {
        let consumer = self.counters.name();
        let earlier = self.basis.archive.find(digest);
        if earlier.is_none() {
            tracing::error!(consumer, "the documents at a record's arrival are not in the archive: withheld");
        }
        self.tables(&*earlier?, origin, "was closed when a record arrived")
    }

    fn tables(&self, documents: &Documents, origin: &Origin, if_closed: &str) -> Option<Tables> {
        let (consumer, link) = (self.counters.name(), self.link_in(documents)?.id());
        let tables = documents.policy.tables(&documents.federation, link, self.signal, origin, self.day);
        tables.inspect_err(|closed| tracing::warn!(consumer, %origin, %closed, "{if_closed}")).ok()
    }

    /// What rules in shadow would have done. It takes nothing where there are none.
    fn count_shadows(&mut self, record: &Record, origin: &Origin, batch: Batch<'_>) {
        let link = self.link_in(&self.documents).map(Link::id);
        let (documents, today) = (&self.documents, self.day);
        let sender = documents.policy.names_senders().then(|| own_collector(record, &self.edge.0)).flatten();
        let crossing = |origin: &Origin, proved: Proved<'_>| {
            let (policy, federation) = (&documents.policy, &documents.federation);
            let shadows = link.map(|link| policy.shadows(federation, (link, self.signal, origin), proved, today));
            let shadows = shadows.unwrap_or_default();
            let link = link.filter(|_| !shadows.is_empty());
            let tables = link.and_then(|link| policy.tables(federation, link, self.signal, origin, today).ok());
            (tables.and_then(|tables| tables.at(tables.place(proved)).ok().cloned()), shadows)
        };
        let proved = sender.as_ref().map(FromCollector::proved).unwrap_or_default();
        let would = self.shadows.of(origin, proved, crossing).count(self.signal, batch);
        would.into_iter().for_each(|(rule, (now, then), count)| self.counters.in_shadow(rule, now, then, count));
    }

    fn forget_gone_keys(&mut self) {
        let version = self.basis.keys.version();
        if version != self.keys {
            self.keys = version;
            self.sealers.values_mut().flatten().for_each(Sealers::forget_gone_keys);
        }
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

pub(crate) fn day(now: Timestamp) -> Date {
    let now = OffsetDateTime::from_unix_timestamp_nanos(i128::from(now.nanos()));
    now.map_or(Date::MAX, OffsetDateTime::date) // a clock beyond all dates closes every dated link
}

/// The collector of this region that sent a record and proved so. Whatever came over a link or from another tier names none.
fn own_collector(record: &Record, region: &Name) -> Option<FromCollector> {
    FromCollector::of(record.peer.as_str()).filter(|sent| sent.node.region() == region)
}

/// By which id an item of a trace goes once it is sealed. What has no sealer goes nowhere, and is counted by its own id.
fn route(mut sealer: Option<&mut Sealer>, record: &Record) -> impl FnMut(TraceId) -> TraceId {
    let arrival = record.arrival.nanos();
    move |trace| sealer.as_mut().map_or(trace, |sealer| sealer.route(trace, arrival))
}

/// The items of the lanes that sweep now, as a request of their own.
fn own_part(
    signal: Signal,
    batch: Batch<'_>,
    share: &Share<'_>,
    mut route: impl FnMut(TraceId) -> TraceId,
) -> Option<(Vec<u8>, Index)> {
    let mut ours = Vec::with_capacity(batch.index.items());
    for resource in batch.resources() {
        let items = resource.scopes().flat_map(|scope| scope.items());
        ours.extend(items.map(|item| match item.trace_id() {
            Some(trace) => share.part_of(route(trace).as_bytes()).is_some(),
            None => share.part_of(resource.resource()).is_some(),
        }));
    }
    let mut payload = Vec::new();
    select(batch, |item| ours.get(item) == Some(&true), &mut payload);
    let walked = walk(signal, &payload, &Limits::JOINED).ok()?;
    Some((payload, walked.index))
}

#[cfg(test)]
mod tests;
