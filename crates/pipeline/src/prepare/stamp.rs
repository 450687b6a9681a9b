//! The resource attributes that say where data comes from.
//!
//! Promises:
//! 1. Attributes given in the documents replace every occurrence the sender set.
//! 2. Attributes found in the environment are added only where the sender set none.
//! 3. All other bytes of the resource stay as they are.

use tollgate_federation::StampSource;
use tollgate_otlp::Writer;
use tollgate_otlp::wire::{Fields, Wire};

/// Field of `Resource` that holds attributes (opentelemetry-proto, `resource.proto`).
const ATTRIBUTES: u32 = 1;
/// Field of `KeyValue` that holds the key (`common.proto`).
const KEY: u32 = 1;

/// What to write into each resource.
#[derive(Debug, Default)]
pub(crate) struct Stamp {
    /// Replace what the sender set.
    fixed: Vec<(String, String)>,
    /// Fill in what the sender left out.
    found: Vec<(String, String)>,
}

/// The variable that the downward API is asked to fill, as the Collector's `k8snode` detector expects it.
const NODE_NAME: &str = "K8S_NODE_NAME";
/// The variable of the OpenTelemetry specification, as the Collector's `env` detector reads it.
const RESOURCE_ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";

impl Stamp {
    /// Collects what the documents give and what the environment holds.
    pub(crate) fn new(stamp: &tollgate_federation::Stamp, variable: impl Fn(&str) -> Option<String>) -> Self {
        let fixed = vec![
            ("deployment.environment.name".to_owned(), stamp.environment.clone()),
            ("k8s.cluster.name".to_owned(), stamp.cluster.clone()),
            ("cloud.region".to_owned(), stamp.region.to_string()),
        ];
        let mut found = Vec::new();
        for source in &stamp.from {
            match source {
                StampSource::Env => found.extend(variable(RESOURCE_ATTRIBUTES).iter().flat_map(|text| pairs(text))),
                StampSource::K8s => found.extend(variable(NODE_NAME).map(|name| ("k8s.node.name".to_owned(), name))),
            }
        }
        // The first source that knows an attribute wins, and the documents win over all.
        let mut known: Vec<String> = fixed.iter().map(|(key, _)| key.clone()).collect();
        found.retain(|(key, _)| {
            !known.contains(key) && {
                known.push(key.clone());
                true
            }
        });
        Self { fixed, found }
    }

    /// Writes the resource anew, with the stamp in it.
    pub(crate) fn write(&self, resource: &[u8], out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        let mut set_by_sender = Vec::new();
        for field in Fields::new(resource) {
            // The walk at the door has read every field of this resource already.
            let Ok(field) = field else { break };
            let key = if field.number == ATTRIBUTES { key(&field.value) } else { None };
            match key {
                Some(key) if self.fixed.iter().any(|(fixed, _)| fixed.as_bytes() == key) => {}
                Some(key) => {
                    set_by_sender.push(key);
                    writer.raw(field.raw);
                }
                None => writer.raw(field.raw),
            }
        }
        let absent = self.found.iter().filter(|(key, _)| !set_by_sender.contains(&key.as_bytes()));
        for (key, value) in self.fixed.iter().chain(absent) {
            writer.key_string(ATTRIBUTES, key, value);
        }
    }
}

fn key<'a>(attribute: &Wire<'a>) -> Option<&'a [u8]> {
    let Wire::Bytes(body) = attribute else { return None };
    let found = Fields::new(body).filter_map(Result::ok).find(|field| field.number == KEY)?;
    if let Wire::Bytes(key) = found.value { Some(key) } else { None }
}

/// `key=value` pairs separated by commas, percent-encoded (OpenTelemetry specification, resource SDK).
fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split(',').filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let key = key.trim();
        (!key.is_empty()).then(|| Some((percent_decode(key)?, percent_decode(value.trim())?)))?
    })
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first == b'%' {
            let digits = tail.get(..2)?;
            bytes.push(data_encoding::HEXUPPER_PERMISSIVE.decode(digits).ok()?.first().copied()?);
            rest = tail.get(2..)?;
        } else {
            bytes.push(first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(attributes: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        for (key, value) in attributes {
            writer.key_string(ATTRIBUTES, key, value);
        }
        bytes
    }

    fn stamp() -> Stamp {
        Stamp {
            fixed: vec![("k8s.cluster.name".to_owned(), "eu-west-a".to_owned())],
            found: vec![("k8s.node.name".to_owned(), "node-1".to_owned())],
        }
    }

    fn stamped(attributes: &[(&str, &str)]) -> Vec<u8> {
        let mut out = Vec::new();
        stamp().write(&resource(attributes), &mut out);
        out
    }

    #[test]
    fn the_documents_replace_what_the_sender_claims() {
        let claimed = [("k8s.cluster.name", "elsewhere"), ("service.name", "shop"), ("k8s.cluster.name", "twice")];
        let expected = [("service.name", "shop"), ("k8s.cluster.name", "eu-west-a"), ("k8s.node.name", "node-1")];
        assert_eq!(stamped(&claimed), resource(&expected));
    }

    #[test]
    fn the_environment_only_fills_in() {
        let expected = [("k8s.node.name", "mine"), ("k8s.cluster.name", "eu-west-a")];
        assert_eq!(stamped(&[("k8s.node.name", "mine")]), resource(&expected));
    }

    #[test]
    fn unknown_fields_of_a_resource_stay() {
        let unknown = [0xfa, 0x07, 0x01, 0x2a]; // field 127, length-delimited
        let mut out = Vec::new();
        stamp().write(&unknown, &mut out);
        assert!(out.starts_with(&unknown));
    }

    #[test]
    fn resource_attributes_of_the_environment_are_percent_decoded() {
        let read: Vec<_> = pairs("team=a%20b, key = v,broken,=x,bad=%zz").collect();
        assert_eq!(read, [("team".into(), "a b".into()), ("key".into(), "v".into())]);
    }
}
