//! What sealers say of data in their own name: attributes that no catalogue has to list, and that nobody else can write.

use crate::carrier::Carrier;
use crate::table::Resource;

/// An attribute that a sealer writes itself. What a sender wrote in its place is not copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A resource was judged as somebody's device.
    Device,
    /// By which policy a scope was sealed.
    Policy,
    /// How many attributes of a metric's points did not cross.
    Dropped,
}

impl Mark {
    const ALL: [Self; 3] = [Self::Device, Self::Policy, Self::Dropped];

    /// Returns its key.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Device => Resource::DEVICE_MARK.0,
            Self::Policy => "tollgate.policy",
            Self::Dropped => "tollgate.dropped_attributes_count",
        }
    }

    /// Returns where it stands; anywhere else its key is a key like any other.
    #[must_use]
    pub const fn carrier(self) -> Carrier {
        match self {
            Self::Device => Carrier::ResourceAttributes,
            Self::Policy => Carrier::ScopeAttributes,
            Self::Dropped => Carrier::MetricMetadata,
        }
    }

    /// Finds the mark that an attribute is.
    pub(crate) fn of(carrier: Carrier, key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mark| mark.carrier() == carrier && mark.key() == key)
    }
}
