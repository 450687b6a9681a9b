//! Where root keys come from. Only the trait is here: files, agents and modules that hold keys are the caller's.

use std::fmt;
use std::sync::Arc;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::epoch::Epoch;

/// Public names of keys: enough to tell them apart, and nothing that leads back.
pub(crate) const ID_BYTES: usize = 4;
const SALT: &[u8] = b"tollgate pseudonym 1";

/// The root key of one epoch. Wiped from memory when the last clone is dropped; never shown.
///
/// It lies in one place for as long as it lives: a value that moves leaves its bytes behind wherever it was.
#[derive(Clone)]
pub struct RootKey(Arc<Zeroizing<[u8; 32]>>);

impl RootKey {
    /// Takes 32 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self::from(&*Zeroizing::new(bytes))
    }

    /// Returns the root's public name, for lists and records. No pseudonym bears it.
    #[must_use]
    pub fn id(&self) -> String {
        let mut id = [0; ID_BYTES];
        // Four bytes are never too many to ask for.
        let _ = self.hkdf().expand(b"root id", &mut id);
        base32(&id)
    }

    pub(crate) fn hkdf(&self) -> Hkdf<Sha256> {
        Hkdf::new(Some(SALT), self.0.as_slice())
    }
}

impl From<&[u8; 32]> for RootKey {
    fn from(bytes: &[u8; 32]) -> Self {
        let mut root = Arc::new(Zeroizing::new([0; 32]));
        if let Some(root) = Arc::get_mut(&mut root) {
            root.copy_from_slice(bytes);
        }
        Self(root)
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(..)")
    }
}

/// Hands out the root keys that lie in this region: all that a service which keeps keys elsewhere has to do.
pub trait Keys: Send + Sync {
    /// Returns the root of that name for an epoch, never another one instead; `None` if it is not here or is destroyed.
    fn root(&self, name: &str, epoch: Epoch) -> Option<RootKey>;

    /// Returns a number that is another one as soon as a root has come or gone.
    fn version(&self) -> u64 {
        0
    }
}

pub(crate) fn base32(bytes: &[u8]) -> String {
    data_encoding::BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}
