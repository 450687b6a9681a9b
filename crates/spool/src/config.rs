//! What a log is told about itself.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tollgate_config::ByteSize;

use crate::segment::HEADER;

/// One log: where it lies, what it may take, who reads it.
#[derive(Clone, Debug)]
pub struct SpoolConfig {
    /// Its directory; made if it is missing.
    pub dir: PathBuf,
    /// Size of a segment, below 4 GiB. The largest record is a little smaller.
    pub segment_bytes: ByteSize,
    /// What `Ok` promises.
    pub durability: Durability,
    /// The ingest budget: what all segments together may take. At least four segments.
    pub disk: ByteSize,
    /// How many of the bytes just appended stay in memory.
    pub recent: ByteSize,
    /// Everyone who reads it. What a consumer that is no longer named here has not read is not kept for it.
    pub consumers: Vec<ConsumerConfig>,
}

/// What an acknowledged record survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Power loss: acknowledged after `fdatasync(2)`.
    Fsync,
    /// The end of the process: acknowledged after `write(2)`.
    Os,
}

/// One consumer and the limits of its backlog.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// Its name, unique in the log.
    pub name: String,
    /// The most disk its backlog may hold. One that lets go holds at most the ingest budget less two segments.
    pub share: ByteSize,
    /// The longest a record waits for it.
    pub max_age: Duration,
    /// What happens past either.
    pub when_full: WhenFull,
    /// Where it begins when it is new.
    pub start: Start,
}

/// What a consumer whose backlog is past its limits does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It lets go of its oldest records.
    Expire,
    /// Intake stops.
    Refuse,
}

/// Where a new consumer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record that is still there.
    Oldest,
    /// At what comes next.
    End,
}

/// The segment size unless something else is said.
pub const DEFAULT_SEGMENT: ByteSize = ByteSize(64 << 20);

/// Why a configuration cannot work.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// The segment size is out of bounds.
    #[error("segments must be between 4096 bytes and 4 GiB")]
    SegmentSize,
    /// The ingest budget is too small for the segment size.
    #[error("the disk budget must hold at least four segments")]
    DiskBudget,
    /// Two consumers have one name.
    #[error("consumer `{0}` is named twice")]
    DuplicateConsumer(String),
}

impl SpoolConfig {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let segment = self.segment_bytes.0;
        if segment < HEADER.max(4096) || segment > u64::from(u32::MAX) {
            return Err(ConfigError::SegmentSize);
        }
        if self.disk.0 / 4 < segment {
            return Err(ConfigError::DiskBudget);
        }
        let mut names: Vec<&str> = self.consumers.iter().map(|consumer| consumer.name.as_str()).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first()) {
            Some(name) => Err(ConfigError::DuplicateConsumer((*name).to_owned())),
            None => Ok(()),
        }
    }

    /// The largest footprint of an entry: with the commit frame before it, and room for the closing one after it.
    pub(crate) fn largest(&self) -> u64 {
        self.segment_bytes.0.saturating_sub(HEADER + 2 * crate::frame::COMMIT as u64)
    }

    /// How far apart marks may be, which is how finely a backlog is let go.
    pub(crate) fn spacing(&self) -> u64 {
        self.segment_bytes.0 / 64
    }
}
