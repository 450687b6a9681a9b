//! JSON Schemas of the documents, made of the same lists that their readers know.
//!
//! Promises:
//! 1. A key that a reader takes is in the schema and no other; a test reads the known keys back from the readers' own faults.
//!
//! Not here: what cannot be said of one document alone, such as whether a name is declared elsewhere.

use serde_json::{Map, Value, json};
use tollgate_federation::{Listener, Signal};

use crate::carrier::Carrier;
use crate::cases;
use crate::catalogue;
use crate::class::Class;
use crate::document;
use crate::form::Form;
use crate::instrument;
use crate::risk::Risk;
use crate::rule;

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// An object that has these keys and no other.
fn object<'k>(required: &[&str], keys: impl IntoIterator<Item = (&'k str, Value)>) -> Value {
    let properties: Map<String, Value> = keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

/// An object whose keys the writer chooses.
fn named(value: Value) -> Value {
    json!({"type": "object", "additionalProperties": value})
}

fn list(item: Value) -> Value {
    json!({"type": "array", "items": item})
}

fn text(about: &str) -> Value {
    json!({"type": "string", "minLength": 1, "description": about})
}

fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> Value {
    json!({"enum": words.into_iter().collect::<Vec<_>>()})
}

fn one_or_more(item: Value) -> Value {
    json!({"oneOf": [item.clone(), {"type": "array", "minItems": 1, "items": item}]})
}

fn classes() -> Value {
    words(Class::ALL.iter().map(|class| class.as_str()))
}

fn forms() -> Value {
    words(Form::ALL.iter().map(|form| form.as_str()))
}

fn signals() -> Value {
    words(Signal::ALL.iter().map(|signal| signal.as_str()))
}

fn by_class(value: &Value) -> Value {
    object(&[], Class::ALL.iter().map(|class| (class.as_str(), value.clone())))
}

fn regime() -> Value {
    json!({"type": "string", "pattern": "^[A-Z][A-Z0-9-]{0,15}$", "description": "a regime that `regimes` declares"})
}

fn day() -> Value {
    json!({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "description": "a day; it counts to its end"})
}

fn epoch() -> Value {
    json!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$", "description": "how long one root key is used, such as 30d"})
}

fn retain() -> Value {
    let meaning = "how long the root key of an epoch is kept after it, 90d unless given; then it is destroyed";
    json!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$", "description": meaning})
}

/// Gives each key of a list its meaning; a key without one could not be written.
fn described(keys: &[&'static str], mut meaning: impl FnMut(&str) -> Option<Value>) -> Vec<(&'static str, Value)> {
    keys.iter().filter_map(|key| Some((*key, meaning(key)?))).collect()
}

/// The schema of `policies/residency.yaml`.
#[must_use]
pub fn residency() -> Value {
    let keys = described(&document::KEYS, |key| match key {
        "regimes" => {
            Some(named(object(&[], [("law", text("the law that a transfer out of the regime needs a basis in"))])))
        }
        "mode" => Some(mode()),
        "instruments" => Some(named(instrument())),
        "transforms" => Some(named(transform())),
        "rules" => Some(list(rule_schema())),
        "not_together" => Some(pairs()),
        "defaults" => {
            let answers = document::ANSWERS;
            Some(object(&answers.map(|(key, _)| key), answers.map(|(key, word)| (key, words([word])))))
        }
        "invariants" => Some(list(object(&["never"], [("never", never())]))),
        _ => None,
    });
    top("Residency policy: what may cross which border, in which form", object(&["regimes", "rules", "defaults"], keys))
}

/// The schema of `policies/catalogue.yaml`, and of a deployment's own `policies/catalogue-own.yaml`.
#[must_use]
pub fn catalogue() -> Value {
    let key = text("an attribute's key, or a template that ends in `.*`");
    let entry = object(&["class"], [("class", classes()), ("on_device", classes()), ("aliases", list(key.clone()))]);
    let names = object(
        &[],
        [("span", list(text("text, with attributes in braces"))), ("event", list(text("an event's name")))],
    );
    let guard = object(
        &[],
        catalogue::GUARD_KEYS.map(|key| match key {
            "longest" => (key, json!({"type": "integer", "minimum": 1, "maximum": 256})),
            _ => (key, words(catalogue::CHARACTERS)),
        }),
    );
    let guarded = Class::ALL.into_iter().filter(|class| catalogue::has_guard(*class));
    let guards = object(&[], guarded.map(|class| (class.as_str(), guard.clone())));
    let keys = described(&catalogue::KEYS, |section| match section {
        "attributes" => Some(named(json!({"oneOf": [classes(), entry]}))),
        "devices" => Some(list(key.clone())),
        "names" => Some(names.clone()),
        "guards" => Some(guards.clone()),
        _ => None,
    });
    top("Catalogue: what each attribute is", object(&[], keys))
}

/// The schema of a file of golden cases.
#[must_use]
pub fn cases() -> Value {
    let given = described(&cases::GIVEN, |key| match key {
        "origin" => Some(json!({"type": "string", "description": "a regime, or several joined by `+`"})),
        "path" => Some(json!({"type": "array", "minItems": 2, "items": text("a region, tier or backend")})),
        "signal" => Some(signals()),
        "carrier" => Some(words(Carrier::ALL.iter().map(|carrier| carrier.as_str()))),
        "attribute" => Some(text("an attribute's key, in a carrier that holds attributes")),
        "resource" => Some(words(["server", "device"])),
        "cluster" => Some(text("the cluster whose collector sent it; none is proved unless given")),
        "listener" => Some(words(Listener::ALL.map(Listener::as_str))),
        "service" => Some(text("what the resource says as service.name; nothing clear unless given")),
        "namespace" => Some(text("what the resource says as service.namespace; nothing clear unless given")),
        "environment" => {
            Some(text("what the resource says as deployment.environment.name; nothing clear unless given"))
        }
        "day" => Some(day()),
        _ => None,
    });
    let expect = described(&cases::EXPECT, |key| match key {
        "form" => Some(forms()),
        "rule" => Some(one_or_more(text("the id of a rule that decides"))),
        "class" => Some(classes()),
        _ => None,
    });
    let case = described(&cases::KEYS, |key| match key {
        "name" => Some(text("what the case shows")),
        "given" => Some(object(&["origin", "path", "signal", "carrier"], given.clone())),
        "expect" => Some(object(&["form"], expect.clone())),
        _ => None,
    });
    let case = object(&cases::KEYS, case);
    top("Golden cases of a residency policy", object(&["cases"], [("cases", list(case))]))
}

fn top(title: &str, schema: Value) -> Value {
    let mut top = json!({"$schema": DRAFT, "title": title});
    if let (Value::Object(top), Value::Object(schema)) = (&mut top, schema) {
        top.extend(schema);
    }
    top
}

fn mode() -> Value {
    words(["active", "shadow"])
}

fn pairs() -> Value {
    list(json!({"type": "array", "minItems": 2, "maxItems": 2, "items": text("an attribute's key")}))
}

fn instrument() -> Value {
    let keys = described(&instrument::KEYS, |key| match key {
        "from" | "to" => Some(regime()),
        "basis" => Some(text("where in the exporter's law it stands: <law>-<article>")),
        "exporter" => Some(one_or_more(text("a legal entity that may send under it"))),
        "recipients" => Some(one_or_more(text("a legal entity that may receive under it"))),
        "scope" => {
            let scope = described(&instrument::SCOPE_KEYS, |key| match key {
                "signals" => Some(list(signals())),
                "classes" => Some(list(classes())),
                _ => None,
            });
            Some(object(&[], scope))
        }
        "caps" => Some(by_class(&forms())),
        "tia" => Some(text("the transfer impact assessment on file")),
        "fallback" => Some(text("the instrument that takes its place; it needs a `tia` of its own")),
        "valid_until" | "review_by" => Some(day()),
        _ => None,
    });
    let mut schema = object(&["from", "to", "basis"], keys);
    schema["anyOf"] = json!([{"required": ["valid_until"]}, {"required": ["review_by"]}]);
    schema
}

fn risk() -> Value {
    let keys = described(&Risk::KEYS, |key| match key {
        "id" => Some(text("its name in the register")),
        "owner" => Some(text("who answers for it")),
        "expires" => Some(day()),
        _ => None,
    });
    json!({"oneOf": [text("its name in the register"), object(&Risk::KEYS, keys)]})
}

fn transform() -> Value {
    let hmac = object(
        &["group", "key", "epoch", "scope"],
        [
            ("group", text("attributes of one group are joinable with each other")),
            ("key", text("the name of the root key; the node file says where it lies")),
            ("epoch", epoch()),
            ("retain", retain()),
            ("scope", words(["per_destination", "federation"])),
        ],
    );
    let bits = |longest: u8| json!({"type": "integer", "minimum": 0, "maximum": longest});
    let truncate = object(&["v4", "v6"], [("v4", bits(24)), ("v6", bits(48))]);
    let mut schema = object(&[], [("hmac", hmac), ("truncate", truncate), ("accept_risk", risk())]);
    schema["oneOf"] = json!([{"required": ["hmac"]}, {"required": ["truncate"]}]);
    schema
}

fn rule_schema() -> Value {
    let form = text("`raw`, or the name of a transform");
    let only = object(&["only"], [("only", named(form.clone()))]);
    let blind = text("the name of the key that ids are blinded with; the node file says where it lies");
    let mut ids = object(&[], [("only", named(form.clone())), ("blind", blind)]);
    ids["oneOf"] = json!([{"required": ["only"]}, {"required": ["blind"]}]);
    let grant = |class: Class| json!({"oneOf": [form, if class == Class::Corr { &ids } else { &only }]});
    let attribute = object(&["attribute"], [("attribute", text("an attribute's key or template"))]);
    let denied: Vec<&str> = Class::ALL.iter().map(|class| class.as_str()).chain(["all"]).collect();
    let keys = described(&rule::KEYS, |key| match key {
        "id" => Some(text("its name in reports and cases")),
        "origin" | "reaching" => Some(regime()),
        "signal" => Some(signals()),
        "mode" => Some(mode()),
        "where" => Some(object(
            &[],
            rule::Narrowing::KEYS.map(|key| match key {
                "listener" => (key, one_or_more(words(Listener::ALL.map(Listener::as_str)))),
                "service" => (key, one_or_more(text("a service.name; the rule can only hold back"))),
                "namespace" => (key, one_or_more(text("a service.namespace; the rule can only hold back"))),
                "environment" => (key, one_or_more(text("a deployment.environment.name; the rule can only hold back"))),
                _ => (key, one_or_more(text("a name"))),
            }),
        )),
        "allow" => {
            let classes = Class::ALL.into_iter().filter(|class| class.may_be_allowed());
            let by_class = object(&[], classes.map(|class| (class.as_str(), grant(class))));
            Some(json!({"oneOf": [{"const": "all"}, {"const": ["all"]}, by_class]}))
        }
        "deny" => Some(list(json!({"oneOf": [words(denied.clone()), attribute.clone()]}))),
        "cap" => Some(by_class(&forms())),
        "require" => Some(require()),
        "not_together" => Some(pairs()),
        "accept_risk" => Some(risk()),
        _ => None,
    });
    object(&["id", "origin", "reaching", "signal"], keys)
}

fn require() -> Value {
    let keys = described(&rule::Requirement::KEYS, |key| match key {
        "aggregated_at" => Some(words(rule::Requirement::STEPS)),
        "min_group" => {
            let k = json!({"type": "integer", "minimum": 2, "description": "how many subjects a group has at least"});
            Some(object(&["k", "subject"], [("k", k), ("subject", text("the attribute that tells subjects apart"))]))
        }
        "strip" => Some(list(words(rule::Requirement::strip_words()))),
        _ => None,
    });
    object(&[], keys)
}

fn never() -> Value {
    let mut schema = object(
        &["class"],
        [
            ("origin", regime()),
            ("class", one_or_more(classes())),
            ("form", forms()),
            ("crosses", words(["any"])),
            ("outside", list(regime())),
        ],
    );
    schema["oneOf"] = json!([{"required": ["form"]}, {"required": ["crosses"]}]);
    schema
}

#[cfg(test)]
mod tests;
