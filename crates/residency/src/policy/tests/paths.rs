//! Guarantees of the proof: what it says of paths is what following every path by hand says.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tollgate_federation::{PlaceId, Regime, TierId};

use super::*;
use crate::layers::Layers;
use crate::sender::Proved;

const REGIMES: [&str; 3] = ["EEA", "UK", "US"];
const KEYS: [&str; 8] = [
    "http.route",
    "host.name",
    "user.id",
    "user.email",
    "client.address",
    "client.port",
    "exception.message",
    "acme.*",
];

const RULES: &str = "
  - {id: eea-us, origin: EEA, reaching: US, signal: traces, allow: {op: raw, direct: {only: {user.id: user-key}}}}
  - {id: eea-uk, origin: EEA, reaching: UK, signal: traces, allow: {op: raw, direct: raw}}
invariants:
  - never: {origin: EEA, class: direct, form: raw, outside: [EEA, UK]}
";

/// The example's regions with these links, the small catalogue and these rules.
fn with(links: &str, rules: &str, more: &[(&str, &str)]) -> Loaded {
    let federation = format!("federation: {{name: acme, trust_domain: acme.example}}\nlinks:\n{links}");
    let residency = format!("{SMALL_RESIDENCY}rules:{rules}");
    let mut texts = EXAMPLE.to_vec();
    (texts[0].1, texts[4].1, texts[5].1) = (&federation, SMALL_CATALOGUE, &residency);
    for (name, text) in more {
        texts.retain(|(other, _)| other != name);
        texts.push((name, text));
    }
    load_unproved(&texts)
}

fn load_unproved(texts: &[(&str, &str)]) -> Loaded {
    let (set, faults) = Set::from_texts(texts.iter().copied());
    let draft = FederationDraft::read(&set, &faults);
    let policy = Policy::unproved(&set, &draft, &faults).map(|unproved| unproved.0);
    assert_eq!(faults.to_string(), "");
    Loaded { federation: draft.whole().unwrap(), policy, faults: String::new() }
}

fn broken(loaded: &Loaded) -> Vec<String> {
    let broken = loaded.policy.as_ref().unwrap().broken(&loaded.federation);
    broken.iter().map(ToString::to_string).collect()
}

const TO_UK: &str =
    "  - {from: eu-west, to: uk-south/gateway, carries: [EEA], signals: [traces], instruments: {EEA: uk-adequacy}}\n";
const ON_TO_US: &str =
    "  - {from: uk-south, to: us-east/central, carries: [EEA], signals: [traces], instruments: {EEA: dpf}}\n";

#[test]
fn data_sent_on_is_still_its_origins_and_the_witness_shows_the_way() {
    assert_eq!(broken(&with(&format!("{TO_UK}{ON_TO_US}"), RULES, &[])), Vec::<String>::new());
    let wide = RULES.replace("user.id: user-key", "user.id: raw");
    let loaded = with(&format!("{TO_UK}{ON_TO_US}"), &wide, &[]);
    let told = broken(&loaded);
    assert_eq!(
        told,
        ["rules eea-uk, eea-us break it: user.id (direct) of traces from EEA reaches US raw, by eu-west/gateway → \
          uk-south/gateway → us-east/central"]
    );
    assert_eq!(broken(&with(TO_UK, &wide, &[])), Vec::<String>::new(), "without a path nothing leaks");
}

#[test]
fn a_backend_abroad_is_a_crossing_of_its_own() {
    let region = format!(
        "{}backends: {{vendor: {{otlp_http: 'https://otlp.vendor.example', signals: [traces], regime: US, entity: Acme Inc}}}}\n",
        EXAMPLE[1].1
    );
    let link =
        "  - {from: eu-west, to: eu-west/backend/vendor, carries: [EEA], signals: [traces], instruments: {EEA: dpf}}\n";
    let wide = RULES.replace("user.id: user-key", "user.id: raw");
    let told = broken(&with(link, &wide, &[("regions/eu-west.yaml", &region)]));
    assert_eq!(
        told,
        ["rule eea-us breaks it: user.id (direct) of traces from EEA reaches US raw, by eu-west/gateway → \
          eu-west/backend/vendor"]
    );
}

/// Guarantees: a fallback that caps less than the instrument before it is judged too, whatever the day.
#[test]
fn what_a_later_instrument_would_let_cross_is_proved_today() {
    let link = "  - {from: eu-west, to: us-east/central, carries: [EEA], signals: [traces], instruments: {EEA: dpf}}\n";
    let wide = RULES.replace("user.id: user-key", "user.id: raw");
    let capped = format!("{SMALL_RESIDENCY}rules:{wide}").replace("dpf: {", "dpf: {caps: {direct: keyed}, ");
    let texts = |residency: &str| with(link, &wide, &[(RESIDENCY, residency)]);
    assert_eq!(broken(&texts(&capped)).len(), 1, "scc takes over from dpf one day");
    let both = capped.replace("scc: {", "scc: {caps: {direct: keyed}, ");
    assert_eq!(broken(&texts(&both)).len(), 0);
}

/// A region of some regime with a cluster that has one listener or both; links by the numbers of regions, whether they lead to a central tier, and what they carry.
#[derive(Debug, Clone)]
struct Small {
    regimes: Vec<usize>,
    /// By region; a region without one has a cluster with both.
    listeners: Vec<&'static str>,
    links: Vec<(usize, usize, bool, Vec<usize>)>,
    rules: Vec<String>,
    invariants: Vec<String>,
}

const BOTH: &str = "otlp_grpc otlp_http";

fn small_federation() -> impl Strategy<Value = Small> {
    let regimes = prop::collection::vec(0..3_usize, 2..5);
    let link = (0..5_usize, 0..5_usize, any::<bool>(), prop::sample::subsequence(vec![0, 1, 2], 1..=3));
    let class = || prop::sample::select(&["op", "direct", "online", "quasi", "free"][..]);
    let form = prop::sample::select(&["raw", "user-key", "ip-net", "other-key"][..]);
    let allow = prop::collection::btree_map(class(), form, 1..4);
    let asked = prop::option::weighted(0.3, class());
    let listener = prop::option::weighted(0.3, prop::sample::select(&["otlp_grpc", "otlp_http"][..]));
    let rule = (0..3_usize, 0..3_usize, allow, prop::option::weighted(0.2, class()), asked, listener).prop_map(
        |(from, to, allow, deny, asked, listener)| {
            if let Some(class) = asked {
                let (from, to) = (REGIMES[from], REGIMES[to]);
                return format!(
                    "origin: {from}, reaching: {to}, signal: traces, where: {{service: a}}, deny: [{class}]"
                );
            }
            let allow: Vec<String> = allow.iter().map(|(class, form)| format!("{class}: {form}")).collect();
            let deny = deny.unwrap_or("special");
            let (from, to, allow) = (REGIMES[from], REGIMES[to], allow.join(", "));
            let narrowed = listener.map(|name| format!("where: {{listener: {name}}}, ")).unwrap_or_default();
            format!("origin: {from}, reaching: {to}, signal: traces, {narrowed}allow: {{{allow}}}, deny: [{deny}]")
        },
    );
    let listeners = prop::collection::vec(prop::sample::select(&["otlp_grpc", "otlp_http", BOTH][..]), 5);
    let invariant = (0..3_usize, class(), prop::sample::select(&["keyed", "generalised", "raw"][..]), 0..3_usize)
        .prop_map(|(origin, class, form, inside)| {
            format!("{{origin: {}, class: {class}, form: {form}, outside: [{}]}}", REGIMES[origin], REGIMES[inside])
        });
    let rules = prop::collection::vec(rule, 2..9);
    (regimes, listeners, prop::collection::vec(link, 1..8), rules, prop::collection::vec(invariant, 1..4)).prop_map(
        |(regimes, listeners, links, rules, invariants)| Small { regimes, listeners, links, rules, invariants },
    )
}

impl Small {
    /// The links that join two regions and can carry something, each once.
    fn usable(&self) -> Vec<(usize, usize, bool, BTreeSet<usize>)> {
        let count = self.regimes.len();
        let mut links: Vec<(usize, usize, bool, BTreeSet<usize>)> = Vec::new();
        for (from, to, central, carries) in &self.links {
            let (from, to) = (from % count, to % count);
            let known = carries.iter().copied().filter(|regime| self.regimes.contains(regime)).collect();
            if from != to && !links.iter().any(|link| (link.0, link.1, link.2) == (from, to, *central)) {
                links.push((from, to, *central, known));
            }
        }
        let mut present: Vec<BTreeSet<usize>> = self.regimes.iter().map(|regime| BTreeSet::from([*regime])).collect();
        for _ in 0..=count * 3 {
            for (from, to, _, carries) in links.iter().filter(|link| !link.2) {
                let moved: Vec<usize> = present[*from].intersection(carries).copied().collect();
                present[*to].extend(moved);
            }
        }
        for link in &mut links {
            link.3 = link.3.intersection(&present[link.0]).copied().collect();
        }
        links.retain(|link| !link.3.is_empty());
        links
    }

    fn load(&self) -> Loaded {
        let name = |number: usize| format!("r{number}");
        let mut texts: Vec<(String, String)> = Vec::new();
        for (number, regime) in self.regimes.iter().enumerate() {
            let name = name(number);
            let ports = self.listeners.get(number).unwrap_or(&BOTH).split(' ').zip(4317..);
            let listen: String = ports.map(|(name, port)| format!("{name}: 0.0.0.0:{port}, ")).collect();
            let text = format!(
                "region: {name}\nregime: {}\nentity: Acme Inc\ntrust: {{ca: file:ca/{name}.pem}}\n\
                 clusters: {{{name}-a: {{listen: {{{listen}tls: off}}, stamp: {{environment: test}}}}}}\n\
                 gateway: {{nodes: {{dns: g.{name}.local}}, port: 4417}}\n\
                 central: {{nodes: {{dns: c.{name}.local}}, port: 4418, handover_after: 60s}}\n",
                REGIMES[*regime]
            );
            texts.push((format!("regions/{name}.yaml"), text));
        }
        let mut federation = "federation: {name: acme, trust_domain: acme.example}\nlinks:\n".to_owned();
        for (from, to, central, carries) in self.usable() {
            let reached = REGIMES[self.regimes[to]];
            let tier = if central { "central" } else { "gateway" };
            let regimes: Vec<&str> = carries.iter().map(|regime| REGIMES[*regime]).collect();
            let by: Vec<String> = regimes
                .iter()
                .map(|regime| format!("{regime}: {}-{}", regime.to_lowercase(), reached.to_lowercase()))
                .collect();
            federation.push_str(&format!(
                "  - {{from: {}, to: {}/{tier}, carries: [{}], signals: [traces], instruments: {{{}}}}}\n",
                name(from),
                name(to),
                regimes.join(", "),
                by.join(", ")
            ));
        }
        if self.usable().is_empty() {
            federation = federation.replace("links:\n", "links: []\n");
        }
        texts.push(("regions/federation.yaml".to_owned(), federation));
        texts.push((CATALOGUE.to_owned(), SMALL_CATALOGUE.to_owned()));
        texts.push((RESIDENCY.to_owned(), self.residency()));
        let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        load_unproved(&texts)
    }

    fn residency(&self) -> String {
        let mut instruments = String::new();
        for from in REGIMES {
            for to in REGIMES.iter().filter(|to| **to != from) {
                let (one, two) = (from.to_lowercase(), to.to_lowercase());
                instruments.push_str(&format!(
                    "  {one}-{two}: {{from: {from}, to: {to}, basis: L-1, review_by: 2999-01-01}}\n"
                ));
            }
        }
        let rules: String =
            self.rules.iter().enumerate().map(|(id, rule)| format!("  - {{id: x{id}, {rule}}}\n")).collect();
        let invariants: String = self.invariants.iter().map(|never| format!("  - never: {never}\n")).collect();
        let (_, transforms) = SMALL_RESIDENCY.split_once("transforms:").unwrap();
        format!(
            "regimes: {{EEA: {{law: L}}, UK: {{law: L}}, US: {{law: L}}}}\ninstruments:\n{instruments}transforms:{transforms}\
             rules:\n{rules}invariants:\n{invariants}"
        )
    }
}

/// Follows every path without a circle, one value at a time, by the compiled tables: whatever somebody says on each hop.
struct Walk<'l> {
    loaded: &'l Loaded,
    policy: &'l Policy,
    origin: Regime,
    found: BTreeSet<(String, String, &'static str, Form)>,
    sealers: Sealers,
}

/// Whether sealers say of a device that it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sealers {
    Mark,
    SayNothing,
}

/// What tells a device, and crosses or does not as any other attribute.
const MARKER: &str = "device.model.name";
/// What a sealer says of a device by itself.
const SAID: &str = "tollgate.resource";

/// What is together on one resource, at one place: each value in the form that it has there.
type Values = BTreeMap<&'static str, Form>;

impl Walk<'_> {
    fn from(&mut self, tier: &TierId, seen: &[String], together: &BTreeSet<Values>) {
        for link in self.loaded.federation.links().iter().filter(|link| link.source() == tier) {
            if seen.contains(&link.to().to_string()) {
                continue;
            }
            let from = Origin::of(self.origin.clone());
            let tables = self.policy.tables(&self.loaded.federation, link.id(), Signal::Traces, &from, TODAY);
            let Ok(tables) = tables else { continue };
            let whose = senders(&self.loaded.federation, tier, seen.len() == 1);
            let kinds = whose.iter().filter_map(|(cluster, listener)| {
                let proved = Proved { cluster: cluster.as_deref(), listener: *listener };
                tables.at(tables.place(proved)).ok()
            });
            let kinds = kinds.flat_map(Layers::iter);
            let kinds: Vec<&Table> = kinds.filter_map(|(_, table)| table.ok()).collect();
            let sealers = self.sealers;
            let of = |values| kinds.iter().map(move |table| sealed(table, values, sealers));
            let together: BTreeSet<Values> = together.iter().flat_map(of).collect();
            let on = link.regime().to_string();
            for (key, form) in together.iter().flatten().filter(|(key, _)| KEYS.contains(key)) {
                self.found.insert((link.to().to_string(), on.clone(), key, *form));
            }
            let seen = [seen, &[link.to().to_string()]].concat();
            if let PlaceId::Tier(tier) = link.to() {
                self.from(tier, &seen, &together);
            }
        }
    }
}

/// Whoever can have sent something that a tier seals: what came over a link names nobody.
fn senders(federation: &Federation, tier: &TierId, is_first: bool) -> Vec<(Option<String>, Option<Listener>)> {
    let mut senders = vec![(None, None)];
    let own = federation.clusters(tier.region().as_str()).filter(|_| is_first);
    for (name, listen) in own.map(|cluster| (cluster.name().to_string(), cluster.listen())) {
        senders.push((Some(name.clone()), None));
        senders.extend(listen.otlp_grpc.map(|_| (Some(name.clone()), Some(Listener::OtlpGrpc))));
        senders.extend(listen.otlp_http.map(|_| (Some(name), Some(Listener::OtlpHttp))));
    }
    senders
}

/// What crosses of one resource: a sealer sees what came to it, and nothing of what was there once.
fn sealed(table: &Table, values: &Values, sealers: Sealers) -> Values {
    let is_device = values.keys().any(|key| table.marks_device(key));
    let on = if is_device { Resource::Device } else { Resource::Server };
    let own = values.iter().filter(|(key, _)| **key != SAID);
    let mut crossed: Values = own.filter_map(|(key, form)| Some((*key, next(table, key, on, *form)?))).collect();
    crossed.extend((is_device && sealers == Sealers::Mark).then_some((SAID, Form::Raw)));
    crossed
}

fn next(table: &Table, key: &'static str, on: Resource, form: Form) -> Option<Form> {
    let spelt = key.replace('*', "x");
    let action = table.attribute(Carrier::SpanAttributes, spelt.as_bytes(), on).action;
    match (action, form) {
        (Action::Absent, _) => None,
        (Action::Raw, form) => Some(form),
        (Action::Hmac(_) | Action::Blind(_), _) => Some(Form::Keyed),
        (Action::Truncate { .. }, Form::Raw | Form::Generalised) => Some(Form::Generalised),
        (Action::Truncate { .. }, _) => None,
    }
}

fn class_of(key: &str, on: Resource) -> Class {
    match (key, on) {
        ("http.route", _) | ("host.name", Resource::Server) => Class::Op,
        ("client.address", _) => Class::Online,
        ("client.port" | "acme.*", _) => Class::Quasi,
        ("exception.message", _) => Class::Free,
        _ => Class::Direct,
    }
}

/// Every place at which an invariant is broken, as following all paths finds it: number, origin, place.
fn by_hand(loaded: &Loaded, small: &Small, sealers: Sealers) -> BTreeSet<(usize, String, String)> {
    let policy = loaded.policy.as_ref().unwrap();
    let mut leaks = BTreeSet::new();
    for region in loaded.federation.regions() {
        for on in [Resource::Server, Resource::Device] {
            let mut walk = Walk { loaded, policy, origin: region.regime().clone(), found: BTreeSet::new(), sealers };
            let marker = (on == Resource::Device).then_some(MARKER);
            let values: Values = KEYS.into_iter().chain(marker).map(|key| (key, Form::Raw)).collect();
            let gateway = TierId::gateway(region.name().clone());
            walk.from(&gateway, &[gateway.to_string()], &BTreeSet::from([values]));
            let broken = walk.found.iter().flat_map(|found| small.broken(region.regime().as_str(), on, found));
            leaks.extend(broken.map(|(number, place)| (number, region.regime().to_string(), place)));
        }
    }
    leaks
}

impl Small {
    /// The invariants that one thing breaks, by its place, the regime there, its key and form.
    fn broken(
        &self,
        origin: &str,
        on: Resource,
        (place, reached, key, form): &(String, String, &'static str, Form),
    ) -> Vec<(usize, String)> {
        let numbered = self.invariants.iter().enumerate();
        let broken = numbered.filter(|(_, never)| {
            let says = |word: &str| never.contains(word);
            let reaches_out = !says(&format!("outside: [{reached}]"));
            let of = says(&format!("origin: {origin},")) && says(&format!("class: {},", class_of(key, on)));
            reaches_out && of && (*form == Form::Raw || says(&format!("form: {form},")))
        });
        broken.map(|(number, _)| (number, place.clone())).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_fixpoint_finds_a_leak_exactly_where_following_every_path_does(small in small_federation()) {
        let loaded = small.load();
        let policy = loaded.policy.as_ref().unwrap();
        let first = policy.residency.invariants.iter().map(|invariant| invariant.at.clone()).collect::<Vec<_>>();
        // Carriers with a class of their own leak where an attribute of that class does, but for ids and texts without one.
        let broken = policy.broken(&loaded.federation);
        let told: BTreeSet<_> = broken
            .iter()
            .map(|one| {
                let number = first.iter().position(|at| *at == one.at).unwrap();
                (number, one.origin.to_string(), one.path.last().unwrap().to_string())
            })
            .collect();
        prop_assert_eq!(told, by_hand(&loaded, &small, Sealers::Mark), "{:#?}", small);
        for one in &broken {
            prop_assert!(!one.rules.is_empty() && one.path.len() > 1);
        }
    }
}

/// Guarantees: following paths by hand sees a marker that was lost; only what sealers say of a device themselves makes up
/// for it, and the proof rests on that.
#[test]
fn a_device_without_its_marker_would_leak_on_the_second_hop() {
    let rule = |to: &str, allow: &str| {
        format!("origin: EEA, reaching: {to}, signal: traces, allow: {{{allow}}}, deny: [special]")
    };
    let small = Small {
        regimes: vec![0, 1, 2],
        listeners: Vec::new(),
        links: vec![(0, 1, false, vec![0]), (1, 2, true, vec![0])],
        rules: vec![rule("UK", "op: raw, direct: raw"), rule("US", "op: raw")],
        invariants: vec!["{origin: EEA, class: direct, form: raw, outside: [UK]}".to_owned()],
    };
    let loaded = small.load();
    assert_eq!(broken(&loaded), Vec::<String>::new());
    assert_eq!(by_hand(&loaded, &small, Sealers::Mark), BTreeSet::new());
    assert_eq!(by_hand(&loaded, &small, Sealers::SayNothing).len(), 1);
}
