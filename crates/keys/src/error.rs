//! Why a key cannot be used, made or destroyed.

use std::io;
use std::path::PathBuf;

use tollgate_disk::{PrivateError, may_pass};

/// A key, or one root of it, cannot be used. Never carries its content.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read key {key} from {}: {source}", path.display())]
    Unreadable {
        /// The key's name.
        key: String,
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// One file cannot hold a key: it has a root for each epoch.
    #[error("key {key}: {} is no folder; a key is a folder with a root for each epoch, which `tollgate keys new` makes", path.display())]
    NoFolder {
        /// The key's name.
        key: String,
        /// What lies there.
        path: PathBuf,
    },
    /// Others can read a root, or change what lies in the folder.
    #[error("key {key} in {} {source}", path.display())]
    Exposed {
        /// The key's name.
        key: String,
        /// The folder or file.
        path: PathBuf,
        /// How.
        source: PrivateError,
    },
    /// A root for nobody knows when.
    #[error("key {key}: {} is not named after an epoch, such as 20261103T000000Z-30d.root", path.display())]
    NoEpoch {
        /// The key's name.
        key: String,
        /// The file.
        path: PathBuf,
    },
    /// It is not a root.
    #[error("key {key} in {} is not 64 hexadecimal digits", path.display())]
    NotARoot {
        /// The key's name.
        key: String,
        /// The file.
        path: PathBuf,
    },
    /// Somebody typed it and anybody guesses it: its pseudonyms would hide nobody. Or it was overwritten to be destroyed.
    #[error("key {key} in {} is a placeholder and no random root; `tollgate keys` makes them", path.display())]
    Placeholder {
        /// The key's name.
        key: String,
        /// The file.
        path: PathBuf,
    },
    /// A first root is asked for where there is one.
    #[error("key {key} has roots in {} already; `tollgate keys rotate` makes the next ones", path.display())]
    AlreadyThere {
        /// The key's name.
        key: String,
        /// The folder.
        path: PathBuf,
    },
    /// There is nothing to go on from: the folder may be a wrong one, or not mounted.
    #[error("key {key} has no root in {}; `tollgate keys new` makes the first", path.display())]
    NoRoots {
        /// The key's name.
        key: String,
        /// The folder.
        path: PathBuf,
    },
    /// So many roots ahead are a mistake.
    #[error("key {key}: epochs of {length} would need more than {most} roots ahead; look less far ahead", most = crate::MOST_AHEAD)]
    TooMany {
        /// The key's name.
        key: String,
        /// How long its epochs are.
        length: String,
    },
    /// What is in use, or will be, is not destroyed.
    #[error("key {key}: the epoch of {} is not over; its root is in use", path.display())]
    InUse {
        /// The key's name.
        key: String,
        /// The file.
        path: PathBuf,
    },
    /// Something cannot be done with a folder or file.
    #[error("cannot {what} {} of key {key}: {source}", path.display())]
    Failed {
        /// What was attempted.
        what: &'static str,
        /// The key's name.
        key: String,
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The machine gives no randomness.
    #[error("no randomness for a root: {0}")]
    Random(getrandom::Error),
    /// The clock is so wrong that its day has no name.
    #[error("no calendar has the day of this machine's clock")]
    Clock,
}

impl KeyError {
    /// Whether a later attempt may succeed although nobody has changed a file.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreadable { source, .. } | Self::Failed { source, .. } => may_pass(source),
            Self::Exposed { source: PrivateError::Io(source), .. } => may_pass(source),
            Self::Random(_) => true,
            Self::NoFolder { .. }
            | Self::Exposed { .. }
            | Self::NoEpoch { .. }
            | Self::NotARoot { .. }
            | Self::Placeholder { .. }
            | Self::AlreadyThere { .. }
            | Self::NoRoots { .. }
            | Self::TooMany { .. }
            | Self::InUse { .. }
            | Self::Clock => false,
        }
    }
}
