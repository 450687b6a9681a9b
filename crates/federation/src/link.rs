//! Links: the only ways out of a region, as `regions/federation.yaml` declares them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use tollgate_config::{At, Located, Read, Value};

use crate::backend::Compression;
use crate::name::{Name, NameError};
use crate::node::TierId;
use crate::origin::Regime;
use crate::partly::Partly;
use crate::place::PlaceId;
use crate::signal::{Signal, Signals};
use crate::thinning::Thinning;

/// The number of a link: its place in the list of `regions/federation.yaml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u16);

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An allowed directed edge from a tier of one region to a place in another regime or region.
#[derive(Debug, Clone)]
pub struct Link {
    pub(crate) edge: Edge,
    pub(crate) regime: Regime,
    pub(crate) exporter: String,
    pub(crate) entity: String,
    pub(crate) compression: Compression,
    pub(crate) thin: Option<Thinning>,
    pub(crate) instruments: BTreeMap<Regime, String>,
    pub(crate) at: At,
}

/// What moves over a link, and between which places.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    pub(crate) id: LinkId,
    pub(crate) source: TierId,
    pub(crate) to: PlaceId,
    pub(crate) carries: Vec<Located<Regime>>,
    pub(crate) signals: Signals,
}

impl Edge {
    pub(crate) fn carries(&self) -> impl Iterator<Item = &Regime> {
        self.carries.iter().map(|regime| &regime.value)
    }
}

impl Link {
    /// Its number.
    pub fn id(&self) -> LinkId {
        self.edge.id
    }

    /// The region it starts in.
    pub fn from(&self) -> &Name {
        self.edge.source.region()
    }

    /// The tier that sends over it: the region's gateways, or the tier whose backend it leads to.
    pub fn source(&self) -> &TierId {
        &self.edge.source
    }

    /// Where it leads.
    pub fn to(&self) -> &PlaceId {
        &self.edge.to
    }

    /// The regime that data reaches over it.
    pub fn regime(&self) -> &Regime {
        &self.regime
    }

    /// The legal entity that sends over it: that of the region it starts in.
    pub fn exporter(&self) -> &str {
        &self.exporter
    }

    /// The legal entity that receives what comes over it.
    pub fn entity(&self) -> &str {
        &self.entity
    }

    /// The regimes whose data it may carry.
    pub fn carries(&self) -> impl Iterator<Item = &Regime> {
        self.edge.carries()
    }

    /// The signals it may carry.
    pub fn signals(&self) -> Signals {
        self.edge.signals
    }

    /// How what goes to the nodes of a tier is compressed; a backend has its own say.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// What share and rate of traces it lets through; all of them where nothing is said.
    pub fn thinning(&self) -> Option<Thinning> {
        self.thin
    }

    /// The name of the legal instrument for each regime it carries.
    pub fn instruments(&self) -> &BTreeMap<Regime, String> {
        &self.instruments
    }

    /// Where it stands in the documents.
    pub fn at(&self) -> &At {
        &self.at
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.from(), self.to())
    }
}

/// Where a link leads, as written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    pub(crate) region: Name,
    pub(crate) kind: TargetKind,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TargetKind {
    Gateway,
    Central,
    Backend(Name),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("expected <region>/gateway, <region>/central or <region>/backend/<name>")]
    Shape,
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (region, rest) = text.split_once('/').ok_or(TargetError::Shape)?;
        let kind = match rest {
            "gateway" => TargetKind::Gateway,
            "central" => TargetKind::Central,
            _ => TargetKind::Backend(rest.strip_prefix("backend/").ok_or(TargetError::Shape)?.parse()?),
        };
        Ok(Self { region: region.parse()?, kind })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TargetKind::Gateway => write!(f, "{}/gateway", self.region),
            TargetKind::Central => write!(f, "{}/central", self.region),
            TargetKind::Backend(name) => write!(f, "{}/backend/{name}", self.region),
        }
    }
}

impl Read for Target {
    fn read(value: Value<'_>) -> Option<Self> {
        value.parse()
    }
}

/// A link as written: each part that could be read, to be connected with the regions.
pub(crate) struct LinkDraft {
    pub(crate) id: LinkId,
    pub(crate) at: At,
    pub(crate) from: Option<Located<Name>>,
    pub(crate) to: Option<Located<Target>>,
    pub(crate) carries: Partly<Vec<Located<Regime>>>,
    pub(crate) signals: Option<Signals>,
    pub(crate) compression: Option<Compression>,
    pub(crate) thin: Partly<Option<Thinning>>,
    pub(crate) instruments: Partly<BTreeMap<Regime, Located<String>>>,
}

impl LinkDraft {
    pub(crate) fn read(id: LinkId, value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let from = fields.required("from");
        let to: Option<Located<Target>> = fields.required("to");
        let carries = fields.required_value("carries").map_or_else(Partly::unread, read_carries);
        let signals = fields.required("signals");
        // Between regions bytes cost more than the CPU that zstd takes.
        let compression = fields.value("compression").map_or(Some(Compression::Zstd), |value| {
            if to.as_ref().is_some_and(|to| matches!(to.value.kind, TargetKind::Backend(_))) {
                value.fault("a backend says itself how what goes to it is compressed");
            }
            value.read()
        });
        let thin = fields.value("thin").map_or_else(Partly::empty, |value| read_thinning(value, signals));
        let instruments = fields.required_value("instruments");
        let instruments = instruments.map_or_else(Partly::unread, |value| read_instruments(value, &carries));
        fields.done();
        Some(Self { id, at: value.at(), from, to, carries, signals, compression, thin, instruments })
    }
}

fn read_thinning(value: Value<'_>, signals: Option<Signals>) -> Partly<Option<Thinning>> {
    if signals.is_some_and(|signals| !signals.contains(Signal::Traces)) {
        value.fault("the link carries no traces, and nothing else is thinned");
    }
    let read: Option<Thinning> = value.read();
    Partly { complete: read.is_some(), read }
}

fn read_carries(value: Value<'_>) -> Partly<Vec<Located<Regime>>> {
    let mut carries = Partly::<Vec<Located<Regime>>>::items(value);
    if carries.complete && carries.read.is_empty() {
        value.fault("a link names the regimes whose data it carries");
        carries.complete = false;
    }
    for (number, regime) in carries.read.iter().enumerate() {
        if carries.read.iter().take(number).any(|earlier| earlier.value == regime.value) {
            value.faults().report(&regime.at, "named twice");
        }
    }
    carries
}

/// The instrument for each regime carried, and for no other.
fn read_instruments(
    value: Value<'_>,
    carries: &Partly<Vec<Located<Regime>>>,
) -> Partly<BTreeMap<Regime, Located<String>>> {
    let Some(entries) = value.entries() else { return Partly::unread() };
    let (expected, mut regimes, mut read) = (entries.len(), BTreeSet::new(), BTreeMap::new());
    let is_carried = |regime: &Regime| carries.read.iter().any(|carried| carried.value == *regime);
    for (key, name) in entries {
        let name = name.read::<Located<String>>();
        match key.value.parse::<Regime>() {
            Err(error) => value.faults().report(&key.at, error),
            Ok(regime) => {
                if carries.complete && !is_carried(&regime) {
                    value.faults().report(&key.at, "the link does not carry this regime");
                }
                regimes.insert(regime.clone());
                read.extend(name.map(|name| (regime, name)));
            }
        }
    }
    // A key that is no regime may be meant for the one that is missing.
    let missing = carries.read.iter().filter(|regime| regimes.len() == expected && !regimes.contains(&regime.value));
    for regime in missing {
        value.fault(format_args!("no instrument for {}, which the link carries", regime.value));
    }
    Partly { complete: read.len() == expected, read }
}
