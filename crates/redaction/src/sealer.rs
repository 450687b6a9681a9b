//! Applies one table to batches: what comes out is built from what may cross, never what went in with parts removed.
//!
//! Promises:
//! 1. Nothing is copied that was not looked up: unknown fields, keys and values stay.
//! 2. Each item crosses or is counted as withheld; one bad item withholds itself, a bad resource or scope its items.
//! 3. A resource is sealed by the table for what it says of itself, where the policy asks; what it says can only hold back.
//! 4. No input makes it panic, and no error says what a value was.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use tollgate_federation::Signal;
use tollgate_otlp::{Batch, Index, Item as RawItem, ResourceGroup, ScopeGroup, TraceId};
use tollgate_residency::{Class, Layers, Resource, Table};

use crate::attributes::Care;
use crate::blind::Blinder;
use crate::counts::{Counts, Mark, Withheld};
use crate::item::ItemSealer;
use crate::keys::Keys;
use crate::known_ids::KnownIds;
use crate::plain::Plain;
use crate::pseudonym::Pseudonyms;
use crate::schema;
use crate::sealed::{CHILDREN, Group, Item, Layout, RESOURCES, Seal, SealedBatch};
use crate::span::{Memory, SpanSealer};
use crate::surroundings;
use crate::value::Judge;

/// Seals what goes over one link under one table, or under stricter ones for what resources say of themselves.
pub struct Sealer {
    layers: Layers,
    keys: Arc<dyn Keys>,
    pseudonyms: Vec<Pseudonyms>,
    /// Blinds ids, where the table says so.
    blinder: Option<Blinder>,
    /// The attribute of a scope that says by which policy something may be missing.
    mark: Vec<u8>,
    /// The policy that is applied, and the one in force.
    policies: [[u8; 32]; 2],
}

impl Sealer {
    /// Takes the table of a link, which says for whom, from where and for which signal it is, or its layers, and the keys of
    /// this region.
    #[must_use]
    pub fn new(layers: impl Into<Layers>, keys: Arc<dyn Keys>) -> Self {
        let layers = layers.into();
        let table = layers.base();
        let (origin, destination) = (table.origin().to_string(), table.destination().to_owned());
        let pseudonyms = table.keyed().iter();
        let pseudonyms = pseudonyms.map(|keyed| Pseudonyms::new(keyed.clone(), origin.clone(), destination.clone()));
        let (pseudonyms, digest) = (pseudonyms.collect(), layers.digest());
        let mark = surroundings::mark(&digest);
        let blinder = table.blinding().cloned().map(Blinder::new);
        Self { pseudonyms, blinder, policies: [digest; 2], layers, keys, mark }
    }

    /// Says of which policy the table is, and which is in force; unless told, the table is all of both.
    #[must_use]
    pub fn under(self, policy: [u8; 32], in_force: [u8; 32]) -> Self {
        Self { policies: [policy, in_force], mark: surroundings::mark(&policy), ..self }
    }

    /// Returns the digests of the policy that is applied and of the one in force.
    #[must_use]
    pub fn digests(&self) -> [[u8; 32]; 2] {
        self.policies
    }

    /// Returns the table that is applied, where nothing is held back for what a resource says of itself.
    #[must_use]
    pub fn table(&self) -> &Table {
        self.layers.base()
    }

    /// Forgets what was derived from roots that are not here any more. Sealing does so by itself.
    pub fn forget_gone_keys(&mut self) {
        self.pseudonyms.iter_mut().for_each(|pseudonyms| pseudonyms.refresh(self.keys.as_ref()));
        self.blinder.iter_mut().for_each(|blinder| blinder.refresh(self.keys.as_ref()));
    }

    /// Says by which id what arrived then with an id is routed once it is sealed: by the one that it crosses with.
    pub fn route(&mut self, trace: TraceId, arrival: u64) -> TraceId {
        let ids = self.blinder.as_mut().and_then(|blinder| blinder.at(arrival, self.keys.as_ref()));
        ids.map_or(trace, |ids| TraceId(ids.trace(trace.0)))
    }

    /// Seals a walked request that arrived then, in nanoseconds since the Unix epoch.
    pub fn seal(&mut self, payload: &[u8], index: &Index, arrival: u64) -> SealedBatch {
        let mut counts = Counts::default();
        self.forget_gone_keys();
        let table = self.layers.base();
        let known_ids = self.blinder.as_ref().map(|_| KnownIds::of(table.signal(), Batch::new(payload, index)));
        let judge = Judge {
            table,
            known_ids: known_ids.as_ref(),
            keys: self.keys.as_ref(),
            pseudonyms: &mut self.pseudonyms,
            blinder: self.blinder.as_mut(),
            counts: &mut counts,
            arrival,
            resource: Resource::Device,
            heads_cross: Plain::crosses(table),
            mark: &self.mark,
            all_unguarded: known_ids.is_none() && Class::ALL.iter().all(|class| table.guard(*class).is_default()),
        };
        let layout = Layout::with_room_for(index.items(), payload.len());
        let layers = self.layers.tell_apart().then_some(&self.layers);
        let mut run = Run { signal: table.signal(), layers, judge, memory: Memory::default(), layout };
        for group in Batch::new(payload, index).resources() {
            run.resource(&group);
        }
        let layout = run.layout;
        // Only now: what is counted on the way is taken back where nothing of a resource crosses.
        counts.keys_missing += counts.withheld_for(Withheld::KeyMissing);
        let [digest, in_force] = self.digests();
        let seal =
            Seal { link: table.link(), signal: table.signal(), origin: table.origin().clone(), digest, in_force };
        SealedBatch { layout, counts, seal }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("link", &self.table().link()).finish_non_exhaustive()
    }
}

/// The sealing of one batch.
struct Run<'a, 't> {
    signal: Signal,
    /// Where it matters what a resource says of itself.
    layers: Option<&'t Layers>,
    judge: Judge<'t>,
    memory: Memory<'a>,
    layout: Layout,
}

impl<'a, 't> Run<'a, 't> {
    fn resource(&mut self, group: &ResourceGroup<'a>) {
        let before = self.mark();
        let first = self.layout.scopes.len();
        if let Some(layers) = self.layers
            && !self.takes_layer(layers, group.resource())
        {
            return self.withhold_below(group);
        }
        let Ok(whose) = surroundings::whose(self.judge.table, group.resource(), &mut self.memory.unmarked) else {
            return self.withhold_below(group);
        };
        if whose != self.judge.resource {
            self.memory.attributes.forget();
        }
        self.judge.resource = whose;
        let about = group.resource().len() + group.scopes().map(|scope| length(&scope)).sum::<usize>();
        let opened = self.layout.open(RESOURCES, about);
        let (body, url) = (group.resource(), group.schema_url());
        let head = self.attempt(|judge, memory, out| surroundings::resource(body, url, judge, memory, out));
        let Ok((head, ())) = head else {
            self.take_back(before);
            return self.withhold_below(group);
        };
        for scope in group.scopes() {
            self.scope(&scope);
        }
        let children = first..self.layout.scopes.len();
        if children.is_empty() {
            // Nothing crossed below it, so nothing of it did.
            return self.take_back(before);
        }
        self.layout.close(opened);
        self.layout.resources.push(Group { head, children });
        self.layout.numbers.push(group.number);
    }

    /// Turns to the table for what a resource says of itself; says whether there is one.
    #[cold]
    fn takes_layer(&mut self, layers: &'t Layers, resource: &[u8]) -> bool {
        let Ok(table) = layers.of(&surroundings::claims(resource)) else { return false };
        if !std::ptr::eq(table, self.judge.table) {
            self.judge.table = table;
            self.judge.heads_cross = Plain::crosses(table);
            self.memory.attributes.forget();
        }
        true
    }

    fn scope(&mut self, group: &ScopeGroup<'a>) {
        let before = self.mark();
        let first = self.layout.items.len();
        let opened = self.layout.open(CHILDREN, length(group));
        let (body, url) = (group.scope(), group.schema_url());
        let head = self.attempt(|judge, memory, out| surroundings::scope(body, url, judge, memory, out));
        let Ok((head, ())) = head else {
            self.take_back(before);
            return self.judge.counts.withhold(Withheld::Surroundings, group.items().len() as u64);
        };
        for item in group.items() {
            self.item(item);
        }
        let children = first..self.layout.items.len();
        if children.is_empty() {
            return self.take_back(before);
        }
        self.layout.close(opened);
        self.layout.scopes.push(Group { head, children });
    }

    fn item(&mut self, item: RawItem<'a>) {
        let body = item.body();
        let message = match self.signal {
            Signal::Traces => {
                let sealed = self.attempt(|judge, memory, out| SpanSealer { judge, memory }.seal(body, out));
                let routed = sealed.map(|(field, trace)| (field, Some(self.judge.route(TraceId(*trace)))));
                return self.take(routed);
            }
            Signal::Metrics => &schema::METRIC,
            Signal::Logs => &schema::LOG_RECORD,
        };
        let trace = item.trace_id().map(|trace| self.judge.route(trace));
        let sealed =
            self.attempt(|judge, memory, out| ItemSealer::new(judge, memory).seal(message, body, out).map(|()| trace));
        self.take(sealed);
    }

    #[inline]
    fn take(&mut self, sealed: Result<(Range<usize>, Option<TraceId>), Withheld>) {
        match sealed {
            Ok((field, trace)) => {
                self.judge.counts.cross(1);
                self.layout.items.push(Item { trace, field });
            }
            Err(reason) => self.judge.counts.withhold(reason, 1),
        }
    }

    fn withhold_below(&mut self, group: &ResourceGroup<'a>) {
        let items = group.scopes().map(|scope| scope.items().len() as u64).sum();
        self.judge.counts.withhold(Withheld::Surroundings, items);
    }

    /// Writes something and says where; if it cannot be written, nothing was. If a key may stand twice in a list of it,
    /// it is written once more with care.
    fn attempt<T, E>(
        &mut self,
        mut write: impl FnMut(&mut Judge<'_>, &mut Memory<'a>, &mut Vec<u8>) -> Result<T, E>,
    ) -> Result<(Range<usize>, T), E> {
        let before = self.mark();
        let mut written = write(&mut self.judge, &mut self.memory, &mut self.layout.bytes);
        if self.memory.attributes.are_suspect() {
            self.take_back(before);
            self.memory.attributes.take_care(Care::Wary);
            written = write(&mut self.judge, &mut self.memory, &mut self.layout.bytes);
            self.memory.attributes.take_care(Care::Swift);
        }
        if written.is_err() {
            self.take_back(before);
        }
        Ok((before.0..self.layout.bytes.len(), written?))
    }

    /// How much is written and counted.
    fn mark(&self) -> (usize, Mark) {
        (self.layout.bytes.len(), self.judge.counts.mark())
    }

    fn take_back(&mut self, (start, mark): (usize, Mark)) {
        self.layout.bytes.truncate(start);
        self.judge.counts.put_back(mark);
    }
}

/// How long a scope's group is as it came, about.
fn length(group: &ScopeGroup<'_>) -> usize {
    group.scope().len() + group.items().map(|item| item.field().len()).sum::<usize>()
}
