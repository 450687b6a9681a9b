//! Who a process is: node and tier identities, and how a certificate says them (SPIFFE).
//!
//! Promises:
//! 1. A collector's node always names its cluster; the text and the SPIFFE id of a node read back as the same node.
//! 2. Any other text is refused without a panic, and the error never repeats it: it comes from strangers.

use std::fmt;
use std::str::FromStr;

use tollgate_config::{Read, Value};

use crate::name::{Name, NameError};

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Takes what a cluster's services send.
    Collector,
    /// The only door out of a region.
    Gateway,
    /// Samples whole traces.
    Central,
}

/// One process, written `eu-west/gateway/0`; a collector's node is `<cluster>-<n>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    region: Name,
    role: Role,
    node: Name,
}

/// Processes that stand in for each other, written `us-east/central` or `eu-west/collector/eu-west-a`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TierId {
    region: Name,
    role: Role,
    cluster: Option<Name>,
}

/// Why a text is not the identity of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not three parts.
    #[error("a node is written region/role/node, such as eu-west/gateway/0")]
    Shape,
    /// No such role.
    #[error("a role is collector, gateway or central")]
    Role,
    /// The region or the node is not a name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A collector without its cluster.
    #[error("a collector's node is <cluster>-<n>")]
    Cluster,
    /// Not `spiffe://<trust-domain>/region/...`.
    #[error("not a spiffe id of the form spiffe://<trust domain>/region/<region>/<role>/<node>")]
    NotSpiffe,
    /// The identity of another federation.
    #[error("the spiffe id belongs to another trust domain")]
    TrustDomain,
}

impl Role {
    /// All roles, in the order of the path.
    pub const ALL: [Self; 3] = [Self::Collector, Self::Gateway, Self::Central];

    /// The word used in identities and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Collector => "collector",
            Self::Gateway => "gateway",
            Self::Central => "central",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(IdentityError::Role)
    }
}

impl NodeId {
    /// Names a node.
    ///
    /// # Errors
    /// When a collector's node does not name its cluster.
    pub fn new(region: Name, role: Role, node: Name) -> Result<Self, IdentityError> {
        if role == Role::Collector && split_collector(&node).is_none() {
            return Err(IdentityError::Cluster);
        }
        Ok(Self { region, role, node })
    }

    /// The region.
    pub fn region(&self) -> &Name {
        &self.region
    }

    /// The role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The node's name inside its region and role.
    pub fn node(&self) -> &Name {
        &self.node
    }

    /// The cluster of a collector.
    pub fn cluster(&self) -> Option<&str> {
        if self.role == Role::Collector { split_collector(&self.node) } else { None }
    }

    /// The tier it belongs to.
    pub fn tier(&self) -> TierId {
        // A part of a name up to a '-' before digits is a name unless it ends with '-', which `split_collector` excludes.
        let cluster = self.cluster().and_then(|cluster| cluster.parse().ok());
        TierId { region: self.region.clone(), role: self.role, cluster }
    }

    /// The URI that stands in the node's certificate.
    pub fn spiffe(&self, trust_domain: &str) -> String {
        format!("spiffe://{trust_domain}/region/{self}")
    }

    /// Reads the URI of a certificate.
    ///
    /// # Errors
    /// When the URI is not exactly that of a node of this trust domain.
    pub fn from_spiffe(uri: &str, trust_domain: &str) -> Result<Self, IdentityError> {
        let rest = uri.strip_prefix("spiffe://").ok_or(IdentityError::NotSpiffe)?;
        let (domain, path) = rest.split_once('/').ok_or(IdentityError::NotSpiffe)?;
        if domain != trust_domain {
            return Err(IdentityError::TrustDomain);
        }
        path.strip_prefix("region/").ok_or(IdentityError::NotSpiffe)?.parse()
    }
}

fn split_collector(node: &str) -> Option<&str> {
    let (cluster, number) = node.rsplit_once('-')?;
    let numbered = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    (numbered && cluster.parse::<Name>().is_ok()).then_some(cluster)
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.region, self.role, self.node)
    }
}

impl FromStr for NodeId {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let mut parts = text.split('/');
        let (Some(region), Some(role), Some(node), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(IdentityError::Shape);
        };
        Self::new(region.parse()?, role.parse()?, node.parse()?)
    }
}

impl Read for NodeId {
    fn read(value: Value<'_>) -> Option<Self> {
        value.parse()
    }
}

impl TierId {
    /// The collectors of a cluster.
    pub fn collectors(region: Name, cluster: Name) -> Self {
        Self { region, role: Role::Collector, cluster: Some(cluster) }
    }

    /// The gateways of a region.
    pub fn gateway(region: Name) -> Self {
        Self { region, role: Role::Gateway, cluster: None }
    }

    /// The central tier of a region.
    pub fn central(region: Name) -> Self {
        Self { region, role: Role::Central, cluster: None }
    }

    /// The region.
    pub fn region(&self) -> &Name {
        &self.region
    }

    /// The role of its nodes.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The cluster, for collectors.
    pub fn cluster(&self) -> Option<&Name> {
        self.cluster.as_ref()
    }
}

impl fmt::Display for TierId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.region, self.role)?;
        self.cluster.as_ref().map_or(Ok(()), |cluster| write!(f, "/{cluster}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_knows_its_tier() {
        let collector: NodeId = "eu-west/collector/eu-west-a-0".parse().unwrap();
        assert_eq!(collector.cluster(), Some("eu-west-a"));
        assert_eq!(collector.tier().to_string(), "eu-west/collector/eu-west-a");
        let gateway: NodeId = "eu-west/gateway/eu-west-a-0".parse().unwrap();
        assert_eq!(gateway.cluster(), None);
        assert_eq!(gateway.tier(), TierId::gateway("eu-west".parse().unwrap()));
    }

    #[test]
    fn only_whole_identities_are_read() {
        for (text, error) in [
            ("eu-west/gateway", IdentityError::Shape),
            ("eu-west/gateway/0/1", IdentityError::Shape),
            ("", IdentityError::Shape),
            ("eu-west/router/0", IdentityError::Role),
            ("eu-west/Gateway/0", IdentityError::Role),
            ("eu west/gateway/0", IdentityError::Name(NameError::Character)),
            ("eu-west/gateway/", IdentityError::Name(NameError::Length)),
            ("eu-west/collector/0", IdentityError::Cluster),
            ("eu-west/collector/a", IdentityError::Cluster),
            ("eu-west/collector/a-b", IdentityError::Cluster),
            ("eu-west/collector/a--0", IdentityError::Cluster),
        ] {
            assert_eq!(text.parse::<NodeId>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn only_the_own_trust_domain_and_the_exact_form_are_read() {
        let good = "spiffe://acme.example/region/eu-west/gateway/0";
        assert_eq!(
            NodeId::from_spiffe(good, "acme.example").map(|node| node.to_string()),
            Ok("eu-west/gateway/0".into())
        );
        for (uri, error) in [
            ("https://acme.example/region/eu-west/gateway/0", IdentityError::NotSpiffe),
            ("spiffe://acme.example", IdentityError::NotSpiffe),
            ("spiffe://acme.example/eu-west/gateway/0", IdentityError::NotSpiffe),
            ("spiffe://evil.example/region/eu-west/gateway/0", IdentityError::TrustDomain),
            ("spiffe://acme.example.evil/region/eu-west/gateway/0", IdentityError::TrustDomain),
            ("spiffe://acme.example/region/eu-west/gateway/0?x", IdentityError::Name(NameError::Character)),
            ("spiffe://acme.example/region/eu-west/gateway/0/", IdentityError::Shape),
        ] {
            assert_eq!(NodeId::from_spiffe(uri, "acme.example"), Err(error), "{uri:?}");
        }
    }
}
