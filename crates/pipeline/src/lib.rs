//! The path of a request through a node: admit, store, prepare, hold, seal, route, send. Read `path.rs` first.
//!
//! Promises:
//! 1. `Ok` means durable; what was acknowledged is delivered at least once, or counted by what became of it.
//! 2. Only `doors.rs` builds a way out, and a link's takes nothing but `Sealed`.
//! 3. One consumer that stands still touches no other.
//!
//! Not here: OTLP (`tollgate_otlp`), policy (`tollgate_residency`), sockets (`tollgate_transport`), the log (`tollgate_spool`).

mod admit;
mod archive;
mod backends;
mod consumer;
mod counters;
mod delivery;
mod documents;
mod doors;
mod drop_rules;
mod file_door;
mod file_exporter;
mod hold;
mod hop;
mod intake;
mod kept;
mod keys;
mod launch;
mod listeners;
mod load;
mod local;
mod logs;
mod manifests;
mod members;
mod node;
mod node_file;
mod outlets;
mod pages;
mod pass;
mod path;
mod prepare;
mod quarantine;
mod records;
mod refusal;
mod report;
#[cfg(test)]
mod rig;
mod roster;
mod run;
mod seal;
mod sealed_load;
mod signals;
mod stamp;
mod step;
mod ways;
mod window;

pub use documents::Documents;
pub use node_file::{NodeFile, NodeFileError};
pub use report::Report;
pub use run::{RunError, run};
