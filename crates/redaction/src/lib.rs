//! Redaction: applies a compiled residency table to bytes, and is the only maker of what may go over a link.
//!
//! Promises:
//! 1. The outgoing request is constructed from fields that are known and allowed; nothing is scrubbed from a copy.
//! 2. Total over the carriers of traces, metrics and logs; whatever is unknown, ambiguous or unreadable stays.
//! 3. Only this crate makes a [`Sealed`]. No clock, no files: arrival time and keys are arguments.
//!
//! Read first: `sealer.rs` (a batch), `span.rs` (one span, field by field), `schema.rs` and `item.rs` (one metric or log
//! record), `attributes.rs` and `list.rs` (a list), `value.rs` (one value), `detect.rs` (what raises its class).
//! Not here: what is allowed (`tollgate_residency`), where keys lie and where sealed batches go (`tollgate_pipeline`).

mod address;
mod at_home;
mod attributes;
mod blind;
mod canonical;
mod counts;
mod detect;
mod epoch;
mod hints;
mod item;
mod keys;
mod known_ids;
mod list;
mod memo;
mod once;
mod operational;
mod plain;
mod pseudonym;
mod repeats;
mod same;
mod schema;
mod sealed;
mod sealer;
mod span;
mod span_name;
mod stack_trace;
mod surroundings;
mod trace_state;
mod value;
mod verbatim;

pub use at_home::AtHome;
pub use blind::{Blinder, IdKey};
pub use counts::{Counts, Withheld};
pub use epoch::Epoch;
pub use keys::{Keys, RootKey};
pub use pseudonym::{NoPseudonym, PseudonymKey};
pub use sealed::{OtherSeal, Route, Sealed, SealedBatch};
pub use sealer::Sealer;
pub use surroundings::claims;
