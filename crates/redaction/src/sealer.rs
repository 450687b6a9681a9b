//! Applies one table to batches: what comes out is built from what may cross, never what went in with parts removed.
//!
//! Promises:
//! 1. Nothing is copied that was not looked up: unknown fields, keys and values stay.
//! 2. Each item crosses or is counted as withheld; one bad item withholds itself, a bad resource or scope its items.
//! 3. No input makes it panic, and no error says what a value was.

use std::fmt;
use std::sync::Arc;

use tollgate_federation::Signal;
use tollgate_otlp::{Batch, Index, ResourceGroup, ScopeGroup};
use tollgate_residency::{Resource, Table};

use crate::attributes::Judge;
use crate::counts::{Counts, Withheld};
use crate::keys::Keys;
use crate::pseudonym::Pseudonyms;
use crate::sealed::{Group, Layout, Seal, SealedBatch, Span};
use crate::span::{Memory, SpanSealer};
use crate::surroundings;

/// Seals what goes over one link under one table.
pub struct Sealer {
    table: Arc<Table>,
    keys: Arc<dyn Keys>,
    pseudonyms: Vec<Pseudonyms>,
}

/// The table is for a signal that cannot be sealed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} cannot be sealed yet, so they cross no border")]
pub struct Unsealable(pub Signal);

impl Sealer {
    /// Takes the table of a link, which says for whom and from where it is, and the keys of this region.
    ///
    /// # Errors
    /// Refuses every signal but traces.
    pub fn new(table: Arc<Table>, keys: Arc<dyn Keys>) -> Result<Self, Unsealable> {
        if table.signal() != Signal::Traces {
            return Err(Unsealable(table.signal()));
        }
        let (origin, destination) = (table.origin().to_string(), table.destination().to_owned());
        let pseudonyms = table.keyed().iter();
        let pseudonyms = pseudonyms.map(|keyed| Pseudonyms::new(keyed.clone(), origin.clone(), destination.clone()));
        Ok(Self { pseudonyms: pseudonyms.collect(), table, keys })
    }

    /// Returns the table that is applied.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Seals a walked request that arrived then, in nanoseconds since the Unix epoch.
    pub fn seal(&mut self, payload: &[u8], index: &Index, arrival: u64) -> SealedBatch {
        let mut counts = Counts::default();
        let judge = Judge {
            table: &self.table,
            keys: self.keys.as_ref(),
            pseudonyms: &mut self.pseudonyms,
            counts: &mut counts,
            arrival,
            resource: Resource::Device,
        };
        let layout = Layout::with_room_for(index.items(), payload.len());
        let mut run = Run { judge, memory: Memory::default(), layout };
        for group in Batch::new(payload, index).resources() {
            run.resource(&group);
        }
        let layout = run.layout;
        let seal = Seal { link: self.table.link(), origin: self.table.origin().clone(), digest: self.table.digest() };
        SealedBatch { layout, counts, seal }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("link", &self.table.link()).finish_non_exhaustive()
    }
}

/// The sealing of one batch.
struct Run<'a, 't> {
    judge: Judge<'t>,
    memory: Memory<'a>,
    layout: Layout,
}

impl<'a> Run<'a, '_> {
    fn resource(&mut self, group: &ResourceGroup<'a>) {
        let mark = self.judge.counts.mark();
        let start = self.layout.bytes.len();
        let first = self.layout.scopes.len();
        let whose = surroundings::whose(self.judge.table, group.resource());
        let written = whose.and_then(|whose| {
            self.judge.resource = whose;
            let (url, out) = (group.schema_url(), &mut self.layout.bytes);
            surroundings::resource(group.resource(), url, &mut self.judge, &mut self.memory, out)
        });
        if written.is_err() {
            let items = group.scopes().map(|scope| scope.items().len() as u64).sum();
            return self.give_up(start, mark, items);
        }
        let head = start..self.layout.bytes.len();
        for scope in group.scopes() {
            self.scope(&scope);
        }
        let children = first..self.layout.scopes.len();
        if children.is_empty() {
            // Nothing crossed below it, so nothing of it did.
            return self.give_up(start, mark, 0);
        }
        self.layout.resources.push(Group { head, children });
    }

    fn scope(&mut self, group: &ScopeGroup<'a>) {
        let mark = self.judge.counts.mark();
        let start = self.layout.bytes.len();
        let first = self.layout.spans.len();
        let (url, out) = (group.schema_url(), &mut self.layout.bytes);
        if surroundings::scope(group.scope(), url, &mut self.judge, &mut self.memory, out).is_err() {
            return self.give_up(start, mark, group.items().len() as u64);
        }
        let head = start..self.layout.bytes.len();
        for item in group.items() {
            self.item(item.body());
        }
        let children = first..self.layout.spans.len();
        if children.is_empty() {
            return self.give_up(start, mark, 0);
        }
        self.layout.scopes.push(Group { head, children });
    }

    fn item(&mut self, body: &'a [u8]) {
        let mark = self.judge.counts.mark();
        let start = self.layout.bytes.len();
        self.judge.counts.items_in += 1;
        let mut sealer = SpanSealer { judge: &mut self.judge, memory: &mut self.memory };
        match sealer.seal(body, &mut self.layout.bytes) {
            Ok(trace) => {
                self.judge.counts.items_out += 1;
                self.layout.spans.push(Span { trace, field: start..self.layout.bytes.len() });
            }
            Err(reason) => {
                self.layout.bytes.truncate(start);
                self.judge.counts.put_back(mark);
                self.judge.counts.withhold(reason, 1);
            }
        }
    }

    /// Takes back what was written and counted of a resource or scope, and withholds its items.
    fn give_up(&mut self, start: usize, mark: (crate::counts::Values, u64), items: u64) {
        self.layout.bytes.truncate(start);
        self.judge.counts.put_back(mark);
        self.judge.counts.items_in += items;
        self.judge.counts.withhold(Withheld::Surroundings, items);
    }
}
