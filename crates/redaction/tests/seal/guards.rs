//! A guard of the catalogue narrows what crosses as it is.

use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::trace::v1::Span;
use tollgate_redaction::Sealer;

use crate::world::*;

#[test]
fn a_text_beyond_the_guard_of_its_class_stays() {
    let guarded = |catalogue: &str| format!("{catalogue}\nguards: {{op: {{longest: 8, characters: identifier}}}}\n");
    let table = table_of(str::to_owned, guarded, "EEA", 0);
    let mut sealer = Sealer::new(Arc::new(table), Arc::new(ALL_KEYS));
    let fits = || vec![text("http.request.method", "GET"), text("rpc.method", "shop.Add")];
    let sent = [fits(), vec![text("http.route", "/a/{id}"), text("peer.service", "shop.Cart")]].concat();
    let arrived = sealed_span(&mut sealer, span(sent));
    assert_eq!((arrived.attributes, arrived.dropped_attributes_count), (fits(), 2));
}

/// Name and version of a scope as they cross in place of these.
fn sealed_scope(sealer: &mut Sealer, name: &str, version: &str) -> (String, String) {
    let mut sent = request(vec![], vec![span(vec![])]);
    let scope = InstrumentationScope { name: name.to_owned(), version: version.to_owned(), ..Default::default() };
    sent.resource_spans[0].scope_spans[0].scope = Some(scope);
    let arrived = decoded(&seal(sealer, &sent).whole().bytes());
    let scope = arrived.resource_spans[0].scope_spans[0].scope.clone().unwrap_or_default();
    (scope.name, scope.version)
}

#[test]
fn a_scope_keeps_to_the_guard_of_its_class() {
    let guarded = |catalogue: &str| format!("{catalogue}\nguards: {{op: {{characters: identifier}}}}\n");
    let mut narrow = Sealer::new(Arc::new(table_of(str::to_owned, guarded, "EEA", 0)), Arc::new(ALL_KEYS));
    let (name, version) = ("List<Cart>", "1.0+7");
    assert_eq!(sealed_scope(&mut example(), name, version), (name.to_owned(), version.to_owned()));
    assert_eq!(sealed_scope(&mut narrow, name, version), (String::new(), String::new()));
    let fits = ("shop.Cart".to_owned(), "1.0.7".to_owned());
    assert_eq!(sealed_scope(&mut narrow, &fits.0, &fits.1), fits);
}

/// Guarantees: a sentence of a few plain words is no word of a system, wherever it stands and however it is cut.
#[test]
fn free_text_of_a_few_words_stays_under_every_operational_key() {
    let mut sealer = example();
    let catalogue = include_str!("../../../../policies/catalogue.yaml");
    let keys: Vec<_> = catalogue.lines().filter_map(|line| line.strip_prefix("  ")?.split_once(": ")).collect();
    let keys: Vec<_> = keys.into_iter().filter(|(_, class)| class.contains("op")).map(|(key, _)| key).collect();
    assert!(keys.len() > 200);
    for words in ["Maria Keller", "Maria Keller wrote", "Maria Keller wrote this"] {
        for keys in keys.chunks(100) {
            let sent = keys.iter().map(|key| text(key, words)).collect();
            assert_eq!(sealed_span(&mut sealer, span(sent)).attributes, []);
        }
        assert_eq!(sealed_scope(&mut sealer, words, words), (String::new(), String::new()));
    }
}

#[test]
fn what_vendors_and_statements_spell_with_blanks_crosses() {
    let fits = vec![text("db.query.summary", "SELECT orders JOIN customers"), text("os.name", "Mac OS X")];
    let sent = Span { name: "SELECT orders JOIN customers".to_owned(), ..span(fits.clone()) };
    let arrived = sealed_span(&mut example(), sent.clone());
    assert_eq!((arrived.attributes, arrived.name), (fits.clone(), sent.name));
    let guarded = |catalogue: &str| format!("{catalogue}\nguards: {{op: {{characters: identifier}}}}\n");
    let mut narrow = Sealer::new(Arc::new(table_of(str::to_owned, guarded, "EEA", 0)), Arc::new(ALL_KEYS));
    assert_eq!(sealed_span(&mut narrow, span(fits)).attributes, []);
}
