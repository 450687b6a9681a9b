//! The answers for one sender's data: a table, and a stricter one for each kind that rules tell apart by what it says of itself.
//!
//! Promises:
//! 1. Whatever a resource says, no more of it crosses than by the table for what no narrowed rule speaks of: a claim takes
//!    back, and never opens. So whoever proves something of that table has proved it for all.
//! 2. All tables number their transforms alike.
//! 3. Where no rule asks for a claim, or none of them would be answered otherwise, there is one table and its digest.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tollgate_federation::LinkId;

use crate::claims::{Asks, Claims, Kind, Kinds};
use crate::closed::Closed;
use crate::table::Table;

/// The answers for one sender's data, by what it says of itself.
#[derive(Debug, Clone)]
pub struct Layers {
    /// For what no rule that is narrowed by claims speaks of.
    base: Arc<Table>,
    told: Option<Told>,
    digest: [u8; 32],
}

/// What is answered otherwise.
#[derive(Debug, Clone)]
struct Told {
    kinds: Kinds,
    tables: BTreeMap<Kind, Result<Arc<Table>, Closed>>,
}

impl Layers {
    /// Takes what rules ask for, and what they come to for claims.
    pub(crate) fn new(
        asked: impl IntoIterator<Item = Asks>,
        table: impl Fn(&Claims) -> Result<Table, Closed>,
    ) -> Result<Self, Closed> {
        // More kinds than can be told: all of it is answered as what says nothing clear.
        let Some(kinds) = Kinds::of(asked.into_iter().collect()) else {
            return table(&Claims::UNCLEAR).map(Self::from);
        };
        let base = Arc::new(table(&Claims::OTHER)?);
        if !kinds.are_told() {
            return Ok(Self { digest: base.digest(), base, told: None });
        }
        let mut tables = BTreeMap::new();
        for (kind, example) in kinds.iter() {
            let layer = match table(&example.claims).map(|table| base.held_back_by(&table)) {
                Ok(table) if table.digest() == base.digest() => Ok(Arc::clone(&base)),
                layer => layer.map(Arc::new),
            };
            tables.insert(kind.clone(), layer);
        }
        let is_told = tables.values().any(|layer| layer.as_ref().map(|table| table.digest()) != Ok(base.digest()));
        let told = is_told.then_some(Told { kinds, tables });
        Ok(Self { digest: digest(&base, told.as_ref()), base, told })
    }

    /// Says whether it matters what a resource says of itself.
    #[must_use]
    pub fn tell_apart(&self) -> bool {
        self.told.is_some()
    }

    /// Returns the table that lets through most: the one for what no rule asks for.
    #[must_use]
    pub fn base(&self) -> &Table {
        &self.base
    }

    /// Returns the table for a resource that says this.
    ///
    /// # Errors
    /// Says why nothing of it may cross at all.
    pub fn of(&self, claims: &Claims) -> Result<&Table, &Closed> {
        match &self.told {
            Some(told) => told.of(claims).map(AsRef::as_ref),
            None => Ok(&self.base),
        }
    }

    /// Each kind that is told apart, by its name, with its table or why nothing of it crosses; without a name where there is but
    /// one.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&str>, Result<&Table, &Closed>)> {
        let told = self.told.iter().flat_map(|told| told.kinds.iter().zip(told.tables.values()));
        let named = told.map(|((_, example), layer)| (Some(example.name.as_str()), layer.as_ref().map(AsRef::as_ref)));
        let only = self.told.is_none().then_some((None, Ok(&*self.base)));
        only.into_iter().chain(named)
    }

    /// Returns the identity of all tables together.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Returns what both let through, whatever a resource says; `None` if they are not for the same crossing.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Option<Self> {
        self.base.meet(&other.base)?;
        let table = |claims: &Claims| {
            let (one, two) = (self.of(claims).map_err(Clone::clone)?, other.of(claims).map_err(Clone::clone)?);
            one.meet(two).ok_or(Closed::NoLink)
        };
        Self::new(self.asked().chain(other.asked()).cloned(), table).ok()
    }

    /// Says whether all that these let through the others do too, whatever a resource says, in no stricter form.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let within = |claims: &Claims| match (self.of(claims), other.of(claims)) {
            (Err(_), _) => true,
            (Ok(_), Err(_)) => false,
            (Ok(own), Ok(others)) => own.is_within(others),
        };
        // With too many kinds to be compared one by one it is not known.
        let kinds = || Kinds::of(self.asked().chain(other.asked()).cloned().collect());
        let of_each = |kinds: Kinds| kinds.iter().all(|(_, example)| within(&example.claims));
        self.digest == other.digest || kinds().is_some_and(of_each)
    }

    /// The same tables under the number that their link has elsewhere.
    #[must_use]
    pub fn renumbered(self, link: LinkId) -> Self {
        let renumbered = |table: &Table| Arc::new(table.clone().renumbered(link));
        let base = renumbered(&self.base);
        let own =
            |table: Arc<Table>| if Arc::ptr_eq(&table, &self.base) { Arc::clone(&base) } else { renumbered(&table) };
        let told = self.told.map(|Told { kinds, tables }| {
            let tables = tables.into_iter().map(|(kind, layer)| (kind, layer.map(own)));
            Told { kinds, tables: tables.collect() }
        });
        Self { base: Arc::clone(&base), told, digest: self.digest }
    }

    pub(crate) fn asked(&self) -> impl Iterator<Item = &Asks> {
        self.told.iter().flat_map(|told| told.kinds.asked())
    }
}

impl Told {
    fn of(&self, claims: &Claims) -> Result<&Arc<Table>, &Closed> {
        // Every kind that there can be is listed.
        let layer = self.tables.get(&self.kinds.kind(claims));
        layer.map_or(Err(&Closed::NoLink), Result::as_ref)
    }
}

impl From<Table> for Layers {
    fn from(table: Table) -> Self {
        Arc::new(table).into()
    }
}

impl From<Arc<Table>> for Layers {
    fn from(table: Arc<Table>) -> Self {
        Self { digest: table.digest(), base: table, told: None }
    }
}

fn digest(base: &Table, told: Option<&Told>) -> [u8; 32] {
    let Some(told) = told else { return base.digest() };
    let mut hash = Sha256::new();
    let text = |hash: &mut Sha256, text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    hash.update("tollgate layers 1");
    hash.update(base.digest());
    hash.update((told.kinds.asked().len() as u64).to_le_bytes());
    for asks in told.kinds.asked() {
        hash.update((asks.parts().count() as u64).to_le_bytes());
        for (about, names) in asks.parts() {
            text(&mut hash, about);
            hash.update((names.len() as u64).to_le_bytes());
            names.iter().for_each(|name| text(&mut hash, name));
        }
    }
    for (kind, layer) in &told.tables {
        kind.iter().for_each(|yes| hash.update([u8::from(*yes)]));
        hash.update(layer.as_ref().map_or([0; 32], |table| table.digest()));
    }
    hash.finalize().into()
}
