//! Random policies of every stateless type, as deep as the Collector lets them nest.

use serde_json::{Value, json};

use crate::conditions;
use crate::dice::Dice;

const CASES: usize = 300;

/// The policies of one sampler.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) policies: Value,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Equal sets are the bar.
    Equal,
    /// A defect of the Collector, or what it loses in silence: the sets differ, and a test says how.
    Defect,
}

impl Case {
    pub(crate) fn of(policies: Value) -> Self {
        Self { policies, kind: Kind::Equal }
    }

    pub(crate) fn defect(policies: Value) -> Self {
        Self { policies, kind: Kind::Defect }
    }

    /// The block that we read; its bounds keep hundreds of samplers small.
    pub(crate) fn text(&self) -> String {
        json!({"num_traces": crate::traffic::TRACES, "policies": self.policies}).to_string()
    }

    /// What is wrong with two answers, if anything is.
    pub(crate) fn difference(&self, ours: &[bool], theirs: &[bool]) -> Option<String> {
        let only = |one: &[bool], other: &[bool]| {
            let places = one.iter().zip(other).enumerate().filter(|(_, (one, other))| **one && !**other);
            places.map(|(place, _)| place).take(8).collect::<Vec<_>>()
        };
        match self.kind {
            Kind::Equal if ours == theirs => None,
            Kind::Equal => {
                let (we, they) = (only(ours, theirs), only(theirs, ours));
                Some(format!("{}\n  we alone keep {we:?}, they alone {they:?}", self.text()))
            }
            Kind::Defect if ours == theirs => Some(format!("{}\n  is no difference any more", self.text())),
            Kind::Defect => None,
        }
    }
}

pub(crate) fn random(seed: u64) -> Vec<Case> {
    let mut dice = Dice::new(seed ^ 0x0bad_cafe);
    (0..CASES)
        .map(|_| Case::of((0..1 + dice.below(4)).map(|place| any(&mut dice, &format!("p{place}"))).collect()))
        .collect()
}

fn any(dice: &mut Dice, name: &str) -> Value {
    match dice.below(12) {
        0 | 1 => and(dice, name),
        2 => json!({"name": name, "type": "drop", "drop": {"drop_sub_policy": parts(dice, name, simple_or_not)}}),
        3 => not(dice, name),
        4 => composite(dice, name),
        _ => simple(dice, name),
    }
}

fn parts(dice: &mut Dice, name: &str, part: fn(&mut Dice, &str) -> Value) -> Vec<Value> {
    (0..1 + dice.below(3)).map(|place| part(dice, &format!("{name}-{place}"))).collect()
}

fn and(dice: &mut Dice, name: &str) -> Value {
    json!({"name": name, "type": "and", "and": {"and_sub_policy": parts(dice, name, simple_or_not)}})
}

fn not(dice: &mut Dice, name: &str) -> Value {
    json!({"name": name, "type": "not", "not": {"not_sub_policy": simple(dice, &format!("{name}-not"))}})
}

fn simple_or_not(dice: &mut Dice, name: &str) -> Value {
    if dice.one_in(4) { not(dice, name) } else { simple(dice, name) }
}

fn simple_or_and(dice: &mut Dice, name: &str) -> Value {
    if dice.one_in(4) { and(dice, name) } else { simple(dice, name) }
}

/// With so much to give that it never runs out.
fn composite(dice: &mut Dice, name: &str) -> Value {
    let parts = parts(dice, name, simple_or_and);
    let names: Vec<_> = parts.iter().map(|part| part["name"].clone()).collect();
    let share = 100 / names.len();
    let allocation: Vec<_> = names.iter().map(|name| json!({"policy": name, "percent": share})).collect();
    json!({"name": name, "type": "composite", "composite": {
        "max_total_spans_per_second": 1_000_000_000, "policy_order": names, "composite_sub_policy": parts,
        "rate_allocation": allocation,
    }})
}

fn simple(dice: &mut Dice, name: &str) -> Value {
    let (kind, block) = match dice.below(15) {
        0 => ("latency", json!({"threshold_ms": dice.of(&[0, 1, 400, 1_500, 2_400])})),
        1 | 2 => ("numeric_attribute", numeric(dice)),
        3 | 4 => ("boolean_attribute", boolean(dice)),
        5..=7 => ("string_attribute", string(dice)),
        8 => (
            "status_code",
            json!({"status_codes": dice.of(&[&["ERROR"][..], &["OK"], &["UNSET", "ERROR"], &["UNSET"]])}),
        ),
        9 => ("probabilistic", probabilistic(dice)),
        10 => ("span_count", json!({"min_spans": dice.below(6), "max_spans": dice.of(&[0, 3, 5, 6])})),
        11 => ("trace_state", trace_state(dice)),
        12 => ("trace_flags", Value::Null),
        13 => limited(dice),
        _ if dice.one_in(6) => ("always_sample", Value::Null),
        _ => ("ottl_condition", conditions::policy(dice)),
    };
    let mut policy = json!({"name": name, "type": kind});
    if !block.is_null() {
        policy[kind] = block;
    }
    policy
}

/// Bounds of zero are no bounds for the Collector: a defect that stands elsewhere.
fn numeric(dice: &mut Dice) -> Value {
    let (low, high) = *dice.of(&[(200, 404), (500, 599), (1, 10), (-10, -1), (2, 1_000_000)]);
    let mut block = json!({
        "key": dice.text(&["num.status", "num.size", "num.replica", "num.none"]), "invert_match": dice.one_in(3),
    });
    let which = dice.below(4);
    if which != 0 {
        block["min_value"] = low.into();
    }
    if which != 1 {
        block["max_value"] = high.into();
    }
    block
}

fn boolean(dice: &mut Dice) -> Value {
    json!({
        "key": dice.text(&["flag.cached", "flag.canary", "flag.none"]),
        "value": dice.one_in(2), "invert_match": dice.one_in(3),
    })
}

const EXPRESSIONS: &[&[&str]] = &[
    &["^/users/\\d+$"],
    &["o", "^g"],
    &["[a-z]+-west-[[:digit:]]"],
    &["(?i)GOLD|SHOP"],
    &[".*"],
    &["^$"],
    &["\\<", "\\>", "health\\z"],
    &["^[\\w-.]+$"],
    &["[--/][^[:^alpha:]]"],
    &["\\x2f\\157rders", "\\Qa+b\\E"],
    &["(?i)^/USERS/\\d{1,3}$"],
    &["^\\pL{4}$", "\\p{lu}", "^$"],
];
const VALUES: &[&[&str]] = &[&["gold"], &["silver", "shop"], &["/health", "eu-west-1", "payment"], &[""], &["no"]];

fn string(dice: &mut Dice) -> Value {
    let key = dice.text(&["text.tier", "text.path", "text.where", "service.name", "text.none"]);
    let expressions = dice.one_in(2);
    let values = *dice.of(if expressions { EXPRESSIONS } else { VALUES });
    json!({"key": key, "values": values, "enabled_regex_matching": expressions, "invert_match": dice.one_in(3)})
}

fn probabilistic(dice: &mut Dice) -> Value {
    json!({
        "sampling_percentage": dice.of(&[0.0, 0.5, 10.0, 33.3, 50.0, 66.6, 99.9, 100.0, 150.0]),
        "hash_salt": dice.text(&["", "salt", "default-hash-seed"]),
    })
}

/// Everything or nothing: what lies between depends on when it is asked.
fn limited(dice: &mut Dice) -> (&'static str, Value) {
    let limit = *dice.of(&[0, 1_000_000_000]);
    match dice.below(2) {
        0 => ("rate_limiting", json!({"spans_per_second": limit})),
        _ => ("bytes_limiting", json!({"bytes_per_second": limit})),
    }
}

fn trace_state(dice: &mut Dice) -> Value {
    json!({"key": dice.text(&["a", "vendor", "b", "ot", "none"]), "values": dice.of(&[&["1"][..], &["2", "x y"], &["4", "th:8;rv:1"]])})
}
