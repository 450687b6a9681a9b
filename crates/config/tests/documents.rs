//! Guarantees of reading: every fault at once, at its place, and nothing that is not meant.
#![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tollgate_config::{ByteSize, Fields, Located, Read, Set, Value, load, parse};

/// Parses and reads a text as `T`; the faults as they print.
fn faults_of<T: Read>(text: &str) -> Vec<String> {
    let (document, faults) = parse("a.yaml", text);
    let _ = document.root(&faults).read::<T>();
    faults.iter().map(|fault| fault.to_string()).collect()
}

fn read<T: Read>(text: &str) -> T {
    let (document, faults) = parse("a.yaml", text);
    let value = document.root(&faults).read();
    assert!(faults.is_empty(), "{faults}");
    value.unwrap()
}

/// A mapping with a name, a port and a list of waits.
struct Service;

impl Read for Service {
    fn read(value: Value<'_>) -> Option<Self> {
        let mut fields: Fields<'_> = value.fields()?;
        let name: Option<String> = fields.required("name");
        let port: Option<u16> = fields.optional("port");
        let waits: Option<Vec<Duration>> = fields.optional("waits");
        fields.done();
        (name.is_some() && port.is_some() && waits.is_some()).then_some(Self)
    }
}

#[test]
fn all_faults_of_a_document_are_reported_at_once() {
    let text = "\
one:
  name: 12
  prot: 80
  waits: [5s, soon, [1]]
two:
  port: 70000
  port: 80
three: text
";
    assert_eq!(
        faults_of::<BTreeMap<String, Service>>(text),
        [
            "a.yaml:2:9: one.name: expected text, found a number (quote it if it is text)",
            "a.yaml:3:3: one.prot: unknown key, did you mean \"port\"?",
            "a.yaml:4:15: one.waits[1]: expected a duration such as 5s, 200ms, 72h or 30d, below 584 years, found text",
            "a.yaml:4:21: one.waits[2]: expected a duration such as 5s, 200ms, 72h or 30d, below 584 years, found a list",
            "a.yaml:6:3: two: missing key \"name\"",
            "a.yaml:6:9: two.port: out of range, expected 0 to 65535",
            "a.yaml:7:3: two.port: duplicate key, first given in line 6",
            "a.yaml:8:8: three: expected a mapping, found text",
        ]
    );
}

#[test]
fn an_unknown_key_far_from_all_others_lists_them() {
    let faults = faults_of::<Service>("{name: a, port: 1, waits: [], colour: red}");
    assert_eq!(faults, ["a.yaml:1:31: colour: unknown key, known here: name, port, waits"]);
    let (document, faults) = parse("a.yaml", "{name: a}");
    let mut fields = document.root(&faults).fields().unwrap();
    let _: Option<String> = fields.required("name");
    assert!(fields.done().is_some(), "the reader is told whether a key may be what another was meant to be");
}

#[test]
fn the_first_of_two_equal_keys_counts_and_the_second_is_still_checked_for_notation() {
    let (document, faults) = parse("a.yaml", "a: 1\na: {b: *c}\n");
    let printed: Vec<String> = faults.iter().map(|fault| fault.to_string()).collect();
    assert_eq!(
        printed,
        [
            "a.yaml:2:1: a: duplicate key, first given in line 1",
            "a.yaml:2:8: a.b: aliases are not allowed: what stands is what is meant",
        ]
    );
    let read: Option<BTreeMap<String, u8>> = document.root(&faults).read();
    assert_eq!(read, Some(BTreeMap::from([("a".to_owned(), 1)])));
}

#[test]
fn anchors_aliases_tags_and_merge_keys_are_faults_that_readers_do_not_repeat() {
    let text = "\
base: &base {x: 1}
copy: *base
lost: *nowhere
tagged: !!int 5
merged: {<<: {y: 2}}
";
    let messages: Vec<String> = faults_of::<BTreeMap<String, Located<BTreeMap<String, u8>>>>(text);
    assert_eq!(
        messages,
        [
            "a.yaml:1:7: base: anchors are not allowed: what stands is what is meant",
            "a.yaml:2:7: copy: aliases are not allowed: what stands is what is meant",
            "a.yaml:3:7: lost: aliases are not allowed: what stands is what is meant",
            "a.yaml:4:9: tagged: tags are not allowed: what stands is what is meant",
            "a.yaml:4:15: tagged: expected a mapping, found a number (quote it if it is text)",
            "a.yaml:5:10: merged.<<: merge keys are not allowed: what stands is what is meant",
        ]
        .map(|fault| fault.replace("merged.<<", "merged[\"<<\"]"))
    );
}

#[test]
fn keys_that_are_not_text_are_faults_and_the_rest_is_read() {
    let faults = faults_of::<BTreeMap<String, u8>>("? [a, b]\n: 1\n: 2\nok: x\n");
    assert_eq!(
        faults,
        [
            "a.yaml:1:3: ?: a key must be text".replace("?:", "[\"?\"]:"),
            "a.yaml:3:1: [\"~\"]: a key is missing before the colon".to_owned(),
            "a.yaml:4:5: ok: expected an integer, found text".to_owned(),
        ]
    );
}

#[test]
fn a_key_without_end_is_one_fault_and_is_not_repeated() {
    let faults = faults_of::<BTreeMap<String, u8>>(&format!("? {}\n: *x\nok: 1\n", "k".repeat(5_000)));
    assert_eq!(
        faults,
        [
            "a.yaml:1:3: [\"?\"]: a key is at most 256 bytes long",
            "a.yaml:2:3: [\"?\"]: aliases are not allowed: what stands is what is meant",
        ]
    );
}

#[test]
fn too_large_a_document_is_one_fault() {
    assert_eq!(faults_of::<Service>(&"#".repeat(5 << 20)), ["a.yaml:1:1: larger than 4194304 bytes"]);
}

#[test]
fn too_deep_a_document_is_one_fault() {
    for text in ["[".repeat(100_000), "a: ".repeat(3) + &"[".repeat(65), nested_blocks(65)] {
        let faults = faults_of::<Vec<u8>>(&text);
        assert_eq!(faults.len(), 1, "{faults:?}");
    }
    assert_eq!(faults_of::<Located<Vec<Anything>>>(&("[".repeat(64) + &"]".repeat(64))), [""; 0]);
}

struct Anything;

impl Read for Anything {
    fn read(_: Value<'_>) -> Option<Self> {
        Some(Self)
    }
}

fn nested_blocks(levels: usize) -> String {
    (0..levels).map(|level| format!("{}a:\n", " ".repeat(level))).collect()
}

#[test]
fn broken_syntax_is_one_fault_and_readers_add_none() {
    let faults = faults_of::<Service>("name: a\nport: [1\nwaits: ]\n");
    assert_eq!(faults.len(), 1, "{faults:?}");
    let (document, _) = parse("a.yaml", "a: [");
    assert!(document.is_broken());
}

#[test]
fn a_second_document_in_a_file_is_a_fault() {
    assert_eq!(faults_of::<Service>("name: a\n---\nname: b\n"), ["a.yaml:2:1: a file holds one document"]);
}

#[test]
fn directives_are_faults() {
    assert_eq!(faults_of::<Service>("%YAML 1.2\n---\nname: a\n").len(), 1);
}

#[test]
fn an_empty_document_is_nothing_and_readers_say_so() {
    for text in ["", "# only a note\n", "---\n"] {
        let faults = faults_of::<Service>(text);
        assert_eq!(faults.len(), 1, "{text:?}: {faults:?}");
        assert!(faults.iter().all(|fault| fault.ends_with("expected a mapping, found nothing")), "{faults:?}");
    }
}

#[test]
fn quoted_scalars_are_text_and_plain_ones_follow_the_core_schema() {
    assert_eq!(read::<Vec<String>>("[no, off, yes, \"1e3\", '0x10', \"true\", 1.2.3]").len(), 7);
    assert_eq!(faults_of::<Vec<String>>("[1e3, 0x10, true, ~]").len(), 4);
    assert_eq!(faults_of::<Vec<bool>>("[no, True, 'true', 1]").len(), 4);
    assert!(read::<bool>("true"));
}

#[test]
fn the_common_types_are_read() {
    assert_eq!(read::<Vec<u64>>("[0x10, 0o10, 10, 18446744073709551615]"), [16, 8, 10, u64::MAX]);
    assert_eq!(read::<Vec<i64>>("[-5, +5]"), [-5, 5]);
    assert_eq!(read::<Vec<f64>>("[1.5, 2, 1e3]"), [1.5, 2.0, 1000.0]);
    assert_eq!(read::<Vec<Duration>>("[5s, 1h30m]"), [Duration::from_secs(5), Duration::from_secs(5400)]);
    assert_eq!(read::<ByteSize>("64MiB"), ByteSize(64 << 20));
    assert_eq!(read::<SocketAddr>("0.0.0.0:4317"), "0.0.0.0:4317".parse().unwrap());
    assert_eq!(faults_of::<Vec<f64>>("[.nan, .inf, 1e999]").len(), 3);
    assert_eq!(faults_of::<Vec<u64>>("[-1, 18446744073709551616, 1.0]").len(), 3);
    assert_eq!(faults_of::<SocketAddr>("localhost:4317").len(), 1);
}

#[test]
fn entries_come_sorted_so_that_nothing_depends_on_their_order() {
    let (document, faults) = parse("a.yaml", "{b: 1, a: 2}");
    let keys: Vec<String> = document.root(&faults).entries().unwrap().into_iter().map(|(key, _)| key.value).collect();
    assert_eq!(keys, ["a", "b"]);
}

#[test]
fn columns_count_characters_and_paths_quote_what_they_must() {
    let faults = faults_of::<BTreeMap<String, BTreeMap<String, u8>>>("\"ü.é\": {\"ä b\": x}\n");
    assert_eq!(faults, ["a.yaml:1:16: [\"ü.é\"][\"ä b\"]: expected an integer, found text"]);
}

#[test]
fn a_value_never_appears_in_a_fault() {
    let text = "{name: [hunter2], port: hunter2, waits: hunter2}";
    let printed = faults_of::<Service>(text).join("\n");
    assert!(!printed.contains("hunter2"), "{printed}");
}

#[test]
fn a_choice_names_the_words_or_the_nearest_one() {
    let words = [("none", 0), ("gzip", 1), ("zstd", 2)];
    let (document, faults) = parse("a.yaml", "[gzip, gizp, brotli, 5]");
    let root = document.root(&faults);
    let read: Vec<Option<i32>> = root.items().unwrap().into_iter().map(|item| item.choice(&words)).collect();
    assert_eq!(read, [Some(1), None, None, None]);
    let printed = faults.to_string();
    assert!(printed.contains("did you mean \"gzip\"?"), "{printed}");
    assert!(printed.contains("expected one of: none, gzip, zstd"), "{printed}");
    assert_eq!(faults.len(), 3);
}

#[test]
fn a_folder_is_loaded_with_the_faults_of_all_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("regions/federation.yaml", "a: 1\na: 2\n");
    write("regions/eu-west.yaml", "a: ${env:HOME}\n");
    write("regions/us-east.yml", "a: 1\n");
    write("regions/.hidden.yaml", "a: [\n");
    write("policies/residency.yaml", "a: [\n");
    write("policies/bytes.yaml", "");
    std::fs::write(folder.path().join("policies/bytes.yaml"), [0xff, 0xfe, 0xfd]).unwrap();
    write("policies/cases/one.yaml", "a: [\n");
    write("policies/folder.yaml/one.yaml", "a: [\n");
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("policies/socket.yaml")).unwrap();
    write("other.yaml", "a: [\n");
    let (set, faults) = load(folder.path());
    let places: Vec<String> = faults.iter().map(|fault| fault.at.to_string()).collect();
    assert_eq!(
        places,
        [
            "policies/bytes.yaml:1:1",
            "policies/folder.yaml:1:1",
            "policies/residency.yaml:1:4",
            "policies/socket.yaml:1:1",
            "regions/eu-west.yaml:1:4: a",
            "regions/federation.yaml:2:1: a",
            "regions/us-east.yml:1:1",
        ]
    );
    let names: Vec<&str> = set.documents().map(tollgate_config::Document::name).collect();
    assert_eq!(
        names,
        [
            "policies/bytes.yaml",
            "policies/folder.yaml",
            "policies/residency.yaml",
            "policies/socket.yaml",
            "regions/eu-west.yaml",
            "regions/federation.yaml"
        ]
    );
    // One that cannot be read is there all the same: nobody says that it is missing, or that it holds nothing.
    let before = faults.len();
    assert!(set.require("policies/bytes.yaml", &faults).unwrap().root(&faults).read::<Service>().is_none());
    assert_eq!(faults.len(), before, "{faults}");
}

#[test]
fn a_missing_folder_and_a_missing_document_are_faults() {
    let folder = tempfile::tempdir().unwrap();
    let (set, faults) = load(folder.path());
    assert_eq!(faults.len(), 2);
    assert!(set.require("regions/federation.yaml", &faults).is_none());
    assert!(faults.to_string().contains("regions/federation.yaml:1:1: the document is missing"));
}

#[test]
fn variables_are_allowed_outside_a_set_only() {
    let text = "token: ${env:TOKEN}\n${env:KEY}: 1\n";
    assert!(parse("node.yaml", text).1.is_empty());
    let (_, faults) = Set::from_texts([("regions/a.yaml", text)]);
    assert_eq!(faults.len(), 2);
    let (set, faults) = Set::from_texts([("a.yaml", "name: a\nport: ${env:PORT}\n${env:KEY}: 1\n")]);
    assert!(set.get("a.yaml").unwrap().root(&faults).read::<Service>().is_none());
    let places: Vec<String> = faults.iter().map(|fault| fault.at.to_string()).collect();
    assert_eq!(places, ["a.yaml:2:7: port", "a.yaml:3:1: [\"${env:KEY}\"]"], "readers add nothing");
}
