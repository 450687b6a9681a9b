//! What a node has on its own machine, opened and judged: `run` starts from it, `check` stops at it.
//!
//! Promises:
//! 1. Every fault is reported at once.
//! 2. Nothing is changed on the disk and no port is taken.
//!
//! Not here: reading the node file (`node_file.rs`), folder, disk and addresses (`machine.rs`), what can be wrong (`unfit.rs`), the
//! logs: opening those changes them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use time::Date;
use tollgate_config::ByteSize;
use tollgate_federation::{Backend, BackendId, Federation, Link, NodeId, NodeIn, Origin, PlaceId, Role, Signal, Tls};
use tollgate_keys::{KeyRing, start_text};
use tollgate_redaction::Epoch;
use tollgate_residency::{Keyed, Tables};
use tollgate_runtime::{Clock, Timestamp, memory_limit};
use tollgate_transport::{ServerTls, TierFiles, TierTls};

use crate::documents::Documents;
use crate::hold::history;
use crate::node::logs::Division;
use crate::node::machine;
use crate::node::node_file::{Identity, NodeFile, SMALLEST_MEMORY};
use crate::node::secrets::Secrets;
use crate::node::unfit::{Fault, Unfit, Warning};
use crate::node::ways::{Out, Way, ways};
use crate::seal::day;
use crate::send::backends;

/// How long before a turn a root that is missing is worth a warning: time for somebody to make it.
const SOON: Duration = Duration::from_secs(24 * 3600);

/// What a node has on its own machine.
pub struct Opened {
    pub(crate) me: NodeId,
    /// The origin of what this region's own services send.
    pub(crate) home: Origin,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) secrets: Secrets,
    pub(crate) tls: TierTls,
    /// What a collector proves itself to services with, if the documents do not say plain text.
    pub(crate) services: Option<ServerTls>,
    pub(crate) memory: ByteSize,
    warnings: Vec<Warning>,
}

impl Opened {
    /// Opens what the node file names, for the node `me` or else for the one that the certificate names.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub fn open(documents: &Documents, me: Option<&NodeId>, file: &NodeFile, clock: &Clock) -> Result<Self, Unfit> {
        let mut faults = Faults(Vec::new());
        let keys = faults.note_all(KeyRing::load(file.keys.clone()));
        let secrets = faults.note_all(Secrets::load(&file.secrets));
        let tls = faults.note(tls(&documents.federation, &documents.dir, file, me, clock));
        let me = me.or(tls.as_ref().map(TierTls::node));
        let place = me.and_then(|me| faults.note(place(&documents.federation, me)));
        let services = place.as_ref().and_then(|place| faults.note(services(documents, place, clock)));
        let mut warnings: Vec<Warning> = faults.note(machine::data_folder(file)).flatten().into_iter().collect();
        if let (Some(me), Some(place)) = (me, &place) {
            faults.note(disk(&documents.federation, me, file));
            let (wrong, idle) = machine::addresses(place, &file.listen);
            faults.0.extend(wrong);
            warnings.extend(idle);
            faults.0.extend(secrets.iter().flat_map(|secrets| backends(documents, me, secrets, clock)));
        }
        match (me, place, keys, secrets, &tls, services) {
            (Some(me), Some(place), Some(keys), Some(secrets), Some(tls), Some(services)) if faults.0.is_empty() => {
                let (memory, odd) = memory(file.memory, memory_limit());
                warnings.extend(missing_keys(documents, me, &keys, clock.now()).into_iter().chain(odd));
                warnings.extend(
                    sampling_memory(documents, me).and_then(|needs| much_sampling(needs, memory, memory_limit())),
                );
                let (me, keys, tls) = (me.clone(), Arc::new(keys), tls.clone());
                Ok(Self { me, home: home(&place), keys, secrets, tls, services, memory, warnings })
            }
            _ => Err(Unfit::new(faults.0)),
        }
    }

    /// Which node it is.
    pub fn node(&self) -> &NodeId {
        &self.me
    }

    /// What it can run without, but hardly should.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        self.warnings.iter().map(Warning::to_string)
    }
}

/// What was found wrong so far.
struct Faults(Vec<Fault>);

impl Faults {
    fn note<T>(&mut self, outcome: Result<T, Fault>) -> Option<T> {
        outcome.map_err(|fault| self.0.push(fault)).ok()
    }

    fn note_all<T, E: Into<Fault>>(&mut self, outcome: Result<T, Vec<E>>) -> Option<T> {
        outcome.map_err(|faults| self.0.extend(faults.into_iter().map(Into::into))).ok()
    }
}

fn place<'a>(federation: &'a Federation, me: &NodeId) -> Result<NodeIn<'a>, Fault> {
    federation.node(me).ok_or_else(|| Fault::UnknownNode(me.clone()))
}

fn home(place: &NodeIn<'_>) -> Origin {
    let (NodeIn::Collector { region, .. } | NodeIn::Gateway { region, .. } | NodeIn::Central { region, .. }) = place;
    Origin::of(region.regime().clone())
}

/// Returns the node that a node file's certificate names.
///
/// # Errors
/// When there is none that can be used now.
pub fn node_of(file: &NodeFile, federation: &Federation, dir: &Path, clock: &Clock) -> Result<NodeId, Unfit> {
    let tls = tls(federation, dir, file, None, clock).map_err(|fault| Unfit::new(vec![fault]))?;
    Ok(tls.node().clone())
}

fn tls(
    federation: &Federation,
    dir: &Path,
    file: &NodeFile,
    me: Option<&NodeId>,
    clock: &Clock,
) -> Result<TierTls, Fault> {
    let Identity { cert, key } = file.identity.as_ref().ok_or(Fault::NoIdentity)?;
    let trust = federation.regions().map(|region| (region.name().to_string(), dir.join(region.ca())));
    let files = TierFiles {
        trust_domain: federation.trust_domain().to_owned(),
        certificate: cert.clone(),
        key: key.clone(),
        trust: trust.collect(),
    };
    let tls = TierTls::load(files, clock.clone())?;
    match me.filter(|me| *me != tls.node()) {
        None => Ok(tls),
        Some(me) => Err(Fault::OtherNode { proved: Box::new(tls.node().clone()), me: Box::new(me.clone()) }),
    }
}

fn services(documents: &Documents, place: &NodeIn<'_>, clock: &Clock) -> Result<Option<ServerTls>, Fault> {
    let NodeIn::Collector { cluster, .. } = place else { return Ok(None) };
    let Tls::Files { cert, key } = &cluster.listen().tls else { return Ok(None) };
    let (cert, key) = (documents.dir.join(cert), documents.dir.join(key));
    Ok(Some(ServerTls::load(cert, key, clock.clone())?))
}

fn disk(federation: &Federation, me: &NodeId, file: &NodeFile) -> Result<(), Fault> {
    let (disk, role) = (file.disk, me.role());
    let least = Division::of(role, &ways(federation, me)).smallest_disk();
    match &file.disk_at {
        Some(at) if disk < least => Err(Fault::LittleDisk { at: Box::new(at.clone()), disk, role, least }),
        _ => Ok(()),
    }
}

/// What is wrong with the backends that the node sends to.
fn backends(documents: &Documents, me: &NodeId, secrets: &Secrets, clock: &Clock) -> Vec<Fault> {
    let federation = &documents.federation;
    let mut ids: Vec<BackendId> =
        ways(federation, me).into_iter().filter_map(|way| backend(federation, way.way)).collect();
    ids.dedup();
    let wrong = |id: BackendId| {
        let found: &Backend = federation.tier(id.tier())?.backend(id.name().as_str())?;
        let fault = backends::exporter(found, secrets, &documents.dir, clock).err();
        fault.map(|source| Fault::Backend { id: Box::new(id), source: Box::new(source) })
    };
    ids.into_iter().filter_map(wrong).collect()
}

fn backend(federation: &Federation, way: Way) -> Option<BackendId> {
    match way {
        Way::Out(Out::Backend(id)) => Some(id),
        Way::Out(Out::Link(link)) => match federation.link(link)?.to() {
            PlaceId::Backend(id) => Some(id.clone()),
            PlaceId::Tier(_) => None,
        },
        Way::Out(Out::Gateway | Out::HomeCentral) | Way::Sampler => None,
    }
}

fn memory(budget: Option<ByteSize>, limit: Option<u64>) -> (ByteSize, Option<Warning>) {
    let half = ByteSize(limit.unwrap_or(0) / 2);
    match (budget, limit.map(ByteSize)) {
        (Some(budget), Some(limit)) if budget > limit => (budget, Some(Warning::MuchMemory { budget, limit })),
        (Some(budget), _) => (budget, None),
        (None, _) if half < SMALLEST_MEMORY => (SMALLEST_MEMORY, Some(Warning::LittleMemory { half })),
        (None, _) => (half, None),
    }
}

/// What sampling takes of memory at most, at a node that samples.
fn sampling_memory(documents: &Documents, me: &NodeId) -> Option<ByteSize> {
    let samples = Division::of(me.role(), &ways(&documents.federation, me)) != Division::Passing;
    let policies = documents.sampling().ok().filter(|_| samples)?;
    Some(ByteSize(policies.memory().saturating_add(history::bytes(policies.own().history))))
}

/// No start is refused for it: it is taken as traffic comes, and `num_traces` may be more than ever waits.
fn much_sampling(sampling: ByteSize, budget: ByteSize, limit: Option<u64>) -> Option<Warning> {
    let limit = ByteSize(limit?);
    let left = ByteSize(limit.bytes().saturating_sub(budget.bytes()));
    (sampling > left).then(|| Warning::MuchSampling {
        sampling: whole(sampling),
        left: whole(left),
        limit: whole(limit),
    })
}

/// In whole mebibytes, which people read.
fn whole(size: ByteSize) -> ByteSize {
    ByteSize(size.bytes() >> 20 << 20)
}

/// The keys that today's policy of a link out of this node needs and that are not here, or not for what arrives now.
fn missing_keys(documents: &Documents, me: &NodeId, keys: &KeyRing, now: Timestamp) -> Vec<Warning> {
    let federation = &documents.federation;
    let links = federation.links_from(me.region()).filter(|link| *link.source() == me.tier());
    let central = federation.home_central(me.region().as_str()).map(|tier| PlaceId::Tier(tier.id().clone()));
    let at_home = documents.policy.blinding_at_home(federation, me.region().as_str());
    let at_home = at_home.filter(|_| me.role() == Role::Gateway).cloned().zip(central);
    let at_home = at_home.and_then(|(keyed, central)| missing(keyed, keys, now, &central));
    let missing = links.flat_map(|link| {
        let mut needed = keys_of(documents, link, day(now));
        needed.sort_by(|one, other| (&one.key, one.epoch).cmp(&(&other.key, other.epoch)));
        needed.dedup_by(|one, other| (&one.key, one.epoch) == (&other.key, other.epoch));
        needed.into_iter().filter_map(|keyed| missing(keyed, keys, now, link.to()))
    });
    missing.chain(at_home).collect()
}

fn missing(Keyed { key, epoch, .. }: Keyed, keys: &KeyRing, now: Timestamp, to: &PlaceId) -> Option<Warning> {
    let to = to.clone();
    if !keys.has(&key) {
        return Some(Warning::KeyMissing { key, to });
    }
    let moments = [now, now.saturating_add(SOON)].map(|moment| Epoch::at(moment.nanos(), epoch));
    let epoch = moments.into_iter().find(|epoch| !keys.holds(&key, *epoch))?;
    let covers = start_text(epoch);
    Some(Warning::RootMissing { key, from: covers.start, until: covers.end, to })
}

fn keys_of(documents: &Documents, link: &Link, today: Date) -> Vec<Keyed> {
    let origins = documents.federation.origins_over(link.id()).iter();
    let tables = |signal, origin| documents.policy.tables(&documents.federation, link.id(), signal, origin, today).ok();
    // A link that is closed today lets nothing across that a key could be missing for.
    let tables = origins.flat_map(|origin| Signal::ALL.into_iter().filter_map(move |signal| tables(signal, origin)));
    let keyed =
        |tables: Tables| tables.iter().filter_map(|(_, table)| Some(table.ok()?.base().keyed().to_vec())).collect();
    tables.flat_map::<Vec<Vec<Keyed>>, _>(keyed).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig;

    #[test]
    fn memory_that_is_not_there_is_said() {
        let (small, large) = (ByteSize(64 << 20), ByteSize(1 << 30));
        assert!(matches!(memory(None, Some(large.bytes())), (half, None) if half.bytes() == 512 << 20));
        assert!(matches!(memory(None, Some(100 << 20)), (taken, Some(Warning::LittleMemory { .. })) if taken == small));
        assert!(matches!(memory(None, None), (taken, Some(_)) if taken == small));
        assert!(matches!(memory(Some(small), Some(100 << 20)), (taken, None) if taken == small));
        assert!(
            matches!(memory(Some(large), Some(100 << 20)), (taken, Some(Warning::MuchMemory { .. })) if taken == large)
        );
    }

    /// Guarantees: sampling that does not fit beside requests under way is said, by a node that samples and by no other.
    #[test]
    fn memory_that_sampling_would_take_and_is_not_there_is_said() {
        let traces = |traces: usize| {
            let block =
                format!("tail_sampling: {{num_traces: {traces}, policies: [{{name: all, type: always_sample}}]}}\n");
            rig::edited(move |name, text| if name == "policies/sampling.yaml" { block.clone() } else { text })
        };
        let limit = 1 << 30;
        let warned = |num_traces: usize, node: &str| {
            let (_dir, documents) = traces(num_traces);
            let needs = sampling_memory(&documents, &node.parse().unwrap())?;
            much_sampling(needs, ByteSize(limit / 2), Some(limit))
        };
        assert!(warned(1_000_000, "us-east/central/0").is_none());
        let warning = warned(1_500_000, "us-east/central/0").unwrap().to_string();
        assert!(warning.contains("budgets.memory leaves 512MiB of 1GiB: lower num_traces"), "{warning}");
        assert!(warned(1_500_000, "us-east/gateway/0").is_none(), "it does not sample");
        assert!(much_sampling(ByteSize(u64::MAX), ByteSize(1), None).is_none(), "nobody knows");
    }
}
