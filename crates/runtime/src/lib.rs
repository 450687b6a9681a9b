//! What the process owns: clock, byte budget, buffers, workers, tasks, shutdown, metrics registry, logs.
//!
//! Promises:
//! 1. There is one clock; tests hold a manual one and are exact.
//! 2. Every task is in a group, so that shutdown can wait for it and name what it still waits for.
//! 3. Memory for payloads is taken from one budget before it is used, and the permit rides with the data.
//!
//! Not here: what is served or sent (`tollgate_transport`), the order of shutdown (`tollgate_pipeline`).

mod budget;
mod buffers;
mod clock;
mod limits;
mod logs;
mod metrics;
mod shutdown;
mod tasks;
mod workers;

pub use budget::{ByteBudget, Permit};
pub use buffers::Buffers;
pub use clock::{Clock, ManualClock, Timestamp};
pub use limits::{memory_limit, open_files, refuse_core_dumps};
pub use logs::{LogFormat, init_logs};
pub use metrics::{Metrics, Registry};
pub use shutdown::{Requests, Shutdown, Signals, Stopper};
pub use tasks::TaskGroup;
pub use workers::Workers;
