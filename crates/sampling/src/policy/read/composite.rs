//! The `composite` policy: sub-policies that share a rate of spans.
//!
//! Where it differs from the Collector, which parses `policy_order` and asks in the order of the list, and bounds each
//! sub-policy by the whole rate but not their sum: the order is honoured, and the sum is bounded.

use std::collections::BTreeMap;

use tollgate_config::{Located, Value};

use super::{Notes, done, kind, or_default};
use crate::policy::rule::{Composite, Rule};

/// The percent of the whole.
const WHOLE: u64 = 100;

pub(super) fn composite(value: Value<'_>, notes: &Notes) -> Option<Rule> {
    let mut fields = value.fields()?;
    let total: Option<u64> = fields.required("max_total_spans_per_second");
    let list = fields.required_value("composite_sub_policy");
    let subs = list.and_then(|list| kind::subs(list, notes));
    let order: Option<Vec<Located<String>>> = or_default(&mut fields, "policy_order", Vec::new());
    let order_at = fields.value("policy_order");
    let allocation = fields.value("rate_allocation");
    let percents = allocation.map_or(Some(Vec::new()), percents);
    done(fields);
    let (total, mut subs, order, percents) = (total?, subs?, order?, percents?);

    let names: Vec<String> = subs.iter().map(|(name, _)| name.clone()).collect();
    for stray in order.iter().chain(percents.iter().map(|(name, _)| name)) {
        if !names.contains(&stray.value) {
            notes.add_at(stray.at.clone(), "names no policy of this composite");
        }
    }
    let rank = |name: &str| order.iter().position(|listed| listed.value == name).unwrap_or(order.len());
    subs.sort_by_key(|(name, _)| rank(name));
    if let Some(value) = order_at.filter(|_| subs.iter().zip(&names).any(|((name, _), listed)| name != listed)) {
        notes.add(value, "is the order in which they are asked; the Collector asks in the order of the list");
    }
    let shares = Shares::new(&names, &percents);
    if let (Some(value), true) = (allocation, shares.exceed_the_whole) {
        notes.add(value, "adds up to more than 100 %: the sum still stays within `max_total_spans_per_second`");
    }
    if shares.nobody_left
        && let Some(value) = allocation
    {
        notes.add(value, "leaves nothing for the policies that it does not name: they keep no trace");
    }
    let subs = subs.into_iter().map(|(name, rule)| (rule, shares.spans(&name, total))).collect();
    Some(Rule::Composite(Composite { total, subs }))
}

fn percents(value: Value<'_>) -> Option<Vec<(Located<String>, u64)>> {
    let allocation = |item: Value<'_>| {
        let mut fields = item.fields()?;
        let policy = fields.required("policy");
        let percent = or_default(&mut fields, "percent", 0);
        done(fields);
        Some((policy?, percent?))
    };
    let read: Vec<_> = value.items()?.into_iter().map(allocation).collect();
    read.into_iter().collect()
}

/// Who gets how much: what is allocated, and of the rest each of the others as much.
struct Shares {
    percents: BTreeMap<String, u64>,
    rest: u64,
    others: u64,
    exceed_the_whole: bool,
    nobody_left: bool,
}

impl Shares {
    fn new(names: &[String], allocated: &[(Located<String>, u64)]) -> Self {
        // The last one counts, and zero stands for none, as for the Collector.
        let all: BTreeMap<String, u64> =
            allocated.iter().map(|(name, percent)| (name.value.clone(), *percent)).collect();
        let percents: BTreeMap<String, u64> = all.into_iter().filter(|(_, percent)| *percent > 0).collect();
        let given = names.iter().filter_map(|name| percents.get(name)).fold(0_u64, |sum, one| sum.saturating_add(*one));
        let others = names.iter().filter(|name| !percents.contains_key(*name)).count() as u64;
        let rest = WHOLE.saturating_sub(given);
        Self { percents, rest, others, exceed_the_whole: given > WHOLE, nobody_left: others > 0 && rest == 0 }
    }

    fn spans(&self, name: &str, total: u64) -> u64 {
        let of = |percent: u64, parts: u64| {
            let share = u128::from(total) * u128::from(percent) / (u128::from(WHOLE) * u128::from(parts.max(1)));
            u64::try_from(share).unwrap_or(u64::MAX)
        };
        self.percents.get(name).map_or_else(|| of(self.rest, self.others), |percent| of(*percent, 1))
    }
}
