//! The gateways of a region and the central tiers: their nodes, how they are found, and their backends.

use std::collections::BTreeSet;
use std::time::Duration;

use tollgate_config::{Read, Value};

use crate::address::{Host, HostPort};
use crate::backend::{Backend, Traces};
use crate::name::Name;
use crate::node::{Role, TierId};

/// The port between tiers, unless the documents give another.
const TIER_PORT: u16 = 4417;
/// How long spans wait for a missing owner, unless the documents say otherwise.
const HANDOVER_AFTER: Duration = Duration::from_secs(60);

/// The gateways of a region, or a central tier.
#[derive(Debug, Clone)]
pub struct Tier {
    id: TierId,
    nodes: Nodes,
    port: u16,
    handover_after: Duration,
    backends: Vec<Backend>,
}

/// How the nodes of a tier are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nodes {
    /// They stand in the documents.
    Static(Vec<StaticNode>),
    /// They are the addresses behind a name; who they are comes from their certificates.
    Dns {
        /// The name of a headless service.
        name: String,
    },
}

/// A node that stands in the documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticNode {
    /// The node's name in its tier.
    pub name: Name,
    /// Where it is reached.
    pub address: HostPort,
}

impl Tier {
    /// Its identity.
    pub fn id(&self) -> &TierId {
        &self.id
    }

    /// How its nodes are found.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// The port its nodes listen on for other tiers.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How long spans wait for a missing owner before another takes them over; zero for gateways that keep nothing of a
    /// trace, so that others take over at once.
    pub fn handover_after(&self) -> Duration {
        self.handover_after
    }

    /// Its backends: what the documents name, and the embedded file exporter for signals that have none.
    pub fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// The backend of a name.
    pub fn backend(&self, name: &str) -> Option<&Backend> {
        self.backends.iter().find(|backend| backend.id().name() == name)
    }

    /// Whether a node of this name can belong to the tier: any, where the nodes are found by DNS.
    pub fn has_node(&self, node: &str) -> bool {
        match &self.nodes {
            Nodes::Dns { .. } => true,
            Nodes::Static(nodes) => nodes.iter().any(|listed| listed.name == node),
        }
    }

    pub(crate) fn with_backends(draft: TierDraft, backends: Vec<Backend>) -> Self {
        let TierDraft { id, nodes, port, handover_after } = draft;
        let samples = id.role() == Role::Gateway && backends.iter().any(|backend| backend.traces() == Traces::Kept);
        let handover_after = if samples { HANDOVER_AFTER } else { handover_after };
        Self { id, nodes, port, handover_after, backends }
    }
}

/// A tier whose backends are still to be read.
pub(crate) struct TierDraft {
    id: TierId,
    nodes: Nodes,
    port: u16,
    handover_after: Duration,
}

impl TierDraft {
    /// Reads a tier; `backends` of the same mapping go to the caller.
    pub(crate) fn read<'a>(id: TierId, value: Value<'a>) -> (Option<Self>, Option<Value<'a>>) {
        let Some(mut fields) = value.fields() else { return (None, None) };
        let central = id.role() == Role::Central;
        let port = fields.value("port").map_or(Some(TIER_PORT), read_port);
        let nodes = fields.required_value("nodes").and_then(|value| read_nodes(value, port.unwrap_or(TIER_PORT)));
        let handover_after = match central.then(|| fields.value("handover_after")) {
            None => Some(Duration::ZERO),
            Some(value) => value.map_or(Some(HANDOVER_AFTER), read_wait),
        };
        let backends = if central { fields.value("backends") } else { None };
        fields.done();
        let draft = || Some(Self { id, nodes: nodes?, port: port?, handover_after: handover_after? });
        (draft(), backends)
    }
}

fn read_port(value: Value<'_>) -> Option<u16> {
    let port: u16 = value.read()?;
    if port == 0 {
        value.fault("expected a port from 1 to 65535");
        return None;
    }
    Some(port)
}

fn read_wait(value: Value<'_>) -> Option<Duration> {
    let wait: Duration = value.read()?;
    if wait.is_zero() {
        value.fault("must be longer than zero: a restart would split traces");
        return None;
    }
    Some(wait)
}

fn read_nodes(value: Value<'_>, port: u16) -> Option<Nodes> {
    let mut fields = value.fields()?;
    let (dns, listed) = (fields.value("dns"), fields.value("static"));
    fields.done();
    let one = dns.is_some() != listed.is_some();
    if !one {
        value.fault("nodes are found by dns or listed as static, one of the two");
    }
    let dns = dns.and_then(Value::read::<Host>).map(|host| Nodes::Dns { name: host.as_str().to_owned() });
    let listed = listed.and_then(|listed| read_static(listed, port)).map(Nodes::Static);
    dns.or(listed).filter(|_| one)
}

fn read_static(value: Value<'_>, port: u16) -> Option<Vec<StaticNode>> {
    let entries = value.entries()?;
    if entries.is_empty() {
        value.fault("at least one node is needed");
        return None;
    }
    let mut nodes = Vec::new();
    let mut addresses = BTreeSet::new();
    let mut whole = true;
    for (key, value) in entries {
        let name = key.value.parse::<Name>().map_err(|error| value.faults().report(&key.at, error)).ok();
        let address = read_address(value, port);
        if address.as_ref().is_some_and(|address| !addresses.insert(address.clone())) {
            value.fault("another node has this address");
        }
        match (name, address) {
            (Some(name), Some(address)) => nodes.push(StaticNode { name, address }),
            _ => whole = false,
        }
    }
    whole.then_some(nodes)
}

/// Reads `host:port`, or a host that listens on the tier's port.
fn read_address(value: Value<'_>, port: u16) -> Option<HostPort> {
    let text = String::read(value)?;
    match text.parse::<Host>() {
        Ok(host) => Some(HostPort::new(host, port)),
        Err(_) => value.parse(),
    }
}
