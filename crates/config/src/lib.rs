//! Loads YAML documents and says everything that is wrong with them at once.
//!
//! Promises:
//! 1. No text makes it panic; sizes and depth are bounded.
//! 2. Every fault carries file, line, column and path; a reader goes on after a fault, so one run finds them all.
//! 3. What stands is what is meant: no duplicate or unknown keys, no anchors, tags or merge keys, no variables.
//! 4. Equal documents have equal canonical text, whatever their comments, order of keys, layout and quoting.
//!
//! A set is in force only if its `Faults` are still empty after the last reader has run.
//! Not here: what the keys mean (each crate reads its own section with `Value` and `Fields`).

mod canonical;
mod differences;
mod document;
mod fault;
mod fields;
mod nearest;
mod parse;
mod quantity;
mod read;
mod scalar;
mod set;
mod value;

pub use document::Document;
pub use fault::{At, Fault, Faults, Located};
pub use fields::Fields;
pub use nearest::nearest;
pub use parse::parse;
pub use quantity::ByteSize;
pub use read::Read;
pub use set::{Set, load, load_with};
pub use value::Value;
