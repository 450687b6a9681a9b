//! OTLP as bytes: walks a request in place, checks it whole, and writes new requests by copying ranges.
//!
//! Promises:
//! 1. What a walk lets through was checked to the last byte and is within every limit; no bytes cause a panic.
//! 2. An item that a walk accepts, with its resource and scope, every protobuf decoder reads, and reads alike.
//! 3. One bad item (span, metric, log record) is left out and counted; it does not sink the others.
//! 4. Nothing here allocates for each item, recurses without a bound, or prints a payload's values.
//!
//! Not here: what may cross a border (`tollgate_residency`), rewriting attributes (`tollgate_redaction`).

mod batch;
mod check;
mod fault;
mod id;
mod index;
mod limits;
mod rewrite;
mod schema;
mod select;
mod utf8;
mod view;
mod walk;
mod writer;

pub mod json;
pub mod wire;

pub use batch::{Batch, Item, ResourceGroup, ScopeGroup};
pub use fault::{Fault, ItemFault, Rejected};
pub use id::{NotAnId, SpanId, TraceId};
pub use index::Index;
pub use limits::Limits;
pub use rewrite::select_rewritten;
pub use select::{Part, select, select_with, split, split_by_number, split_with};
pub use view::{KeyValueView, RawAttribute, SpanView, ValueView, attributes, messages, raw_attributes};
pub use walk::{Walked, walk_logs, walk_metrics, walk_traces};
pub use writer::Writer;
