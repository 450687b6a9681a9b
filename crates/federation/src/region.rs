//! A region: the place that runs a gateway, as its document describes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tollgate_config::{Document, Faults, Fields, Located, Value};

use crate::address::SetFile;
use crate::backend::{Backend, EMBEDDED, Home};
use crate::cluster::Cluster;
use crate::name::Name;
use crate::node::TierId;
use crate::origin::Regime;
use crate::signal::Signals;
use crate::tier::{Tier, TierDraft};

/// A region.
#[derive(Debug, Clone)]
pub struct Region {
    name: Name,
    regime: Regime,
    entity: String,
    ca: PathBuf,
    clusters: BTreeMap<Name, Cluster>,
    gateway: Tier,
    central: Option<Tier>,
}

impl Region {
    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The regime it lies in.
    pub fn regime(&self) -> &Regime {
        &self.regime
    }

    /// The legal entity that runs it.
    pub fn entity(&self) -> &str {
        &self.entity
    }

    /// The CA bundle that alone can speak for the region, relative to the folder of the documents.
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// Its clusters by name.
    pub fn clusters(&self) -> &BTreeMap<Name, Cluster> {
        &self.clusters
    }

    /// Its gateways.
    pub fn gateway(&self) -> &Tier {
        &self.gateway
    }

    /// Its central tier, if it hosts one.
    pub fn central(&self) -> Option<&Tier> {
        self.central.as_ref()
    }

    /// Its gateways and its central tier.
    pub fn tiers(&self) -> impl Iterator<Item = &Tier> {
        std::iter::once(&self.gateway).chain(&self.central)
    }
}

/// What could be read of a region's document: enough to judge what refers to it, even where the rest is faulty.
pub(crate) struct RegionDraft {
    pub(crate) regime: Option<Regime>,
    pub(crate) ca: Option<Located<SetFile>>,
    pub(crate) region: Option<Region>,
}

impl RegionDraft {
    /// Reads the document of the region that its file is named after.
    pub(crate) fn read(name: Name, document: &Document, faults: &Faults) -> Self {
        let mut draft = Self { regime: None, ca: None, region: None };
        let Some(mut fields) = document.root(faults).fields() else { return draft };
        if let Some(said) = fields.required_value("region")
            && said.read::<Name>().is_some_and(|said| said != name)
        {
            said.fault(format_args!("the document's file is named after another region, {name}"));
        }
        draft.regime = fields.required("regime");
        let entity = fields.required::<String>("entity");
        draft.ca = fields.required_value("trust").and_then(read_trust);
        let clusters =
            fields.value("clusters").map_or_else(|| Some(BTreeMap::new()), |value| read_clusters(&name, value));
        let (gateway, central) = read_tiers(&mut fields, &name, draft.regime.clone(), entity.clone());
        fields.done();
        let read = (draft.regime.clone(), entity, draft.ca.clone(), clusters, gateway, central);
        if let (Some(regime), Some(entity), Some(ca), Some(clusters), Some(gateway), Some(central)) = read {
            draft.region = Some(Region { name, regime, entity, ca: ca.value.0, clusters, gateway, central });
        }
        draft
    }
}

fn read_trust(value: Value<'_>) -> Option<Located<SetFile>> {
    let mut fields = value.fields()?;
    let ca = fields.required("ca");
    fields.done();
    ca
}

fn read_clusters(region: &Name, value: Value<'_>) -> Option<BTreeMap<Name, Cluster>> {
    let entries = value.entries()?;
    let expected = entries.len();
    let mut clusters = BTreeMap::new();
    for (key, value) in entries {
        match key.value.parse::<Name>() {
            Ok(name) => clusters.extend(Cluster::read(region, name.clone(), value).map(|cluster| (name, cluster))),
            Err(error) => value.faults().report(&key.at, error),
        }
    }
    (clusters.len() == expected).then_some(clusters)
}

/// The gateways, and the central tier if there is one; the outer `None` means a fault.
fn read_tiers(
    fields: &mut Fields<'_>,
    region: &Name,
    regime: Option<Regime>,
    entity: Option<String>,
) -> (Option<Tier>, Option<Option<Tier>>) {
    let home = |tier| Home { tier, regime: regime.clone(), entity: entity.clone() };
    let mut names = BTreeSet::new();
    let gateway = fields.required_value("gateway");
    let backends = fields.value("backends");
    let gateway = gateway.and_then(|value| {
        let home = home(TierId::gateway(region.clone()));
        let (draft, _) = TierDraft::read(home.tier.clone(), value);
        read_tier(draft, value, backends, &home, &mut names)
    });
    let central = fields.value("central").map(|value| {
        let home = home(TierId::central(region.clone()));
        let (draft, backends) = TierDraft::read(home.tier.clone(), value);
        read_tier(draft, value, backends, &home, &mut names)
    });
    match central {
        None => (gateway, Some(None)),
        Some(central) => (gateway, central.map(Some)),
    }
}

fn read_tier(
    draft: Option<TierDraft>,
    tier: Value<'_>,
    backends: Option<Value<'_>>,
    home: &Home,
    names: &mut BTreeSet<String>,
) -> Option<Tier> {
    let mut read = backends.map_or_else(|| Some(Vec::new()), |value| read_backends(value, home, names));
    if let Some(backends) = &mut read {
        let served: Signals = backends.iter().flat_map(|backend| backend.signals().iter()).collect();
        if !served.others().is_empty() {
            backends.extend(Backend::embedded(home, served.others(), tier.at()));
        }
    }
    Some(Tier::with_backends(draft?, read?))
}

fn read_backends(value: Value<'_>, home: &Home, names: &mut BTreeSet<String>) -> Option<Vec<Backend>> {
    let entries = value.entries()?;
    let expected = entries.len();
    let mut backends = Vec::new();
    for (key, value) in entries {
        let refusal = if key.value == EMBEDDED {
            Some("this is the name of the embedded file exporter".to_owned())
        } else if !names.insert(key.value.clone()) {
            Some("the region's gateway has a backend of this name".to_owned())
        } else {
            None
        };
        if let Some(refusal) = refusal {
            value.faults().report(&key.at, refusal);
        }
        match key.value.parse::<Name>() {
            Ok(name) => backends.extend(Backend::read(home, name, value)),
            Err(error) => value.faults().report(&key.at, error),
        }
    }
    (backends.len() == expected).then_some(backends)
}
