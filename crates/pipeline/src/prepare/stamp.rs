//! The resource attributes that say where data comes from.
//!
//! Promises:
//! 1. Attributes given in the documents replace every occurrence the sender set.
//! 2. Attributes found in the environment are added only where the sender set none.
//! 3. All other bytes of the resource stay as they are.
//!
//! Of Kubernetes only the node's name is found: a collector that runs once on each node shares it with the services that send
//! to it. Its own pod, by whatever variable the downward API gives it, is not theirs.

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
                StampSource::Env => found.extend(variable(RESOURCE_ATTRIBUTES).iter().flat_map(|text| listed(text))),
                StampSource::K8s => {
                    let name = variable(NODE_NAME).filter(|name| !name.is_empty());
                    found.extend(name.map(|name| ("k8s.node.name".to_owned(), name)));
                }
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

/// The attributes of the environment; none of them if one cannot be read, as the specification wants it.
fn listed(text: &str) -> Vec<(String, String)> {
    pairs(text).unwrap_or_else(|| {
        tracing::warn!("{RESOURCE_ATTRIBUTES} is not a list of key=value, percent-encoded: all of it is left out");
        Vec::new()
    })
}

/// `key=value` pairs separated by commas, percent-encoded (OpenTelemetry specification, resource SDK).
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let read = pairs.map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let key = percent_decode(key.trim())?;
        (!key.is_empty()).then_some((key, percent_decode(value.trim())?))
    });
    read.collect()
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
    fn resource_attributes_of_the_environment_are_percent_decoded_all_or_none() {
        let read = pairs("team=a%20b, k%65y = v=w%2C%c3%bc,empty=,").unwrap();
        let expected = [("team", "a b"), ("key", "v=w,ü"), ("empty", "")];
        assert_eq!(read, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        for broken in ["team=a,broken", "team=a,=x", "team=a,bad=%zz", "team=a,cut=%2", "team=a,text=%ff"] {
            assert_eq!(pairs(broken), None, "{broken}");
        }
    }

    #[test]
    fn of_kubernetes_only_the_node_is_found_and_the_collectors_own_pod_is_nobodys() {
        let documents = crate::rig::documents();
        let cluster = documents.federation().clusters("eu-west").next().unwrap();
        assert_eq!(cluster.stamp().from, [StampSource::Env, StampSource::K8s]);
        let environment = |name: &str| match name {
            "OTEL_RESOURCE_ATTRIBUTES" => Some("team=shop,k8s.cluster.name=elsewhere".to_owned()),
            "K8S_NODE_NAME" => Some("node-1".to_owned()),
            name if name.starts_with("K8S_POD") || name == "K8S_NAMESPACE_NAME" => Some("tollgate-0".to_owned()),
            _ => None,
        };
        let mut out = Vec::new();
        Stamp::new(cluster.stamp(), environment).write(&resource(&[("k8s.pod.name", "cart-7")]), &mut out);
        let expected = [
            ("k8s.pod.name", "cart-7"),
            ("deployment.environment.name", "production"),
            ("k8s.cluster.name", "eu-west-a"),
            ("cloud.region", "eu-west"),
            ("team", "shop"),
            ("k8s.node.name", "node-1"),
        ];
        assert_eq!(out, resource(&expected));
    }
}
