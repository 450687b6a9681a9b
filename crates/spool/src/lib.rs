//! The log behind every receiver: what was acknowledged is in it, and every consumer is a cursor on it.
//!
//! Promises:
//! 1. `append` answers `Ok` only when the record survives what its durability names; a restart finds it again.
//! 2. What cannot be read again is told apart: a torn tail was never acknowledged, damage is counted and kept.
//! 3. Every consumer has its own share of the disk and its own age; past either it lets go of its own oldest, counted.
//! 4. A segment is used again only when every lane of every consumer has passed it.
//! 5. Memory does not depend on the backlog.
//!
//! Not here: what a payload means (it is never looked into), windows and parcels (`tollgate_pipeline`).

mod backlog;
mod behind;
mod commit;
mod config;
mod consumer;
mod cursors;
mod frame;
mod inspect;
mod lanes;
mod log;
mod marks;
mod name;
mod position;
mod quarantine;
mod reading;
mod recent;
mod record;
mod recovery;
mod release;
mod scan;
mod segment;
mod spares;
mod spool;
mod state;
mod status;
mod thread;
mod window;

pub use config::{ConfigError, ConsumerConfig, DEFAULT_SEGMENT, Durability, SpoolConfig, Start, WhenFull};
pub use consumer::{Consumer, NotPersisted, ReadError};
pub use inspect::{ConsumerSeen, InspectError, Inspection, LaneSeen, SegmentSeen, inspect};
pub use lanes::{Lanes, Plan, Ticket};
pub use log::AppendError;
pub use name::Name;
pub use position::Position;
pub use quarantine::Quarantined;
pub use recent::Chunk;
pub use record::{Entry, Record};
pub use recovery::{OpenError, Recovered};
pub use spool::Spool;
pub use state::Counts;
pub use status::{ConsumerStatus, LaneStatus, Status};
