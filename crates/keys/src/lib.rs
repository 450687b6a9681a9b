//! Root keys on disk: a key is a folder with one random root an epoch. The only code that reads, makes or destroys them.
//!
//! Promises:
//! 1. A root stands for the epoch in its name and for no other; one that is not there is never replaced by another.
//! 2. Roots come from the system's randomness, appear whole or not at all, and are never written over.
//! 3. What is destroyed is overwritten, removed and recorded, by public names only.
//! 4. Bytes of roots are wiped from memory and appear in no log, error or debug output.
//!
//! Not here: what is derived from a root (`tollgate_redaction`), which epochs there are (`tollgate_residency`), when a node
//! looks again (`tollgate_pipeline`).

mod destroy;
mod error;
mod file_name;
mod folder;
mod make;
mod ring;
mod state;

pub use destroy::{Destroyed, RECORD};
pub use error::KeyError;
pub use file_name::{length_text, start_text};
pub use folder::KeyFolder;
pub use make::MOST_AHEAD;
pub use ring::{KeyRing, KeyStatus};
pub use state::State;
