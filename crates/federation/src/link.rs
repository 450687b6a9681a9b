//! Links: the only ways out of a region, as `regions/federation.yaml` declares them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use tollgate_config::{At, Located, Read, Value};

use crate::backend::Compression;
use crate::name::{Name, NameError};
use crate::node::TierId;
use crate::origin::Regime;
use crate::place::PlaceId;
use crate::signal::Signals;

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
    pub(crate) id: LinkId,
    pub(crate) source: TierId,
    pub(crate) to: PlaceId,
    pub(crate) regime: Regime,
    pub(crate) entity: String,
    pub(crate) carries: Vec<Located<Regime>>,
    pub(crate) signals: Signals,
    pub(crate) compression: Compression,
    pub(crate) instruments: BTreeMap<Regime, String>,
    pub(crate) at: At,
}

impl Link {
    /// Its number.
    pub fn id(&self) -> LinkId {
        self.id
    }

    /// The region it starts in.
    pub fn from(&self) -> &Name {
        self.source.region()
    }

    /// The tier that sends over it: the region's gateways, or the tier whose backend it leads to.
    pub fn source(&self) -> &TierId {
        &self.source
    }

    /// Where it leads.
    pub fn to(&self) -> &PlaceId {
        &self.to
    }

    /// The regime that data reaches over it.
    pub fn regime(&self) -> &Regime {
        &self.regime
    }

    /// The legal entity that receives what comes over it.
    pub fn entity(&self) -> &str {
        &self.entity
    }

    /// The regimes whose data it may carry.
    pub fn carries(&self) -> impl Iterator<Item = &Regime> {
        self.carries.iter().map(|regime| &regime.value)
    }

    /// The signals it may carry.
    pub fn signals(&self) -> Signals {
        self.signals
    }

    /// How what goes to the nodes of a tier is compressed; a backend has its own say.
    pub fn compression(&self) -> Compression {
        self.compression
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
        write!(f, "{} → {}", self.from(), self.to)
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
    pub(crate) at: At,
    pub(crate) from: Option<Located<Name>>,
    pub(crate) to: Option<Located<Target>>,
    pub(crate) carries: Option<Vec<Located<Regime>>>,
    pub(crate) signals: Option<Signals>,
    pub(crate) compression: Option<Compression>,
    pub(crate) instruments: Option<BTreeMap<Regime, String>>,
}

impl LinkDraft {
    pub(crate) fn read(value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let from = fields.required("from");
        let to: Option<Located<Target>> = fields.required("to");
        let carries = fields.required_value("carries").and_then(read_carries);
        let signals = fields.required("signals");
        // Between regions bytes cost more than the CPU that zstd takes.
        let compression = fields.value("compression").map_or(Some(Compression::Zstd), |value| {
            if to.as_ref().is_some_and(|to| matches!(to.value.kind, TargetKind::Backend(_))) {
                value.fault("a backend says itself how what goes to it is compressed");
            }
            value.read()
        });
        let instruments =
            fields.required_value("instruments").and_then(|value| read_instruments(value, carries.as_deref()));
        fields.done();
        Some(Self { at: value.at(), from, to, carries, signals, compression, instruments })
    }
}

fn read_carries(value: Value<'_>) -> Option<Vec<Located<Regime>>> {
    let carries: Vec<Located<Regime>> = value.read()?;
    if carries.is_empty() {
        value.fault("a link names the regimes whose data it carries");
        return None;
    }
    for (number, regime) in carries.iter().enumerate() {
        if carries.iter().take(number).any(|earlier| earlier.value == regime.value) {
            value.faults().report(&regime.at, "named twice");
        }
    }
    Some(carries)
}

/// The instrument for each regime carried, and for no other.
fn read_instruments(value: Value<'_>, carries: Option<&[Located<Regime>]>) -> Option<BTreeMap<Regime, String>> {
    let mut instruments = BTreeMap::new();
    for (key, name) in value.entries()? {
        let regime = key.value.parse::<Regime>().map_err(|error| value.faults().report(&key.at, error)).ok();
        let name = name.read::<String>();
        if let (Some(regime), Some(carries)) = (&regime, carries)
            && !carries.iter().any(|carried| carried.value == *regime)
        {
            value.faults().report(&key.at, "the link does not carry this regime");
        }
        instruments.extend(regime.zip(name));
    }
    for regime in carries.unwrap_or_default() {
        if !instruments.contains_key(&regime.value) {
            value.fault(format_args!("no instrument for {}, which the link carries", regime.value));
        }
    }
    Some(instruments)
}
