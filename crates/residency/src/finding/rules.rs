//! Rules that are dead, redundant, contradicted, in shadow, or silent on classes.

use super::{Finding, Kind, Look};
use crate::answers::{Answers, Because, By};
use crate::class::Class;
use crate::compile;
use crate::day::When;
use crate::explain::{Reason, RuleAt};
use crate::rule::{Grant, Mode, Rule};
use crate::table::{Cells, Rows};

impl Look<'_> {
    pub(super) fn rules(&self) -> Vec<Finding> {
        let residency = &self.policy.residency;
        let crossed = self.crossed();
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
                found.extend(self.redundant(rule));
                found.extend(self.contradicted(rule));
            } else {
                let crossing = &rule.crossing;
                let message = format!(
                    "rule {} is dead: no link brings {} from {} to {}",
                    rule.id, crossing.signal, crossing.origin, crossing.reaching
                );
                found.push(of_rule(Kind::DeadRule, rule, message));
            }
            found.extend(unanswered(rule));
        }
        found
    }

    fn redundant(&self, rule: &Rule) -> Option<Finding> {
        let without = self.answered(rule, Some(&rule.id));
        let same = self.answered(rule, None) == without;
        let message = format!("rule {} is redundant: without it the same would cross", rule.id);
        same.then(|| of_rule(Kind::RedundantRule, rule, message))
    }

    /// What the rules of a crossing come to, with or without one of them; `None` where nothing crosses.
    fn answered(&self, rule: &Rule, gone: Option<&str>) -> Option<(Cells, Rows)> {
        let when = When::On(self.today);
        let answers = Answers::without(&self.policy.residency, &rule.crossing, when, gone);
        let open = answers.denied_all().is_empty() && answers.unmet().next().is_none();
        let answered = (compile::cells(&answers, &rule.crossing), compile::rows(&answers, &self.policy.catalogue));
        (open && lets_something(&answered)).then_some(answered)
    }

    /// What the rule allows and nothing of it crosses.
    fn contradicted(&self, rule: &Rule) -> Vec<Finding> {
        let answers = Answers::of(&self.policy.residency, &rule.crossing, When::On(self.today));
        let mut found = Vec::new();
        let mut judge = |class: Class, attribute: Option<&str>| {
            let because = answers.why(class, attribute);
            if matches!(because, Because::Allowed(_) | Because::Narrowed(_)) {
                return;
            }
            let (reason, by) = Reason::of(&because, class);
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
}

fn ids(by: &[By<'_>]) -> String {
    let mut ids: Vec<&str> = by.iter().map(|by| by.rule.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    format!("rule {}", ids.join(", "))
}

fn lets_something((cells, rows): &(Cells, Rows)) -> bool {
    use crate::form::Action;
    let row = |row: &crate::table::Row| row.server.action != Action::Absent || row.device.action != Action::Absent;
    cells.iter().flatten().any(|action| *action != Action::Absent) || rows.iter().any(row)
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
