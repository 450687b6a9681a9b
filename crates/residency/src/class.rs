//! What a value is. A class is a category, not a rank: which one is worse depends on the link.

use std::fmt;

use tollgate_config::{Read, Value};

/// What a value is, as the catalogue says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    /// Names a person: user name, e-mail address, an account's id.
    Direct,
    /// Follows a person or a household: IP address, device, session, cookie.
    Online,
    /// Narrows down a person together with other values: port, location, browser.
    Quasi,
    /// Articles 9 and 10 GDPR: health, belief, offences; children.
    Special,
    /// Opens a door: password, token, API key. No rule can allow it.
    Secret,
    /// Free text, or opaque content that may hold anything.
    Free,
    /// Operational: describes the system, not its users.
    Op,
    /// Correlates telemetry: trace ids and span ids.
    Corr,
    /// Not in the catalogue. No rule can allow it.
    Unclassified,
}

impl Class {
    /// Every class, in order of discriminant.
    pub const ALL: [Self; 9] = [
        Self::Direct,
        Self::Online,
        Self::Quasi,
        Self::Special,
        Self::Secret,
        Self::Free,
        Self::Op,
        Self::Corr,
        Self::Unclassified,
    ];

    /// Returns the word that documents use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Online => "online",
            Self::Quasi => "quasi",
            Self::Special => "special",
            Self::Secret => "secret",
            Self::Free => "free",
            Self::Op => "op",
            Self::Corr => "corr",
            Self::Unclassified => "unclassified",
        }
    }

    /// Says whether a rule may let this class cross at all, in whatever form.
    #[must_use]
    pub const fn may_be_allowed(self) -> bool {
        !matches!(self, Self::Secret | Self::Unclassified)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Read for Class {
    fn read(value: Value<'_>) -> Option<Self> {
        value.choice(&Self::ALL.map(|class| (class.as_str(), class)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discriminants_index_the_list_of_all() {
        for (index, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, index);
        }
    }
}
