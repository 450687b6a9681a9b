//! Which attribute key is of which class.
//!
//! Promises:
//! 1. A key is found by exact match, else by the longest template; what is in neither is unclassified.
//! 2. All names of one attribute, old and new, are answered alike.
//! 3. No document can make a credential's header anything but secret.
//! 4. A template never holds operational keys: below it the sender chooses the key, and a key is data too.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_config::{Read, Value};

use crate::class::Class;
use crate::pattern::Pattern;

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
    entries: BTreeMap<String, Entry>,
    /// Keys or templates whose presence says that a resource is a person's device.
    pub(crate) devices: BTreeSet<String>,
    /// Span names that are operational as they stand.
    pub(crate) span_names: BTreeSet<Pattern>,
    /// Event names that are operational as they stand.
    pub(crate) event_names: BTreeSet<String>,
}

impl Catalogue {
    pub(crate) fn read(root: Value<'_>) -> Option<Self> {
        let mut fields = root.fields()?;
        let mut catalogue = Self::default();
        let attributes = fields.required_value("attributes");
        for (key, value) in attributes.and_then(|value| value.entries()).unwrap_or_default() {
            catalogue.add(&key.value, value);
        }
        let devices = fields.optional::<Vec<String>>("devices");
        catalogue.devices.extend(devices.unwrap_or_default());
        if let Some(mut names) = fields.value("names").and_then(|value| value.fields()) {
            for value in names.value("span").and_then(|value| value.items()).unwrap_or_default() {
                catalogue.span_names.extend(catalogue.pattern(value));
            }
            catalogue.event_names.extend(names.optional::<Vec<String>>("event").unwrap_or_default());
            names.done();
        }
        fields.done();
        for marker in &catalogue.devices {
            if spelling_fault(marker).is_some() {
                root.fault(format_args!("devices: `{marker}` is neither a key nor a template"));
            }
        }
        Some(catalogue)
    }

    /// Finds an attribute by a name that a document spells, template or key.
    pub(crate) fn named(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    fn pattern(&self, value: Value<'_>) -> Option<Pattern> {
        let pattern = Pattern::parse(&value.read::<String>()?);
        let Some(pattern) = pattern else {
            value.fault("a span name is text with attributes in braces");
            return None;
        };
        for name in pattern.attributes() {
            match self.named(name) {
                Some(entry) if entry.class == Class::Op && entry.attribute == name => {}
                Some(entry) if entry.class == Class::Op => {
                    value.fault(format_args!("`{name}` is another name of `{}`: say that one", entry.attribute));
                }
                _ => value.fault(format_args!("`{name}` is not operational, so no span name can be composed of it")),
            }
        }
        Some(pattern)
    }

    fn add(&mut self, key: &str, value: Value<'_>) {
        let Some(said) = value.read::<Said>() else { return };
        let entry = Entry { attribute: key.to_owned(), class: said.class, on_device: said.on_device };
        for name in std::iter::once(key).chain(said.aliases.iter().map(String::as_str)) {
            if let Some(fault) = spelling_fault(name).or_else(|| class_fault(name, said.class)) {
                value.fault(fault);
            }
            if is_template(name) != is_template(key) {
                value.fault(format_args!("`{name}` and `{key}` must both be templates or both be keys"));
            }
            if let Some(other) = self.entries.insert(name.to_owned(), entry.clone()) {
                value.fault(format_args!("`{name}` is already a name of `{}`", other.attribute));
            }
        }
    }
}

/// An entry as written: a class alone, or a mapping.
struct Said {
    class: Class,
    on_device: Option<Class>,
    aliases: Vec<String>,
}

impl Read for Said {
    fn read(value: Value<'_>) -> Option<Self> {
        if value.is_scalar() {
            let class = value.read()?;
            return Some(Self { class, on_device: None, aliases: Vec::new() });
        }
        let mut fields = value.fields()?;
        let class = fields.required("class");
        let on_device = fields.optional("on_device");
        let aliases = fields.optional("aliases").unwrap_or_default();
        fields.done();
        Some(Self { class: class?, on_device, aliases })
    }
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

    fn read(text: &str) -> (Option<Catalogue>, String) {
        let (document, faults) = tollgate_config::parse("policies/catalogue.yaml", text);
        let catalogue = Catalogue::read(document.root(&faults));
        (catalogue, faults.to_string())
    }

    #[test]
    fn aliases_are_names_of_one_attribute() {
        let (catalogue, faults) =
            read("attributes:\n  user.id: {class: direct, aliases: [enduser.id]}\n  http.route: op\n");
        let catalogue = catalogue.unwrap();
        assert_eq!(faults, "");
        assert_eq!(catalogue.named("enduser.id").unwrap().attribute, "user.id");
        assert_eq!(catalogue.named("http.route").unwrap().class, Class::Op);
        assert!(catalogue.named("http.rout").is_none());
    }

    #[test]
    fn every_fault_is_reported_at_its_place() {
        let (_, faults) = read(concat!(
            "attributes:\n",
            "  a: personal\n",
            "  b.*: op\n",
            "  http.request.header.Set_Cookie: op\n",
            "  c d: op\n",
            "  e: {class: op, aliases: [f.*]}\n",
            "  g: {class: op, aliases: [h]}\n",
            "  h: op\n",
            "  i: unclassified\n",
            "extra: 1\n",
        ));
        for line in [2, 3, 4, 5, 6, 8, 9, 10] {
            assert!(faults.contains(&format!("catalogue.yaml:{line}:")), "nothing on line {line}:\n{faults}");
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
