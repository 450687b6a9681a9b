//! Names of services, each held once. They are values from payloads: of bounded length and number, and printable.

use std::collections::BTreeSet;
use std::sync::Arc;

use tollgate_otlp::{RawAttribute, ValueView, raw_attributes};

/// More than any deployment has; above it names are not told apart.
const MOST: usize = 16_384;
/// Characters of a name.
const LONGEST: usize = 96;
/// What a service is called that does not say its name, and one for whose name there is no room.
const NAMELESS: &str = "(no service.name)";
const OTHER: &str = "(other services)";

#[derive(Debug, Default)]
pub(super) struct Services(BTreeSet<Arc<str>>);

impl Services {
    /// What a resource calls its service.
    pub(super) fn of(&mut self, resource: &[u8]) -> Arc<str> {
        let is_name = |attribute: &RawAttribute<'_>| attribute.key == b"service.name";
        let name = raw_attributes(resource, 1).find(is_name).and_then(|found| ValueView::parse(found.value).ok());
        match name {
            Some(ValueView::String(name)) if !name.is_empty() => self.intern(name),
            _ => self.intern(NAMELESS),
        }
    }

    fn intern(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        let name: Arc<str> = name.chars().take(LONGEST).map(shown).collect::<String>().into();
        if let Some(known) = self.0.get(&name) {
            return Arc::clone(known);
        }
        if self.0.len() >= MOST {
            return Arc::from(OTHER);
        }
        self.0.insert(Arc::clone(&name));
        name
    }

    /// Forgets names that nobody holds, if there are many.
    pub(super) fn sweep(&mut self) {
        if self.0.len() >= MOST / 2 {
            self.0.retain(|name| Arc::strong_count(name) > 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_otlp::Writer;

    use super::*;

    fn named(name: &str) -> Vec<u8> {
        let mut resource = Vec::new();
        Writer::new(&mut resource).key_string(1, "service.name", name);
        resource
    }

    #[test]
    fn names_are_printable_and_bounded() {
        let mut services = Services::default();
        assert_eq!(&*services.of(&named("a\u{1b}[2J")), "a\u{fffd}[2J");
        assert_eq!(services.of(&named(&"x".repeat(10_000))).len(), LONGEST);
        assert_eq!([services.of(&[]), services.of(&named(""))].map(|name| name.to_string()), [NAMELESS; 2]);
        let held: Vec<_> = (0..MOST * 2).map(|number| services.of(&named(&number.to_string()))).collect();
        assert!(services.0.len() == MOST && &*held[MOST * 2 - 1] == OTHER);
        drop(held);
        services.sweep();
        assert!(services.0.is_empty());
    }
}
