//! Where root keys come from. Only the trait is here: files, agents and modules that hold keys are the caller's.

use std::fmt;

use zeroize::Zeroizing;

/// The root key of one epoch. Wiped from memory when dropped; never shown.
#[derive(Clone)]
pub struct RootKey(Zeroizing<[u8; 32]>);

impl RootKey {
    /// Takes 32 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(..)")
    }
}

/// Hands out the root keys that lie in this region.
pub trait Keys: Send + Sync {
    /// Returns the key of that name for an epoch, counted from the Unix epoch; `None` if it is not here or is destroyed.
    fn root(&self, name: &str, epoch: u64) -> Option<RootKey>;
}
