use std::cell::Cell;

use tempfile::TempDir;
use tollgate_disk::Disk;
use tollgate_federation::{Compression, HostPort, PlaceId};
use tollgate_otlp::{SpanView, ValueView, Writer, walk_traces};
use tollgate_redaction::{Epoch, RootKey};
use tollgate_routing::{Members, Owners, ROUTING_SEED};
use tollgate_spool::{Name, Position};
use tollgate_transport::{Channel, Exporter, Headers, LinkSender, Options, Peering, SendError};

use super::*;
use crate::node::in_force::Publisher;
use crate::records;
use crate::rig::{self, Counted, entry, node, numbers, spans};
use crate::seal::manifests::Manifests;

mod blinded;
mod claims;
mod clusters;
mod listeners;
mod signals;
mod thinned;

struct AllKeys;

impl Keys for AllKeys {
    fn root(&self, _: &str, _: Epoch) -> Option<RootKey> {
        Some(RootKey::new([3; 32]))
    }
}

/// Sealing by one set of documents, on a day that the test chooses.
struct Bench {
    basis: Basis,
    publisher: Publisher,
    /// It was started on these.
    documents: Arc<Documents>,
    counted: Counted,
    day: Cell<u64>,
    hand: tollgate_runtime::ManualClock,
    dir: TempDir,
}

const FIRST_DAY: &str = "2026-11-21";

fn days_until(date: &str) -> u64 {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    let parse = |text| Date::parse(text, format).unwrap();
    u64::try_from((parse(date) - parse(FIRST_DAY)).whole_days()).unwrap()
}

impl Bench {
    fn new(documents: Arc<Documents>) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), documents)
    }

    /// The archive of an earlier process is in the folder.
    fn in_folder(dir: TempDir, documents: Arc<Documents>) -> Self {
        let (clock, hand) = Clock::manual(Timestamp::from_nanos(1_795_219_200 * 1_000_000_000));
        let archive = Archive::new(&Disk::real(), dir.path().join("archive"));
        let publisher = Publisher::new(archive.adopt(&documents).unwrap());
        let (archive, keys) = (Arc::new(archive), Arc::new(AllKeys));
        let basis = Basis { in_force: publisher.follow(), archive, keys, clock };
        Self { basis, publisher, documents, counted: Counted::new(), day: Cell::new(0), hand, dir }
    }

    fn on(&self, date: &str) {
        let day = days_until(date);
        self.hand.advance(DAY * u32::try_from(day - self.day.replace(day)).unwrap());
    }

    fn seal(&self, to: &str, signal: Signal) -> Seal {
        Seal::new(self.basis.clone(), self.link("eu-west", to), signal, Arc::clone(&self.counted.consumer))
    }

    fn link(&self, from: &str, to: &str) -> &Link {
        self.documents.federation.links_from(from).find(|link| link.to().to_string() == to).unwrap()
    }

    /// As if it had been admitted under the documents of now.
    fn record(&self, payload: Vec<u8>) -> Record {
        record(payload, self.documents.federation.digest())
    }

    fn counts(&self) -> [u64; 2] {
        ["\"offered\"", "\"withheld\""].map(|outcome| self.counted.items(outcome))
    }
}

fn record(payload: Vec<u8>, policy: [u8; 32]) -> Record {
    let entry = entry(payload);
    Record {
        position: Position::new(10),
        end: Position::new(20),
        kind: entry.kind,
        signal: entry.signal,
        origin: entry.origin,
        peer: entry.peer,
        policy,
        arrival: Timestamp::from_nanos(1_790_000_000_000_000_000),
        payload: entry.payload,
        index: entry.index,
    }
}

/// Seals for lanes of the given nodes, of which those in `here` take part.
fn run(seal: &mut Seal, record: &Record, nodes: &[&str], here: &[&str]) -> Vec<Option<Sealed>> {
    let owners = Owners::new(Members::new(nodes.iter().copied()), ROUTING_SEED);
    let part = |node: &str| here.iter().position(|present| *present == node);
    let part_of_member = owners.members().iter().map(part).collect();
    let share = Share::new(&owners, part_of_member, (0..here.len()).collect());
    let index = records::payload_index(record).unwrap().unwrap();
    seal.run(record, Batch::new(&record.payload, &index), &share)
}

fn all(seal: &mut Seal, record: &Record) -> Vec<u64> {
    let sealed = run(seal, record, &["a"], &["a"]);
    sealed.into_iter().flatten().flat_map(|sealed| numbers(&sealed.bytes())).collect()
}

const CENTRAL: &str = "us-east/central";

#[test]
fn what_may_cross_is_sealed_and_counted() {
    let bench = Bench::new(rig::documents());
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    assert_eq!(all(&mut seal, &bench.record(spans(0..5))), [0, 1, 2, 3, 4]);
    assert_eq!(bench.counts(), [5, 0]);
    assert!(bench.counted.read("tollgate_sealed_values_total", "link=\"there\"") > 0);
}

/// Data of an origin that the link does not carry is not offered to it, and so neither sent nor counted.
#[test]
fn a_foreign_origin_is_not_offered() {
    let bench = Bench::new(rig::documents());
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    for origin in ["UK", "US", "EEA+UK"] {
        let record = Record { origin: Name::from(origin), ..bench.record(spans([1])) };
        assert_eq!(all(&mut seal, &record), [0; 0], "{origin}");
    }
    assert_eq!(bench.counts(), [0, 0]);
}

/// An origin that cannot be read is nobody's to send: withheld and counted.
#[test]
fn an_unreadable_origin_is_withheld() {
    let bench = Bench::new(rig::documents());
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    let record = Record { origin: Name::from("of another release"), ..bench.record(spans(0..3)) };
    assert_eq!(all(&mut seal, &record), [0; 0]);
    assert_eq!(bench.counts(), [3, 3]);
}

/// Scenario: the last instrument of a link has expired. Guarantees: everything is withheld and counted; nothing crosses,
/// nothing waits.
#[test]
fn a_closed_link_withholds() {
    let bench = Bench::new(rig::documents());
    bench.on("2027-06-01");
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    assert_eq!(all(&mut seal, &bench.record(spans(0..3))), [0; 0]);
    assert_eq!(bench.counts(), [3, 3]);
}

/// Scenario: midnight after an instrument's last day. Guarantees: what was sealed before is to be taken back, and nothing
/// crosses any more; a midnight that changes nothing takes back nothing.
#[test]
fn a_day_that_closes_the_link_takes_back() {
    let bench = Bench::new(rig::documents());
    bench.on("2027-02-28");
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    let record = bench.record(spans([1]));
    assert_eq!(all(&mut seal, &record), [1]);
    assert!(!seal.renew(), "the same day");
    let short = Some(keys::INTERVAL);
    assert_eq!(seal.renews_in(), short, "what is derived from a root goes soon after it");
    bench.on("2027-03-01"); // the fallback's last day
    assert!(!seal.renew(), "another day of the same answer");
    assert_eq!(all(&mut seal, &record), [1]);
    bench.on("2027-03-02");
    assert!(seal.renew());
    assert_eq!(all(&mut seal, &record), [0; 0]);
    assert!(!seal.renew());
}

/// Scenario: the documents at a record's arrival are nowhere to be found. Guarantees: withheld, counted.
#[test]
fn an_unknown_policy_withholds() {
    let bench = Bench::new(rig::documents());
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    assert_eq!(all(&mut seal, &record(spans(0..3), [9; 32])), [0; 0]);
    assert_eq!(bench.counts(), [3, 3]);
    assert_eq!(all(&mut seal, &bench.record(spans(0..3))), [0, 1, 2], "others are not concerned");
}

fn with_attribute(key: &str, value: &str) -> Vec<u8> {
    let mut request = Vec::new();
    Writer::new(&mut request).message(1, |resource| {
        resource.message(2, |scope| {
            scope.message(2, |span| {
                span.bytes(1, &rig::trace_id(1));
                span.bytes(2, &[1; 8]);
                span.key_string(9, key, value);
            });
        });
    });
    request
}

fn attribute(sealed: &Sealed, key: &str) -> Option<String> {
    let bytes = sealed.bytes();
    let walked = walk_traces(&bytes, &Limits::JOINED).unwrap();
    let body = Batch::new(&bytes, &walked.index).items().next().unwrap().body();
    let found = SpanView::parse(body).unwrap().attributes().find(|attribute| attribute.key == key)?;
    if let ValueView::String(text) = found.value { Some(text.to_owned()) } else { None }
}

/// Scenario: records arrived under stricter rules than today's, in a set where the link had another number, and under
/// wider ones. Guarantees: what either forbids does not cross; what both allow does.
#[test]
fn a_record_is_sealed_by_the_meet_of_then_and_now() {
    let country = with_attribute("geo.country.iso_code", "DE");
    let crossing = |then: Arc<Documents>, now: Arc<Documents>| {
        let (digest, folder) = (then.federation.digest(), Bench::new(then).dir);
        let bench = Bench::in_folder(folder, now);
        let mut seal = bench.seal(CENTRAL, Signal::Traces);
        let sealed = run(&mut seal, &record(country.clone(), digest), &["a"], &["a"]).remove(0);
        attribute(&sealed.expect("the span itself crosses"), "geo.country.iso_code")
    };
    assert_eq!(crossing(rig::documents(), rig::documents()).as_deref(), Some("DE"));
    let (_dir, then) = without_country();
    assert_eq!(crossing(then, rig::documents()), None, "a widening holds only for what arrives after it");
    let (_dir, now) = without_country();
    assert_eq!(crossing(rig::documents(), now), None, "a tightening holds at once");
}

/// Scenario: lanes that stand apart sweep a record one after the other. Guarantees: together they seal and count each
/// item once, as they would in one convoy.
#[test]
fn lanes_apart_count_once() {
    const NODES: [&str; 3] = ["a", "b", "c"];
    let bench = Bench::new(rig::documents());
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    let record = bench.record(spans(0..100));
    let numbers_of = |sealed: &Option<Sealed>| sealed.as_ref().map_or_else(Vec::new, |sealed| numbers(&sealed.bytes()));
    let together: Vec<_> = run(&mut seal, &record, &NODES, &NODES).iter().map(numbers_of).collect();
    assert_eq!(bench.counts(), [100, 0]);
    let mut apart = Vec::new();
    for node in NODES {
        apart.extend(run(&mut seal, &record, &NODES, &[node]).iter().map(numbers_of));
    }
    assert_eq!(apart, together);
    assert_eq!(bench.counts(), [200, 0]);
}

/// Scenario: a batch sealed for one link is given to the sender of another, or under a manifest that says another origin.
/// Guarantees: nothing is sent.
#[tokio::test]
async fn a_batch_goes_over_its_own_link_only() {
    let bench = Bench::new(rig::documents());
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    let sealed = run(&mut seal, &bench.record(spans([1])), &["a"], &["a"]).remove(0).unwrap();
    let manifests = Manifests::new(node("eu-west/gateway/0"), 1, Signal::Traces, "EEA".parse().unwrap(), 0);
    let manifest = manifests.next(&rig::covers(5), &sealed, None);
    assert_eq!((manifest.policy, manifest.origin.to_string().as_str()), (sealed.digest(), "EEA"));
    let send = async |link: &Link, manifest: &tollgate_federation::Manifest| {
        let nowhere: HostPort = "127.0.0.1:1".parse().unwrap();
        let timeout = Duration::from_secs(5);
        let options = Options { headers: Headers::default(), compression: Compression::None, timeout };
        let exporter = Exporter::grpc(Channel::new(nowhere, Peering::Plain), options);
        LinkSender::new(exporter, link.id()).send(&sealed, manifest).await.unwrap_err()
    };
    let (own, other) = (bench.link("eu-west", CENTRAL), bench.link("eu-west", "uk-south/gateway"));
    assert!(matches!(own.to(), PlaceId::Tier(_)));
    assert!(matches!(send(own, &manifest).await, SendError::Unreachable { .. }), "this one would have been sent");
    assert_eq!(send(other, &manifest).await, SendError::Misdirected);
    let lying = tollgate_federation::Manifest { origin: "UK".parse().unwrap(), ..manifest };
    assert_eq!(send(own, &lying).await, SendError::Misdirected);
}

/// The example without what lets countries cross, where the first link stands last and so has another number.
fn without_country() -> (TempDir, Arc<Documents>) {
    rig::edited(|name, text| match name {
        "policies/residency.yaml" => text.replace("quasi: {only: {geo.country.iso_code: raw}}", ""),
        "regions/federation.yaml" => {
            let (head, links) = text.split_once("links:\n").unwrap();
            let mut links: Vec<_> = links.lines().collect();
            links.rotate_left(1);
            format!("{head}links:\n{}\n", links.join("\n"))
        }
        _ => text,
    })
}

impl Bench {
    fn adopt(&self, documents: &Arc<Documents>) {
        self.publisher.publish(self.basis.archive.adopt(documents).unwrap());
    }
}

/// Scenario: documents come into force that let less through, then the ones before them again, while records wait.
/// Guarantees: what was made is taken back at once; each batch is sealed under one set, whole, and named by its digest; a
/// tightening holds for what waited, a widening does not release it; the door takes all of it by the number it knows.
#[test]
fn a_reload_is_taken_in_between_two_batches() {
    let bench = Bench::new(rig::documents());
    let (_dir, strict) = without_country();
    let tables = [&bench.documents, &strict].map(|documents| rig::table(documents, "eu-west", CENTRAL, "EEA").digest());
    let [wide, narrow] = tables;
    assert_ne!(wide, narrow);
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    let country = with_attribute("geo.country.iso_code", "DE");
    let crossing = |seal: &mut Seal, arrived: &Documents| {
        let record = record(country.clone(), arrived.federation.digest());
        let sealed = run(seal, &record, &["a"], &["a"]).remove(0).expect("the span itself crosses");
        assert_eq!(sealed.link(), bench.link("eu-west", CENTRAL).id());
        let crossed = attribute(&sealed, "geo.country.iso_code").is_some();
        (crossed, sealed.digest() == wide, sealed.digest() == narrow, sealed.in_force() == wide)
    };
    let first = rig::documents();
    assert_eq!(crossing(&mut seal, &first), (true, true, false, true));

    bench.adopt(&strict);
    assert_eq!(crossing(&mut seal, &first), (true, true, false, true), "until it is told, all is of the old set");
    assert!(seal.renew() && !seal.renew());
    assert_eq!(crossing(&mut seal, &first), (false, false, true, false), "a tightening holds for what waits");
    assert_eq!(crossing(&mut seal, &strict), (false, false, true, false));

    bench.adopt(&first);
    assert!(seal.renew());
    assert_eq!(crossing(&mut seal, &strict), (false, false, true, true), "a widening does not release what waited");
    assert_eq!(crossing(&mut seal, &first), (true, true, false, true));
}

/// Guarantees: a reload does not take longer with every one before it; one that leaves the link alone takes nothing back
/// until there are so many of them, and what arrived under any of them still crosses.
#[test]
fn sets_that_no_record_needs_any_more_are_forgotten() {
    let bench = Bench::new(rig::documents());
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    let other = |number: usize| {
        rig::edited(move |name, text| match name {
            "policies/residency.yaml" => text.replace("RISK-77", &format!("RISK-{number}")),
            _ => text,
        })
    };
    let sets: Vec<_> = (0..=MOST).map(other).collect();
    let taken_back = sets.iter().filter(|(_, documents)| {
        bench.adopt(documents);
        let taken_back = seal.renew();
        assert!(run(&mut seal, &record(spans([1]), documents.federation.digest()), &["a"], &["a"])[0].is_some());
        taken_back
    });
    assert_eq!(taken_back.count(), 0, "none of them changes the link");
    bench.adopt(&rig::documents());
    assert!(seal.renew() && seal.sealers.is_empty());
    for (_, documents) in &sets {
        assert!(run(&mut seal, &record(spans([1]), documents.federation.digest()), &["a"], &["a"])[0].is_some());
    }
}

/// Guarantees: whoever waits for the log learns of other documents without any record or clock.
#[tokio::test]
async fn a_reload_wakes_whoever_waits() {
    let bench = Bench::new(rig::documents());
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    let (_dir, strict) = without_country();
    bench.adopt(&strict);
    seal.outdated().await;
    seal.outdated().await;
    assert!(!seal.renew(), "nothing was made yet that would have to be taken back");
    assert!(tokio::time::timeout(Duration::ZERO, seal.outdated()).await.is_err());
}

/// Guarantees: what a rule in shadow would have done is counted by its id and by form, and none of it is done; a policy
/// that is in shadow as a whole lets nothing cross and says what it would.
#[test]
fn what_is_in_shadow_is_counted_and_not_done() {
    let rule = "  - {id: no-country, origin: EEA, reaching: US, signal: traces, mode: shadow, deny: [quasi]}\n";
    let more = "  - {id: cities, origin: EEA, reaching: US, signal: traces, mode: shadow, allow: {quasi: raw}}\n";
    let (_dir, with_rules) = rig::edited(|name, text| match name {
        "policies/residency.yaml" => text.replacen("rules:\n", &format!("rules:\n{rule}{more}"), 1),
        _ => text,
    });
    let bench = Bench::new(with_rules);
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    let country = with_attribute("geo.country.iso_code", "DE");
    let sealed = run(&mut seal, &bench.record(country.clone()), &["a"], &["a"]).remove(0).unwrap();
    assert_eq!(attribute(&sealed, "geo.country.iso_code").as_deref(), Some("DE"));
    all(&mut seal, &bench.record(with_attribute("geo.locality.name", "Bonn")));
    let read = |labels: &str| bench.counted.read("tollgate_shadow_values_total", labels);
    assert_eq!(read("rule=\"no-country\",now=\"raw\",then=\"absent\""), 1);
    assert_eq!(read("rule=\"cities\",now=\"absent\",then=\"raw\""), 1);
    assert_eq!(read(""), 2, "nothing else would have been otherwise");

    let (_dir, shadowed) = rig::edited(|name, text| match name {
        "policies/residency.yaml" => format!("mode: shadow\n{text}"),
        _ => text,
    });
    let bench = Bench::new(shadowed);
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    assert_eq!(run(&mut seal, &bench.record(country), &["a"], &["a"]), [None]);
    let would = bench.counted.read("tollgate_shadow_values_total", "now=\"absent\",then=\"raw\"");
    assert_eq!((would, bench.counts()), (1, [1, 1]));
}
mod turn;
