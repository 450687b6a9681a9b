//! A guard of the catalogue narrows what crosses as it is.

use std::sync::Arc;

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
