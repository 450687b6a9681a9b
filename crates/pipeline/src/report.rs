//! What `tollgate check` prints: the resolved federation, every place data can go, and how long backlogs last.

use std::fmt;
use std::time::Duration;

use tollgate_config::ByteSize;
use tollgate_federation::{Federation, LinkId, Nodes, Place, Region, Role, Tier};
use tollgate_spool::WhenFull;

use crate::documents::Documents;
use crate::node::logs::{MAX_AGE, disk_of, share_of_consumer, when_full};
use crate::node::node_file::NodeFile;
use crate::node::ways::{Consumption, Log, Way, ways_of_tier};

/// A checked federation, ready to be printed.
#[derive(Debug)]
pub struct Report<'a> {
    federation: &'a Federation,
    disk: ByteSize,
    rate: u64,
}

impl<'a> Report<'a> {
    /// A report on these documents; backlogs are measured at `rate` bytes a second and the node file's disk budget.
    pub fn new(documents: &'a Documents, file: Option<&NodeFile>, rate: u64) -> Self {
        let disk = file.map_or(NodeFile::defaults(".".into()).disk, |file| file.disk);
        Self { federation: documents.federation(), disk, rate: rate.max(1) }
    }

    fn region(&self, f: &mut fmt::Formatter<'_>, region: &Region) -> fmt::Result {
        writeln!(f, "region {} ({}, {})", region.name(), region.regime(), region.entity())?;
        for cluster in region.clusters().values() {
            let listen = cluster.listen();
            let addresses = [("grpc", listen.otlp_grpc), ("http", listen.otlp_http)];
            let addresses = addresses.iter().filter_map(|(name, address)| Some(format!("{name} {}", (*address)?)));
            writeln!(f, "  cluster {:<12} {}", cluster.name(), addresses.collect::<Vec<_>>().join(", "))?;
        }
        for tier in region.tiers() {
            writeln!(f, "  {:<20} {}", tier.id().role(), nodes(tier))?;
        }
        Ok(())
    }

    fn place(&self, f: &mut fmt::Formatter<'_>, place: &Place) -> fmt::Result {
        write!(f, "  {:<28} {:<5} {:<12}", place.id.to_string(), place.regime.as_str(), place.entity)?;
        match place.over.as_slice() {
            [] => writeln!(f, " inside its region"),
            links => writeln!(f, " over {}", links.iter().map(|link| self.link(*link)).collect::<Vec<_>>().join("; ")),
        }
    }

    fn link(&self, link: LinkId) -> String {
        let Some(link) = self.federation.link(link) else { return String::new() };
        let instrument = |regime: &tollgate_federation::Regime| {
            let name = link.instruments().get(regime).map_or("no instrument", String::as_str);
            format!("{regime} by {name}")
        };
        let carries: Vec<_> = link.carries().map(instrument).collect();
        let signals: Vec<_> = link.signals().iter().map(|signal| signal.as_str()).collect();
        format!("link from {} ({}; {})", link.from(), carries.join(", "), signals.join(", "))
    }

    fn backlog(&self, role: Role, consumption: &Consumption, ways: &[Consumption]) -> String {
        let share = share_of_consumer(disk_of(self.disk, role, consumption.log));
        let lasts = Duration::from_secs(share.bytes() / self.rate).min(MAX_AGE);
        let log = match consumption.log {
            Log::Received(signal) => signal.as_str(),
            Log::Kept => "kept traces",
        };
        let what = if consumption.way == Way::Sampler { "tail sampling" } else { consumption.name.as_str() };
        let mebibytes = share.bytes() >> 20;
        let then = match when_full(consumption.log, ways) {
            WhenFull::Refuse => "then refuses",
            WhenFull::Expire => "then lets go of its oldest",
        };
        format!("    {log:<12} {what:<32} {mebibytes:>6} MiB {:>7}, {then}", spoken(lasts))
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = data_encoding::HEXLOWER.encode(&self.federation.digest());
        writeln!(f, "federation {} (trust domain {})", self.federation.name(), self.federation.trust_domain())?;
        writeln!(f, "documents {digest}\n")?;
        for region in self.federation.regions() {
            self.region(f, region)?;
        }
        writeln!(f, "\nplaces that data can be sent to")?;
        for place in self.federation.places() {
            self.place(f, &place)?;
        }
        let rate = self.rate;
        writeln!(
            f,
            "\nhow long a consumer's backlog lasts at one node that takes in {rate} bytes a second of a signal"
        )?;
        for region in self.federation.regions() {
            for (role, name, consumptions) in ways_of_tier(self.federation, region) {
                writeln!(f, "  {name}")?;
                let mut lines = consumptions.iter().map(|consumption| self.backlog(role, consumption, &consumptions));
                lines.try_for_each(|line| writeln!(f, "{line}"))?;
            }
        }
        let notes = self.federation.notes();
        if !notes.is_empty() {
            writeln!(f, "\nnotes")?;
        }
        notes.iter().try_for_each(|note| writeln!(f, "  {note}"))
    }
}

fn nodes(tier: &Tier) -> String {
    match tier.nodes() {
        Nodes::Static(nodes) => {
            nodes.iter().map(|node| format!("{} at {}", node.name, node.address)).collect::<Vec<_>>().join(", ")
        }
        Nodes::Dns { name } => format!("by DNS: {name}, port {}", tier.port()),
    }
}

fn spoken(lasts: Duration) -> String {
    match lasts.as_secs() {
        seconds if seconds >= 2 * 3600 => format!("{} h", seconds / 3600),
        seconds if seconds >= 120 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}
