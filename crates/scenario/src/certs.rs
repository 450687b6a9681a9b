//! Development certificates: one authority a region, one certificate a node.
//!
//! They lie as the documents expect them: `ca/<region>.pem` for trust, `nodes/<region>-<role>-<node>.pem` and `.key` for
//! each node. The authorities' own keys lie beside them, because this is for development and for tests.
//!
//! Not here: the odd certificates that tests present (`Authority::issue` with an unusual `Leaf`).

mod authority;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use tollgate_federation::{Federation, Name, NodeId, Nodes, Role, Tier};
use tollgate_runtime::Timestamp;

pub use authority::{Authority, CertError, Issued, Leaf, Validity};
pub(crate) use authority::{write_public, write_secret};

/// How many nodes a tier gets whose nodes are found by DNS.
const NODES_BEHIND_DNS: usize = 2;

/// A node that is to get a certificate, and where it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The node.
    pub node: NodeId,
    /// Its addresses, for clients that look for an address in a certificate.
    pub addresses: Vec<IpAddr>,
}

/// Makes an authority for each region and a certificate for each node, and writes them below `dir`.
///
/// # Errors
/// When a certificate cannot be made or the file system refuses.
pub fn write(
    dir: &Path,
    federation: &Federation,
    holders: &[Holder],
    now: Timestamp,
) -> Result<BTreeMap<Name, Authority>, CertError> {
    make_folder(&dir.join("nodes"))?;
    let mut authorities = BTreeMap::new();
    for region in federation.regions() {
        let authority = Authority::new(region.name(), now)?;
        let bundle = dir.join(region.ca());
        bundle.parent().map_or(Ok(()), make_folder)?;
        write_public(&bundle, authority.cert())?;
        write_secret(&bundle.with_extension("key"), authority.key().as_bytes(), 0o600)?;
        let mut own = holders.iter().filter(|holder| holder.node.region() == region.name());
        own.try_for_each(|holder| issue(&authority, federation, holder, dir))?;
        authorities.insert(region.name().clone(), authority);
    }
    Ok(authorities)
}

/// The nodes that the documents have a place for: those they list, one collector a cluster, two where DNS finds them.
pub fn holders(federation: &Federation) -> Vec<Holder> {
    let mut holders = Vec::new();
    for region in federation.regions() {
        let collectors = region.clusters().keys().map(|cluster| (format!("{cluster}-0"), Vec::new()));
        holders.extend(collectors.filter_map(|node| holder(region.name(), Role::Collector, node)));
        for tier in region.tiers() {
            let nodes = nodes_of(tier).into_iter();
            holders.extend(nodes.filter_map(|node| holder(region.name(), tier.id().role(), node)));
        }
    }
    holders
}

/// The name of a node where a slash cannot stand: `eu-west-gateway-0`.
pub fn file_name(node: &NodeId) -> String {
    format!("{}-{}-{}", node.region(), node.role(), node.node())
}

fn nodes_of(tier: &Tier) -> Vec<(String, Vec<IpAddr>)> {
    match tier.nodes() {
        Nodes::Dns { .. } => (0..NODES_BEHIND_DNS).map(|number| (number.to_string(), Vec::new())).collect(),
        Nodes::Static(nodes) => nodes
            .iter()
            .map(|node| (node.name.to_string(), node.address.host().parse().into_iter().collect()))
            .collect(),
    }
}

fn holder(region: &Name, role: Role, (node, addresses): (String, Vec<IpAddr>)) -> Option<Holder> {
    let node = NodeId::new(region.clone(), role, node.parse().ok()?).ok()?;
    Some(Holder { node, addresses })
}

fn issue(authority: &Authority, federation: &Federation, holder: &Holder, dir: &Path) -> Result<(), CertError> {
    let mut leaf = Leaf::node(holder.node.spiffe(federation.trust_domain()));
    leaf.addresses.clone_from(&holder.addresses);
    authority.issue(&leaf)?.write(&dir.join("nodes"), &file_name(&holder.node))
}

pub(crate) fn make_folder(path: &Path) -> Result<(), CertError> {
    fs::create_dir_all(path).map_err(|source| CertError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);

    #[test]
    fn every_node_of_the_example_gets_a_certificate_and_every_region_its_bundle() {
        let (federation, folder) = (crate::example::federation(), tempfile::tempdir().unwrap());
        let authorities = write(folder.path(), &federation, &holders(&federation), NOW).unwrap();
        assert_eq!(authorities.len(), 3);
        for region in ["eu-west", "uk-south", "us-east"] {
            assert!(folder.path().join(format!("ca/{region}.pem")).is_file());
        }
        for node in ["eu-west-collector-eu-west-b-0", "uk-south-gateway-1", "us-east-central-0"] {
            for kind in ["pem", "key"] {
                assert!(folder.path().join(format!("nodes/{node}.{kind}")).is_file(), "{node}.{kind}");
            }
        }
    }

    #[test]
    fn collectors_gateways_and_central_nodes_are_all_found_in_the_documents() {
        let federation = crate::example::federation();
        let holders = holders(&federation);
        assert_eq!(holders.len(), 4 + 3 * 2 + 2);
        assert!(holders.iter().all(|holder| federation.node(&holder.node).is_some()));
    }
}
