//! The path of a request through a node: admit, store, prepare, hold, seal, route, send. Read `path.rs` first.
//!
//! Promises:
//! 1. `Ok` means durable; what was acknowledged is delivered at least once, or counted by what became of it.
//! 2. Only `send/doors.rs` builds a way out, and a link's takes nothing but `Sealed`.
//! 3. One consumer that stands still touches no other.
//!
//! Not here: OTLP (`tollgate_otlp`), policy (`tollgate_residency`), sockets (`tollgate_transport`), the log (`tollgate_spool`).

mod admit;
mod documents;
mod hold;
mod load;
mod node;
mod observe;
mod pass;
mod path;
mod prepare;
mod receive;
mod records;
mod report;
#[cfg(test)]
mod rig;
mod seal;
mod send;
mod signals;
mod step;
mod thin;

pub use documents::Documents;
pub use node::node_file::{NodeFile, NodeFileError};
pub use node::open::{Opened, node_of};
pub use node::run::{RunError, run};
pub use node::start::Start;
pub use node::unfit::Unfit;
pub use observe::drift::{Drifting, Drifts, Why};
pub use observe::shapes::{Knows, Recorded, Shape, templates_around};
pub use report::Report;
