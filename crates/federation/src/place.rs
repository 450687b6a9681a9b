//! Places: everywhere that data can be sent to.

use std::fmt;

use tollgate_config::At;

use crate::backend::{BackendTarget, BackendTls, HeaderValue};
use crate::cluster::Tls;
use crate::federation::Federation;
use crate::link::LinkId;
use crate::name::Name;
use crate::node::TierId;
use crate::origin::Regime;
use crate::region::Region;

/// A backend of a tier, written `eu-west/backend/tempo`: its name is unique in its region, but for the `embedded` one
/// that each tier may have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendId {
    tier: TierId,
    name: Name,
}

/// What a place is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlaceId {
    /// A tier.
    Tier(TierId),
    /// A backend.
    Backend(BackendId),
}

/// A place, with the regime and the legal entity it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What it is.
    pub id: PlaceId,
    /// The regime it lies in.
    pub regime: Regime,
    /// The legal entity that runs it.
    pub entity: String,
    /// The links that lead to it; none where it is reached from inside its region only.
    pub over: Vec<LinkId>,
}

/// Something that is allowed and should be seen, such as plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where it stands.
    pub at: At,
    /// What should be seen.
    pub message: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

impl BackendId {
    pub(crate) fn new(tier: TierId, name: Name) -> Self {
        Self { tier, name }
    }

    /// The tier that sends to it.
    pub fn tier(&self) -> &TierId {
        &self.tier
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }
}

impl fmt::Display for BackendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/backend/{}", self.tier.region(), self.name)
    }
}

impl PlaceId {
    /// The region whose documents name it.
    pub fn region(&self) -> &Name {
        match self {
            Self::Tier(tier) => tier.region(),
            Self::Backend(backend) => backend.tier().region(),
        }
    }
}

impl fmt::Display for PlaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tier(tier) => tier.fmt(f),
            Self::Backend(backend) => backend.fmt(f),
        }
    }
}

/// Headers that carry credentials by convention.
const CREDENTIALS: [&str; 7] =
    ["authorization", "proxy-authorization", "cookie", "api-key", "x-api-key", "x-auth-token", "x-honeycomb-team"];

impl Federation {
    /// Every place data can be sent to, region by region.
    pub fn places(&self) -> Vec<Place> {
        self.regions().flat_map(|region| self.places_of(region)).collect()
    }

    fn places_of(&self, region: &Region) -> Vec<Place> {
        let mut places = Vec::new();
        for tier in region.tiers() {
            let id = PlaceId::Tier(tier.id().clone());
            places.push(self.place(id, region.regime(), region.entity()));
            for backend in tier.backends() {
                let id = PlaceId::Backend(backend.id().clone());
                places.push(self.place(id, backend.regime(), backend.entity()));
            }
        }
        places
    }

    fn place(&self, id: PlaceId, regime: &Regime, entity: &str) -> Place {
        let over = self.links().iter().filter(|link| *link.to() == id).map(|link| link.id()).collect();
        Place { id, regime: regime.clone(), entity: entity.to_owned(), over }
    }

    /// What is allowed and should be seen.
    pub fn notes(&self) -> Vec<Note> {
        let mut notes: Vec<Note> = self.regions().flat_map(notes_of).collect();
        notes.sort_by(|left, right| left.at.cmp(&right.at));
        notes
    }
}

fn notes_of(region: &Region) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut note = |at: &At, message: String| notes.push(Note { at: at.clone(), message });
    for listen in region.clusters().values().map(|cluster| cluster.listen()).filter(|listen| listen.tls == Tls::Off) {
        note(&listen.at, "plain text: services reach this listener without tls".to_owned());
    }
    for backend in region.tiers().flat_map(|tier| tier.backends()) {
        let remote = !matches!(backend.target(), BackendTarget::File { .. });
        if remote && *backend.tls() == BackendTls::Off {
            note(backend.at(), "plain text: this backend is reached without tls".to_owned());
        }
        if backend.regime() == region.regime() && backend.entity() != region.entity() {
            note(backend.at(), format!("another legal entity inside the regime: {}", backend.entity()));
        }
        for (name, value) in backend.headers() {
            let open = matches!(value, HeaderValue::Literal(_));
            if open && CREDENTIALS.contains(&name.to_ascii_lowercase().as_str()) {
                note(backend.at(), format!("the header {name} stands in the documents; write secret:NAME instead"));
            }
        }
    }
    notes
}
