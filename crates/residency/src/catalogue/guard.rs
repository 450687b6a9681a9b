//! What a text must look like to cross as it is.
//!
//! Promises:
//! 1. A document can only ask for more than the data path does by itself; of two guards both hold.

use std::collections::BTreeMap;
use std::fmt;

use tollgate_config::Value;

use crate::class::Class;
use crate::reading::if_there;

/// The keys of a guard.
pub(crate) const KEYS: [&str; 2] = ["longest", "characters"];
/// Which characters a text may consist of: `identifier` is the narrower one.
pub(crate) const CHARACTERS: [&str; 2] = ["operational", "identifier"];
/// Longest text that the data path takes for operational, in bytes.
const LONGEST: u16 = 256;

/// What a text of a class must look like to cross as it is, besides what the data path asks of every text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Guard {
    /// The most bytes it may have.
    longest: u16,
    characters: Characters,
}

/// Which characters a text may consist of, the narrower first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Characters {
    /// Letters, digits and `.`, `_`, `-`, `/`, `:`, `$`: what names of types, services and versions consist of.
    Identifier,
    /// Whatever the data path takes for operational.
    Operational,
}

impl Default for Guard {
    fn default() -> Self {
        Self { longest: LONGEST, characters: Characters::Operational }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = CHARACTERS[usize::from(self.characters == Characters::Identifier)];
        write!(f, "{word} and at most {} bytes", self.longest)
    }
}

impl Guard {
    /// Says whether a text may cross as it is, as far as this guard goes.
    #[inline]
    #[must_use]
    pub fn admits(&self, text: &[u8]) -> bool {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-/:$".contains(byte);
        text.len() <= usize::from(self.longest)
            && (self.characters == Characters::Operational || text.iter().all(plain))
    }

    /// Says whether it asks for no more than the data path does by itself.
    #[inline]
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn meet(self, other: Self) -> Self {
        Self { longest: self.longest.min(other.longest), characters: self.characters.min(other.characters) }
    }

    /// What decides, for the digest.
    pub(crate) fn parts(self) -> (u16, u8) {
        (self.longest, self.characters as u8)
    }

    fn read(value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let longest = if_there(fields.value("longest"), longest);
        let words = [(CHARACTERS[0], Characters::Operational), (CHARACTERS[1], Characters::Identifier)];
        let characters = if_there(fields.value("characters"), |value| value.choice(&words));
        fields.done()?;
        let longest = longest?.unwrap_or(LONGEST);
        Some(Self { longest, characters: characters?.unwrap_or(Characters::Operational) })
    }
}

fn longest(value: Value<'_>) -> Option<u16> {
    let bytes: u16 = value.read()?;
    if bytes == 0 || bytes > LONGEST {
        value.fault(format_args!(
            "a text that crosses as it is has 1 to {LONGEST} bytes; a class that must not is not allowed"
        ));
        return None;
    }
    Some(bytes)
}

/// Reads the guards of the classes whose texts must look operational; of two documents both hold.
pub(super) fn read_guards(value: Value<'_>, guards: &mut BTreeMap<Class, Guard>) {
    let Some(mut fields) = value.fields() else { return };
    for class in Class::ALL.into_iter().filter(|class| has_guard(*class)) {
        if let Some(guard) = fields.value(class.as_str()).and_then(Guard::read) {
            guards.entry(class).and_modify(|other| *other = other.meet(guard)).or_insert(guard);
        }
    }
    fields.done();
}

/// Texts of the other classes cross raw only where somebody let through whatever stands there, or never.
pub(crate) fn has_guard(class: Class) -> bool {
    matches!(class, Class::Op | Class::Online | Class::Quasi)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_only_narrows() {
        let narrow = Guard { longest: 5, characters: Characters::Identifier };
        assert!(
            narrow.admits(b"a.B_9") && !narrow.admits(b"a.B_90") && !narrow.admits(b"a b") && !narrow.admits(b"a{b}")
        );
        assert!(Guard::default().admits(b"a {b}") && !Guard::default().admits(&[b'a'; 257]));
        let short = Guard { longest: 3, characters: Characters::Operational };
        assert_eq!(narrow.meet(short), Guard { longest: 3, characters: Characters::Identifier });
        assert_eq!(Guard::default().meet(narrow), narrow);
        assert!(Guard::default().is_default() && !short.is_default());
    }
}
