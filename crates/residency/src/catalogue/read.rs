//! How catalogues are read: the shipped one, and a deployment's own beside it.
//!
//! Promises:
//! 1. Every fault is reported at its place and hides no other.
//! 2. A deployment's own document adds names; it cannot give another class to one that the first document has.

use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate_config::{Located, Value};

use super::guard::read_guards;
use super::{Catalogue, Entry, is_credential, is_template, template_prefix};
use crate::class::Class;
use crate::pattern::Pattern;
use crate::reading::{Found, if_there};

/// Longest key of the catalogue, in bytes.
const LONGEST_KEY: usize = 128;

/// The sections of a catalogue, as the schema shows them.
pub(crate) const KEYS: [&str; 4] = ["attributes", "devices", "names", "guards"];

/// The attribute of each name so far, and where the name stands.
type Owners = BTreeMap<String, (String, Arc<str>)>;

impl Catalogue {
    /// Reads the shipped catalogue, and a deployment's own if there is one.
    pub(crate) fn read(root: Value<'_>, own: Option<Value<'_>>) -> Self {
        let mut owners = Owners::new();
        let mut catalogue = Self::default();
        let documents = || std::iter::once((root, true)).chain(own.map(|own| (own, false)));
        // Span names of either may be composed of attributes of both.
        for (document, shipped) in documents() {
            catalogue.read_attributes(document, shipped, &mut owners);
        }
        for (document, _) in documents() {
            catalogue.read_rest(document);
        }
        catalogue
    }

    fn read_attributes(&mut self, root: Value<'_>, shipped: bool, owners: &mut Owners) {
        let Some(mut fields) = root.fields() else { return self.is_not_all() };
        let section = if shipped { fields.required_value("attributes") } else { fields.value("attributes") };
        let missing = section.is_none() && shipped;
        let attributes = section.and_then(|value| value.entries());
        if missing || (section.is_some() && attributes.is_none()) {
            self.is_not_all();
        }
        for (key, value) in attributes.unwrap_or_default() {
            self.add(key, value, owners);
        }
        // The other sections are read once all attributes are known.
        for key in KEYS {
            let _ = fields.value(key);
        }
        fields.done();
    }

    fn read_rest(&mut self, root: Value<'_>) {
        // The same again: whoever read the attributes has reported what is wrong with the mapping itself.
        let Some(mut fields) = root.is_mapping().then(|| root.fields()).flatten() else { return };
        for marker in fields.value("devices").map(texts).unwrap_or_default() {
            if spelling_fault(&marker.value).is_some() {
                let message = format_args!("`{}` is neither a key nor a template", marker.value);
                root.faults().report(&marker.at, message);
            }
            self.devices.insert(marker.value);
        }
        if let Some(mut names) = fields.value("names").and_then(|value| value.fields()) {
            for value in names.value("span").and_then(|value| value.items()).unwrap_or_default() {
                let pattern = self.pattern(value);
                self.span_names.extend(pattern);
            }
            let events = names.value("event").map(texts).unwrap_or_default();
            self.event_names.extend(events.into_iter().map(|event| event.value));
            names.done();
        }
        if let Some(guards) = fields.value("guards") {
            read_guards(guards, &mut self.guards);
        }
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
    fn add(&mut self, key: Located<String>, value: Value<'_>, owners: &mut Owners) {
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
            if let Some((other, file)) = owners.insert(name.clone(), (attribute.clone(), Arc::clone(&at.file))) {
                let place = if file == at.file { String::new() } else { format!(" in {file}: change it there") };
                value.faults().report(&at, format_args!("`{name}` is already a name of `{other}`{place}"));
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
