//! What `tollgate check` prints: the resolved federation, by what each link is open today, every place data can go, how long
//! backlogs last, and what sampling takes and misses.
//!
//! Promises:
//! 1. A link that nothing may cross today is called CLOSED, with its reason, wherever it is named.
//! 2. Every line stands for one thing: two places or two tiers are never shown alike.
//! 3. The moment is an argument: the same documents at the same moment give the same report.

mod backlogs;
mod links;
mod places;
mod sampling;
mod thinning;

use std::fmt;

use time::Date;
use tollgate_config::ByteSize;
use tollgate_federation::{Nodes, Region, Tier, Tls};
use tollgate_runtime::Timestamp;

use crate::documents::Documents;
use crate::node::node_file::NodeFile;
use crate::seal::day;

/// A checked federation, ready to be printed.
#[derive(Debug)]
pub struct Report<'a> {
    documents: &'a Documents,
    disk: ByteSize,
    rate: u64,
    today: Date,
}

impl<'a> Report<'a> {
    /// A report on what these documents say now; backlogs are measured at `rate` bytes a second and the node file's disk
    /// budget.
    pub fn new(documents: &'a Documents, file: Option<&NodeFile>, rate: u64, now: Timestamp) -> Self {
        let disk = file.map_or(NodeFile::defaults(".".into()).disk, |file| file.disk);
        Self { documents, disk, rate: rate.max(1), today: day(now) }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let federation = self.documents.federation();
        writeln!(f, "federation {} (trust domain {})", federation.name(), federation.trust_domain())?;
        writeln!(f, "documents {}\n", data_encoding::HEXLOWER.encode(&federation.digest()))?;
        federation.regions().try_for_each(|region| write_region(f, region))?;
        self.write_links(f)?;
        self.write_places(f)?;
        self.write_backlogs(f)?;
        self.write_sampling(f)?;
        let notes = federation.notes();
        if !notes.is_empty() {
            writeln!(f, "\nnotes: allowed, and should be seen")?;
        }
        notes.iter().try_for_each(|note| writeln!(f, "  {note}"))
    }
}

fn write_region(f: &mut fmt::Formatter<'_>, region: &Region) -> fmt::Result {
    writeln!(f, "region {} ({}, {})", region.name(), region.regime(), region.entity())?;
    for cluster in region.clusters().values() {
        let listen = cluster.listen();
        let addresses = [("grpc", listen.otlp_grpc), ("http", listen.otlp_http)];
        let addresses = addresses.iter().filter_map(|(name, address)| Some(format!("{name} {}", (*address)?)));
        let tls = if listen.tls == Tls::Off { "plain text" } else { "tls" };
        writeln!(f, "  cluster {:<12} {}, {tls}", &**cluster.name(), addresses.collect::<Vec<_>>().join(", "))?;
        thinning::write_cluster(f, cluster)?;
    }
    for tier in region.tiers() {
        writeln!(f, "  {:<20} {}", tier.id().role().as_str(), nodes(tier))?;
    }
    Ok(())
}

fn nodes(tier: &Tier) -> String {
    match tier.nodes() {
        Nodes::Static(nodes) => {
            nodes.iter().map(|node| format!("{} at {}", node.name, node.address)).collect::<Vec<_>>().join(", ")
        }
        Nodes::Dns { name } => format!("by DNS: {name}, port {}", tier.port()),
    }
}

fn joined(parts: impl IntoIterator<Item = impl fmt::Display>) -> String {
    parts.into_iter().map(|part| part.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
