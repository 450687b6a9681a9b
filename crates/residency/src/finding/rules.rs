//! Rules that are dead, redundant, contradicted, in shadow, or silent on classes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Kind, Look};
use crate::answers::{Answers, Because, By, Whose};
use crate::catalogue::Entry;
use crate::claims::Claims;
use crate::class::Class;
use crate::compile;
use crate::day::When;
use crate::explain::{Reason, RuleAt};
use crate::form::Action;
use crate::reading::Found;
use crate::rule::{Crossing, Grant, Mode, Rule};
use crate::sender::{Sender, Speaks};

/// Who sent something, and what it says of itself.
type Part = (Sender, Claims);

impl Look<'_> {
    pub(super) fn rules(&self) -> Vec<Finding> {
        let residency = &self.policy.residency;
        let crossed = self.crossed();
        let mut together: BTreeMap<&Crossing, Vec<(Part, Answers<'_>)>> = BTreeMap::new();
        let mut found = Vec::new();
        if residency.mode == Mode::Shadow {
            found.push(Finding::new(Kind::Shadow, None, "the whole policy is in shadow: nothing crosses any link"));
        }
        for rule in &residency.rules {
            if !rule.is_active() {
                let message = format!("rule {} is in shadow and decides nothing", rule.id);
                found.push(of_rule(Kind::Shadow, rule, message));
                continue;
            }
            if crossed.contains(&rule.crossing) {
                let all = together.entry(&rule.crossing).or_insert_with(|| self.by_part(&rule.crossing));
                let spoken = |(sender, claims): &Part| rule.speaks_of(sender, claims) != Speaks::Not;
                let mut spoken_of = all.iter().filter(|(part, _)| spoken(part));
                found.extend(contradicted(rule, spoken_of.clone().map(|(_, answers)| answers)));
                if spoken_of.all(|(part, answers)| self.is_redundant(rule, part, answers)) {
                    let message = format!("rule {} is redundant: without it the same would cross", rule.id);
                    found.push(of_rule(Kind::RedundantRule, rule, message));
                }
            } else {
                let crossing = &rule.crossing;
                let message = format!(
                    "rule {} is dead: no link brings {} from {} to {}",
                    rule.id, crossing.signal, crossing.origin, crossing.reaching
                );
                found.push(of_rule(Kind::DeadRule, rule, message));
            }
            found.extend(self.unreceived(rule));
            found.extend(unanswered(rule));
        }
        found
    }

    /// A rule for a listener that no collector which it may speak of has.
    fn unreceived(&self, rule: &Rule) -> Option<Finding> {
        let narrowing = rule.narrowing.as_ref().filter(|narrowing| narrowing.names_listeners())?;
        let origin = &rule.crossing.origin;
        let regions = self.federation.regions().filter(|region| region.regime().as_str() == origin);
        let mut clusters = regions.flat_map(|region| region.clusters().values());
        let message = format!(
            "rule {} is dead: no collector of {origin} that it may speak of has such a listener; of what none is known for it \
             holds back all the same",
            rule.id
        );
        (!clusters.any(|cluster| narrowing.may_come_by(cluster))).then(|| of_rule(Kind::DeadRule, rule, message))
    }

    /// What the rules of a crossing come to, for each part of the data that they tell apart.
    fn by_part(&self, crossing: &Crossing) -> Vec<(Part, Answers<'_>)> {
        let residency = &self.policy.residency;
        let of = |(sender, claims): Part| {
            let whose = Whose { crossing, sender: &sender, claims: &claims };
            let answers = Answers::of(residency, whose, When::On(self.today));
            ((sender, claims), answers)
        };
        let kinds = residency.kinds(crossing);
        let senders = residency.senders(crossing).into_iter();
        let parts = senders.flat_map(|sender| kinds.iter().map(move |kind| (sender.clone(), kind.claims.clone())));
        parts.map(of).collect()
    }

    fn is_redundant(&self, rule: &Rule, (sender, claims): &Part, all: &Answers<'_>) -> bool {
        let differing = self.spoken_of(rule, all);
        // A rule changes nothing but what it speaks of: where that stands alone, nobody else has to be asked. With a thousand
        // rules, comparing everything for each of them would take minutes.
        let is_local = is_open(all) && !closes(rule);
        if is_local
            && differing.iter().any(|attribute| all.partners(attribute.as_deref().unwrap_or_default()).is_empty())
        {
            return false;
        }
        if is_local && differing.is_empty() {
            return true;
        }
        let whose = Whose { crossing: &rule.crossing, sender, claims };
        let others = Answers::without(&self.policy.residency, whose, When::On(self.today), &rule.id);
        self.are_alike(all, &others, rule)
    }

    /// Of what a rule speaks, that which is answered otherwise without it: attributes, and classes as a whole as none.
    fn spoken_of(&self, rule: &Rule, all: &Answers<'_>) -> Vec<Option<String>> {
        let catalogue = &self.policy.catalogue;
        let whole = |class: &Class| {
            matches!(rule.allow.get(class), Some(Grant::All(_)))
                || rule.deny.classes.contains_key(class)
                || rule.cap.contains_key(class)
        };
        let classes: Vec<Class> = Class::ALL.into_iter().filter(whole).collect();
        let listed = rule.allow.values().filter_map(|grant| match grant {
            Grant::Only(list) => Some(list.keys()),
            Grant::All(_) => None,
        });
        let named: BTreeSet<&String> = listed.flatten().chain(rule.deny.attributes.keys()).collect();
        let in_whole = |entry: &&Entry| classes_of(entry).any(|class| classes.contains(&class));
        let of_classes = catalogue.attributes().filter(|_| !classes.is_empty()).filter(in_whole);
        let of_names = named.into_iter().filter_map(|name| match catalogue.find(name) {
            Found::Whole(entry) => Some(entry),
            Found::Faulty | Found::Nowhere => None,
        });
        let differs =
            |entry: &&Entry| classes_of(entry).any(|class| !all.is_alike_without(rule, class, Some(&entry.attribute)));
        let attributes = of_classes.chain(of_names).filter(differs).map(|entry| Some(entry.attribute.clone()));
        let differing = classes.iter().filter(|class| !all.is_alike_without(rule, **class, None)).map(|_| None);
        attributes.chain(differing).collect()
    }

    /// Whether two sets of rules of one crossing let the same cross.
    fn are_alike(&self, one: &Answers<'_>, two: &Answers<'_>, rule: &Rule) -> bool {
        let crossing = &rule.crossing;
        if !is_open(one) || !is_open(two) {
            return [one, two].iter().all(|answers| !is_open(answers) || !self.let_something(answers, rule));
        }
        if one.stripped() != two.stripped() || compile::cells(one, crossing) != compile::cells(two, crossing) {
            return false;
        }
        if one.has_pairs() || two.has_pairs() {
            let rows = |answers| compile::rows(answers, &self.policy.catalogue);
            return rows(one) == rows(two);
        }
        self.policy.catalogue.attributes().all(|entry| {
            let classes = || std::iter::once(entry.class).chain(entry.on_device);
            classes().all(|class| one.attribute(&entry.attribute, class) == two.attribute(&entry.attribute, class))
        })
    }

    fn let_something(&self, answers: &Answers<'_>, rule: &Rule) -> bool {
        let mut cells = compile::cells(answers, &rule.crossing).into_iter().flatten();
        let rows = || compile::rows(answers, &self.policy.catalogue);
        cells.any(|action| action != Action::Absent) || rows().iter().any(|row| row.server.action != Action::Absent)
    }
}

/// What the rule allows and nothing of it crosses, whoever sent it.
fn contradicted<'a>(rule: &Rule, answers: impl Iterator<Item = &'a Answers<'a>> + Clone) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut judge = |class: Class, attribute: Option<&str>| {
        let whys = answers.clone().map(|answers| answers.why(class, attribute));
        let crosses = |because: &Because<'_>| matches!(because, Because::Allowed(_) | Because::Narrowed(_));
        let whys: Vec<Because<'_>> = whys.collect();
        let Some(because) = whys.first().filter(|_| !whys.iter().any(crosses)) else { return };
        let (reason, by) = Reason::of(because, class);
        let what = attribute.map_or_else(|| class.to_string(), ToOwned::to_owned);
        let message = format!("rule {} allows {what}, and it does not cross: {reason} ({})", rule.id, ids(&by));
        let mut finding = of_rule(Kind::ContradictoryRule, rule, message);
        finding.rules.extend(by.iter().map(|by| RuleAt { id: by.rule.id.clone(), at: by.at.clone() }));
        finding.rules.sort();
        finding.rules.dedup();
        found.push(finding);
    };
    for (class, grant) in &rule.allow {
        match grant {
            Grant::All(_) => judge(*class, None),
            Grant::Only(list) => list.keys().for_each(|attribute| judge(*class, Some(attribute))),
        }
    }
    found
}

fn ids(by: &[By<'_>]) -> String {
    let mut ids: Vec<&str> = by.iter().map(|by| by.rule.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    format!("rule {}", ids.join(", "))
}

fn classes_of(entry: &Entry) -> impl Iterator<Item = Class> + use<> {
    std::iter::once(entry.class).chain(entry.on_device)
}

/// Whether a rule says something of its crossing as a whole, and not only of classes and attributes.
fn closes(rule: &Rule) -> bool {
    rule.deny.all.is_some() || rule.require.is_some() || !rule.not_together.is_empty()
}

fn is_open(answers: &Answers<'_>) -> bool {
    answers.denied_all().is_empty() && answers.unmet().next().is_none()
}

fn unanswered(rule: &Rule) -> Option<Finding> {
    let answered = rule.answered();
    // `defaults` answers for what is in no catalogue.
    let open = Class::ALL.into_iter().filter(|class| *class != Class::Unclassified && !answered.contains(class));
    let open: Vec<&str> = open.map(Class::as_str).collect();
    let message = format!("rule {} does not answer for: {}", rule.id, open.join(", "));
    (!open.is_empty()).then(|| of_rule(Kind::UnansweredClass, rule, message))
}

fn of_rule(kind: Kind, rule: &Rule, message: String) -> Finding {
    let rules = vec![RuleAt { id: rule.id.clone(), at: rule.at.clone() }];
    Finding { rules, ..Finding::new(kind, Some(&rule.at), message) }
}
