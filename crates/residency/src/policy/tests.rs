mod blinding;
mod claims;
mod clusters;
mod differences;
mod existence;
mod faults;
mod findings;
mod interpreter;
mod language;
mod large;
mod listeners;
mod paths;

use super::*;
use crate::carrier::Carrier;
use crate::class::Class;
use crate::form::{Action, Form};
use crate::reading::Found;
use crate::table::Resource;
use time::macros::date;
use tollgate_federation::Listener;

const TODAY: Date = date!(2026 - 12 - 01);

const EXAMPLE: [(&str, &str); 6] = [
    ("regions/federation.yaml", include_str!("../../../../regions/federation.yaml")),
    ("regions/eu-west.yaml", include_str!("../../../../regions/eu-west.yaml")),
    ("regions/uk-south.yaml", include_str!("../../../../regions/uk-south.yaml")),
    ("regions/us-east.yaml", include_str!("../../../../regions/us-east.yaml")),
    (CATALOGUE, include_str!("../../../../policies/catalogue.yaml")),
    (RESIDENCY, include_str!("../../../../policies/residency.yaml")),
];

const SMALL_CATALOGUE: &str = "
attributes:
  http.route: op
  host.name: {class: op, on_device: direct}
  user.id: {class: direct, aliases: [enduser.id]}
  user.email: direct
  client.address: online
  client.port: quasi
  url.query: secret
  exception.message: free
  acme.*: quasi
  acme.inner.*: free
devices: [device.*]
names: {span: ['{http.route}'], event: [exception]}
";

const SMALL_RESIDENCY: &str = "
regimes: {EEA: {law: GDPR}, UK: {law: UK-GDPR}, US: {}}
instruments:
  dpf: {from: EEA, to: US, basis: GDPR-45, recipients: [Acme Inc], review_by: 2027-02-11, fallback: scc}
  scc: {from: EEA, to: US, basis: GDPR-46-SCC, tia: TIA-1, review_by: 2027-03-01}
  uk-us-extension: {from: UK, to: US, basis: UK-GDPR-45, review_by: 2027-02-11}
  uk-adequacy: {from: EEA, to: UK, basis: GDPR-45, valid_until: 2031-12-27}
transforms:
  user-key: {hmac: {group: user, key: user, epoch: 30d, scope: per_destination}}
  other-key: {hmac: {group: other, key: user, epoch: 30d, scope: per_destination}}
  ip-net: {truncate: {v4: 24, v6: 48}, accept_risk: RISK-77}
  ip-wide: {truncate: {v4: 16, v6: 32}}
defaults: {unclassified: drop, on_error: drop, expired_instrument: deny_link, audit_unwritable: deny_link}
";

/// The example's regions with one link that also carries what came from the UK.
const FEDERATION: &str = "
federation: {name: acme, trust_domain: acme.example}
links:
  - {from: eu-west, to: us-east/central, carries: [EEA, UK], signals: [traces, logs], instruments: {EEA: dpf, UK: uk-us-extension}}
  - {from: uk-south, to: eu-west/gateway, carries: [UK], signals: [traces], instruments: {UK: uk-eu}}
  - {from: uk-south, to: us-east/central, carries: [EEA, UK], signals: [traces], instruments: {EEA: dpf, UK: uk-us-extension}}
  - {from: eu-west, to: uk-south/gateway, carries: [EEA], signals: [traces], instruments: {EEA: uk-adequacy}}
";

const TO_US: LinkId = LinkId(0);

struct Loaded {
    federation: Federation,
    policy: Option<Policy>,
    faults: String,
}

fn load(texts: &[(&str, &str)]) -> Loaded {
    let (set, faults) = Set::from_texts(texts.iter().copied());
    let draft = FederationDraft::read(&set, &faults);
    assert_eq!(faults.to_string(), "");
    let policy = Policy::read(&set, &draft, &faults);
    Loaded { federation: draft.whole().unwrap(), policy, faults: faults.to_string() }
}

/// The region `eu-west`, where one of both clusters has no listener for HTTP.
fn eu_west() -> String {
    let (head, tail) = EXAMPLE[1].1.split_once("  eu-west-b:\n").unwrap();
    format!("{head}  eu-west-b:\n{}", tail.replacen(", otlp_http: 0.0.0.0:4318", "", 1))
}

fn small(rules: &str) -> Loaded {
    let residency = format!(
        "{}{rules}",
        SMALL_RESIDENCY.replace(
            "instruments:",
            "instruments:\n  uk-eu: {from: UK, to: EEA, basis: UK-GDPR-45, review_by: 2027-01-01}"
        )
    );
    let (mut texts, eu_west) = (EXAMPLE, eu_west());
    (texts[0].1, texts[1].1) = (FEDERATION, &eu_west);
    texts[4].1 = SMALL_CATALOGUE;
    texts[5].1 = &residency;
    load(&texts)
}

fn origin(text: &str) -> Origin {
    text.parse().unwrap()
}

impl Loaded {
    fn table(&self, link: LinkId, from: &str) -> Result<Table, Closed> {
        let policy = self.policy.as_ref().unwrap_or_else(|| panic!("{}", self.faults));
        policy.table(&self.federation, link, Signal::Traces, &origin(from), TODAY)
    }
}

/// Compiles the given rules over the small catalogue, for data from the EEA that goes to the US.
pub(crate) fn table_of(rules: &str) -> Table {
    small(&format!("rules:\n{rules}")).table(TO_US, "EEA").unwrap()
}

fn answer(table: &Table, key: &str) -> Form {
    table.attribute(Carrier::SpanAttributes, key.as_bytes(), Resource::Server).action.form()
}

const BASIC: &str = "  - {id: basic, origin: EEA, reaching: US, signal: traces, allow: {op: raw, corr: raw, \
                     direct: {only: {user.id: user-key}}, online: {only: {client.address: ip-net}}}}\n";

#[test]
fn example_federation_loads_and_answers_as_the_design_says() {
    let loaded = load(&EXAMPLE);
    assert_eq!(loaded.faults, "");
    let table = loaded.table(TO_US, "EEA").unwrap();
    for (key, form) in [
        ("http.route", Form::Raw),
        ("service.name", Form::Raw),
        ("user.id", Form::Keyed),
        ("enduser.id", Form::Keyed),
        ("client.address", Form::Generalised),
        ("user.email", Form::Absent),
        ("http.request.header.authorization", Form::Absent),
        ("http.request.header.content-type", Form::Raw),
        ("url.query", Form::Absent),
        ("exception.type", Form::Raw),
        ("exception.message", Form::Absent),
        ("exception.stacktrace", Form::Absent),
        ("acme.invented", Form::Absent),
        ("baggage.user", Form::Absent),
    ] {
        assert_eq!(answer(&table, key), form, "{key}");
    }
    assert_eq!(table.carrier(Carrier::StatusMessage), Form::Absent);
    assert_eq!(table.carrier(Carrier::SpanTraceId), Form::Raw);
    assert_eq!(table.carrier(Carrier::ResourceEntityRefs), Form::Absent);
    assert_eq!(table.instruments().collect::<Vec<_>>(), [("EEA", "dpf")]);
    assert!(!table.span_names().is_empty() && table.lists_event("exception"));
}

#[test]
fn example_lets_no_log_and_no_metric_cross() {
    let loaded = load(&EXAMPLE);
    let policy = loaded.policy.unwrap();
    for link in loaded.federation.links() {
        for signal in [Signal::Logs, Signal::Metrics] {
            let origin = Origin::of(link.carries().next().unwrap().clone());
            assert!(policy.table(&loaded.federation, link.id(), signal, &origin, TODAY).is_err());
        }
    }
}

/// The table of the reference, old and new names: what the shipped catalogue says of each.
const REFERENCE: [(Class, &[&str]); 7] = [
    (
        Class::Direct,
        &[
            "aws.dynamodb.*",
            "db.elasticsearch.path_parts.*",
            "db.query.parameter.*",
            "db.user",
            "enduser.pseudo.id",
            "feature_flag.context.id",
            "file.owner.name",
            "file.path",
            "log.file.*",
            "messaging.gcp_pubsub.message.ordering_key",
            "messaging.kafka.message.key",
            "messaging.rabbitmq.destination.routing_key",
            "messaging.rocketmq.message.keys",
            "process.owner",
            "process.saved_user.name",
            "process.working_directory",
            "tls.client.subject",
            "user.email",
            "user.full_name",
            "user.hash",
            "user.id",
            "user.name",
            "vcs.owner.name",
        ],
    ),
    (
        Class::Quasi,
        &[
            "aws.ecs.task.arn",
            "browser.platform",
            "client.port",
            "cloud.account.id",
            "device.model.*",
            "enduser.scope",
            "geo.country.iso_code",
            "geo.location.lat",
            "geo.postal_code",
            "k8s.pod.annotation.*",
            "messaging.message.id",
            "source.port",
            "user.roles",
        ],
    ),
    (
        Class::Online,
        &[
            "client.address",
            "destination.address",
            "device.id",
            "host.mac",
            "http.client_ip",
            "mcp.session.id",
            "messaging.message.conversation_id",
            "net.peer.name",
            "net.sock.peer.addr",
            "net.sock.peer.name",
            "network.carrier.icc",
            "network.peer.address",
            "session.previous_id",
            "source.address",
            "tls.client.hash.*",
            "tls.client.ja3",
        ],
    ),
    (
        Class::Free,
        &[
            "aws.s3.key",
            "baggage.*",
            "cloudevents.event_subject",
            "code.stacktrace",
            "db.statement",
            "dns.question.name",
            "exception.message",
            "exception.stacktrace",
            "faas.document.name",
            "feature_flag.result.value",
            "graphql.document",
            "http.request.body.content",
            "http.user_agent",
            "log.record.original",
            "mcp.resource.uri",
            "messaging.destination.name",
            "otel.status_description",
            "url.path",
            "user_agent.original",
            "vcs.change.title",
        ],
    ),
    (
        Class::Secret,
        &[
            "aws.sqs.queue.url",
            "azure.resource.log.identity",
            "browser.document.url.full",
            "container.command_args",
            "db.connection_string",
            "http.request.header.*",
            "http.target",
            "process.command_line",
            "process.environment_variable.*",
            "rpc.grpc.request.metadata.*",
            "rpc.response.metadata.*",
            "url.fragment",
            "url.full",
            "url.original",
        ],
    ),
    (Class::Special, &["gen_ai.input.messages", "gen_ai.retrieval.*", "gen_ai.system_instructions"]),
    (
        Class::Op,
        &[
            "db.query.summary",
            "deployment.environment",
            "exception.type",
            "host.name",
            "http.response.status_code",
            "k8s.pod.ip",
            "messaging.destination.template",
            "net.host.ip",
            "os.version",
            "server.address",
            "service.instance.id",
            "service.name",
            "telemetry.sdk.name",
            "url.template",
        ],
    ),
];

#[test]
fn example_catalogue_answers_for_the_whole_reference_table() {
    let (document, faults) = tollgate_config::parse(CATALOGUE, EXAMPLE[4].1);
    let catalogue = Catalogue::read(document.root(&faults), None);
    for (class, keys) in REFERENCE {
        for key in keys {
            assert!(matches!(catalogue.find(key), Found::Whole(entry) if entry.class == class), "{key}");
        }
    }
}

#[test]
fn omission_means_absent() {
    let table = table_of(BASIC);
    assert_eq!(answer(&table, "client.port"), Form::Absent);
    assert_eq!(answer(&table, "user.email"), Form::Absent);
    assert_eq!(answer(&table, "no.such.key"), Form::Absent);
    assert_eq!(table.carrier(Carrier::Unknown), Form::Absent);
}

#[test]
fn deny_beats_allow_whatever_the_order() {
    let deny = "  - {id: no, origin: EEA, reaching: US, signal: traces, deny: [online, {attribute: enduser.id}]}\n";
    for rules in [format!("{BASIC}{deny}"), format!("{deny}{BASIC}")] {
        let table = table_of(&rules);
        assert_eq!(answer(&table, "client.address"), Form::Absent);
        assert_eq!(answer(&table, "user.id"), Form::Absent);
        assert_eq!(answer(&table, "http.route"), Form::Raw);
    }
}

#[test]
fn strictest_allow_wins_and_incomparable_allows_meet_in_absent() {
    let rule = |id, allow| format!("  - {{id: {id}, origin: EEA, reaching: US, signal: traces, allow: {{{allow}}}}}\n");
    let two = |one, other| table_of(&format!("{}{}", rule("a", one), rule("b", other)));
    assert_eq!(answer(&two("direct: raw", "direct: user-key"), "user.email"), Form::Keyed);
    assert_eq!(answer(&two("direct: other-key", "direct: user-key"), "user.email"), Form::Absent);
    let wide = two("online: ip-net", "online: {only: {client.address: ip-wide}}");
    let cell = wide.attribute(Carrier::SpanAttributes, b"client.address", Resource::Server);
    assert_eq!(cell.action, Action::Truncate { v4: 16, v6: 32 });
    assert_eq!(answer(&two("online: ip-net", "online: user-key"), "client.address"), Form::Absent);
}

#[test]
fn longest_template_answers_and_exact_name_comes_first() {
    let rules = "  - {id: a, origin: EEA, reaching: US, signal: traces, allow: {quasi: raw}}\n";
    let table = table_of(rules);
    assert_eq!(answer(&table, "acme.any.key"), Form::Raw);
    assert_eq!(answer(&table, "acme.inner.key"), Form::Absent);
    assert_eq!(answer(&table, "acme"), Form::Absent);
    assert_eq!(answer(&table, "acmex.key"), Form::Absent);
}

#[test]
fn deny_of_a_template_holds_for_every_name_below_it() {
    let rules = |deny| {
        format!(
            "  - {{id: a, origin: EEA, reaching: US, signal: traces, allow: {{quasi: raw, free: raw}}}}\n  \
             - {{id: b, origin: EEA, reaching: US, signal: traces, deny: [{{attribute: {deny}}}]}}\n"
        )
    };
    let denied = table_of(&rules("acme.*"));
    assert_eq!([answer(&denied, "acme.key"), answer(&denied, "acme.inner.key")], [Form::Absent; 2]);
    assert_eq!(answer(&denied, "client.port"), Form::Raw);
    let inner = table_of(&rules("acme.inner.*"));
    assert_eq!([answer(&inner, "acme.key"), answer(&inner, "acme.inner.key")], [Form::Raw, Form::Absent]);
}

#[test]
fn no_template_lets_a_credential_cross() {
    let catalogue = SMALL_CATALOGUE.replace(
        "  acme.inner.*: free",
        "  http.request.header.*: quasi\n  http.*: free\n  rpc.request.metadata.*: quasi",
    );
    let rules = "rules:\n  - {id: a, origin: EEA, reaching: US, signal: traces, allow: {quasi: raw, free: raw}}\n";
    let residency = format!("{SMALL_RESIDENCY}{rules}");
    let mut texts = EXAMPLE;
    texts[4].1 = &catalogue;
    texts[5].1 = &residency;
    let table = load(&texts).table(TO_US, "EEA").unwrap();
    assert_eq!(answer(&table, "http.request.header.x-tenant"), Form::Raw);
    for key in [
        "http.request.header.authorization",
        "http.request.header.Authorization",
        "http.request.header.X_API_Key",
        "http.response.header.set-cookie",
        "rpc.request.metadata.cookie",
        "http.request.header.cookie.0",
    ] {
        assert_eq!(answer(&table, key), Form::Absent, "{key}");
    }
}

#[test]
fn operational_value_of_a_device_needs_both_classes() {
    let table = table_of(BASIC);
    let on = |resource| table.attribute(Carrier::ResourceAttributes, b"host.name", resource);
    assert_eq!((on(Resource::Server).class, on(Resource::Server).action), (Class::Op, Action::Raw));
    assert_eq!((on(Resource::Device).class, on(Resource::Device).action), (Class::Direct, Action::Absent));
    assert!(table.marks_device("device.id") && !table.marks_device("devices"));
}

#[test]
fn attributes_are_answered_only_in_carriers_that_hold_them() {
    let table = table_of(BASIC);
    for carrier in [Carrier::SpanName, Carrier::Unknown, Carrier::LogAttributes] {
        assert_eq!(table.attribute(carrier, b"http.route", Resource::Server).action, Action::Absent, "{carrier}");
    }
}

#[test]
fn every_origin_of_merged_data_has_its_say() {
    let uk = "  - {id: uk, origin: UK, reaching: US, signal: traces, allow: {op: raw, online: {only: {client.address: ip-wide}}}}\n";
    let loaded = small(&format!("rules:\n{BASIC}{uk}"));
    let merged = loaded.table(TO_US, "EEA+UK").unwrap();
    assert_eq!(merged.carrier(Carrier::SpanTraceId), Form::Absent);
    assert_eq!(answer(&merged, "http.route"), Form::Raw);
    assert_eq!(answer(&merged, "user.id"), Form::Absent);
    let cell = merged.attribute(Carrier::SpanAttributes, b"client.address", Resource::Server);
    assert_eq!(cell.action, Action::Truncate { v4: 16, v6: 32 });
    assert_eq!(merged.instruments().count(), 2);
}

#[test]
fn pseudonym_is_absent_where_its_key_does_not_lie() {
    let loaded = small(&format!("rules:\n{BASIC}"));
    let at_home = loaded.table(TO_US, "EEA").unwrap();
    let onward = loaded.table(LinkId(2), "EEA").unwrap();
    assert_eq!(answer(&at_home, "user.id"), Form::Keyed);
    assert_eq!(answer(&onward, "user.id"), Form::Absent);
    assert_eq!(answer(&onward, "client.address"), Form::Generalised);
}

#[test]
fn date_closes_a_link_and_never_fails_a_load() {
    let loaded = small(&format!("rules:\n{BASIC}"));
    let policy = loaded.policy.as_ref().unwrap();
    let on = |day| policy.table(&loaded.federation, TO_US, Signal::Traces, &origin("EEA"), day);
    let (before, after) = (on(date!(2027 - 02 - 11)).unwrap(), on(date!(2027 - 02 - 12)).unwrap());
    assert_eq!(after.instruments().collect::<Vec<_>>(), [("EEA", "scc")]);
    assert_eq!(before.digest(), after.digest());
    let closed = Closed::Expired { instrument: "dpf".to_owned(), origin: "EEA".parse().unwrap() };
    assert_eq!(on(date!(2027 - 03 - 02)), Err(closed));
}

#[test]
fn every_reason_to_stay_closed_is_told_apart() {
    let loaded =
        small(&format!("rules:\n{BASIC}  - {{id: no, origin: EEA, reaching: US, signal: logs, deny: [all]}}\n"));
    let policy = loaded.policy.as_ref().unwrap();
    let ask = |link, signal, from: &str| policy.table(&loaded.federation, link, signal, &origin(from), TODAY);
    assert_eq!(ask(LinkId(9), Signal::Traces, "EEA"), Err(Closed::NoLink));
    assert_eq!(ask(TO_US, Signal::Metrics, "EEA"), Err(Closed::Signal(Signal::Metrics)));
    assert_eq!(ask(TO_US, Signal::Traces, "EEA+US"), Err(Closed::Origin(origin("EEA+US"))));
    assert_eq!(ask(TO_US, Signal::Logs, "EEA"), Err(Closed::Denied { rule: "no".to_owned() }));
    assert!(matches!(ask(TO_US, Signal::Traces, "UK"), Err(Closed::NoRule { .. })));
    assert!(matches!(ask(TO_US, Signal::Traces, "EEA+UK"), Err(Closed::NoRule { .. })));
}

#[test]
fn digest_follows_this_links_answers_and_nothing_else() {
    let table = table_of(BASIC);
    assert_eq!(table.digest(), table_of(BASIC).digest());
    let other = "  - {id: other, origin: UK, reaching: US, signal: traces, allow: {op: raw}}\n";
    assert_eq!(table.digest(), table_of(&format!("{BASIC}{other}")).digest());
    let deny = "  - {id: no, origin: EEA, reaching: US, signal: traces, deny: [online]}\n";
    assert_ne!(table.digest(), table_of(&format!("{BASIC}{deny}")).digest());
    assert_ne!(table.digest(), table_of(&BASIC.replace("user-key", "other-key")).digest());
    let loaded = small(&format!("rules:\n{BASIC}"));
    assert_ne!(table.digest(), loaded.table(LinkId(2), "EEA").unwrap().digest());
}

#[test]
fn broken_invariant_names_the_rule_and_what_it_lets_through() {
    let invariants = concat!(
        "invariants:\n",
        "  - never: {origin: EEA, class: [direct, online], form: raw, outside: [EEA, UK]}\n",
        "  - never: {class: secret, crosses: any}\n",
    );
    assert!(small(&format!("rules:\n{BASIC}{invariants}")).policy.is_some());
    let raw = BASIC.replace("user.id: user-key", "user.id: raw");
    let loaded = small(&format!("rules:\n{raw}{invariants}"));
    assert!(loaded.policy.is_none());
    assert!(loaded.faults.contains("rule basic breaks it: user.id (direct)"), "{}", loaded.faults);
    let inside = raw.replace("reaching: US", "reaching: UK");
    assert!(small(&format!("rules:\n{inside}{invariants}")).policy.is_some());
}

/// Guarantees: the example's links say by which instrument they are open on a day, and what comes after it.
#[test]
fn a_link_stands_by_its_instrument_then_by_its_fallback_then_not_at_all() {
    let loaded = load(&EXAMPLE);
    let policy = loaded.policy.as_ref().unwrap();
    let link = loaded.federation.link(TO_US).unwrap();
    let standing = policy.standing(link, &"EEA".parse().unwrap()).unwrap();
    let said = |day| standing.in_force(day).map(|term| format!("{} {} {}", term.instrument, term.basis, term.last));
    assert_eq!(said(TODAY).as_deref(), Some("dpf GDPR-45 to be reviewed by 2027-02-11"));
    assert_eq!(said(date!(2027 - 02 - 12)).as_deref(), Some("scc GDPR-46-SCC to be reviewed by 2027-03-01"));
    assert_eq!((said(date!(2027 - 03 - 02)), standing.closed_from()), (None, Some(date!(2027 - 03 - 02))));
    assert_eq!(policy.standing(link, &"US".parse().unwrap()), None, "data that stays in its regime needs none");
}

/// The text without each of its lines, and without each item of its lists and mappings in one line.
fn with_one_thing_less(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut less: Vec<String> =
        (0..lines.len()).map(|gone| [&lines[..gone], &lines[gone + 1..]].concat().concat()).collect();
    for (start, _) in text.char_indices().filter(|(_, c)| "{[,".contains(*c)) {
        let (mut depth, item) = (0, &text[start + 1..]);
        let ends = |c: char| {
            let end = depth == 0 && ",]}".contains(c);
            depth += i32::from("{[".contains(c)) - i32::from("]}".contains(c));
            end
        };
        let Some(length) = item.find(ends) else { continue };
        let last = !item[length..].starts_with(',');
        let kept = if text[start..].starts_with(',') { start } else { start + 1 };
        let rest = start + 1 + length + usize::from(!last && kept > start);
        less.push(format!("{}{}", &text[..kept], &text[rest..]));
    }
    less
}

#[test]
fn nothing_that_is_struck_from_the_example_opens_anything() {
    // The example's rules need few of its catalogue's keys.
    let keys = "  http.route: op\n  session.id: online\n  geo.country.iso_code: quasi\n";
    let catalogue = SMALL_CATALOGUE.replace("  http.route: op\n", keys);
    // One of its three rules for traces: the others differ in their regimes.
    let (head, others) = EXAMPLE[5].1.split_once("  - id: uk-us-traces").unwrap();
    let (_, tail) = others.split_once("  # Logs stay").unwrap();
    let residency = format!("{head}  # Logs stay{tail}");
    let mut texts = EXAMPLE;
    (texts[4].1, texts[5].1) = (&catalogue, &residency);
    let before = load(&texts).table(TO_US, "EEA").unwrap();
    let edits = with_one_thing_less(&residency);
    let mut loaded = 0;
    for text in &edits {
        texts[5].1 = text;
        let (set, faults) = Set::from_texts(texts);
        let draft = FederationDraft::read(&set, &faults);
        let policy = Policy::read(&set, &draft, &faults).filter(|_| faults.is_empty());
        let Some((policy, federation)) = policy.zip(draft.whole()) else {
            assert!(!faults.is_empty(), "refused without a word: {text}");
            continue;
        };
        loaded += 1;
        let after = policy.table(&federation, TO_US, Signal::Traces, &origin("EEA"), TODAY);
        let Ok(after) = after else { continue };
        assert_eq!(after.meet(&before).map(|both| both.digest()), Some(after.digest()), "{text}");
    }
    assert!(loaded > 40, "{loaded}");
}
