//! How long each consumer's backlog lasts, and what happens then. Tiers and signals that have the same answer share a line.

use std::fmt;
use std::time::Duration;

use tollgate_config::ByteSize;
use tollgate_federation::Role;
use tollgate_spool::WhenFull;

use super::{Report, joined};
use crate::node::logs::{Division, MAX_AGE, share_of_consumer, when_full};
use crate::node::ways::{Consumption, Log, Way, ways_of_tier};

/// One consumer, with the logs in which it may take as much.
#[derive(PartialEq, Eq)]
struct Backlog {
    logs: Vec<&'static str>,
    consumer: String,
    share: ByteSize,
    then: WhenFull,
}

impl Report<'_> {
    pub(super) fn write_backlogs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, disk) = (ByteSize(self.rate), self.disk);
        writeln!(
            f,
            "\nhow long a backlog lasts at a node with {disk} of disk that takes in {rate} a second of each signal"
        )?;
        let tiers = self.tiers();
        for (names, backlogs) in &tiers {
            writeln!(f, "  {}", joined(names))?;
            backlogs.iter().try_for_each(|backlog| self.write_backlog(f, backlog))?;
        }
        let happens = |then| tiers.iter().any(|(_, backlogs)| backlogs.iter().any(|backlog| backlog.then == then));
        if happens(WhenFull::Refuse) {
            writeln!(f, "  refuses: whoever sends to the node keeps its data and comes back")?;
        }
        if happens(WhenFull::Expire) {
            writeln!(
                f,
                "  lets go of its oldest: lost to this consumer, and counted; the others of its log lose nothing"
            )?;
        }
        Ok(())
    }

    fn write_backlog(&self, f: &mut fmt::Formatter<'_>, backlog: &Backlog) -> fmt::Result {
        let Backlog { logs, consumer, share, then } = backlog;
        let (logs, mebibytes) = (logs.join(", "), share.bytes() >> 20);
        let lasts = Duration::from_secs(share.bytes() / self.rate).min(MAX_AGE);
        let then = match then {
            WhenFull::Refuse => "then refuses",
            WhenFull::Expire => "then lets go of its oldest",
        };
        writeln!(f, "    {logs:<14} {consumer:<32} {mebibytes:>6} MiB {:>7}, {then}", spoken(lasts))
    }

    /// Each kind of tier with its backlogs, and the names of all tiers that are of this kind.
    fn tiers(&self) -> Vec<(Vec<String>, Vec<Backlog>)> {
        let mut tiers: Vec<(Vec<String>, Vec<Backlog>)> = Vec::new();
        let federation = self.documents.federation();
        for (role, name, ways) in federation.regions().flat_map(|region| ways_of_tier(federation, region)) {
            let backlogs = self.backlogs(role, &ways);
            match tiers.iter_mut().find(|(_, known)| *known == backlogs) {
                Some((names, _)) => names.push(name),
                None => tiers.push((vec![name], backlogs)),
            }
        }
        tiers
    }

    fn backlogs(&self, role: Role, ways: &[Consumption]) -> Vec<Backlog> {
        let mut backlogs: Vec<Backlog> = Vec::new();
        for consumption in ways {
            let backlog = self.backlog(role, consumption, ways);
            let same = |known: &&mut Backlog| {
                (&known.consumer, known.share, known.then) == (&backlog.consumer, backlog.share, backlog.then)
            };
            match backlogs.iter_mut().find(same) {
                Some(known) => known.logs.extend(backlog.logs),
                None => backlogs.push(backlog),
            }
        }
        backlogs
    }

    fn backlog(&self, role: Role, consumption: &Consumption, ways: &[Consumption]) -> Backlog {
        let log = match consumption.log {
            Log::Received(signal) => signal.as_str(),
            Log::Kept => "kept traces",
        };
        let consumer = if consumption.way == Way::Sampler { "tail sampling" } else { consumption.name.as_str() };
        let share = share_of_consumer(Division::of(role, ways).disk_of(self.disk, consumption.log));
        Backlog { logs: vec![log], consumer: consumer.to_owned(), share, then: when_full(consumption.log, ways) }
    }
}

fn spoken(lasts: Duration) -> String {
    match lasts.as_secs() {
        seconds if seconds >= 2 * 3600 => format!("{} h", seconds / 3600),
        seconds if seconds >= 120 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}
