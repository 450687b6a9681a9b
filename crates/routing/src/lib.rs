//! Who owns a trace, who gets its spans while the owner is away, and when to try again.
//!
//! Promises:
//! 1. The owner depends on the id and the *set* of nodes alone: not on order, addresses, load or process.
//! 2. A node that joins takes only its own share, about 1/N; a node that leaves moves only what it owned.
//! 3. Old records route by the set that was in force at their position.
//! 4. No clock and no I/O: `now` is an argument, randomness too, so every decision replays exactly.
//!
//! Not here: finding nodes (resolvers) and sending (`tollgate_transport`), lanes (`tollgate_spool`).

mod backoff;
mod epochs;
mod health;
mod members;
mod membership;
mod owners;
mod target;

pub use backoff::Backoff;
pub use epochs::{EpochFault, Epochs};
pub use health::{EndpointHealth, Standing};
pub use members::Members;
pub use membership::{Membership, Observed, Presence, Seen};
pub use owners::{Owners, ROUTING_SEED, Rank};
pub use target::{HopKind, Target, target};
