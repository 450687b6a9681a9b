//! Which attribute key is of which class.
//!
//! Promises:
//! 1. A key is found by exact match, else by the longest template; what is in neither is unclassified.
//! 2. All names of one attribute, old and new, are answered alike.
//! 3. No document can make a credential's header anything but secret.
//! 4. A template never holds operational keys: below it the sender chooses the key, and a key is data too.

pub(crate) mod renames;

use std::collections::{BTreeMap, BTreeSet};

use tollgate_config::{Located, Value};

use crate::class::Class;
use crate::pattern::Pattern;
use crate::reading::{Found, Named, if_there};

/// Headers and metadata that carry credentials under any prefix.
const CREDENTIALS: &[&str] = &[
    "api-key",
    "apikey",
    "authentication",
    "authorization",
    "cookie",
    "private-token",
    "proxy-authorization",
    "set-cookie",
    "x-access-token",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
    "x-csrf-token",
    "x-forwarded-access-token",
    "x-goog-api-key",
    "x-session-token",
    "x-vault-token",
    "x-xsrf-token",
];

/// Longest key of the catalogue, in bytes.
const LONGEST_KEY: usize = 128;

/// What the catalogue says of one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The attribute's first name: what rules say of one name holds for all.
    pub(crate) attribute: String,
    pub(crate) class: Class,
    /// The class where the resource is a person's device; both must let the value cross.
    pub(crate) on_device: Option<Class>,
}

/// The catalogue of a federation.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    /// Every name as documents spell it; a template ends in `.*`.
    entries: Named<Entry>,
    /// Keys or templates whose presence says that a resource is a person's device.
    pub(crate) devices: BTreeSet<String>,
    /// Span names that are operational as they stand.
    pub(crate) span_names: BTreeSet<Pattern>,
    /// Event names that are operational as they stand.
    pub(crate) event_names: BTreeSet<String>,
}

impl Catalogue {
    /// A catalogue that could not be read: any name may be in it.
    pub(crate) fn unread() -> Self {
        Self { entries: Named::unread(), ..Self::default() }
    }

    pub(crate) fn read(root: Value<'_>) -> Self {
        let Some(mut fields) = root.fields() else { return Self::unread() };
        let attributes = fields.required_value("attributes").and_then(|value| value.entries());
        let mut catalogue = if attributes.is_some() { Self::default() } else { Self::unread() };
        let mut owners = BTreeMap::new();
        for (key, value) in attributes.unwrap_or_default() {
            catalogue.add(key, value, &mut owners);
        }
        for marker in fields.value("devices").map(texts).unwrap_or_default() {
            if spelling_fault(&marker.value).is_some() {
                let message = format_args!("`{}` is neither a key nor a template", marker.value);
                root.faults().report(&marker.at, message);
            }
            catalogue.devices.insert(marker.value);
        }
        if let Some(mut names) = fields.value("names").and_then(|value| value.fields()) {
            for value in names.value("span").and_then(|value| value.items()).unwrap_or_default() {
                catalogue.span_names.extend(catalogue.pattern(value));
            }
            let events = names.value("event").map(texts).unwrap_or_default();
            catalogue.event_names.extend(events.into_iter().map(|event| event.value));
            names.done();
        }
        fields.done();
        catalogue
    }

    /// Finds an attribute by a name that a document spells, template or key.
    pub(crate) fn find(&self, name: &str) -> Found<'_, Entry> {
        self.entries.find(name)
    }

    /// What it says of a key: its own entry, else that of the longest template around it; of no credential, unless it is
    /// listed.
    pub(crate) fn classify(&self, key: &str) -> Option<&Entry> {
        if let Found::Whole(entry) = self.find(key)
            && !is_template(key)
        {
            return Some(entry);
        }
        let dots = key.char_indices().rev().filter(|(_, c)| *c == '.');
        let template = |at: usize| key.get(..=at).map(|stem| format!("{stem}*"));
        let found = dots.filter_map(|(at, _)| match self.find(&template(at)?) {
            Found::Whole(entry) => Some(entry),
            Found::Faulty | Found::Nowhere => None,
        });
        found.into_iter().next().filter(|entry| !entry.class.may_be_allowed() || !is_credential(key))
    }

    /// Every attribute once, by its first name.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|(name, entry)| *name == entry.attribute).map(|(_, entry)| entry)
    }

    /// The attribute of that first name.
    pub(crate) fn first_named(&self, attribute: &str) -> Option<&Entry> {
        match self.find(attribute) {
            Found::Whole(entry) => Some(entry),
            Found::Faulty | Found::Nowhere => None,
        }
    }

    /// Every name as documents spell it.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.names().map(String::as_str)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter()
    }

    fn pattern(&self, value: Value<'_>) -> Option<Pattern> {
        let pattern = Pattern::parse(&value.read::<String>()?);
        let Some(pattern) = pattern else {
            value.fault("a span name is text with attributes in braces");
            return None;
        };
        for name in pattern.attributes() {
            match self.find(name) {
                Found::Whole(entry) if entry.class == Class::Op && entry.attribute == name => {}
                Found::Whole(entry) if entry.class == Class::Op => {
                    value.fault(format_args!("`{name}` is another name of `{}`: say that one", entry.attribute));
                }
                Found::Whole(_) | Found::Nowhere => {
                    value.fault(format_args!("`{name}` is not operational, so no span name can be composed of it"));
                }
                Found::Faulty => {}
            }
        }
        Some(pattern)
    }

    /// Adds an attribute under all its names; `owners` has the attribute of each name so far.
    fn add(&mut self, key: Located<String>, value: Value<'_>, owners: &mut BTreeMap<String, String>) {
        let Said { class, on_device, aliases } = Said::read(value);
        let attribute = key.value.clone();
        let entry = class.zip(on_device);
        let entry = entry.map(|(class, on_device)| Entry { attribute: attribute.clone(), class, on_device });
        for Located { value: name, at } in std::iter::once(key).chain(aliases) {
            let class_fault = || class.and_then(|class| class_fault(&name, class));
            if let Some(fault) = spelling_fault(&name).or_else(class_fault) {
                value.faults().report(&at, fault);
            }
            if is_template(&name) != is_template(&attribute) {
                let message = format_args!("`{name}` and `{attribute}` must both be templates or both be keys");
                value.faults().report(&at, message);
            }
            if let Some(other) = owners.insert(name.clone(), attribute.clone()) {
                value.faults().report(&at, format_args!("`{name}` is already a name of `{other}`"));
            }
            self.entries.insert(&name, entry.clone());
        }
    }
}

/// What could be read of an entry: a class alone, or a mapping.
#[derive(Default)]
struct Said {
    class: Option<Class>,
    on_device: Option<Option<Class>>,
    aliases: Vec<Located<String>>,
}

impl Said {
    fn read(value: Value<'_>) -> Self {
        if value.is_scalar() {
            return Self { class: value.read(), on_device: Some(None), aliases: Vec::new() };
        }
        let Some(mut fields) = value.fields() else { return Self::default() };
        let class = fields.required("class");
        let on_device = if_there(fields.value("on_device"), Value::read);
        let aliases = fields.value("aliases").map(texts).unwrap_or_default();
        fields.done();
        Self { class, on_device, aliases }
    }
}

/// The texts of a list; those with faults are left out, so that the rest is checked too.
fn texts(value: Value<'_>) -> Vec<Located<String>> {
    value.items().unwrap_or_default().into_iter().filter_map(Value::read).collect()
}

/// Returns what stands before the star of a template, with its last dot.
pub(crate) fn template_prefix(name: &str) -> Option<&str> {
    name.strip_suffix('*').filter(|prefix| prefix.ends_with('.'))
}

fn is_template(name: &str) -> bool {
    template_prefix(name).is_some()
}

fn spelling_fault(name: &str) -> Option<String> {
    let stem = template_prefix(name).unwrap_or(name);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
    let ended = stem.len() < name.len() || !stem.ends_with('.');
    let good = !stem.is_empty() && stem != "." && ended && name.len() <= LONGEST_KEY && stem.bytes().all(plain);
    (!good)
        .then(|| format!("`{name}` is no attribute key: letters, digits, `.`, `_`, `-`, `/`; a template ends in `.*`"))
}

fn class_fault(name: &str, class: Class) -> Option<String> {
    if is_template(name) && matches!(class, Class::Op | Class::Corr) {
        return Some(format!(
            "a template cannot be {class}, because the sender chooses the rest of the key: list keys"
        ));
    }
    if is_credential(name) && class != Class::Secret {
        return Some(format!("`{name}` carries credentials: it is always secret, not {class}"));
    }
    if class == Class::Unclassified {
        return Some("unclassified is what stands nowhere; leave the key out".to_owned());
    }
    None
}

/// Old conventions spell headers with underscores, and some instrumentations keep upper case.
pub(crate) fn is_credential(name: &str) -> bool {
    let header = [".header.", ".metadata."].iter().find_map(|mark| name.split_once(mark));
    let folded = header.map(|(_, header)| header.to_ascii_lowercase().replace('_', "-"));
    folded.is_some_and(|header| header.split('.').any(|part| CREDENTIALS.contains(&part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Catalogue, String) {
        let (document, faults) = tollgate_config::parse("policies/catalogue.yaml", text);
        let catalogue = Catalogue::read(document.root(&faults));
        (catalogue, faults.to_string())
    }

    #[test]
    fn aliases_are_names_of_one_attribute() {
        let (catalogue, faults) =
            read("attributes:\n  user.id: {class: direct, aliases: [enduser.id]}\n  http.route: op\n");
        assert_eq!(faults, "");
        let said = |name| match catalogue.find(name) {
            Found::Whole(entry) => Some((entry.attribute.as_str(), entry.class)),
            Found::Faulty | Found::Nowhere => None,
        };
        assert_eq!(said("enduser.id"), Some(("user.id", Class::Direct)));
        assert_eq!(said("http.route"), Some(("http.route", Class::Op)));
        assert_eq!(said("http.rout"), None);
    }

    #[test]
    fn every_fault_is_reported_at_its_place_and_hides_no_other() {
        let (catalogue, faults) = read(concat!(
            "attributes:\n",
            "  a: personal\n",
            "  b.*: op\n",
            "  http.request.header.Set_Cookie: op\n",
            "  c d: {class: 1, aliases: [i.*, 2, http.route, a]}\n",
            "  e: {class: op, aliases: [f.*]}\n",
            "  http.route: {class: op, aliases: [h], on_device: 7}\n",
            "  h: op\n",
            "  j: unclassified\n",
            "  k: quasi\n",
            "devices: [k, 'k k', 7, l..]\n",
            "names: {span: ['{http.route}', '{a}', '{k} {gone}', '{', 8], event: [9]}\n",
            "extra: 1\n",
        ));
        let places: Vec<&str> = faults
            .lines()
            .filter_map(|line| line.split(": ").next()?.strip_prefix("policies/catalogue.yaml:"))
            .collect();
        let expected = [
            "2:6", "3:3", "4:3", "5:3", "5:16", "5:29", "5:34", "5:49", "6:28", "6:28", "7:3", "7:37", "7:52", "9:3",
            "11:14", "11:21", "11:24", "12:39", "12:39", "12:53", "12:58", "12:70", "13:1",
        ];
        assert_eq!(places, expected, "{faults}");
        assert!(matches!(catalogue.find("a"), Found::Faulty), "its fault is not repeated wherever it is used");
    }

    #[test]
    fn a_catalogue_that_cannot_be_read_may_hold_any_name() {
        for text in ["attributes: [a]", "names: {span: ['{http.route}']}", "- a"] {
            let (catalogue, faults) = read(text);
            assert_eq!(faults.lines().count(), 1, "{faults}");
            assert!(matches!(catalogue.find("http.route"), Found::Faulty));
        }
    }

    #[test]
    fn no_catalogue_makes_a_credential_anything_but_secret() {
        for key in ["http.request.header.authorization", "rpc.grpc.request.metadata.x_api_key", "a.header.Cookie"] {
            let (_, faults) = read(&format!("attributes:\n  {key}: free\n"));
            assert!(faults.contains("always secret"), "{faults}");
            assert_eq!(read(&format!("attributes:\n  {key}: secret\n")).1, "");
        }
    }
}
