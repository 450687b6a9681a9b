//! The documents that sealing and sampling are measured with: the repository's own, and as many rules more as asked for.

use std::fmt::Write as _;
use std::sync::Arc;

use time::macros::date;
use tollgate_config::Set;
use tollgate_federation::{FederationDraft, LinkId, Signal};
use tollgate_redaction::{Epoch, Keys, RootKey, Sealer};
use tollgate_residency::{Policy, Table};
use tollgate_sampling::PolicySet;

use super::requests::operational;

/// The names that `Shape::Attributes` uses.
const OPERATIONAL: usize = 100;
/// So many keys of the deployment's own come with each rule more.
const KEYS_A_RULE: usize = 5;

/// The link from Europe to the United States, under the example's policy and so many rules of one attribute each, with as many
/// keys more as a catalogue of that size has.
pub(crate) fn table(more_rules: usize) -> Table {
    let mut catalogue = include_str!("../../../../policies/catalogue.yaml").to_owned();
    let residency = include_str!("../../../../policies/residency.yaml");
    (0..OPERATIONAL).for_each(|number| writeln!(catalogue, "  {}: op", operational(number)).unwrap());
    let mut rules = String::from("rules:\n");
    for number in 0..more_rules * KEYS_A_RULE {
        writeln!(catalogue, "  acme.person.{number}: direct").unwrap();
    }
    for number in 0..more_rules {
        let allow = format!("allow: {{direct: {{only: {{acme.person.{number}: user-key}}}}}}");
        writeln!(rules, "  - {{id: more-{number}, origin: EEA, reaching: US, signal: traces, {allow}}}").unwrap();
    }
    let residency = residency.replacen("rules:\n", &rules, 1);
    let (set, faults) = Set::from_texts([
        ("regions/federation.yaml", include_str!("../../../../regions/federation.yaml")),
        ("regions/eu-west.yaml", include_str!("../../../../regions/eu-west.yaml")),
        ("regions/uk-south.yaml", include_str!("../../../../regions/uk-south.yaml")),
        ("regions/us-east.yaml", include_str!("../../../../regions/us-east.yaml")),
        ("policies/catalogue.yaml", catalogue.as_str()),
        ("policies/residency.yaml", residency.as_str()),
    ]);
    let draft = FederationDraft::read(&set, &faults);
    let policy = Policy::read(&set, &draft, &faults);
    assert!(faults.is_empty(), "{faults}");
    let federation = draft.whole().unwrap();
    let origin = "EEA".parse().unwrap();
    policy.unwrap().table(&federation, LinkId(0), Signal::Traces, &origin, date!(2026 - 12 - 01)).unwrap()
}

/// Seals under that table.
pub(crate) fn sealer(more_rules: usize) -> Sealer {
    Sealer::new(Arc::new(table(more_rules)), Arc::new(OneKey))
}

/// The example's four sampling policies.
pub(crate) fn sampling() -> PolicySet {
    let text = include_str!("../../../../policies/sampling.yaml");
    let (document, faults) = tollgate_config::parse("policies/sampling.yaml", text);
    let mut fields = document.root(&faults).fields().unwrap();
    let policies = fields.required("tail_sampling");
    fields.done();
    assert!(faults.is_empty(), "{faults}");
    policies.unwrap()
}

struct OneKey;

impl Keys for OneKey {
    fn root(&self, _: &str, _: Epoch) -> Option<RootKey> {
        Some(RootKey::new([7; 32]))
    }
}
