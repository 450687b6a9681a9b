//! Random conditions, written as the Collector reads them.

use serde_json::{Value, json};

use crate::dice::Dice;
use crate::policies::Case;

const CASES: usize = 500;

/// What conditions are about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Span,
    Event,
}

/// One condition each, so that a difference points at it.
pub(crate) fn random(seed: u64) -> Vec<Case> {
    let mut dice = Dice::new(seed ^ 0x0770_0077);
    let mut case = |number: usize| {
        let (key, about) = if number % 5 == 4 { ("spanevent", About::Event) } else { ("span", About::Span) };
        let condition = test(&mut dice, about, 1 + number % 2);
        // Conditions that hold for some span of nearly every trace would tell little.
        let condition =
            if dice.one_in(2) { format!("{} and ({condition})", narrow(&mut dice, about)) } else { condition };
        Case::of(json!([{"name": "c", "type": "ottl_condition", "ottl_condition": {
            "error_mode": dice.text(&["ignore", "silent"]), key: [condition],
        }}]))
    };
    (0..CASES).map(&mut case).collect()
}

/// Fails on some spans and holds for none, and does not say what that means.
pub(crate) fn failing_by_default() -> Case {
    let condition = "attributes[\"num.status\"][\"key\"] == 1";
    Case::of(json!([{"name": "c", "type": "ottl_condition", "ottl_condition": {"span": [condition]}}]))
}

/// The block of a policy among others.
pub(crate) fn policy(dice: &mut Dice) -> Value {
    let mut block = json!({"error_mode": dice.text(&["ignore", "silent"])});
    let which = dice.below(3);
    if which != 1 {
        block["span"] = (0..1 + dice.below(2)).map(|_| test(dice, About::Span, 1)).collect();
    }
    if which != 0 {
        block["spanevent"] = (0..1 + dice.below(2)).map(|_| test(dice, About::Event, 1)).collect();
    }
    block
}

fn narrow(dice: &mut Dice, about: About) -> String {
    let span = if about == About::Event { "span." } else { "" };
    match dice.below(4) {
        0 => format!("{span}kind == {}", dice.of(&["SPAN_KIND_SERVER", "SPAN_KIND_CLIENT", "3"])),
        1 => format!("{span}attributes[\"num.status\"] == {}", dice.of(&[200, 404, 500])),
        2 => format!("{span}name == \"{}\"", dice.of(&["SELECT", "POST /orders", ""])),
        _ => format!("{span}status.code == {}", dice.of(&["STATUS_CODE_ERROR", "STATUS_CODE_OK"])),
    }
}

fn test(dice: &mut Dice, about: About, depth: usize) -> String {
    if depth > 0 {
        let part = |dice: &mut Dice| test(dice, about, depth - 1);
        match dice.below(6) {
            0 => return format!("{} and {}", part(dice), part(dice)),
            1 => return format!("{} or {} and {}", part(dice), part(dice), part(dice)),
            2 => return format!("not ({})", part(dice)),
            3 => return format!("({}) and not {}", part(dice), comparison(dice, about)),
            _ => {}
        }
    }
    match dice.below(10) {
        0..=5 => comparison(dice, about),
        6 => dice.text(&["true", "false", "nil == nil", "1 < 2.5", "\"a\" < \"b\"", "[1] == [1]"]),
        _ => function(dice, about),
    }
}

fn comparison(dice: &mut Dice, about: About) -> String {
    let operator = dice.text(&["==", "==", "!=", "<", "<=", ">", ">="]);
    if dice.one_in(3) {
        return special(dice, about, &operator);
    }
    let left = value(dice, about, 1);
    let right = if dice.one_in(2) { literal(dice) } else { value(dice, about, 1) };
    format!("{left} {operator} {right}")
}

/// Paths beside what is like them.
fn special(dice: &mut Dice, about: About, operator: &str) -> String {
    let span = if about == About::Event { "span." } else { "" };
    match dice.below(9) {
        0 => format!("{span}kind {operator} {}", dice.of(&["SPAN_KIND_CLIENT", "2", "2.5"])),
        1 => format!("{span}kind.string {operator} \"{}\"", dice.of(&["Server", "Internal", "Unspecified"])),
        2 => format!(
            "{span}end_time - {span}start_time {operator} Duration(\"{}\")",
            dice.of(&["20ms", "1.5s", "400100us"])
        ),
        3 => format!(
            "{span}end_time_unix_nano - {span}start_time_unix_nano {operator} {}",
            dice.of(&["20000000", "2e9", "1e6"]).replace("2e9", "2.0e9").replace("1e6", "1000000")
        ),
        4 => format!(
            "{span}trace_state[\"{}\"] {operator} {}",
            dice.of(&["a", "vendor", "ot", "none"]),
            dice.of(&["\"1\"", "\"x y\"", "nil", "\"\""])
        ),
        5 => format!("{span}status.message {operator} \"{}\"", dice.of(&["timeout", "", "boom <1> & \\\"2\\\""])),
        6 => format!(
            "Len({span}{}) {operator} {}",
            dice.of(&["events", "links", "attributes", "name", "trace_state"]),
            dice.below(5)
        ),
        7 => format!("{span}{} {operator} {span}{}", id(dice), id(dice)),
        _ => format!("{span}flags {operator} {}", dice.of(&["0", "1", "257", "1.5"])),
    }
}

fn id(dice: &mut Dice) -> String {
    dice.text(&[
        "trace_id",
        "span_id",
        "parent_span_id",
        "trace_id.string",
        "span_id.string",
        "events",
        "links",
        "status",
    ])
}

fn path(dice: &mut Dice, about: About) -> String {
    let own = match about {
        About::Span => dice.text(&["", "span."]),
        About::Event => dice.text(&["", "spanevent.", "span."]),
    };
    match dice.below(16) {
        0..=4 => format!(
            "{own}attributes[\"{}\"]",
            dice.of(&["mixed", "other", "num.status", "text.tier", "flag.cached", "none"])
        ),
        5 => format!("{own}attributes[\"mixed\"][\"{}\"]", dice.of(&["a", "b", "z"])),
        6 => format!("{own}attributes[\"{}\"][{}]", dice.of(&["mixed", "other"]), dice.below(3)),
        7 => "resource.attributes[\"service.name\"]".to_owned(),
        8 => {
            format!("resource.{}", dice.of(&["attributes[\"num.replica\"]", "dropped_attributes_count", "attributes"]))
        }
        9 => format!(
            "{}.{}",
            dice.of(&["instrumentation_scope", "scope"]),
            dice.of(&["name", "version", "attributes[\"mixed\"]", "dropped_attributes_count"])
        ),
        10 => format!("{own}dropped_attributes_count"),
        11 => format!("{own}name"),
        12 if about == About::Span => "attributes[attributes[\"key\"]]".to_owned(),
        12 => dice.text(&["time_unix_nano", "time", "spanevent.time_unix_nano"]),
        13 => format!(
            "span.{}",
            dice.of(&["kind", "status.code", "dropped_events_count", "dropped_links_count", "kind.deprecated_string"])
        ),
        14 => format!("span.{}", dice.of(&["start_time", "end_time_unix_nano", "trace_state", "span_id.string"])),
        _ => format!("{own}attributes"),
    }
}

fn value(dice: &mut Dice, about: About, depth: usize) -> String {
    let inner = |dice: &mut Dice| value(dice, about, depth.saturating_sub(1));
    match dice.below(if depth == 0 { 8 } else { 14 }) {
        0..=7 => path(dice, about),
        8 => format!("{} {} {}", path(dice, about), dice.of(&["+", "-", "*", "/"]), dice.of(&["1", "2.5", "0", "3"])),
        9 => format!("({} + 1) * 2 - -1", path(dice, about)),
        10 => format!("-{}", path(dice, about)),
        11 => format!("[{}, {}]", inner(dice), literal(dice)),
        12 => format!("{{\"a\": {}}}", literal(dice)),
        _ => converted(dice, about),
    }
}

fn converted(dice: &mut Dice, about: About) -> String {
    let path = attribute(dice, about);
    match dice.below(9) {
        0 => format!("Int({path})"),
        1 => format!("Double({path})"),
        2 | 3 => format!("String({path})"),
        4 => format!("Len({path})"),
        5 => format!("ConvertCase({path}, \"{}\")", dice.of(&["lower", "upper", "snake", "camel"])),
        6 => format!("ConvertCase(span.name, \"{}\")", dice.of(&["lower", "upper", "snake", "camel"])),
        7 => format!("Concat([{path}, \"x\", span.kind], \"{}\")", dice.of(&["", "-"])),
        _ => format!("{}({path})", dice.of(&["SpanID", "TraceID"])),
    }
}

fn attribute(dice: &mut Dice, about: About) -> String {
    let own = if about == About::Event { dice.text(&["", "span."]) } else { String::new() };
    format!("{own}attributes[\"{}\"]", dice.of(&["mixed", "other", "text.path", "num.status", "flag.cached"]))
}

fn function(dice: &mut Dice, about: About) -> String {
    let path = attribute(dice, about);
    match dice.below(9) {
        0 | 1 => format!(
            "IsMatch({path}, \"{}\")",
            dice.of(&[
                "^\\\\d+$",
                "a|b",
                "(?i)^abc$",
                "",
                "\\\\{.*z",
                "^-",
                "e[+-]",
                "\\\\<",
                "^[\\\\w-.]+$",
                "\\\\x41\\\\102C",
                "\\\\b\\\\pN"
            ])
        ),
        2 => format!("IsMatch(span.name, \"{}\")", dice.of(&["^GET /users/\\\\w+$", "ö", "(?i)Ö", "^$"])),
        3 => format!("{}({path})", dice.of(&["IsString", "IsInt", "IsDouble", "IsBool", "IsMap", "IsList"])),
        4 => format!("HasPrefix({path}, \"{}\")", dice.of(&["a", "/", ""])),
        5 => format!("HasSuffix(span.name, \"{}\")", dice.of(&["s", "42", ""])),
        6 if about == About::Span => "IsRootSpan()".to_owned(),
        6 => format!("IsList({path})"),
        7 => format!("IsMatch(target={path}, pattern=\"4\")"),
        _ => format!("IsString({})", converted(dice, about)),
    }
}

fn literal(dice: &mut Dice) -> String {
    dice.text(&[
        "nil",
        "true",
        "false",
        "0",
        "1",
        "42",
        "-3",
        "500",
        "2.5",
        "42.0",
        "\"abc\"",
        "\"42\"",
        "\"\"",
        "\"true\"",
        "-2",
        "-0.0",
        "0.1",
        "100000000000000000000.0",
        "9223372036854775807",
        "\"fooBarBaz\"",
        "\"NaN\"",
        "0x01",
        "0xdeadbeef",
        "[1]",
        "[]",
        "{}",
        "{\"a\": 1}",
        "[\"abc\", 42]",
        "STATUS_CODE_OK",
        "SPAN_KIND_CONSUMER",
    ])
}
