//! Guarantees for any input: identities, origins and manifests read back as written, and nothing panics.
#![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

use proptest::prelude::*;
use tollgate_config::Set;
use tollgate_federation::{
    Federation, Listener, Manifest, Name, NodeId, Origin, Presence, Progress, Regime, Role, Signal,
};

const NAME: &str = "[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?";

fn name() -> impl Strategy<Value = Name> {
    NAME.prop_map(|text| text.parse().unwrap())
}

fn node() -> impl Strategy<Value = NodeId> {
    (name(), prop::sample::select(&Role::ALL[..]), name(), any::<u16>()).prop_map(|(region, role, node, number)| {
        let node = if role == Role::Collector { format!("{node}-{number}").parse().unwrap() } else { node };
        NodeId::new(region, role, node).unwrap()
    })
}

fn origin() -> impl Strategy<Value = Origin> {
    prop::collection::btree_set("[A-Z][A-Z0-9-]{0,15}", 1..5).prop_map(|regimes| {
        let origins = regimes.iter().map(|regime| Origin::of(regime.parse::<Regime>().unwrap()));
        origins.reduce(|left, right| left.merge(&right)).unwrap()
    })
}

fn range() -> impl Strategy<Value = (u64, u64)> {
    (any::<u64>(), any::<u64>()).prop_map(|(a, b)| (a.min(b), a.max(b)))
}

fn manifest() -> impl Strategy<Value = Manifest> {
    let who = (node(), any::<u64>(), any::<u64>(), origin(), any::<[[u8; 32]; 2]>());
    let listener = prop::option::of(prop::sample::select(&Listener::ALL[..]));
    let progress = prop::option::of((range(), any::<bool>()));
    let what = (prop::sample::select(&Signal::ALL[..]), any::<u32>(), range(), range(), progress, listener);
    (who, what).prop_map(|(who, what)| {
        let (node, boot, parcel, origin, [policy, in_force]) = who;
        let (signal, items, interval, positions, progress, listener) = what;
        let progress = progress.map(|((oldest_unsent, now), leaves)| {
            let presence = if leaves { Presence::Leaves } else { Presence::Stays };
            Progress { oldest_unsent, now, presence }
        });
        Manifest {
            node,
            boot,
            parcel,
            origin,
            policy,
            in_force,
            signal,
            items,
            interval,
            positions,
            progress,
            listener,
        }
    })
}

/// Lines as documents have them, in any order and with any of them missing.
fn document_like() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        "region: eu-west",
        "regime: EEA",
        "regime: 1",
        "entity: Acme",
        "trust: {ca: file:ca/a.pem}",
        "trust: []",
        "clusters: {a: {listen: {otlp_grpc: 0.0.0.0:1, tls: off}, stamp: {environment: x}}}",
        "clusters: {a: ~, B: 1}",
        "gateway: {nodes: {dns: a}}",
        "gateway: {nodes: {static: {0: a, 1: [a]}}}",
        "central: {nodes: {}}",
        "central: {nodes: {dns: a}, backends: {x: {file: {}, signals: [logs], regime: US, entity: V}}}",
        "backends: {x: {otlp_http: http://a, signals: [logs]}}",
        "backends: [1]",
        "federation: {name: a, trust_domain: b}",
        "federation: 1",
        "links: [{}]",
        "links: {a: b}",
        "links: [{from: eu-west, to: eu-west/backend/x, carries: [EEA], signals: [logs], instruments: {EEA: a}}]",
        "links: [{from: eu-west, to: us-east/central, carries: [UK], signals: [logs], instruments: {EEA: 1}}, 7]",
    ]);
    prop::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn a_node_reads_back_from_its_text_and_its_certificate(node in node()) {
        prop_assert_eq!(node.to_string().parse::<NodeId>(), Ok(node.clone()));
        let uri = node.spiffe("acme.example");
        prop_assert_eq!(NodeId::from_spiffe(&uri, "acme.example"), Ok(node.clone()));
        prop_assert!(NodeId::from_spiffe(&uri, "other.example").is_err());
        let tier = node.tier();
        prop_assert_eq!(tier.cluster().map(Name::as_str), node.cluster());
    }

    #[test]
    fn an_origin_reads_back_from_its_text(origin in origin()) {
        prop_assert_eq!(origin.to_string().parse::<Origin>(), Ok(origin));
    }

    #[test]
    fn merging_origins_has_no_order(a in origin(), b in origin(), c in origin()) {
        prop_assert_eq!(a.merge(&b), b.merge(&a));
        prop_assert_eq!(a.merge(&b).merge(&c), a.merge(&b.merge(&c)));
        prop_assert_eq!(a.merge(&a), a);
    }

    #[test]
    fn any_text_is_judged_without_panic(text in any::<String>()) {
        for text in [text.clone(), format!("spiffe://acme.example/region/{text}")] {
            let _ = (text.parse::<NodeId>(), text.parse::<Origin>(), NodeId::from_spiffe(&text, "acme.example"));
        }
    }

    #[test]
    fn a_manifest_reads_back_as_it_was_written(manifest in manifest()) {
        prop_assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest));
    }

    /// Guarantees: releases that know neither listeners nor goodbyes take what says none, and ask to come back later with what does.
    #[test]
    fn only_a_manifest_that_says_more_is_of_the_later_version(manifest in manifest()) {
        let leaves = manifest.progress.is_some_and(|progress| progress.presence == Presence::Leaves);
        prop_assert_eq!(manifest.encode()[0], if leaves || manifest.listener.is_some() { 4 } else { 3 });
        let plain = Manifest { listener: None, ..manifest.clone() }.encode();
        let both = plain.len() - usize::from(leaves);
        prop_assert_eq!(&manifest.encode()[1..both], &plain[1..both]);
    }

    #[test]
    fn no_other_bytes_are_a_manifest(manifest in manifest(), cut in any::<prop::sample::Index>(), extra in any::<u8>()) {
        let bytes = manifest.encode();
        prop_assert!(Manifest::decode(&bytes[..cut.index(bytes.len())]).is_err());
        let longer: Vec<u8> = bytes.iter().copied().chain([extra]).collect();
        prop_assert!(Manifest::decode(&longer).is_err());
    }

    #[test]
    fn bytes_are_decoded_to_what_encodes_to_them_or_refused(manifest in manifest(), at in any::<prop::sample::Index>(), value: u8) {
        let mut bytes = manifest.encode();
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(decoded) = Manifest::decode(&bytes) {
            prop_assert_eq!(decoded.encode(), bytes);
        }
    }

    #[test]
    fn random_bytes_are_decoded_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Manifest::decode(&bytes);
        let _ = Manifest::decode(&[&[3], &bytes[..]].concat());
    }

    #[test]
    fn any_documents_are_read_without_panic(a in document_like(), b in document_like(), c in document_like()) {
        let texts = [("regions/federation.yaml", a.as_str()), ("regions/eu-west.yaml", &b), ("regions/us-east.yaml", &c)];
        let (set, faults) = Set::from_texts(texts);
        if let Some(federation) = Federation::read(&set, &faults) {
            let _ = (federation.places(), federation.notes());
        } else {
            prop_assert!(!faults.is_empty());
        }
    }
}
