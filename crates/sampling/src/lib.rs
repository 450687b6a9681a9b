//! Which traces are kept: the Collector's tail sampling policies on mergeable summaries instead of buffered spans.
//!
//! Promises:
//! 1. A trace costs memory, its spans do not: what policies need of them is a few words that merge in any order.
//! 2. One verdict per trace while it is remembered; late spans follow it, and verdicts only rise: none, drop, keep.
//! 3. What cannot be evaluated is kept and counted: an error trace is never lost in silence.
//! 4. No clock and no I/O: the caller passes `now`, so a replay gives the same verdicts.
//!
//! Not here: where spans wait and how kept ones leave (`tollgate_pipeline`), the log (`tollgate_spool`).

mod correlation;
mod journal;
mod ottl;
mod policy;
mod replay;
mod sampler;
mod schema;
mod summary;
mod thinning;
pub mod tracestate;
mod verdict;

#[cfg(test)]
mod requests;

pub use correlation::{Break, Correlated, Correlator, End, Entered, Gap, Join, Met, Novelty, Parent, Region};
pub use journal::{Entry, JournalFault};
pub use policy::{Ask, Bounds, Consistency, Limits, Note, Own, PolicySet, RecordPolicy, Voted, Votes};
pub use replay::Replay;
pub use sampler::{Cause, Folded, Judged, Mark, Moment, Sampler, Timing, Waits};
pub use schema::sampling as schema;
pub use summary::{Evidence, Summary};
pub use thinning::{Cut, Fate, Terms, Thinner};
pub use verdict::{Coverage, Decision, Reason, Verdict};
