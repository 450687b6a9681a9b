//! The sections of `policies/residency.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_config::Value;
use tollgate_federation::Listener;

use crate::catalogue::Catalogue;
use crate::claims::{Asks, Claims, Example, Kinds};
use crate::instrument::Instruments;
use crate::invariant::Invariant;
use crate::reading::{Found, Named, if_there, only, unknown};
use crate::rule::{Crossing, Mode, Narrowing, Outline, Pair, Rule, RuleDraft, Words, mode, pairs};
use crate::sender::{Sender, SentBy};
use crate::transform::Transforms;

/// Every regime with the law that its exports need a basis in; some have none.
pub(crate) type Laws = Named<Option<String>>;

/// The sections, as the schema shows them.
pub(crate) const KEYS: [&str; 8] =
    ["regimes", "mode", "instruments", "transforms", "rules", "not_together", "defaults", "invariants"];
/// The answers that a deployment could want otherwise one day. Until then each must stand as it is carried out.
pub(crate) const ANSWERS: [(&str, &str); 4] = [
    ("unclassified", "drop"),
    ("on_error", "drop"),
    ("expired_instrument", "deny_link"),
    ("audit_unwritable", "deny_link"),
];

/// What the document says.
#[derive(Debug)]
pub(crate) struct Residency {
    pub(crate) laws: Laws,
    /// In shadow the whole policy only counts, and nothing crosses.
    pub(crate) mode: Mode,
    pub(crate) instruments: Instruments,
    pub(crate) transforms: Transforms,
    pub(crate) rules: Vec<Rule>,
    /// Where the rules of each crossing lie.
    by_crossing: BTreeMap<Crossing, Vec<usize>>,
    /// Pairs that hold for every crossing.
    pub(crate) not_together: Vec<Pair>,
    /// What rules with faults may speak of: nothing is proved of it.
    pub(crate) unsettled: Vec<Outline>,
    pub(crate) invariants: Vec<Invariant>,
}

impl Residency {
    /// Reads every section whatever is wrong with another, so that one run finds all faults.
    pub(crate) fn read(root: Value<'_>, catalogue: &Catalogue) -> Option<Self> {
        let mut fields = root.fields()?;
        let laws = fields.required_value("regimes").map_or_else(Named::unread, |value| Named::read(value, law));
        let instruments =
            fields.value("instruments").map_or_else(Instruments::default, |value| Instruments::read(value, &laws));
        let mut transforms = fields.value("transforms").map(Transforms::read).unwrap_or_default();
        let rules = fields.required_value("rules");
        rules.into_iter().for_each(|rules| transforms.add_blinding(rules));
        let words = Words { catalogue, transforms: &transforms, regimes: &laws };
        let drafts = rules.map(|value| read_rules(value, words)).unwrap_or_default();
        if let Some(defaults) = fields.required_value("defaults") {
            check_defaults(defaults);
        }
        // A mode that could not be read is a fault, and then there is no policy at all.
        let mode = fields.value("mode").and_then(mode).unwrap_or_default();
        let not_together = fields.value("not_together").and_then(|value| pairs(value, words)).unwrap_or_default();
        let invariants = fields.value("invariants").and_then(|value| value.items()).unwrap_or_default();
        fields.done();
        let (mut rules, mut unsettled) = (Vec::new(), Vec::new());
        for draft in drafts {
            match draft.rule {
                Some(rule) => rules.push(rule),
                None => unsettled.push(draft.outline),
            }
        }
        let invariants = invariants.into_iter().filter_map(|value| Invariant::read(value, &laws)).collect();
        let by_crossing = index(&rules);
        check_kinds(root, &rules, &by_crossing);
        Some(Self { laws, mode, instruments, transforms, rules, by_crossing, not_together, unsettled, invariants })
    }

    /// The rules of one crossing, in shadow or not.
    pub(crate) fn rules_of(&self, crossing: &Crossing) -> impl Iterator<Item = &Rule> {
        let places = self.by_crossing.get(crossing).map_or(&[][..], Vec::as_slice);
        places.iter().filter_map(|place| self.rules.get(*place))
    }

    /// The senders of one crossing that its rules tell apart, in shadow or not; the first is always the one of whom nothing is
    /// proved.
    pub(crate) fn senders(&self, crossing: &Crossing) -> Vec<Sender> {
        let narrowings = || self.rules_of(crossing).filter_map(|rule| rule.narrowing.as_ref());
        let named: BTreeSet<&str> = narrowings().flat_map(Narrowing::clusters).collect();
        let others = (!named.is_empty()).then_some(SentBy::OtherCluster);
        let named = named.into_iter().map(|name| SentBy::Cluster(name.to_owned()));
        let clusters = std::iter::once(None).chain(named.chain(others).map(Some));
        let tells_listeners = narrowings().any(Narrowing::names_listeners);
        let listeners = || std::iter::once(None).chain(Listener::ALL.into_iter().filter(|_| tells_listeners).map(Some));
        clusters
            .flat_map(|cluster| listeners().map(move |listener| Sender { cluster: cluster.clone(), listener }))
            .collect()
    }

    /// The claims that the rules which hold ask for.
    pub(crate) fn asks(&self, crossing: &Crossing, holds: impl Fn(&Rule) -> bool) -> BTreeSet<Asks> {
        self.rules_of(crossing).filter(|rule| holds(rule)).filter_map(Rule::asks).cloned().collect()
    }

    /// The kinds of data that the active rules tell apart by what it says of itself.
    pub(crate) fn kinds(&self, crossing: &Crossing) -> Vec<Example> {
        let kinds = Kinds::of(self.asks(crossing, Rule::is_active));
        let listed = kinds.map(|kinds| kinds.iter().map(|(_, example)| example.clone()).collect());
        listed.unwrap_or_else(|| [Claims::OTHER, Claims::UNCLEAR].map(Example::unnamed).into())
    }

    /// Every crossing that a rule speaks of.
    pub(crate) fn crossings(&self) -> impl Iterator<Item = &Crossing> {
        self.by_crossing.keys()
    }
}

fn index(rules: &[Rule]) -> BTreeMap<Crossing, Vec<usize>> {
    let mut index: BTreeMap<Crossing, Vec<usize>> = BTreeMap::new();
    for (place, rule) in rules.iter().enumerate() {
        index.entry(rule.crossing.clone()).or_default().push(place);
    }
    index
}

/// Each kind of data has a table of its own, so there cannot be any number of them.
fn check_kinds(root: Value<'_>, rules: &[Rule], by_crossing: &BTreeMap<Crossing, Vec<usize>>) {
    for (crossing, places) in by_crossing {
        let asking = || places.iter().filter_map(|place| rules.get(*place)).filter(|rule| rule.asks().is_some());
        let kinds = Kinds::of(asking().filter_map(Rule::asks).cloned().collect());
        if let (None, Some(last)) = (kinds, asking().next_back()) {
            let Crossing { origin, reaching, signal } = crossing;
            let message = format_args!(
                "the rules for {signal} from {origin} reaching {reaching} tell more than {} kinds of data apart by service, \
                 namespace and environment: put what is held back alike into one rule",
                Kinds::MOST
            );
            root.faults().report(&last.at, message);
        }
    }
}

/// Reads the name of a regime that the document declares.
pub(crate) fn regime(value: Value<'_>, laws: &Laws) -> Option<String> {
    let name = value.read::<String>()?;
    if let Found::Nowhere = laws.find(&name) {
        value.fault(unknown("regime", &name, laws.names()));
        return None;
    }
    Some(name)
}

fn law(value: Value<'_>) -> Option<Option<String>> {
    let mut fields = value.fields()?;
    let law = if_there(fields.value("law"), Value::read);
    fields.done()?;
    law
}

fn check_defaults(value: Value<'_>) {
    let Some(mut fields) = value.fields() else { return };
    for (key, word) in ANSWERS {
        if let Some(value) = fields.required_value(key) {
            only(value, word, "nothing else is supported");
        }
    }
    fields.done();
}

fn read_rules(value: Value<'_>, words: Words<'_>) -> Vec<RuleDraft> {
    let Some(items) = value.items() else { return vec![RuleDraft::default()] };
    let mut ids: BTreeMap<String, usize> = BTreeMap::new();
    let mut drafts = Vec::new();
    for item in items {
        let draft = RuleDraft::read(item, words);
        if let Some(id) = &draft.id {
            match ids.get(&id.value) {
                Some(line) => {
                    let message = format_args!(
                        "the id `{}` is already that of the rule in line {line}: choose another",
                        id.value
                    );
                    item.faults().report(&id.at, message);
                }
                None => drop(ids.insert(id.value.clone(), id.at.line)),
            }
        }
        drafts.push(draft);
    }
    drafts
}
