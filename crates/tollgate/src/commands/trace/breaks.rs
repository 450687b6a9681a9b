//! `tollgate trace breaks`: where traces do not join, by service and region.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{ask, said};
use crate::cli::{Asked, Output};
use crate::commands::print;
use crate::exit::Exit;

pub(super) fn breaks(Asked { nodes, output }: &Asked) -> Result<ExitCode, Exit> {
    let answers = nodes.iter().map(|node| ask(node, "/breaks")).collect::<Result<Vec<_>, _>>()?;
    match output {
        Output::Text => print::text(&text(&answers)),
        Output::Json => print::json(&json!({"nodes": answers})),
    }
    Ok(ExitCode::SUCCESS)
}

/// What several nodes saw of one break, put together.
#[derive(Default)]
struct Sum {
    traces: u64,
    spans: u64,
    first: String,
    last: String,
    example: String,
}

impl Sum {
    fn add(&mut self, entry: &Value) {
        let number = |key: &str| entry.get(key).and_then(Value::as_u64).unwrap_or_default();
        self.traces += number("traces");
        self.spans += number("spans");
        let (first, last) = (said(entry, "first"), said(entry, "last"));
        if self.first.is_empty() || first < self.first {
            self.first = first;
        }
        if last > self.last {
            (self.last, self.example) = (last, said(entry, "example"));
        }
    }
}

fn text(answers: &[Value]) -> String {
    let mut text = String::new();
    let mut sums: BTreeMap<[String; 3], Sum> = BTreeMap::new();
    for answer in answers {
        let [node, since, traces, large] = ["node", "since", "traces", "traces_too_large"].map(|key| said(answer, key));
        let share = answer.get("share").and_then(Value::as_f64).unwrap_or_default() * 100.0;
        let _ = writeln!(
            text,
            "{node}: {traces} traces looked at since {since}, {share:.1} % of all now, {large} too large"
        );
        let hidden: Vec<&str> = list(answer, "regions_withheld").iter().filter_map(Value::as_str).collect();
        if !hidden.is_empty() {
            let _ = writeln!(text, "  the documents keep spans away of {}", hidden.join(", "));
        }
        for entry in list(answer, "breaks") {
            let key = [said(entry, "kind"), place(entry.get("from")), place(entry.get("to"))];
            sums.entry(key).or_default().add(entry);
        }
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.traces));
    for ([kind, from, to], Sum { traces, spans, first, last, example }) in sums {
        let _ = writeln!(
            text,
            "{kind:<16} {from} -> {to}: {traces} traces, {spans} spans, {first} to {last}, such as {example}"
        );
    }
    for (to, [with, without]) in entered(answers) {
        let _ = writeln!(text, "{to} was entered {with} times with a parent and {without} times without");
    }
    text
}

/// Services that were entered with a parent and without, each with how often: public ones, or some of their callers, or a proxy
/// before them, lose the context.
fn entered(answers: &[Value]) -> BTreeMap<String, [u64; 2]> {
    let mut services: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    for entry in answers.iter().flat_map(|answer| list(answer, "entered")) {
        let sums = services.entry(place(Some(entry))).or_default();
        for (sum, key) in sums.iter_mut().zip(["with_parent", "without_parent"]) {
            *sum += entry.get(key).and_then(Value::as_u64).unwrap_or_default();
        }
    }
    services.retain(|_, sums| !sums.contains(&0));
    services
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Where a trace began may not be known.
fn place(value: Option<&Value>) -> String {
    match value.filter(|value| !value.is_null()) {
        Some(place) => format!("{} ({})", said(place, "service"), said(place, "region")),
        None => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_nodes_saw_is_put_together() {
        let entry = |traces: u64, last: &str, example: &str| {
            json!({
                "kind": "parent_missing", "from": null, "to": {"service": "pay", "region": "us-east"}, "traces": traces,
                "spans": traces * 2, "first": "a", "last": last, "example": example,
            })
        };
        let answer = |node: &str, entry: Value| {
            json!({
                "node": node, "since": "s", "share": 0.25, "traces": 7, "traces_too_large": 0,
                "regions_withheld": ["uk-south"], "breaks": [entry],
                "entered": [{
                    "service": "pay", "region": "us-east", "with_parent": u64::from(node == "one") * 5,
                    "without_parent": u64::from(node == "two") * 2, "example": null,
                }],
            })
        };
        let text = text(&[answer("one", entry(1, "b", "x")), answer("two", entry(2, "c", "y"))]);
        for said in [
            "one: 7 traces looked at since s, 25.0 % of all now, 0 too large",
            "  the documents keep spans away of uk-south",
            "parent_missing   ? -> pay (us-east): 3 traces, 6 spans, a to c, such as y",
            "pay (us-east) was entered 5 times with a parent and 2 times without",
        ] {
            assert!(text.contains(said), "{said} is not in\n{text}");
        }
    }
}
