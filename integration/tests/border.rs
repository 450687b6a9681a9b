//! What crosses a border, under traffic that puts personal data wherever careless programs put it.
//!
//! Guarantees: no planted value is anywhere on the far side of a border, in the spools, files, logs, metrics and pages of
//! its processes and in the bytes its backend got; the same search finds all of them at home. What each link was offered
//! crossed or was withheld, and was counted. Keys arrive that the catalogue and the rule allow, and no others.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where its surroundings fail it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use tollgate_federation::Signal;
use tollgate_integration::evidence::{search_bytes, shown};
use tollgate_integration::fleet::ALL;
use tollgate_integration::held::attributes_of;
use tollgate_integration::requests::{numbered, request, span};
use tollgate_integration::{Attributes, Fleet};
use tollgate_runtime::Clock;
use tollgate_scenario::canary::{Canary, Hit};
use tollgate_scenario::traffic::{Outcome, Traffic};
use tollgate_testkit::backend::ReceivedSpan;
use tollgate_testkit::http::post as http_post;
use tollgate_testkit::{Client, FakeBackend, Service, wait_until};

const LIMIT: Duration = Duration::from_secs(60);
const REGIONS: [&str; 3] = ["eu-west", "uk-south", "us-east"];
const EU_COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const EU_GATEWAYS: [&str; 2] = ["eu-west-gateway-0", "eu-west-gateway-1"];
const UK_GATEWAY: &str = "uk-south-gateway-0";
const CENTRAL: [&str; 2] = ["us-east-central-0", "us-east-central-1"];

/// Keys that the traffic sends and the policy lets cross, wherever they stand.
const SPAN_KEYS: [&str; 12] = [
    "client.address",
    "db.collection.name",
    "db.operation.name",
    "db.system.name",
    "error.type",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "session.id",
    "url.scheme",
    "url.template",
    "user.id",
];
const RESOURCE_KEYS: [&str; 9] = [
    "cloud.region",
    "deployment.environment.name",
    "k8s.cluster.name",
    "service.instance.id",
    "service.name",
    "service.namespace",
    "service.version",
    "telemetry.sdk.language",
    "telemetry.sdk.name",
];
/// Names that are composed of attributes that crossed; the traffic's other names hold people.
const SPAN_NAMES: [&str; 6] =
    ["POST", "POST /checkout", "POST /orders", "POST /reviews", "POST /stock/{sku}", "SELECT orders"];

/// What was sent, by region.
#[derive(Default)]
struct Sent {
    spans: BTreeMap<&'static str, f64>,
    health_checks: usize,
    bytes: BTreeMap<&'static str, Vec<u8>>,
}

impl Sent {
    fn of(&self, region: &str) -> f64 {
        self.spans.get(region).copied().unwrap_or_default()
    }

    fn all(&self) -> f64 {
        self.spans.values().sum()
    }
}

/// A federation whose central tier has a backend that keeps every byte it gets.
fn fleet() -> (Fleet, FakeBackend) {
    let fleet = Fleet::lay_out();
    let backend = FakeBackend::start(fleet.block().socket(100, 0));
    let sink = format!("{{sink: {{otlp_grpc: \"{}\", signals: [traces], tls: off}}}}", backend.address());
    fleet.add_backends("us-east/central", &sink);
    fleet.sample(ALL);
    (fleet, backend)
}

/// Checkouts at every collector, of all three signals.
fn send(fleet: &Fleet, traffic: &mut Traffic, batches: usize) -> Sent {
    let mut clients: BTreeMap<&str, Client> = BTreeMap::new();
    let mut sent = Sent::default();
    for _ in 0..batches {
        let batch = traffic.batch(Clock::system().now(), 40);
        sent.health_checks += batch.stories.iter().filter(|story| story.outcome == Outcome::HealthCheck).count();
        for request in batch.requests {
            let collector = format!("{}-collector-{}-0", request.region, request.cluster);
            let client = clients.entry(request.cluster).or_insert_with(|| Client::plain(fleet.otlp(&collector)));
            let service = match request.signal {
                Signal::Traces => Service::Traces,
                Signal::Metrics => Service::Metrics,
                Signal::Logs => Service::Logs,
            };
            *sent.spans.entry(request.region).or_default() += request.spans.len() as f64;
            sent.bytes.entry(request.region).or_default().extend_from_slice(&request.bytes);
            client.export(service, request.bytes).unwrap();
        }
    }
    sent
}

/// The sum over some processes of what one consumer counted of traces.
fn items(fleet: &Fleet, names: &[&str], consumer: &str, outcome: &str) -> f64 {
    names.iter().map(|name| fleet.items(name, consumer, Signal::Traces, outcome)).sum()
}

fn accepted(fleet: &Fleet, names: &[&str]) -> f64 {
    names.iter().map(|name| fleet.accepted(name, Signal::Traces)).sum()
}

/// Which canaries were really planted in a region.
fn planted(sent: &Sent, region: &str, canaries: &[Canary]) -> BTreeSet<usize> {
    let bytes = sent.bytes.get(region).map_or(&[][..], Vec::as_slice);
    search_bytes(region, bytes, canaries).hits.into_iter().map(|hit| hit.canary).collect()
}

#[track_caller]
fn assert_nothing_crossed(fleet: &Fleet, backend: &FakeBackend, sent: &Sent, canaries: &[Canary]) {
    let at_backend = search_bytes("the backend of central", &backend.raw(), canaries);
    assert!(at_backend.bytes > 100_000 && at_backend.hits.is_empty(), "{}", shown(&at_backend, canaries));
    for region in REGIONS {
        let mut report = fleet.search(&fleet.names(region), canaries);
        let is_own = |hit: &Hit| canaries.get(hit.canary).is_some_and(|canary| canary.region == region);
        let own: BTreeSet<usize> = report.hits.iter().filter(|hit| is_own(hit)).map(|hit| hit.canary).collect();
        report.hits.retain(|hit| !is_own(hit));
        assert!(report.bytes > 100_000 && report.hits.is_empty(), "{region}: {}", shown(&report, canaries));
        assert_eq!(own, planted(sent, region, canaries), "the search does not find what is there");
        assert!(own.len() > 100 || region == "us-east", "{} canaries were planted in {region}", own.len());
    }
    let said = fleet.search_said(&fleet.names(""), canaries);
    assert!(said.hits.is_empty(), "logs, metrics and pages hold nothing of payloads: {}", shown(&said, canaries));
}

/// What was offered is what crossed and what was withheld, and the other side took what crossed.
#[track_caller]
fn assert_conserved(fleet: &Fleet, sent: &Sent) {
    let health_checks = items(fleet, &fleet.names(""), "gateway", "dropped");
    assert_eq!(health_checks, sent.health_checks as f64);
    let at_home: f64 = accepted(fleet, &EU_GATEWAYS);
    let links = [
        (&EU_GATEWAYS[..], "link/us-east/central", at_home),
        (&EU_GATEWAYS[..], "link/uk-south/gateway", at_home),
        (&[UK_GATEWAY][..], "link/us-east/central", accepted(fleet, &[UK_GATEWAY]) - at_home),
    ];
    for (names, link, expected) in links {
        let [offered, crossed, withheld] =
            ["offered", "sent", "withheld"].map(|outcome| items(fleet, names, link, outcome));
        assert_eq!(offered, expected, "{names:?} {link}: all that came from there was offered");
        assert_eq!(offered, crossed + withheld, "{names:?} {link}");
        for outcome in ["dropped", "rejected", "quarantined", "taken_back"] {
            assert_eq!(items(fleet, names, link, outcome), 0.0, "{names:?} {link} {outcome}");
        }
        assert!(crossed > 0.0, "{names:?} {link}");
    }
    let over_links: f64 = links
        .iter()
        .filter(|(_, link, _)| link.ends_with("central"))
        .map(|(n, link, _)| items(fleet, n, link, "sent"))
        .sum();
    let from_home = items(fleet, &["us-east-gateway-0"], "central", "sent");
    assert_eq!(accepted(fleet, &CENTRAL), over_links + from_home);
    let to_uk = items(fleet, &EU_GATEWAYS, "link/uk-south/gateway", "sent");
    let own = sent.of("uk-south") - items(fleet, &["uk-south-collector-uk-south-a-0"], "gateway", "dropped");
    assert_eq!(accepted(fleet, &[UK_GATEWAY]), own + to_uk);
}

/// Every key and name that arrived from another regime, by where it stood.
#[derive(Default)]
struct Seen {
    resource: BTreeSet<String>,
    span: BTreeSet<String>,
    event: BTreeSet<String>,
    link: BTreeSet<String>,
    scope: BTreeSet<String>,
    span_names: BTreeSet<String>,
    event_names: BTreeSet<String>,
}

impl Seen {
    fn add(&mut self, found: &ReceivedSpan) {
        let keys = |attributes| attributes_of(attributes).into_keys();
        self.resource.extend(keys(&found.resource.attributes));
        self.span.extend(keys(&found.span.attributes));
        self.scope.extend(keys(&found.scope.attributes));
        self.link.extend(found.span.links.iter().flat_map(|link| keys(&link.attributes)));
        self.event.extend(found.span.events.iter().flat_map(|event| keys(&event.attributes)));
        self.span_names.insert(found.span.name.clone());
        self.event_names.extend(found.span.events.iter().map(|event| event.name.clone()));
    }
}

fn set<const N: usize>(keys: [&str; N]) -> BTreeSet<String> {
    keys.map(str::to_owned).into()
}

#[test]
fn no_planted_value_crosses_a_border_and_every_span_is_accounted_for() {
    let (mut fleet, backend) = fleet();
    let names: Vec<String> = fleet.names("").into_iter().map(str::to_owned).collect();
    fleet.start(names.iter().map(String::as_str));
    let mut traffic = Traffic::new(23);
    let canaries = traffic.canaries();
    let batches = if std::env::var_os("TOLLGATE_FULL").is_some() { 100 } else { 30 };
    let sent = send(&fleet, &mut traffic, batches);
    let expected = sent.all() - sent.health_checks as f64;
    wait_until(LIMIT, "all spans arrive", || backend.spans().len() as f64 >= expected);
    fleet.wait_idle(LIMIT);

    assert_nothing_crossed(&fleet, &backend, &sent, &canaries);
    assert_conserved(&fleet, &sent);
    let received = backend.spans();
    let ids: BTreeSet<_> = received.iter().map(|found| (&found.span.trace_id, &found.span.span_id)).collect();
    assert_eq!((ids.len() as f64, received.len()), (expected, ids.len()), "each span is there once");

    let mut seen = Seen::default();
    let place = |found: &ReceivedSpan| attributes_of(&found.resource.attributes)["cloud.region"].clone();
    received.iter().filter(|found| place(found) != "us-east").for_each(|found| seen.add(found));
    assert_eq!(seen.resource, set(RESOURCE_KEYS));
    assert_eq!(seen.span, set(SPAN_KEYS));
    assert_eq!(
        (seen.event, seen.link, seen.scope),
        (set(["exception.type"]), set(["user.id"]), set(["tollgate.policy"]))
    );
    assert_eq!(seen.span_names, set(SPAN_NAMES));
    assert_eq!(seen.event_names, set(["exception", "withheld"]));
}

/// Every exact key of a catalogue with its class: the file read by the simplest means, not by the reader under test.
fn catalogue(text: &str) -> BTreeMap<String, String> {
    let mut classes = BTreeMap::new();
    let lines = text.split_once("\nattributes:\n").unwrap().1.lines();
    for line in lines.filter(|line| line.starts_with("  ") && !line.trim_start().starts_with('#')) {
        let (key, said) = line.trim().split_once(": ").unwrap();
        let said = said.split('#').next().unwrap().trim();
        let word = |after: &str| said.split_once(after).map(|(_, rest)| rest.split([',', '}']).next().unwrap().trim());
        let class = word("class: ").unwrap_or(said);
        let aliases = said.split_once("aliases: [").map_or("", |(_, rest)| rest.split(']').next().unwrap());
        let keys = aliases.split(',').map(str::trim).chain([key]);
        for key in keys.filter(|key| !key.is_empty() && !key.contains('*')) {
            classes.insert(key.to_owned(), class.to_owned());
        }
    }
    classes
}

/// What the rule `eea-us-traces` allows beyond operational keys.
const BY_NAME: [&str; 6] =
    ["user.id", "enduser.id", "client.address", "http.client_ip", "session.id", "geo.country.iso_code"];
/// Keys on one span.
const KEYS_A_SPAN: usize = 16;

/// Spans that hold each of these keys once; each has its number as its id.
fn with_keys(keys: &[(String, String)]) -> Vec<u8> {
    let now = Clock::system().now().nanos();
    let spans = (1..).zip(keys.chunks(KEYS_A_SPAN)).map(|(number, keys)| {
        span(numbered(number), |span| {
            span.string(5, "GET");
            span.fixed64(7, now);
            span.fixed64(8, now + 1);
            keys.iter().for_each(|(key, value)| span.key_string(9, key, value));
        })
    });
    request(&spans.collect::<Vec<_>>())
}

/// Sends spans with these keys from the EU; what of them arrives at central's backend, and how many were counted as left out.
#[track_caller]
fn cross(keys: &[(String, String)]) -> (Attributes, u32) {
    let (mut fleet, backend) = fleet();
    fleet.start([EU_COLLECTOR].into_iter().chain(EU_GATEWAYS).chain(CENTRAL));
    Client::plain(fleet.otlp(EU_COLLECTOR)).export(Service::Traces, with_keys(keys)).unwrap();
    let spans = keys.chunks(KEYS_A_SPAN).len();
    wait_until(LIMIT, "all spans arrive", || backend.spans().len() == spans);
    let received = backend.spans();
    let left_out = received.iter().map(|found| found.span.dropped_attributes_count).sum();
    (received.iter().flat_map(|found| attributes_of(&found.span.attributes)).collect(), left_out)
}

fn documents(file: &str) -> String {
    fs::read_to_string(format!("{}/../{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn of_all_keys_of_the_catalogue_those_arrive_that_the_rule_allows() {
    let classes = catalogue(&documents("policies/catalogue.yaml"));
    assert!(classes.len() > 300, "{} keys were read", classes.len());
    let value = |key: &str| match key {
        "client.address" | "http.client_ip" => "198.51.100.77".to_owned(),
        _ => "planted-7x".to_owned(),
    };
    let keys: Vec<_> = classes.keys().map(|key| (key.clone(), value(key))).collect();
    let (arrived, left_out) = cross(&keys);
    let allowed = |(key, class): &(&String, &String)| *class == "op" || BY_NAME.contains(&key.as_str());
    let expected: BTreeSet<_> = classes.iter().filter(allowed).map(|(key, _)| key).collect();
    assert_eq!(arrived.keys().collect::<BTreeSet<_>>(), expected);
    assert_eq!(left_out as usize, classes.len() - expected.len());
    for (key, value) in &arrived {
        let value = value.as_str().unwrap();
        match key.as_str() {
            "client.address" | "http.client_ip" => assert_eq!(value, "198.51.100.0"),
            "user.id" | "enduser.id" | "session.id" => assert!(value.starts_with("tg1."), "{key}: {value}"),
            _ => assert_eq!(value, "planted-7x", "{key}"),
        }
    }
}

#[test]
fn keys_that_the_catalogue_does_not_know_never_arrive() {
    let classes = catalogue(&documents("policies/catalogue.yaml"));
    // Next to every key that crosses stands one that is almost it.
    let crossing = classes.iter().filter(|(_, class)| *class == "op").map(|(key, _)| key);
    let almost = |(number, key): (usize, &String)| match number % 6 {
        0 => format!("{key}s"),
        1 => key.to_uppercase(),
        2 => format!("x.{key}"),
        3 => format!("{key}.usr-5d1e"),
        4 => format!(" {key}"),
        _ => key.replace('.', "_"),
    };
    let unknown: BTreeSet<String> = crossing.clone().enumerate().map(almost).collect();
    let unknown: BTreeSet<String> = unknown.into_iter().filter(|key| !classes.contains_key(key)).collect();
    assert!(unknown.len() > 150, "{}", unknown.len());
    let keys: Vec<_> = unknown.iter().map(|key| (key.clone(), "planted-7x".to_owned())).collect();
    let (arrived, left_out) = cross(&keys);
    assert_eq!((arrived, left_out as usize), (Attributes::new(), unknown.len()));
}

/// Scenario: an allow is narrowed to one of a region's two clusters, and collectors of both send the same attribute.
/// Guarantees: what the one sent arrives with it, what the other sent arrives without; nothing waits for ever.
#[test]
fn an_allow_for_one_cluster_lets_through_what_its_collector_sent() {
    const ALLOWED: &str = "      quasi: {only: {geo.country.iso_code: raw}}\n";
    let (mut fleet, backend) = fleet();
    let rule = "rules:\n  - {id: country, origin: EEA, reaching: US, signal: traces, where: {cluster: eu-west-a}, allow: {quasi: \
                {only: {geo.country.iso_code: raw}}}}\n";
    fleet.edit("policies/residency.yaml", |text| text.replacen(ALLOWED, "", 1).replacen("rules:\n", rule, 1));
    let collectors = [(EU_COLLECTOR, 1, "DE"), ("eu-west-collector-eu-west-b-0", 2, "FR")];
    fleet.start(collectors.map(|(name, ..)| name).into_iter().chain(EU_GATEWAYS).chain(CENTRAL));
    let now = Clock::system().now().nanos();
    for (collector, number, country) in collectors {
        let sent = span(numbered(number), |span| {
            span.string(5, "GET");
            span.fixed64(7, now);
            span.fixed64(8, now + 1);
            span.key_string(9, "geo.country.iso_code", country);
        });
        Client::plain(fleet.otlp(collector)).export(Service::Traces, request(&[sent])).unwrap();
    }
    wait_until(LIMIT, "both spans arrive", || backend.spans().len() == 2);
    let spans = backend.spans();
    let crossed: Vec<_> = spans.iter().flat_map(|found| attributes_of(&found.span.attributes)).collect();
    assert_eq!(
        crossed.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect::<Vec<_>>(),
        [("geo.country.iso_code", Some("DE"))]
    );
}

/// Scenario: a collector receives the same by gRPC and by HTTP, is killed while all of it waits, and comes back. One rule allows
/// the country for what came by gRPC alone, another denies the method for what came by HTTP. Guarantees: each value crosses
/// for the listener that its rule lets it cross for and for no other; nothing waits for ever.
#[test]
fn what_a_rule_says_of_a_listener_holds_for_what_came_by_it() {
    const ALLOWED: &str = "      quasi: {only: {geo.country.iso_code: raw}}\n";
    const KEYS: [(&str, &str); 2] = [("geo.country.iso_code", "DE"), ("http.request.method", "GET")];
    let (mut fleet, backend) = fleet();
    let rules = "rules:\n  - {id: country, origin: EEA, reaching: US, signal: traces, where: {listener: otlp_grpc}, allow: {quasi: \
                 {only: {geo.country.iso_code: raw}}}}\n  - {id: method, origin: EEA, reaching: US, signal: traces, where: \
                 {listener: otlp_http}, deny: [{attribute: http.request.method}]}\n";
    fleet.edit("policies/residency.yaml", |text| text.replacen(ALLOWED, "", 1).replacen("rules:\n", rules, 1));
    fleet.start([EU_COLLECTOR]);
    let (grpc, http) = (fleet.otlp(EU_COLLECTOR), fleet.planned(EU_COLLECTOR).otlp_http().unwrap());
    let now = Clock::system().now().nanos();
    let of = |number| {
        let span = span(numbered(number), |span| {
            span.string(5, "GET");
            span.fixed64(7, now);
            span.fixed64(8, now + 1);
            KEYS.iter().for_each(|(key, value)| span.key_string(9, key, value));
        });
        request(&[span])
    };
    // By turns: what waits together would go together.
    for number in 1..=20 {
        if number % 2 == 0 {
            Client::plain(grpc).export(Service::Traces, of(number)).unwrap();
        } else {
            let reply = http_post(http, "/v1/traces", "application/x-protobuf", &[], &of(number)).unwrap();
            assert_eq!(reply.status, 200);
        }
    }
    fleet.kill(EU_COLLECTOR);
    fleet.start([EU_COLLECTOR].into_iter().chain(EU_GATEWAYS).chain(CENTRAL));
    wait_until(LIMIT, "all spans arrive", || backend.spans().len() == 20);
    for found in backend.spans() {
        let crossed: Vec<String> = attributes_of(&found.span.attributes).into_keys().collect();
        let by_grpc = found.span.trace_id.last().unwrap() % 2 == 0;
        let expected = KEYS.map(|(key, _)| key).into_iter().filter(|_| by_grpc).collect::<Vec<_>>();
        assert_eq!(crossed, expected, "{:?}", found.span.trace_id);
    }
}
