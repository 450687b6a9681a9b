//! Guarantees for any text: no panic, and a canonical text that is its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use tollgate_config::{ByteSize, Faults, Read, Value, parse};

/// Reads every node as every type.
fn read_all(value: Value<'_>) {
    fn each<T: Read>(value: Value<'_>) {
        let _ = value.read::<T>();
    }
    each::<String>(value);
    each::<bool>(value);
    each::<u16>(value);
    each::<i64>(value);
    each::<f64>(value);
    each::<Duration>(value);
    each::<ByteSize>(value);
    each::<SocketAddr>(value);
    each::<PathBuf>(value);
    each::<Vec<String>>(value);
    each::<BTreeMap<String, u8>>(value);
    if let Some(mut fields) = value.is_mapping().then(|| value.fields()).flatten() {
        let _ = fields.required::<String>("name");
        fields.done();
    }
    for (_, child) in value.is_mapping().then(|| value.entries()).flatten().unwrap_or_default() {
        read_all(child);
    }
    for child in value.is_sequence().then(|| value.items()).flatten().unwrap_or_default() {
        read_all(child);
    }
}

/// Texts built of what YAML gives a meaning to.
fn yaml_like() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "a",
        "b",
        "name",
        ": ",
        ":",
        "- ",
        "-",
        "\n",
        "\n  ",
        "\n    ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&x ",
        "*x",
        "!t ",
        "? ",
        "<<: ",
        "\"",
        "'",
        "|\n",
        ">\n",
        "#",
        " ",
        "\t",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "~",
        "1",
        "0x1f",
        ".5",
        "é",
        "\u{feff}",
        "\\",
        "\r",
        "${x}",
        "\u{0}",
        "@",
        "`",
    ]);
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

/// Documents without faults, as flow YAML.
fn document() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        "[a-z]{1,8}".prop_map(|word| word),
        any::<i32>().prop_map(|number| number.to_string()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        "[ -~é\u{1F600}]{0,12}".prop_map(|text| format!("'{}'", text.replace('\'', "''"))),
        Just("~".to_owned()),
    ];
    scalar.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..5).prop_map(|entries| {
                let entries: Vec<String> = entries.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("{{{}}}", entries.join(", "))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_text_is_read_without_panic(text in prop_oneof![any::<String>(), yaml_like()]) {
        let (document, faults) = parse("a.yaml", &text);
        read_all(document.root(&faults));
        let _ = (faults.to_string(), document.canonical());
    }

    #[test]
    fn a_broken_document_stays_silent(text in yaml_like()) {
        let (document, faults) = parse("a.yaml", &text);
        prop_assert_eq!(document.is_broken() && faults.is_empty(), false);
        let later = Faults::new();
        if document.is_broken() {
            read_all(document.root(&later));
            prop_assert!(later.is_empty());
        }
    }

    #[test]
    fn canonical_text_is_its_own_canonical_text(text in document()) {
        let (first, faults) = parse("a.yaml", &text);
        prop_assert!(faults.is_empty(), "{}: {}", text, faults);
        let canonical = first.canonical();
        let (second, faults) = parse("a.yaml", &canonical);
        prop_assert!(faults.is_empty(), "{}: {}", canonical, faults);
        prop_assert_eq!(second.canonical(), canonical);
    }

    #[test]
    fn faults_stand_inside_the_text(text in yaml_like()) {
        let (document, faults) = parse("a.yaml", &text);
        read_all(document.root(&faults));
        let breaks = text.chars().filter(|c| matches!(c, '\n' | '\r')).count();
        for fault in faults.iter() {
            prop_assert!((1..=breaks + 1).contains(&fault.at.line), "{}", fault);
            prop_assert!(fault.at.column >= 1, "{}", fault);
        }
    }
}
