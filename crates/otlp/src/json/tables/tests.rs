//! Compares the tables with the official definition, as `protoc` compiled it.

use super::*;
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet};

#[derive(prost::Message)]
struct Files {
    #[prost(message, repeated, tag = "1")]
    files: Vec<File>,
}

#[derive(prost::Message)]
struct File {
    #[prost(string, tag = "2")]
    package: std::string::String,
    #[prost(message, repeated, tag = "4")]
    messages: Vec<Official>,
}

#[derive(Clone, prost::Message)]
struct Official {
    #[prost(string, tag = "1")]
    name: std::string::String,
    #[prost(message, repeated, tag = "2")]
    fields: Vec<OfficialField>,
    #[prost(message, repeated, tag = "3")]
    nested: Vec<Official>,
}

#[derive(Clone, prost::Message)]
struct OfficialField {
    #[prost(string, tag = "1")]
    name: std::string::String,
    #[prost(uint32, tag = "3")]
    number: u32,
    #[prost(int32, tag = "4")]
    label: i32,
    #[prost(int32, tag = "5")]
    kind: i32,
    #[prost(string, tag = "6")]
    message: std::string::String,
    #[prost(int32, optional, tag = "9")]
    oneof: Option<i32>,
    #[prost(string, tag = "10")]
    json_name: std::string::String,
    #[prost(bool, tag = "17")]
    is_optional: bool,
}

impl OfficialField {
    fn rule(&self) -> Rule {
        match (self.label, self.is_optional, self.oneof) {
            (3, ..) => Rule::Repeated,
            (_, true, _) => Rule::Optional,
            (_, _, Some(_)) => Rule::Oneof,
            _ => Rule::Plain,
        }
    }

    fn kind(&self) -> &'static str {
        match self.kind {
            1 => "Double",
            3 => "Int64",
            4 => "Uint64",
            5 => "Int32",
            6 => "Fixed64",
            7 => "Fixed32",
            8 => "Bool",
            9 => "String",
            11 => "Message",
            12 if self.name.ends_with("_id") => "Id",
            12 => "Bytes",
            13 => "Uint32",
            14 => "Enum",
            16 => "Sfixed64",
            17 => "Sint32",
            other => panic!("type {other} is not used by OTLP"),
        }
    }
}

fn kind_name(kind: Kind) -> std::string::String {
    match kind {
        Message(_) => "Message".to_owned(),
        kind => format!("{kind:?}"),
    }
}

fn official() -> BTreeMap<std::string::String, Official> {
    #[expect(clippy::disallowed_methods, reason = "prost is the oracle here")]
    let files = Files::decode(opentelemetry_proto::DESCRIPTORS).unwrap();
    let mut found = BTreeMap::new();
    for file in files.files {
        for message in file.messages {
            let name = format!(".{}.{}", file.package, message.name);
            for nested in &message.nested {
                found.insert(format!("{name}.{}", nested.name), nested.clone());
            }
            found.insert(name, message);
        }
    }
    found
}

fn compare(
    name: &str,
    ours: &'static Descriptor,
    official: &BTreeMap<std::string::String, Official>,
    seen: &mut BTreeSet<std::string::String>,
) {
    if !seen.insert(name.to_owned()) {
        return;
    }
    let theirs = &official[name];
    assert_eq!(ours.fields().len(), theirs.fields.len(), "{name}");
    assert!(ours.fields().is_sorted_by_key(|field| field.number), "{name}");
    for field in &theirs.fields {
        let (_, found) = ours.by_number(field.number).unwrap_or_else(|| panic!("{name}.{}", field.name));
        assert_eq!(found.name, field.json_name, "{name}");
        assert_eq!((found.rule, kind_name(found.kind).as_str()), (field.rule(), field.kind()), "{name}.{}", field.name);
        for spelling in [&field.name, &field.json_name] {
            assert_eq!(ours.by_key(spelling).unwrap().1.number, field.number, "{name}.{spelling}");
        }
        if let Message(nested) = found.kind {
            compare(&field.message, nested, official, seen);
        }
    }
}

#[test]
fn tables_are_the_official_definition() {
    let (official, mut seen) = (official(), BTreeSet::new());
    let collector = ".opentelemetry.proto.collector";
    for (name, ours) in [
        ("trace.v1.ExportTraceServiceRequest", &TRACES),
        ("metrics.v1.ExportMetricsServiceRequest", &METRICS),
        ("logs.v1.ExportLogsServiceRequest", &LOGS),
        ("trace.v1.ExportTraceServiceResponse", &TRACES_RESPONSE),
        ("metrics.v1.ExportMetricsServiceResponse", &METRICS_RESPONSE),
        ("logs.v1.ExportLogsServiceResponse", &LOGS_RESPONSE),
    ] {
        compare(&format!("{collector}.{name}"), ours, &official, &mut seen);
    }
    assert_eq!(seen.len(), 40, "{seen:?}");
}
