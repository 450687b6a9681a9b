//! A trace that starts in an EU service and goes on in a US service, made by the real Python SDK in two processes.
//!
//! Guarantees: it arrives at central's backend complete and once; people are pseudonyms there, their addresses networks,
//! their mailboxes nowhere; all operational attributes are what was sent. At home everything is as it was sent. What went
//! to the UK too does not reach central a second time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where its surroundings fail it")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tollgate_federation::Signal;
use tollgate_integration::evidence::{search_bytes, shown};
use tollgate_integration::fleet::{ALL, ERRORS};
use tollgate_integration::held::{attributes_of, printed};
use tollgate_integration::{Attributes, Fleet};
use tollgate_scenario::canary::Canary;
use tollgate_testkit::backend::ReceivedSpan;
use tollgate_testkit::{FakeBackend, Venv, wait_until};

const LIMIT: Duration = Duration::from_secs(30);
const EU_COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const US_COLLECTOR: &str = "us-east-collector-us-east-a-0";
const EU_GATEWAYS: [&str; 2] = ["eu-west-gateway-0", "eu-west-gateway-1"];
const UK_GATEWAY: &str = "uk-south-gateway-0";
const US_GATEWAY: &str = "us-east-gateway-0";
const CENTRAL: [&str; 2] = ["us-east-central-0", "us-east-central-1"];

const USER: &str = "usr-7f3a9c";
const ADDRESS: &str = "198.151.213.147";
const NETWORK: &str = "198.151.213.0";
/// What the EU service sends that the example's policy lets cross as it is.
const OPERATIONAL: [&str; 7] = [
    "http.request.method",
    "http.route",
    "http.request.header.content-type",
    "http.request.body.size",
    "http.response.status_code",
    "url.scheme",
    "url.template",
];
/// What stands in the resource of the Python SDK or is stamped.
const RESOURCE: [&str; 10] = [
    "service.instance.id",
    "service.name",
    "service.namespace",
    "service.version",
    "telemetry.sdk.language",
    "telemetry.sdk.name",
    "telemetry.sdk.version",
    "deployment.environment.name",
    "k8s.cluster.name",
    "cloud.region",
];

/// One span that a service sent and its collector acknowledged.
struct Sent {
    trace: String,
    id: String,
    parent: String,
    name: String,
    kind: i64,
    times: [u64; 2],
    attributes: Attributes,
}

/// What both services sent.
struct Sources {
    eu: Vec<Sent>,
    us: Vec<Sent>,
}

/// The federation with one backend behind both central nodes.
struct Journey {
    fleet: Fleet,
    backend: FakeBackend,
}

impl Journey {
    fn start(protocol: &str, sampling: &str) -> Self {
        let mut fleet = Fleet::lay_out();
        let backend = FakeBackend::start(fleet.block().socket(100, 0));
        let at = backend.address();
        let target = match protocol {
            "grpc" => format!("otlp_grpc: \"{at}\""),
            _ => format!("otlp_http: \"http://{at}\""),
        };
        fleet.add_backends("us-east/central", &format!("{{sink: {{{target}, signals: [traces], tls: off}}}}"));
        fleet.sample(sampling);
        let gateways = EU_GATEWAYS.into_iter().chain([UK_GATEWAY, US_GATEWAY]);
        fleet.start([EU_COLLECTOR, US_COLLECTOR].into_iter().chain(gateways).chain(CENTRAL));
        Self { fleet, backend }
    }

    /// Runs both services to their end, and waits until all that they sent is where it belongs.
    fn travel(&self, protocol: &str, options: &[&str]) -> Sources {
        let checkouts = 2;
        let mut payment = self.service("service_us.py", US_COLLECTOR, protocol);
        let listen = format!("--listen={}", self.fleet.block().address(101));
        payment.args([listen, format!("--requests={checkouts}")]).stdout(Stdio::piped());
        let mut payment = payment.spawn().unwrap();
        let mut lines = BufReader::new(payment.stdout.take().unwrap()).lines();
        let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let downstream = format!("--downstream={}", first["listening"].as_str().unwrap());

        let mut frontend = self.service("service_eu.py", EU_COLLECTOR, protocol);
        let frontend = frontend.args([downstream, format!("--checkouts={checkouts}"), format!("--user={USER}")]);
        let output = frontend.arg(format!("--client-address={ADDRESS}")).args(options).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let eu = sent(&serde_json::from_slice(&output.stdout).unwrap());
        let us = sent(&serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap());
        assert!(payment.wait().unwrap().success());
        assert_eq!((us.len(), eu.len() >= us.len()), (2 * checkouts, true));
        let traces = |spans: &[Sent]| spans.iter().map(|span| span.trace.clone()).collect::<BTreeSet<_>>();
        assert_eq!((traces(&eu), traces(&eu).len()), (traces(&us), checkouts), "the US service goes on with EU traces");

        let all = eu.len() + us.len();
        wait_until(LIMIT, "the trace arrives", || self.backend.spans().len() >= all);
        self.fleet.wait_idle(LIMIT);
        Sources { eu, us }
    }

    fn service(&self, script: &str, collector: &str, protocol: &str) -> std::process::Command {
        let planned = self.fleet.planned(collector);
        let endpoint = if protocol == "grpc" { planned.otlp_grpc() } else { planned.otlp_http() };
        let mut command = Venv::ready().script(script);
        command.args([format!("--endpoint={}", endpoint.unwrap()), format!("--protocol={protocol}")]);
        command
    }

    /// What the backend of central got, by span id; every span once.
    #[track_caller]
    fn received(&self) -> BTreeMap<String, ReceivedSpan> {
        let mut received = BTreeMap::new();
        for found in self.backend.spans() {
            let id = hex(&found.span.span_id);
            assert!(received.insert(id.clone(), found).is_none(), "{id} arrived twice");
        }
        received
    }
}

#[track_caller]
fn sent(report: &Value) -> Vec<Sent> {
    assert_eq!(report["refused"], 0, "a collector refused spans");
    let spans = report["spans"].as_array().unwrap().iter();
    let text = |span: &Value, key: &str| span[key].as_str().unwrap().to_owned();
    let sent = |span: &Value| Sent {
        trace: text(span, "trace_id"),
        id: text(span, "span_id"),
        parent: text(span, "parent_span_id"),
        name: text(span, "name"),
        kind: span["kind"].as_i64().unwrap(),
        times: ["start", "end"].map(|key| span[key].as_u64().unwrap()),
        attributes: printed(&span["attributes"]),
    };
    spans.map(sent).collect()
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Ids, times and kind are what was sent, wherever a span goes.
#[track_caller]
fn assert_same_span(sent: &Sent, found: &ReceivedSpan) {
    let span = &found.span;
    assert_eq!([hex(&span.trace_id), hex(&span.parent_span_id)], [sent.trace.clone(), sent.parent.clone()]);
    assert_eq!([span.start_time_unix_nano, span.end_time_unix_nano], sent.times);
    assert_eq!(i64::from(span.kind), sent.kind);
}

/// All that an EU span may show outside the EU, but for the pseudonym of its user, which is returned.
#[track_caller]
fn assert_sealed(sent: &Sent, found: &ReceivedSpan) -> Option<String> {
    let mut attributes = attributes_of(&found.span.attributes);
    let pseudonym = attributes.remove("user.id").map(|value| value.as_str().unwrap().to_owned());
    assert_eq!(pseudonym.is_some(), sent.attributes.contains_key("user.id"), "{}", sent.name);
    let allowed = |(key, _): &(&String, &Value)| OPERATIONAL.contains(&key.as_str());
    let mut expected: Attributes =
        sent.attributes.iter().filter(allowed).map(|(key, value)| (key.clone(), value.clone())).collect();
    if sent.attributes.contains_key("client.address") {
        expected.insert("client.address".to_owned(), json!(NETWORK));
    }
    assert_eq!(attributes, expected, "{}", sent.name);
    let crossed = expected.len() + usize::from(pseudonym.is_some());
    assert_eq!(found.span.dropped_attributes_count as usize, sent.attributes.len() - crossed, "{}", sent.name);
    pseudonym
}

/// `tg1.<key id>.<26 characters>`.
#[track_caller]
fn assert_pseudonym(pseudonym: &str) {
    let parts: Vec<&str> = pseudonym.split('.').collect();
    assert!(matches!(parts[..], ["tg1", key, tag] if !key.is_empty() && tag.len() == 26), "{pseudonym}");
}

/// Values of the EU service's users that nobody outside the EU may hold.
fn canaries() -> [Canary; 3] {
    let values = [("user.id", USER), ("user.email", "@kunde.example"), ("client.address", ADDRESS)];
    values.map(|(kind, needle)| Canary { region: "eu-west".to_owned(), kind, needle: needle.to_owned() })
}

/// Nothing outside the EU holds what was planted, and the same search finds it inside.
#[track_caller]
fn assert_nothing_crossed(journey: &Journey) {
    let canaries = canaries();
    let at_backend = search_bytes("the backend of central", &journey.backend.raw(), &canaries);
    assert!(at_backend.bytes > 1000 && at_backend.hits.is_empty(), "{}", shown(&at_backend, &canaries));
    let abroad = [UK_GATEWAY, US_COLLECTOR, US_GATEWAY, CENTRAL[0], CENTRAL[1]];
    let outside = journey.fleet.search(&abroad, &canaries);
    assert!(outside.hits.is_empty(), "{}", shown(&outside, &canaries));
    let inside = journey.fleet.search(&EU_GATEWAYS, &canaries);
    assert_eq!(inside.found(), canaries.len(), "the search does not find what is there");
}

/// What each of the two users of a run is called at one destination.
#[track_caller]
fn pseudonyms(found: impl IntoIterator<Item = (String, Option<String>)>) -> BTreeMap<String, String> {
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (trace, pseudonym) in found {
        names.entry(trace).or_default().extend(pseudonym);
    }
    for of_trace in names.values() {
        assert_eq!(of_trace.len(), 1, "one user of a trace has one pseudonym");
    }
    let names: BTreeMap<String, String> =
        names.into_iter().map(|(trace, of_trace)| (trace, of_trace.into_iter().next().unwrap())).collect();
    names.values().for_each(|name| assert_pseudonym(name));
    assert_eq!(names.values().collect::<BTreeSet<_>>().len(), names.len(), "two users have two pseudonyms");
    names
}

/// Central's backend has every acknowledged span once, sealed if it came from the EU and as it was if not.
#[track_caller]
fn assert_complete(journey: &Journey, sources: &Sources) -> BTreeMap<String, String> {
    let received = journey.received();
    assert_eq!(received.len(), sources.eu.len() + sources.us.len(), "nothing else is there");
    let of = |sent: &Sent| received.get(&sent.id).unwrap_or_else(|| panic!("{} is missing", sent.name));
    for sent in &sources.us {
        assert_same_span(sent, of(sent));
        assert_eq!(attributes_of(&of(sent).span.attributes), sent.attributes);
        assert_eq!(of(sent).span.name, sent.name);
    }
    for sent in &sources.eu {
        assert_same_span(sent, of(sent));
        let resource = attributes_of(&of(sent).resource.attributes);
        assert_eq!(resource.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(RESOURCE));
        assert_eq!((&resource["service.name"], &resource["cloud.region"]), (&json!("frontend"), &json!("eu-west")));
        assert_eq!(of(sent).scope.name, "tollgate.integration");
    }
    pseudonyms(sources.eu.iter().map(|sent| (sent.trace.clone(), assert_sealed(sent, of(sent)))))
}

/// The region's own backends have what was sent as it was sent.
#[track_caller]
fn assert_untouched_at_home(journey: &Journey, sources: &Sources) {
    for (gateways, spans) in [(&EU_GATEWAYS[..], &sources.eu), (&[US_GATEWAY][..], &sources.us)] {
        let held: Vec<_> = gateways.iter().flat_map(|name| journey.fleet.held(name, "embedded", "traces")).collect();
        assert_eq!(held.len(), spans.len(), "a region has its own spans and no others");
        for sent in spans {
            let found = held.iter().find(|found| found.text("spanId") == sent.id).unwrap();
            assert_eq!((found.text("name"), &found.attributes), (sent.name.as_str(), &sent.attributes));
        }
    }
}

#[test]
fn a_trace_from_the_eu_to_the_us_arrives_whole_once_and_without_personal_data_over_grpc() {
    let journey = Journey::start("grpc", ERRORS);
    let sources = journey.travel("grpc", &["--fail"]);
    assert_complete(&journey, &sources);
    assert_untouched_at_home(&journey, &sources);
    let received = journey.received();
    for sent in sources.eu.iter().filter(|sent| sent.parent.is_empty()) {
        let span = &received[&sent.id].span;
        assert_eq!((span.name.as_str(), sent.name.as_str()), ("POST /checkout", "POST /checkout"));
        let events: Vec<_> = span.events.iter().map(|event| event.name.as_str()).collect();
        assert_eq!(events, ["withheld", "exception"], "names that are not listed do not cross");
        assert!(span.events[0].attributes.is_empty());
        let exception = attributes_of(&span.events[1].attributes);
        assert_eq!(exception["exception.type"], "ValueError");
        assert!(exception.keys().all(|key| ["exception.type", "exception.escaped"].contains(&key.as_str())));
        let status = span.status.as_ref().unwrap();
        assert_eq!((status.code, status.message.as_str()), (2, ""));
    }
    assert_nothing_crossed(&journey);
}

#[test]
fn a_trace_from_the_eu_to_the_us_arrives_whole_once_and_without_personal_data_over_http() {
    let journey = Journey::start("http", ALL);
    let sources = journey.travel("http", &["--careless", "--compression=gzip"]);
    assert_complete(&journey, &sources);
    assert_untouched_at_home(&journey, &sources);
    let received = journey.received();
    let careless: Vec<_> = sources.eu.iter().filter(|sent| sent.name.starts_with("cart of ")).collect();
    assert_eq!(careless.len(), 2);
    for sent in careless {
        let span = &received[&sent.id].span;
        assert_eq!(span.name, "withheld");
        let [link] = &span.links[..] else { panic!("one link") };
        assert_eq!((hex(&link.trace_id), hex(&link.span_id)), (sent.trace.clone(), sent.parent.clone()));
        assert_eq!((link.attributes.len(), link.dropped_attributes_count), (0, 1));
    }
    assert_nothing_crossed(&journey);
}

#[test]
fn eu_spans_that_also_went_to_the_uk_do_not_reach_central_a_second_time() {
    let journey = Journey::start("grpc", ALL);
    let sources = journey.travel("grpc", &["--careless"]);
    let in_us = assert_complete(&journey, &sources);

    // They are in the UK: every one, once, and sealed for the UK.
    let in_uk = journey.fleet.held(UK_GATEWAY, "embedded", "traces");
    let mut ids: Vec<_> = in_uk.iter().map(|found| found.text("spanId").to_owned()).collect();
    let mut expected: Vec<_> = sources.eu.iter().map(|sent| sent.id.clone()).collect();
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected);
    for found in &in_uk {
        assert!(!found.attributes.contains_key("user.email"));
        let address = found.attributes.get("client.address");
        assert!(address.is_none_or(|address| address == NETWORK), "{address:?}");
    }
    let user =
        |found: &tollgate_integration::Held| found.attributes.get("user.id").map(|id| id.as_str().unwrap().into());
    let there = pseudonyms(in_uk.iter().map(|found| (found.text("traceId").to_owned(), user(found))));
    for (trace, name) in &there {
        assert_ne!(in_us[trace], *name, "two destinations cannot compare what they call a user");
    }

    // The UK took all of them in and offered none to its own link: it does not carry what came from the EU.
    let accepted = |name| journey.fleet.accepted(name, Signal::Traces);
    assert_eq!(accepted(UK_GATEWAY), sources.eu.len() as f64);
    assert_eq!(journey.fleet.items(UK_GATEWAY, "link/us-east/central", Signal::Traces, "offered"), 0.0);
    let at_central: f64 = CENTRAL.into_iter().map(accepted).sum();
    assert_eq!(at_central, (sources.eu.len() + sources.us.len()) as f64, "central took each span once");
    assert_nothing_crossed(&journey);
}
