//! The logs of a node: one for each signal, and where it samples one more for kept spans.

use std::path::PathBuf;
use std::time::Duration;

use tollgate_config::ByteSize;
use tollgate_federation::{Role, Signal};
use tollgate_spool::{
    ConsumerConfig, DEFAULT_SEGMENT, Durability, OpenError, Spool, SpoolConfig, Start, Status, WhenFull,
};

use crate::hold::kept::JOURNAL;
use crate::node::Node;
use crate::node::node_file;
use crate::node::ways::{self, Consumption, Log, Way};
use crate::signals::BySignal;

/// How long a record waits for a consumer that does not take it.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(72 * 3600);
/// Bytes just appended that stay in memory, so that whoever keeps up never reads the disk: at least so many, and at most.
const RECENT: (u64, u64) = (8 << 20, 32 << 20);
/// The part of the memory budget that they may be beyond the least.
const RECENT_PART: u64 = 16;
/// Segments that a log needs at the least.
const SEGMENTS: u64 = 8;
/// The smallest segment that a large request fits into.
const SMALLEST_SEGMENT: u64 = 20 << 20;
/// The smallest log: the spool does not work with less than four segments.
const SMALLEST_LOG: u64 = 4 * SMALLEST_SEGMENT;

/// A log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", dir.display())]
pub struct LogsError {
    dir: PathBuf,
    source: OpenError,
}

/// The logs of a node.
#[derive(Clone)]
pub(crate) struct Logs {
    pub(crate) received: BySignal<Spool>,
    pub(crate) kept: Option<Spool>,
}

impl Logs {
    pub(crate) fn open(node: &Node) -> Result<Self, LogsError> {
        let ways = ways::ways(&node.federation, &node.me);
        let received = BySignal::try_new(|signal| open_one(node, Log::Received(signal), &ways))?;
        let samples = Division::of(node.me.role(), &ways) != Division::Passing;
        let kept = samples.then(|| open_one(node, Log::Kept, &ways)).transpose()?;
        Ok(Self { received, kept })
    }

    /// All logs with their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Spool)> {
        let received = self.received.iter().map(|(signal, log)| (signal.as_str(), log));
        received.chain(self.kept.iter().map(|log| (KEPT, log)))
    }

    pub(crate) fn of(&self, log: Log) -> Option<&Spool> {
        match log {
            Log::Received(signal) => Some(self.received.of(signal)),
            Log::Kept => self.kept.as_ref(),
        }
    }

    pub(crate) fn status(&self) -> Vec<(&'static str, Status)> {
        self.iter().map(|(name, log)| (name, log.status())).collect()
    }

    pub(crate) async fn close(&self) {
        for (_, log) in self.iter() {
            log.close().await;
        }
    }
}

const KEPT: &str = "kept";

fn name(log: Log) -> &'static str {
    match log {
        Log::Received(signal) => signal.as_str(),
        Log::Kept => KEPT,
    }
}

/// How the disk of a node is divided among its logs: traces are most of what is sent, and who samples holds them twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Division {
    /// Nothing is sampled.
    Passing,
    /// A gateway passes all on and samples for backends of its own.
    Beside,
    /// A central tier samples all that it takes in.
    Central,
}

impl Division {
    pub(crate) fn of(role: Role, ways: &[Consumption]) -> Self {
        match role {
            Role::Central => Self::Central,
            Role::Collector | Role::Gateway if ways.iter().any(|way| way.way == Way::Sampler) => Self::Beside,
            Role::Collector | Role::Gateway => Self::Passing,
        }
    }

    /// The bytes of one log.
    pub(crate) fn disk_of(self, disk: ByteSize, log: Log) -> ByteSize {
        let (part, of) = self.share(log);
        ByteSize(disk.bytes() / of * part)
    }

    /// The least disk that a node can work with.
    pub(crate) fn smallest_disk(self) -> ByteSize {
        let received = Signal::ALL.map(Log::Received);
        let shares = received.into_iter().chain([Log::Kept]).map(|log| self.share(log));
        let least = |(part, of): (u64, u64)| if part == 0 { 0 } else { SMALLEST_LOG.div_ceil(part) * of };
        ByteSize(shares.map(least).max().unwrap_or(0))
    }

    fn share(self, log: Log) -> (u64, u64) {
        match (self, log) {
            (Self::Passing, Log::Received(Signal::Traces)) => (3, 5),
            (Self::Passing, Log::Kept) => (0, 1),
            (Self::Beside | Self::Central, Log::Received(Signal::Traces)) | (Self::Central, Log::Kept) => (2, 5),
            (Self::Passing | Self::Beside, Log::Received(Signal::Metrics | Signal::Logs))
            | (Self::Beside, Log::Kept) => (1, 5),
            (Self::Central, Log::Received(Signal::Metrics | Signal::Logs)) => (1, 10),
        }
    }
}

/// A quarter is left for what the others still need when one consumer is at its limit.
pub(crate) fn share_of_consumer(log: ByteSize) -> ByteSize {
    ByteSize(log.bytes() / 4 * 3)
}

/// Letting go of the oldest protects the other consumers of a log. Who has one to itself has nobody to protect, and whoever
/// sends to it keeps what is refused.
pub(crate) fn when_full(log: Log, ways: &[Consumption]) -> WhenFull {
    if ways.iter().filter(|way| way.log == log).count() > 1 { WhenFull::Expire } else { WhenFull::Refuse }
}

/// How much of a log just appended stays in memory.
fn recent(memory: ByteSize, role: Role) -> ByteSize {
    let (least, most) = RECENT;
    match role {
        Role::Collector | Role::Gateway => ByteSize((memory.bytes() / RECENT_PART).clamp(least, most)),
        // Spans come back when their trace is judged: by then no memory that it could have would hold them.
        Role::Central => ByteSize(least),
    }
}

fn open_one(node: &Node, log: Log, ways: &[Consumption]) -> Result<Spool, LogsError> {
    let disk = Division::of(node.me.role(), ways).disk_of(node.file.disk, log);
    let share = share_of_consumer(disk);
    let consumer = |name: &str, when_full| ConsumerConfig {
        name: name.to_owned(),
        share,
        max_age: MAX_AGE,
        when_full,
        start: Start::Oldest,
    };
    let own = ways.iter().filter(|way| way.log == log);
    let mut consumers: Vec<_> = own.map(|way| consumer(&way.name, when_full(log, ways))).collect();
    if log == Log::Kept {
        consumers.push(consumer(JOURNAL, WhenFull::Expire));
    }
    let segment = (disk.bytes() / SEGMENTS).min(DEFAULT_SEGMENT.bytes()).max(SMALLEST_SEGMENT);
    let dir = node.folder("spool").join(name(log));
    let config = SpoolConfig {
        dir: dir.clone(),
        segment_bytes: ByteSize(segment),
        durability: match node.file.durability {
            node_file::Durability::Fsync => Durability::Fsync,
            node_file::Durability::Os => Durability::Os,
        },
        disk,
        recent: recent(node.memory, node.me.role()),
        consumers,
    };
    let opened = Spool::open(config, node.clock.clone(), node.disk.clone());
    let (spool, recovered) = opened.map_err(|source| LogsError { dir, source })?;
    let (records, truncated, quarantined) = (recovered.records, recovered.truncated_bytes, recovered.quarantined.len());
    tracing::info!(log = name(log), records, truncated, quarantined, "opened");
    Ok(spool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_in_memory_is_a_small_part_of_the_budget() {
        let all = |mebibytes: u64, role| recent(ByteSize(mebibytes << 20), role).bytes() >> 20;
        assert_eq!([64, 256, 512, 8192].map(|memory| all(memory, Role::Gateway)), [8, 16, 32, 32]);
        assert_eq!([64, 8192].map(|memory| all(memory, Role::Central)), [8, 8]);
    }

    #[test]
    fn the_smallest_disk_is_enough_for_every_log_and_no_less_is() {
        for (division, least) in [(Division::Passing, 400), (Division::Beside, 400), (Division::Central, 800)] {
            let least = ByteSize(least << 20);
            assert_eq!(division.smallest_disk(), least);
            let logs = Signal::ALL.map(Log::Received).into_iter().chain([Log::Kept]);
            let smallest =
                |disk| logs.clone().map(|log| division.disk_of(disk, log).bytes()).filter(|bytes| *bytes > 0).min();
            let whole = logs.clone().map(|log| division.disk_of(least, log).bytes()).sum::<u64>();
            assert_eq!(whole, least.bytes(), "all of the disk is given out, and no more");
            assert_eq!(smallest(least), Some(SMALLEST_LOG));
            assert!(smallest(ByteSize(least.bytes() - 1)) < Some(SMALLEST_LOG));
        }
    }
}
