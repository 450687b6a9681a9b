//! Guarantees of the example federation in `regions/`: it loads, and admits exactly what its documents say.
#![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

use std::path::Path;
use std::time::Duration;

use tollgate_config::{Faults, Set, load};
use tollgate_federation::{
    BackendTarget, Federation, LinkId, NoWay, NodeId, Nodes, Origin, PlaceId, Signal, Signals, StampSource, TierId,
    Tls, Via,
};

fn set() -> (Set, Faults) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (set, faults) = load(&root);
    // Only `regions/` is this crate's: the policies have readers of their own.
    let texts: Vec<_> =
        ["federation", "eu-west", "uk-south", "us-east"].map(|name| format!("regions/{name}.yaml")).into();
    for text in &texts {
        assert!(set.get(text).is_some_and(|document| !document.is_broken()), "{faults}");
    }
    (set, Faults::new())
}

fn example() -> Federation {
    let (set, faults) = set();
    let federation = Federation::read(&set, &faults);
    assert!(faults.is_empty(), "{faults}");
    federation.unwrap()
}

fn node(text: &str) -> NodeId {
    text.parse().unwrap()
}

fn origin(text: &str) -> Origin {
    text.parse().unwrap()
}

#[test]
fn the_example_loads_without_faults() {
    let federation = example();
    assert_eq!((federation.name(), federation.trust_domain()), ("acme", "acme.example"));
    let regions: Vec<String> = federation
        .regions()
        .map(|region| format!("{} {} {} {}", region.name(), region.regime(), region.entity(), region.clusters().len()))
        .collect();
    assert_eq!(regions, ["eu-west EEA Acme GmbH 2", "uk-south UK Acme Ltd 1", "us-east US Acme Inc 1"]);
    assert_eq!(federation.region("eu-west").unwrap().ca(), Path::new("ca/eu-west.pem"));
}

#[test]
fn a_cluster_says_what_its_collectors_do() {
    let federation = example();
    let cluster = federation.clusters("eu-west").nth(1).unwrap();
    assert_eq!(cluster.id().to_string(), "eu-west/collector/eu-west-b");
    assert_eq!(cluster.listen().otlp_grpc, Some("0.0.0.0:4317".parse().unwrap()));
    assert_eq!(cluster.listen().otlp_http, Some("0.0.0.0:4318".parse().unwrap()));
    assert_eq!(cluster.listen().tls, Tls::Off);
    assert_eq!((cluster.stamp().environment.as_str(), cluster.stamp().cluster.as_str()), ("production", "eu-west-b"));
    assert_eq!(cluster.stamp().from, [StampSource::Env, StampSource::K8s]);
    let rule = cluster.drop_rules().first().unwrap();
    assert_eq!((rule.signal, rule.attribute.as_str()), (Signal::Traces, "http.route"));
    assert!(rule.matches.is_match("/api/health/live") && !rule.matches.is_match("/cart"));
    assert_eq!((cluster.batch().send_batch_size, cluster.batch().timeout), (1024, Duration::from_millis(200)));
}

#[test]
fn tiers_have_their_nodes_and_an_embedded_file_exporter() {
    let federation = example();
    let central = federation.home_central("us-east").unwrap();
    assert_eq!(central.handover_after(), Duration::from_secs(60));
    assert_eq!(central.port(), 4417);
    assert_eq!(*central.nodes(), Nodes::Dns { name: "central.us-east.svc.cluster.local".to_owned() });
    assert!(federation.home_central("eu-west").is_none());
    let gateway = federation.tier(&TierId::gateway("eu-west".parse().unwrap())).unwrap();
    assert_eq!(gateway.handover_after(), Duration::ZERO);
    for tier in [central, gateway] {
        let backend = tier.backend("embedded").unwrap();
        assert!(matches!(backend.target(), BackendTarget::File { .. }));
        assert_eq!((backend.signals(), tier.backends().len()), (Signals::ALL, 1));
    }
}

#[test]
fn peers_are_admitted_by_their_place_in_the_documents() {
    let federation = example();
    let admits = |receiver: &str, peer: &str| federation.admits(&node(receiver), &node(peer)).ok();
    let cluster = "eu-west-a".parse().unwrap();
    assert_eq!(admits("eu-west/gateway/0", "eu-west/collector/eu-west-a-0"), Some(Via::OwnCollector { cluster }));
    assert_eq!(admits("us-east/central/0", "us-east/gateway/1"), Some(Via::OwnGateway));
    assert_eq!(admits("us-east/central/0", "eu-west/gateway/1"), Some(Via::Link(LinkId(0))));
    assert_eq!(admits("us-east/central/1", "uk-south/gateway/0"), Some(Via::Link(LinkId(1))));
    assert_eq!(admits("uk-south/gateway/0", "eu-west/gateway/0"), Some(Via::Link(LinkId(2))));
    for (receiver, peer) in [
        ("eu-west/gateway/0", "uk-south/gateway/0"),
        ("eu-west/gateway/0", "uk-south/collector/uk-south-a-0"),
        ("eu-west/gateway/0", "eu-west/collector/unknown-0"),
        ("eu-west/gateway/0", "eu-west/gateway/1"),
        ("eu-west/gateway/0", "us-east/central/0"),
        ("eu-west/collector/eu-west-a-0", "eu-west/collector/eu-west-a-1"),
        ("us-east/gateway/0", "eu-west/gateway/0"),
        ("us-east/central/0", "us-east/collector/us-east-a-0"),
        ("us-east/central/0", "us-east/central/1"),
        ("us-east/central/0", "ap-south/gateway/0"),
        ("eu-west/central/0", "eu-west/gateway/0"),
    ] {
        let refused = federation.admits(&node(receiver), &node(peer)).unwrap_err();
        let unknown = [receiver, peer].iter().any(|id| federation.node(&node(id)).is_none());
        assert_eq!(refused.why, if unknown { NoWay::Unknown } else { NoWay::NoLink }, "{refused}");
        let refused = refused.to_string();
        assert!(refused.contains(receiver) && refused.contains(peer), "{refused}");
    }
}

#[test]
fn data_that_reached_the_uk_does_not_go_on_to_the_us() {
    let federation = example();
    let over = |id| federation.origins_over(LinkId(id)).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!([over(0), over(1), over(2)], [["EEA"], ["UK"], ["EEA"]]);
    assert!(over(3).is_empty());
    assert!(federation.lets_over(LinkId(1), Signal::Traces, &origin("UK")));
    assert!(!federation.lets_over(LinkId(1), Signal::Traces, &origin("EEA")));
    assert!(!federation.lets_over(LinkId(1), Signal::Traces, &origin("EEA+UK")));
    assert!(!federation.lets_over(LinkId(0), Signal::Logs, &origin("EEA")));
    assert!(!federation.lets_over(LinkId(9), Signal::Traces, &origin("EEA")));
}

#[test]
fn local_places_lie_inside_the_asking_nodes_region() {
    let federation = example();
    let gateway = federation.local_gateway(&node("eu-west/collector/eu-west-a-0")).unwrap();
    assert_eq!(gateway.to().to_string(), "eu-west/gateway");
    assert_eq!(gateway.from().to_string(), "eu-west/collector/eu-west-a");
    let central = federation.local_central(&node("us-east/gateway/0")).unwrap();
    assert_eq!(central.to().to_string(), "us-east/central");
    let backend = federation.local_backend(&node("us-east/central/0"), "embedded").unwrap();
    assert_eq!(backend.from().to_string(), "us-east/central");
    assert!(federation.local_gateway(&node("eu-west/gateway/0")).is_none());
    assert!(federation.local_central(&node("eu-west/gateway/0")).is_none());
    assert!(federation.local_central(&node("us-east/collector/us-east-a-0")).is_none());
    assert!(federation.local_backend(&node("us-east/collector/us-east-a-0"), "embedded").is_none());
    assert!(federation.local_backend(&node("us-east/central/0"), "tempo").is_none());
    assert!(federation.local_gateway(&node("ap-south/collector/a-0")).is_none());
}

#[test]
fn links_name_their_destination_and_instrument() {
    let federation = example();
    let link = federation.link(LinkId(0)).unwrap();
    assert_eq!((link.regime().as_str(), link.entity()), ("US", "Acme Inc"));
    assert_eq!(link.instruments().get(&"EEA".parse().unwrap()).map(String::as_str), Some("dpf"));
    assert_eq!(
        (link.source().to_string(), link.to().to_string()),
        ("eu-west/gateway".into(), "us-east/central".into())
    );
    let central = TierId::central("us-east".parse().unwrap());
    assert_eq!(federation.links_to(&central).map(|link| link.id()).collect::<Vec<_>>(), [LinkId(0), LinkId(1)]);
    assert_eq!(federation.links_from("eu-west").count(), 2);
}

#[test]
fn every_place_has_a_regime_and_an_entity() {
    let federation = example();
    let places: Vec<String> = federation
        .places()
        .iter()
        .map(|place| format!("{} {} {} {}", place.id, place.regime, place.entity, place.over.len()))
        .collect();
    assert_eq!(
        places,
        [
            "eu-west/gateway EEA Acme GmbH 0",
            "eu-west/backend/embedded EEA Acme GmbH 0",
            "uk-south/gateway UK Acme Ltd 1",
            "uk-south/backend/embedded UK Acme Ltd 0",
            "us-east/gateway US Acme Inc 0",
            "us-east/backend/embedded US Acme Inc 0",
            "us-east/central US Acme Inc 2",
            "us-east/backend/embedded US Acme Inc 0",
        ]
    );
    assert!(federation.places().iter().all(|place| federation.region(place.id.region()).is_some()));
    assert!(federation.places().iter().any(|place| matches!(place.id, PlaceId::Tier(_))));
}

#[test]
fn plain_text_listeners_are_noted_where_they_stand() {
    let notes: Vec<String> = example().notes().iter().map(ToString::to_string).collect();
    assert_eq!(notes.len(), 4);
    let first = notes.first().unwrap();
    assert!(first.starts_with("regions/eu-west.yaml:8:13: clusters.eu-west-a.listen: plain text"), "{first}");
}
