//! The compiled table against a slow reading of the rules that shares no code with it: random policies, every item, equal.

use proptest::prelude::*;

use super::*;
use crate::claims::{Claim, Claims};
use crate::explain::{Given, Item};
use crate::sender::Proved;

/// The small catalogue once more: names, class, class on a device.
const ATTRIBUTES: [(&[&str], &str, Option<&str>); 9] = [
    (&["http.route"], "op", None),
    (&["host.name"], "op", Some("direct")),
    (&["user.id", "enduser.id"], "direct", None),
    (&["user.email"], "direct", None),
    (&["client.address"], "online", None),
    (&["client.port"], "quasi", None),
    (&["url.query"], "secret", None),
    (&["exception.message"], "free", None),
    (&["acme.*"], "quasi", None),
];
const KEYS: [&str; 14] = [
    "http.route",
    "host.name",
    "user.id",
    "enduser.id",
    "user.email",
    "client.address",
    "client.port",
    "url.query",
    "exception.message",
    "acme.x",
    "acme.inner.x",
    "acme",
    "unknown",
    "",
];
const CLASSES: [&str; 7] = ["direct", "online", "quasi", "special", "free", "op", "corr"];
const FORMS: [&str; 5] = ["raw", "user-key", "other-key", "ip-net", "ip-wide"];
const CAPS: [&str; 5] = ["absent", "aggregated", "keyed", "generalised", "raw"];

const NARROWED: [&str; 8] = [
    "cluster: eu-west-a",
    "cluster: eu-west-b",
    "cluster: [eu-west-a, eu-west-b]",
    "listener: otlp_grpc",
    "listener: otlp_http",
    "cluster: eu-west-a, listener: otlp_grpc",
    "cluster: eu-west-b, listener: otlp_http",
    "cluster: [eu-west-a, eu-west-b], listener: [otlp_grpc, otlp_http]",
];
/// Claims that rules can be narrowed to: the services, and the environment.
const ASKED: [(&[&str], Option<&str>); 5] = [
    (&["cart"], None),
    (&["till"], None),
    (&["cart", "till"], None),
    (&[], Some("production")),
    (&["cart"], Some("production")),
];
/// What a resource says as service and environment; nothing, or nothing clear, is none.
pub(super) const SAID: [(Option<&str>, Option<&str>); 12] = [
    (None, None),
    (None, Some("production")),
    (None, Some("test")),
    (Some("cart"), None),
    (Some("cart"), Some("production")),
    (Some("cart"), Some("test")),
    (Some("till"), None),
    (Some("till"), Some("production")),
    (Some("till"), Some("test")),
    (Some("other"), None),
    (Some("other"), Some("production")),
    (Some("other"), Some("test")),
];
/// Nobody and both clusters of the region that seals, by no known listener and by either of both.
pub(super) const SENDERS: [Proved<'static>; 9] = {
    const fn by(cluster: Option<&'static str>) -> [Proved<'static>; 3] {
        let [grpc, http] = Listener::ALL;
        [
            Proved { cluster, listener: None },
            Proved { cluster, listener: Some(grpc) },
            Proved { cluster, listener: Some(http) },
        ]
    }
    let [[a, b, c], [d, e, f], [g, h, i]] = [by(None), by(Some("eu-west-a")), by(Some("eu-west-b"))];
    [a, b, c, d, e, f, g, h, i]
};

#[derive(Debug, Clone)]
pub(super) struct Random {
    origin: &'static str,
    shadow: bool,
    /// What stands below `where`, if anything does.
    narrowed: Option<&'static str>,
    /// What it asks for besides: such a rule allows nothing.
    asked: Option<usize>,
    allow: Vec<(&'static str, &'static str)>,
    /// An attribute's number, the name used, the form.
    only: Vec<(usize, usize, &'static str)>,
    deny: Vec<&'static str>,
    deny_attribute: Option<usize>,
    cap: Option<(&'static str, &'static str)>,
    pair: Option<(usize, usize)>,
}

pub(super) fn random() -> impl Strategy<Value = Random> {
    let class = || prop::sample::select(&CLASSES[..]);
    let form = || prop::sample::select(&FORMS[..]);
    let allow = prop::collection::btree_map(class(), form(), 0..4);
    let only = prop::collection::btree_map(0..ATTRIBUTES.len(), (0..2_usize, form()), 0..4);
    let origin = prop::sample::select(&["EEA", "EEA", "EEA", "UK"][..]);
    let deny = prop::collection::vec(prop::sample::select(&["direct", "secret", "op", "quasi"][..]), 0..2);
    let attribute = prop::option::weighted(0.2, 0..ATTRIBUTES.len());
    let cap = prop::option::weighted(0.3, (class(), prop::sample::select(&CAPS[..])));
    let pair = prop::option::weighted(0.2, (0..ATTRIBUTES.len(), 0..ATTRIBUTES.len()));
    let asked = prop::option::weighted(0.4, 0..ASKED.len());
    let flags = (prop::bool::weighted(0.15), prop::option::weighted(0.4, prop::sample::select(&NARROWED[..])), asked);
    (origin, flags, allow, only, deny, attribute, cap, pair).prop_map(
        |(origin, (shadow, narrowed, asked), allow, only, deny, deny_attribute, cap, pair)| Random {
            origin,
            shadow,
            narrowed,
            asked,
            // A class is either allowed as a whole or attribute by attribute.
            only: only
                .into_iter()
                .filter(|(number, _)| {
                    asked.is_none() && ATTRIBUTES[*number].1 != "secret" && !allow.contains_key(ATTRIBUTES[*number].1)
                })
                .map(|(number, (name, form))| (number, name, form))
                .collect(),
            allow: allow.into_iter().filter(|_| asked.is_none()).collect(),
            deny,
            deny_attribute,
            cap,
            pair: pair.filter(|(one, two)| one != two),
        },
    )
}

impl Random {
    fn yaml(&self, id: usize) -> String {
        let mut parts = vec![format!("id: r{id}, origin: {}, reaching: US, signal: traces", self.origin)];
        if self.shadow {
            parts.push("mode: shadow".to_owned());
        }
        let here = |narrowed: &str| match self.origin {
            "EEA" => narrowed.to_owned(),
            _ => narrowed.replace("eu-west-a", "uk-south-a").replace("eu-west-b", "uk-south-a"),
        };
        let asked = self.asked.map(|asked| {
            let (services, environment) = ASKED[asked];
            let service = (!services.is_empty()).then(|| format!("service: [{}]", services.join(", ")));
            let environment = environment.map(|name| format!("environment: {name}"));
            service.into_iter().chain(environment).collect::<Vec<_>>().join(", ")
        });
        let narrowed: Vec<String> = self.narrowed.map(here).into_iter().chain(asked).collect();
        parts.extend((!narrowed.is_empty()).then(|| format!("where: {{{}}}", narrowed.join(", "))));
        let mut allow: Vec<String> = self.allow.iter().map(|(class, form)| format!("{class}: {form}")).collect();
        for class in CLASSES {
            let own = self.only.iter().filter(|(number, ..)| ATTRIBUTES[*number].1 == class);
            let own: Vec<String> = own
                .map(|(number, name, form)| {
                    format!("{}: {form}", ATTRIBUTES[*number].0[name % ATTRIBUTES[*number].0.len()])
                })
                .collect();
            if !own.is_empty() {
                allow.push(format!("{class}: {{only: {{{}}}}}", own.join(", ")));
            }
        }
        if self.asked.is_none() {
            parts.push(format!("allow: {{{}}}", allow.join(", ")));
        }
        let mut deny: Vec<String> = self.deny.iter().map(|class| (*class).to_owned()).collect();
        deny.extend(self.deny_attribute.map(|number| format!("{{attribute: {}}}", ATTRIBUTES[number].0[0])));
        parts.push(format!("deny: [{}]", deny.join(", ")));
        parts.extend(self.cap.map(|(class, form)| format!("cap: {{{class}: {form}}}")));
        let name = |number: usize| ATTRIBUTES[number].0[0];
        parts.extend(self.pair.map(|(one, two)| format!("not_together: [[{}, {}]]", name(one), name(two))));
        format!("  - {{{}}}\n", parts.join(", "))
    }
}

/// An answer by its name; which of two is stricter is listed, not computed.
pub(super) type Answer = &'static str;

pub(super) fn is_stricter_or_equal(one: Answer, two: Answer) -> bool {
    one == two || one == "absent" || two == "raw" || (one, two) == ("ip-wide", "ip-net")
}

fn form_of(answer: Answer) -> &'static str {
    match answer {
        "user-key" | "other-key" => "keyed",
        "ip-net" | "ip-wide" => "generalised",
        other => other,
    }
}

/// The widest answer that is within all of them.
fn strictest(answers: &[Answer]) -> Answer {
    let all = ["raw", "user-key", "other-key", "ip-net", "ip-wide", "absent"];
    let within = |one: &&Answer| answers.iter().all(|other| is_stricter_or_equal(one, other));
    let common: Vec<Answer> = all.iter().filter(within).copied().collect();
    let widest = |one: &&Answer| common.iter().all(|other| is_stricter_or_equal(other, one));
    common.iter().find(widest).copied().unwrap_or("absent")
}

fn is_within_cap(form: &str, cap: &str) -> bool {
    form == cap || form == "absent" || cap == "raw" || (form == "aggregated" && cap != "absent")
}

/// Whether a rule names the cluster, or clusters or listeners at all.
pub(super) fn is_named(rules: &[Random], what: &str) -> bool {
    let own = rules.iter().filter(|rule| rule.origin == "EEA");
    own.filter_map(|rule| rule.narrowed).any(|narrowed| narrowed.contains(what))
}

/// The rules that speak of what somebody sent, those narrowed that speak only of a part nobody can tell.
pub(super) fn sent_by(rules: &[Random], who: Proved<'_>) -> Vec<Random> {
    let known = [("cluster:", who.cluster), ("listener:", who.listener.map(Listener::as_str))];
    let speaks = |rule: &&Random| {
        let Some(narrowed) = rule.narrowed else { return true };
        known.iter().all(|(key, name)| !narrowed.contains(key) || name.is_none_or(|name| narrowed.contains(name)))
    };
    let is_told = |narrowed: &&str| known.iter().all(|(key, name)| !narrowed.contains(key) || name.is_some());
    let rules = rules.iter().filter(speaks).cloned();
    rules.map(|rule| Random { narrowed: rule.narrowed.filter(|narrowed| !is_told(narrowed)), ..rule }).collect()
}

/// The rules that speak of a resource that says this, or may.
pub(super) fn said_by(rules: &[Random], (service, environment): (Option<&str>, Option<&str>)) -> Vec<Random> {
    let speaks = |rule: &&Random| {
        let Some((services, asked)) = rule.asked.map(|asked| ASKED[asked]) else { return true };
        let is_one = service.is_none_or(|service| services.contains(&service));
        (services.is_empty() || is_one) && (asked.is_none() || environment.is_none() || environment == asked)
    };
    rules.iter().filter(speaks).cloned().collect()
}

/// Reads the rules one after the other for one attribute taken as one of a class.
fn read(rules: &[Random], number: usize, class: &str) -> Answer {
    let active: Vec<&Random> = rules.iter().filter(|rule| rule.origin == "EEA" && !rule.shadow).collect();
    let (mut whole, mut all) = (false, Vec::new());
    for rule in &active {
        if rule.deny.contains(&class) || rule.deny_attribute == Some(number) || class == "secret" {
            return "absent";
        }
        // Whoever denies the template denies what stands below it.
        if number == usize::MAX && rule.deny_attribute == Some(8) {
            return "absent";
        }
        for (allowed, form) in &rule.allow {
            if *allowed == class {
                all.push(*form);
                whole |= rule.narrowed.is_none();
            }
        }
        for (own, _, form) in &rule.only {
            if *own == number && ATTRIBUTES[number].1 == class {
                all.push(*form);
                whole |= rule.narrowed.is_none();
            }
        }
    }
    let answer = if whole { strictest(&all) } else { "absent" };
    let caps = active.iter().filter_map(|rule| rule.cap).filter(|(capped, _)| *capped == class);
    if caps.map(|(_, cap)| cap).all(|cap| is_within_cap(form_of(answer), cap)) { answer } else { "absent" }
}

fn read_on(rules: &[Random], number: usize, on: Resource) -> Answer {
    let (_, class, on_device) = ATTRIBUTES[number];
    match on_device.filter(|_| on == Resource::Device) {
        Some(other) => strictest(&[read(rules, number, class), read(rules, number, other)]),
        None => read(rules, number, class),
    }
}

/// The number of what is listed below the template, which has an entry of its own.
const INNER: usize = usize::MAX;

fn read_any(rules: &[Random], number: usize, on: Resource) -> Answer {
    if number == INNER { read(rules, INNER, "free") } else { read_on(rules, number, on) }
}

/// What becomes of something of whose sender nothing is proved.
pub(super) fn interpret(rules: &[Random], key: &str, on: Resource) -> Answer {
    let named = |names: &[&str]| {
        names.iter().any(|name| *name == key || name.strip_suffix('*').is_some_and(|stem| key.starts_with(stem)))
    };
    let number = ATTRIBUTES.iter().position(|(names, ..)| named(names));
    let Some(number) = number.map(|number| if key.starts_with("acme.inner.") { INNER } else { number }) else {
        return "absent";
    };
    // Whoever chooses what a resource says does not choose which of two crosses.
    let firm: Vec<Random> = rules.iter().filter(|rule| rule.asked.is_none()).cloned().collect();
    let crosses =
        |number| [Resource::Server, Resource::Device].iter().any(|on| read_any(&firm, number, *on) != "absent");
    let pairs = rules.iter().filter(|rule| rule.origin == "EEA" && !rule.shadow).filter_map(|rule| rule.pair);
    // Whoever parts the template parts what stands below it.
    let meant = |other: usize| if other == 8 { vec![8, INNER] } else { vec![other] };
    let mut partners = pairs.flat_map(|(one, two)| match [one, two].map(|side| meant(side).contains(&number)) {
        [true, _] => meant(two),
        [_, true] => meant(one),
        _ => Vec::new(),
    });
    if partners.any(crosses) { "absent" } else { read_any(rules, number, on) }
}

/// The same for what crosses only in a span, which has ids.
pub(super) fn interpret_within(rules: &[Random], key: &str, on: Resource) -> Answer {
    if read(rules, usize::MAX - 1, "corr") == "raw" { interpret(rules, key, on) } else { "absent" }
}

pub(super) fn claims((service, environment): (Option<&str>, Option<&str>)) -> Claims {
    let said = |name: Option<&str>| name.map_or(Claim::Unclear, |name| Claim::Is(name.to_owned()));
    Claims { service: said(service), namespace: Claim::Unclear, environment: said(environment) }
}

fn name_of(table: &Table, action: Action) -> Answer {
    match action {
        Action::Absent => "absent",
        Action::Raw => "raw",
        Action::Truncate { v4: 24, .. } => "ip-net",
        Action::Truncate { .. } => "ip-wide",
        Action::Hmac(index) if table.keyed()[index.position()].group == "user" => "user-key",
        Action::Hmac(_) | Action::Blind(_) => "other-key",
    }
}

pub(super) fn rules_of(rules: &[Random]) -> String {
    let mut text: String = rules.iter().enumerate().map(|(id, rule)| rule.yaml(id)).collect();
    text.push_str("  - {id: always, origin: EEA, reaching: US, signal: traces, deny: [special]}\n");
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Guarantees: what the meet of two policies lets out is what both let out, in the strictest form that satisfies both.
    #[test]
    fn the_meet_of_two_policies_answers_as_the_strictest_of_two_readings(
        one in prop::collection::vec(random(), 1..4),
        two in prop::collection::vec(random(), 1..4),
    ) {
        let met = table_of(&rules_of(&one)).meet(&table_of(&rules_of(&two))).unwrap();
        for key in KEYS {
            for on in [Resource::Server, Resource::Device] {
                let cell = met.attribute(Carrier::SpanAttributes, key.as_bytes(), on);
                let both = strictest(&[interpret(&one, key, on), interpret(&two, key, on)]);
                prop_assert_eq!(name_of(&met, cell.action), both, "{} {:?}\n{}{}", key, on, rules_of(&one), rules_of(&two));
            }
        }
    }

    #[test]
    fn the_table_answers_as_a_slow_reading_of_the_rules(rules in prop::collection::vec(random(), 1..5)) {
        let text = rules_of(&rules);
        let loaded = small(&format!("rules:\n{text}"));
        let table = loaded.table(TO_US, "EEA").unwrap();
        let policy = loaded.policy.as_ref().unwrap();
        let explain = |item| policy.explain(&loaded.federation, (TO_US, Signal::Traces, &origin("EEA")), item, TODAY);
        for key in KEYS {
            for on in [Resource::Server, Resource::Device] {
                let cell = table.attribute(Carrier::SpanAttributes, key.as_bytes(), on);
                prop_assert_eq!(name_of(&table, cell.action), interpret(&rules, key, on), "{} {:?}\n{}", key, on, text);
                let told = explain(Item::Attribute { carrier: Carrier::SpanAttributes, key, resource: on });
                let within = interpret_within(&rules, key, on) == interpret(&rules, key, on);
                let form = if within { cell.action.form() } else { Form::Absent };
                prop_assert_eq!(told.form, form, "{} {:?}: {}\n{}", key, on, told.reason, text);
                prop_assert_eq!(told.form != Form::Absent, told.reason == crate::Reason::Allowed);
            }
        }
        for (carrier, class) in [(Carrier::SpanKind, "op"), (Carrier::SpanTraceId, "corr"), (Carrier::StatusMessage, "free")] {
            let raw = read(&rules, usize::MAX - 1, class) == "raw";
            prop_assert_eq!(table.carrier(carrier) == Form::Raw, raw, "{}\n{}", carrier, text);
            let form = if table.lost(carrier).is_none() { table.carrier(carrier) } else { Form::Absent };
            prop_assert_eq!(explain(Item::Carrier(carrier)).form, form, "{}\n{}", carrier, text);
        }
    }

    /// Guarantees: each sender's table and explanation are what a slow reading of the rules for that sender says, and a set of
    /// tables is within another exactly if that is so for every sender.
    #[test]
    fn the_table_of_a_sender_answers_as_a_slow_reading_of_the_rules_for_it(
        one in prop::collection::vec(random(), 1..5),
        two in prop::collection::vec(random(), 1..3),
    ) {
        let texts = [&one, &two].map(|rules| rules_of(rules));
        let loaded = texts.each_ref().map(|text| small(&format!("rules:\n{text}")));
        let tables = loaded.each_ref().map(|loaded| {
            let policy = loaded.policy.as_ref().unwrap();
            policy.tables(&loaded.federation, TO_US, Signal::Traces, &origin("EEA"), TODAY).unwrap()
        });
        let others = ["uk-south-a", "gone"].map(Some).map(|cluster| Proved { cluster, ..SENDERS[1] });
        let senders = SENDERS.into_iter().chain(others);
        // With each sender a third of what resources may say, another third with the next one.
        let all = senders.flat_map(|sender| SAID.map(|said| (sender, said)));
        for (_, (sender, said)) in (0..).zip(all).filter(|(number, _)| (number / SAID.len() + number).is_multiple_of(3)) {
            let proved = match sender.cluster {
                // It has one listener only.
                Some("eu-west-b") => Proved { listener: sender.listener.filter(|by| *by == Listener::OtlpGrpc), ..sender },
                Some("eu-west-a") | None => sender,
                // A cluster of another region cannot be proved here.
                Some(_) => Proved::default(),
            };
            let rules = said_by(&sent_by(&one, proved), said);
            let given = Given { sender, claims: claims(said) };
            let table = tables[0].at(tables[0].place(sender)).unwrap().of(&given.claims).unwrap();
            for (key, on) in KEYS.into_iter().flat_map(|key| [(key, Resource::Server), (key, Resource::Device)]) {
                let action = table.attribute(Carrier::SpanAttributes, key.as_bytes(), on).action;
                let expected = interpret(&rules, key, on);
                prop_assert_eq!(name_of(table, action), expected, "{:?} {} {:?}\n{}", given, key, on, texts[0]);
                let item = Item::Attribute { carrier: Carrier::SpanAttributes, key, resource: on };
                let crossing = (TO_US, Signal::Traces, &origin("EEA"));
                let policy = loaded[0].policy.as_ref().unwrap();
                let told = policy.explain_given(&loaded[0].federation, crossing, &given, item, TODAY);
                let within = interpret_within(&rules, key, on) == expected;
                let form = if within { action.form() } else { Form::Absent };
                prop_assert_eq!(told.form, form, "{:?} {} {:?}\n{}", given, key, on, texts[0]);
            }
        }
        let [one, two] = tables;
        let of = |tables: &Tables, (sender, said)| {
            tables.at(tables.place(sender)).unwrap().of(&claims(said)).unwrap().clone()
        };
        let all: Vec<_> = SENDERS.into_iter().flat_map(|sender| SAID.map(|said| (sender, said))).collect();
        let within = all.iter().all(|part| of(&one, *part).is_within(&of(&two, *part)));
        prop_assert_eq!(one.is_within(&two), within, "{}\n{}", texts[0], texts[1]);
        let same = all.iter().all(|part| of(&one, *part).digest() == of(&two, *part).digest());
        prop_assert!(same || one.digest() != two.digest(), "{}\n{}", texts[0], texts[1]);
    }
}
