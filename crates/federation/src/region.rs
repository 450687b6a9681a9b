//! A region: the place that runs a gateway, as its document describes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tollgate_config::{Document, Faults, Fields, Located, Value};

use crate::address::SetFile;
use crate::backend::{Backend, BackendDraft, EMBEDDED, Home};
use crate::closure::Site;
use crate::cluster::Cluster;
use crate::name::Name;
use crate::node::TierId;
use crate::origin::Regime;
use crate::partly::Partly;
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

    pub(crate) fn site(&self) -> Site<'_> {
        Site { region: &self.name, regime: &self.regime, central: self.central().map(Tier::id) }
    }
}

/// What could be read of a region's document: enough to judge what refers to it, even where the rest is faulty.
#[derive(Default)]
pub(crate) struct RegionDraft {
    pub(crate) regime: Option<Located<Regime>>,
    pub(crate) entity: Option<String>,
    pub(crate) ca: Option<Located<SetFile>>,
    /// `None` where the document as a whole could not be read.
    pub(crate) inventory: Option<Inventory>,
    pub(crate) region: Option<Region>,
}

/// What a region says it has.
pub(crate) struct Inventory {
    /// Its central tier, if it hosts one.
    pub(crate) central: Option<TierId>,
    /// What the documents name; not the embedded ones.
    pub(crate) backends: Partly<Vec<BackendDraft>>,
}

impl RegionDraft {
    /// Reads the document of the region that its file is named after.
    pub(crate) fn read(name: Name, document: &Document, faults: &Faults) -> Self {
        let Some(mut fields) = document.root(faults).fields() else { return Self::default() };
        if let Some(said) = fields.required_value("region")
            && said.read::<Name>().is_some_and(|said| said != name)
        {
            said.fault(format_args!("the document's file is named after another region, {name}"));
        }
        let regime: Option<Located<Regime>> = fields.required("regime");
        let entity = fields.required::<String>("entity");
        let ca = fields.required_value("trust").and_then(read_trust);
        let clusters =
            fields.value("clusters").map_or_else(|| Some(BTreeMap::new()), |value| read_clusters(&name, value));
        let home = |tier| Home { tier, regime: regime.clone(), entity: entity.clone() };
        let (tiers, inventory) = read_tiers(&mut fields, &name, home);
        fields.done();
        let region = || {
            let (gateway, central) = tiers?;
            let (regime, entity, ca) = (regime.clone()?.value, entity.clone()?, ca.clone()?.value.0);
            Some(Region { name, regime, entity, ca, clusters: clusters?, gateway, central })
        };
        let region = region();
        Self { regime, entity, ca, inventory: Some(inventory), region }
    }

    /// Where data enters; `None` where that could not be read.
    pub(crate) fn site<'r>(&'r self, region: &'r Name) -> Option<Site<'r>> {
        let central = self.inventory.as_ref()?.central.as_ref();
        Some(Site { region, regime: &self.regime.as_ref()?.value, central })
    }

    /// The regimes that the region and its backends say they lie in.
    pub(crate) fn regimes(&self) -> impl Iterator<Item = &Located<Regime>> {
        let backends = self.inventory.iter().flat_map(|inventory| &inventory.backends.read);
        self.regime.iter().chain(backends.filter_map(|backend| backend.regime.as_ref()))
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
        let name = key.value.parse::<Name>().map_err(|error| value.faults().report(&key.at, error)).ok();
        clusters.extend(Cluster::read(region, name, value).map(|cluster| (cluster.name().clone(), cluster)));
    }
    (clusters.len() == expected).then_some(clusters)
}

/// The gateways, and the central tier if there is one; and what both say they have.
fn read_tiers(
    fields: &mut Fields<'_>,
    region: &Name,
    home: impl Fn(TierId) -> Home,
) -> (Option<(Tier, Option<Tier>)>, Inventory) {
    let mut names = BTreeSet::new();
    let home_of_gateway = home(TierId::gateway(region.clone()));
    let said = fields.required_value("gateway");
    let draft = said.and_then(|value| TierDraft::read(home_of_gateway.tier.clone(), value).0);
    let mut backends = read_backends(fields.value("backends"), &home_of_gateway, &mut names);
    let gateway = said.and_then(|value| tier(draft?, value, &backends, &home_of_gateway));
    let said = fields.value("central").map(|value| {
        let home = home(TierId::central(region.clone()));
        let (draft, own) = TierDraft::read(home.tier.clone(), value);
        let own = read_backends(own, &home, &mut names);
        let central = draft.and_then(|draft| tier(draft, value, &own, &home));
        backends.complete &= own.complete;
        backends.read.extend(own.read);
        (home.tier, central)
    });
    let inventory = Inventory { central: said.as_ref().map(|(id, _)| id.clone()), backends };
    let tiers = match said {
        None => gateway.map(|gateway| (gateway, None)),
        Some((_, central)) => gateway.zip(central).map(|(gateway, central)| (gateway, Some(central))),
    };
    (tiers, inventory)
}

/// The tier, if every backend is whole, with the embedded file exporter for what none of them takes.
fn tier(draft: TierDraft, value: Value<'_>, backends: &Partly<Vec<BackendDraft>>, home: &Home) -> Option<Tier> {
    let mut whole: Vec<Backend> = backends.read.iter().map(|draft| draft.backend.clone()).collect::<Option<_>>()?;
    let served: Signals = whole.iter().flat_map(|backend| backend.signals().iter()).collect();
    if !served.others().is_empty() {
        whole.extend(Backend::embedded(home, served.others(), value.at()));
    }
    backends.complete.then(|| Tier::with_backends(draft, whole))
}

fn read_backends(value: Option<Value<'_>>, home: &Home, names: &mut BTreeSet<String>) -> Partly<Vec<BackendDraft>> {
    let Some(value) = value else { return Partly::empty() };
    let Some(entries) = value.entries() else { return Partly::unread() };
    let expected = entries.len();
    let mut read = Vec::new();
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
        let name = key.value.parse::<Name>().map_err(|error| value.faults().report(&key.at, error)).ok();
        read.extend(BackendDraft::read(home, name, value));
    }
    Partly { complete: read.len() == expected, read }
}
