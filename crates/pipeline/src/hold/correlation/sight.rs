//! Of which regions spans come here, by the documents in force.
//!
//! Promises:
//! 1. A region whose spans, or some of whose services' spans, the documents keep away is hidden; so is one whose ids come in
//!    another form than those they would have to join.
//! 2. Where the documents thin traces so that a part of one may stay, that accounts for parents too.
//! 3. That a parent was withheld is what the documents account for, never an observation: what is withheld leaves no trace here.

mod thinned;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use time::Date;
use tollgate_federation::{Link, Origin, PlaceId, Region, Signal, TierId};
use tollgate_residency::{Carrier, Form, Proved, Table, Tables};
use tollgate_runtime::Clock;
use tollgate_sampling::Parent;

use self::thinned::Thinned;
use crate::documents::Documents;
use crate::node::in_force::{Borders, Edition, InForce};
use crate::seal::day;

/// Why a parent is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Absence {
    /// The documents keep the spans of at least one region away in which it may have been made.
    Withheld,
    /// The spans of every region come here, and this one did not.
    Missing,
    /// It may still be on its way, or its sender was not heard of.
    Unknown,
}

/// How the spans of one region come.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Way {
    /// The form in which ids of traces and spans come; none if those of some service do not.
    ids: Option<Form>,
    parents: bool,
    /// The region whose gateways bring them.
    by: String,
}

/// Which spans come here.
pub(super) struct Sight {
    in_force: InForce,
    tier: TierId,
    clock: Clock,
    /// What the ways were read off.
    of: Option<(Arc<Edition>, Date)>,
    /// Of each region; none if its spans do not come at all.
    ways: BTreeMap<String, Option<Way>>,
    thinned: Thinned,
}

impl Sight {
    pub(super) fn new(in_force: InForce, tier: TierId, clock: Clock) -> Self {
        let mut sight = Self { in_force, tier, clock, of: None, ways: BTreeMap::new(), thinned: Thinned::default() };
        sight.renew();
        sight
    }

    /// Reads the documents that are in force today.
    pub(super) fn renew(&mut self) {
        let (edition, today) = (self.in_force.edition(), day(self.clock.now()));
        let is_same = |(known, day): &(Arc<Edition>, Date)| Arc::ptr_eq(known, &edition) && *day == today;
        if self.of.as_ref().is_some_and(is_same) {
            return;
        }
        let read = Reading { documents: &edition.documents, tier: &self.tier, today };
        let of_region = |region: &Region| (region.name().to_string(), read.way(region));
        self.ways = edition.documents.federation.regions().map(of_region).collect();
        self.thinned = Thinned::on_the_way_to(&self.tier, &edition.documents.federation);
        self.of = Some((edition, today));
    }

    pub(super) fn knows(&self, region: &str) -> bool {
        self.ways.contains_key(region)
    }

    /// Whether the spans of a region say who their parents are.
    pub(super) fn tells_parents(&self, region: &str) -> bool {
        self.ways.get(region).is_none_or(|way| way.as_ref().is_none_or(|way| way.parents))
    }

    /// The regions that have services, and of which not all spans come.
    pub(super) fn hidden(&self) -> impl Iterator<Item = &str> {
        let hides = |way: &Option<Way>| way.as_ref().is_none_or(|way| way.ids.is_none());
        self.ways
            .iter()
            .filter(move |(region, way)| hides(way) && self.has_services(region))
            .map(|(name, _)| name.as_str())
    }

    fn has_services(&self, region: &str) -> bool {
        let edition = self.of.as_ref().map(|(edition, _)| edition);
        edition.is_some_and(|edition| edition.documents.federation.clusters(region).next().is_some())
    }

    /// Why the parent of a span of `region` is not here, when all that was sent is. `heard` are regions with gateways that
    /// send.
    pub(super) fn absence(&self, parent: Parent, region: &str, heard: &BTreeSet<String>) -> Absence {
        let is_closed = self.of.as_ref().is_none_or(|(edition, _)| edition.borders == Borders::Closed);
        if is_closed || !self.knows(region) {
            return Absence::Unknown;
        }
        if parent == Parent::Local {
            // Of the same resource, and so by the same rules.
            return if self.thinned.parts_processes(region) { Absence::Withheld } else { Absence::Missing };
        }
        let own = self.ways.get(region).and_then(|way| way.as_ref()?.ids);
        let others = || self.ways.iter().filter(|(name, _)| self.has_services(name));
        let joins = |way: &Option<Way>| own.is_some() && way.as_ref().is_some_and(|way| way.ids == own);
        if self.thinned.parts_traces() || !others().all(|(_, way)| joins(way)) {
            return Absence::Withheld;
        }
        let is_heard = |way: &Option<Way>| way.as_ref().is_some_and(|way| heard.contains(&way.by));
        if others().all(|(_, way)| is_heard(way)) { Absence::Missing } else { Absence::Unknown }
    }
}

/// One look at the documents.
struct Reading<'a> {
    documents: &'a Documents,
    tier: &'a TierId,
    today: Date,
}

impl Reading<'_> {
    /// How the spans come that the services of a region send.
    fn way(&self, region: &Region) -> Option<Way> {
        let federation = &self.documents.federation;
        let name = region.name().as_str();
        if federation.home_central(name).is_some_and(|central| central.id() == self.tier) {
            let is_blinded = self.documents.policy.blinding_at_home(federation, name).is_some();
            let ids = Some(if is_blinded { Form::Keyed } else { Form::Raw });
            return Some(Way { ids, parents: true, by: name.to_owned() });
        }
        self.over_links(region, name, &mut BTreeSet::new())
    }

    /// From a region's gateways to here, by one link or by several.
    fn over_links(&self, region: &Region, from: &str, met: &mut BTreeSet<String>) -> Option<Way> {
        if !met.insert(from.to_owned()) {
            return None;
        }
        let federation = &self.documents.federation;
        let origin = Origin::of(region.regime().clone());
        let links = federation.links_from(from).filter(|link| federation.lets_over(link.id(), Signal::Traces, &origin));
        let mut ways = Vec::new();
        for link in links {
            let PlaceId::Tier(to) = link.to() else { continue };
            let first = self.over(link, &origin, region);
            if to == self.tier {
                ways.extend(first.map(|(ids, parents)| Way { ids, parents, by: from.to_owned() }));
            } else if let (Some((ids, parents)), Some(next)) =
                (first, self.over_links(region, to.region().as_str(), met))
            {
                // What is blinded on both links, or on one alone, joins nothing that is blinded once.
                let ids = ids.filter(|ids| *ids == Form::Raw && next.ids == Some(Form::Raw));
                ways.push(Way { ids, parents: parents && next.parents, by: next.by });
            }
        }
        // Of several ways one that lets all come is enough.
        let best = ways.iter().position(|way| way.ids.is_some()).unwrap_or(0);
        ways.into_iter().nth(best)
    }

    /// What a link does to the ids of all that a region's services send; none if it is closed.
    fn over(&self, link: &Link, origin: &Origin, region: &Region) -> Option<(Option<Form>, bool)> {
        let Documents { federation, policy, .. } = self.documents;
        let tables = policy.tables(federation, link.id(), Signal::Traces, origin, self.today).ok()?;
        let of_senders: Vec<Answer<'_>> = if link.from() == region.name() {
            let clusters = federation.clusters(region.name().as_str());
            let senders = clusters.flat_map(|cluster| {
                let by = |listener| Proved { cluster: Some(cluster.name().as_str()), listener: Some(listener) };
                cluster.listen().listeners().map(by)
            });
            senders.flat_map(|proved| answers(&tables, proved)).collect()
        } else {
            answers(&tables, Proved::default())
        };
        let forms: BTreeSet<Option<Form>> = of_senders.iter().map(|answer| answer.and_then(identity)).collect();
        let parent =
            |answer: &Answer<'_>| answer.is_some_and(|table| table.carrier(Carrier::SpanParentId) != Form::Absent);
        let only = if forms.len() == 1 { forms.into_iter().next().flatten() } else { None };
        Some((only, of_senders.iter().all(parent)))
    }
}

/// The table of one kind of data, unless nothing of it crosses.
type Answer<'t> = Option<&'t Table>;

fn answers<'t>(tables: &'t Tables, proved: Proved<'_>) -> Vec<Answer<'t>> {
    match tables.at(tables.place(proved)) {
        Ok(layers) => layers.iter().map(|(_, table)| table.ok()).collect(),
        Err(_) => vec![None],
    }
}

/// The form in which a span's ids cross, without which it does not.
fn identity(table: &Table) -> Option<Form> {
    let [trace, span] = [Carrier::SpanTraceId, Carrier::SpanId].map(|carrier| table.carrier(carrier));
    (trace == span && matches!(trace, Form::Raw | Form::Keyed)).then_some(trace)
}

#[cfg(test)]
mod tests;
