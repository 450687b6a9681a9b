use std::sync::Arc;

use time::OffsetDateTime;
use time::macros::datetime;

use super::*;
use crate::rig;

const NOW: OffsetDateTime = datetime!(2026-12-01 12:00 UTC);

fn at(moment: OffsetDateTime) -> Timestamp {
    Timestamp::from_nanos(u64::try_from(moment.unix_timestamp_nanos()).unwrap())
}

fn report(documents: &Documents, moment: OffsetDateTime) -> String {
    Report::new(documents, None, 1 << 20, at(moment)).to_string()
}

/// The lines of one section, without its head.
fn section<'r>(report: &'r str, head: &str) -> Vec<&'r str> {
    let (_, section) = report.split_once(&format!("\n{head}")).unwrap_or_else(|| panic!("no {head} in\n{report}"));
    section.lines().skip(1).take_while(|line| !line.is_empty()).collect()
}

fn links(documents: &Documents, moment: OffsetDateTime) -> Vec<String> {
    section(&report(documents, moment), "links").into_iter().map(str::to_owned).collect()
}

fn edited(file: &str, from: &str, to: &str) -> (tempfile::TempDir, Arc<Documents>) {
    rig::edited(|name, text| {
        assert!(name != file || text.contains(from), "{from}");
        if name == file { text.replace(from, to) } else { text }
    })
}

#[test]
fn a_link_says_by_what_it_is_open_and_what_comes_after() {
    assert_eq!(
        links(&rig::documents(), NOW),
        [
            "  eu-west → us-east/central (US, Acme Inc)",
            "    EEA   traces open by dpf (GDPR-45), to be reviewed by 2027-02-11",
            "          then by scc (GDPR-46-SCC), to be reviewed by 2027-03-01; closed from 2027-03-02",
            "  uk-south → us-east/central (US, Acme Inc)",
            "    UK    traces open by uk-us-extension (UK-GDPR-45), to be reviewed by 2027-02-11; closed from 2027-02-12",
            "  eu-west → uk-south/gateway (UK, Acme Ltd)",
            "    EEA   traces open by uk-adequacy (GDPR-45), valid until 2031-12-27; closed from 2031-12-28",
        ]
    );
}

/// Guarantees: the last day counts to its last nanosecond; then the fallback holds, and is called one.
#[test]
fn a_fallback_in_force_is_called_one_and_a_link_without_one_is_closed() {
    let documents = rig::documents();
    let last = datetime!(2027-02-11 23:59:59.999999999 UTC);
    assert_eq!(links(&documents, last), links(&documents, NOW));
    let lines = links(&documents, datetime!(2027-02-12 0:00 UTC));
    assert_eq!(
        lines[..5],
        [
            "  eu-west → us-east/central (US, Acme Inc)",
            "    EEA   traces open by the fallback scc (GDPR-46-SCC), to be reviewed by 2027-03-01; closed from 2027-03-02",
            "          dpf (GDPR-45) was to be reviewed by 2027-02-11",
            "  uk-south → us-east/central (US, Acme Inc)",
            "    UK    CLOSED since 2027-02-12: no instrument is in force",
        ]
    );
}

/// Guarantees: what has expired is never shown as if it were open, in no section.
#[test]
fn an_expired_link_is_closed_wherever_it_is_named() {
    let report = report(&rig::documents(), datetime!(2027-03-02 0:00 UTC));
    let closed = [
        "    EEA   CLOSED since 2027-03-02: no instrument is in force",
        "          dpf (GDPR-45) was to be reviewed by 2027-02-11",
        "          scc (GDPR-46-SCC) was to be reviewed by 2027-03-01",
    ];
    assert_eq!(section(&report, "links")[1..4], closed, "{report}");
    let places = section(&report, "places");
    let central = places.iter().find(|line| line.trim_start().starts_with("us-east/central ")).unwrap();
    let over = "from us-east/gateway: traces; over links from eu-west/gateway (CLOSED), uk-south/gateway (CLOSED)";
    assert!(central.ends_with(over), "{central}");
    assert!(places.iter().any(|line| line.ends_with("over link from eu-west/gateway")), "to uk-south: {places:?}");
}

/// Guarantees: an instrument alone opens nothing. What the rules close is said with the rule.
#[test]
fn a_link_that_no_rule_opens_is_closed() {
    let (_dir, documents) =
        edited("policies/residency.yaml", "origin: UK\n    reaching: US", "origin: UK\n    reaching: EEA");
    let uk = "    UK    traces CLOSED: no rule speaks of traces from UK reaching US";
    assert!(links(&documents, NOW).iter().any(|line| line == uk));
    let report = report(&documents, NOW);
    assert!(report.contains("over links from eu-west/gateway, uk-south/gateway (CLOSED)"), "{report}");
    let (_dir, documents) = edited(
        "regions/federation.yaml",
        "carries: [EEA], signals: [traces], instruments: {EEA: dpf}",
        "carries: [EEA], signals: [traces, metrics, logs], instruments: {EEA: dpf}",
    );
    let lines = links(&documents, NOW);
    for line in [
        "    EEA   traces open by dpf (GDPR-45), to be reviewed by 2027-02-11",
        "          metrics CLOSED: rule eea-us-metrics denies all",
        "          logs CLOSED: rule eea-us-logs denies all",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line:?} is missing in {lines:#?}");
    }
}

#[test]
fn data_that_comes_home_needs_no_instrument() {
    let home = "instruments: {EEA: uk-adequacy}}\n  - {from: uk-south, to: eu-west/gateway, carries: [EEA], signals: [traces], \
                instruments: {EEA: none}}\n";
    let (_dir, documents) = rig::edited(|name, text| match name {
        "regions/federation.yaml" => text.replace("instruments: {EEA: uk-adequacy}}\n", home),
        "policies/residency.yaml" => text.replacen(
            "  - id: eea-us-traces",
            "  - {id: home, origin: EEA, reaching: EEA, signal: traces, allow: {op: raw}}\n  - id: eea-us-traces",
            1,
        ),
        _ => text,
    });
    let lines = links(&documents, NOW);
    assert!(lines.iter().any(|line| line == "    EEA   traces open: the data stays in its regime"), "{lines:#?}");
}

/// Guarantees: no two places are shown alike, although two tiers of a region each have an embedded backend.
#[test]
fn every_place_has_a_line_of_its_own_with_regime_entity_and_sender() {
    let report = report(&rig::documents(), NOW);
    assert_eq!(
        section(&report, "places"),
        [
            "  eu-west/gateway            EEA  Acme GmbH  from its region's collectors",
            "  eu-west/backend/embedded   EEA  Acme GmbH  from eu-west/gateway, as files on its nodes: traces, metrics, logs",
            "  uk-south/gateway           UK   Acme Ltd   from its region's collectors; over link from eu-west/gateway",
            "  uk-south/backend/embedded  UK   Acme Ltd   from uk-south/gateway, as files on its nodes: traces, metrics, logs",
            "  us-east/gateway            US   Acme Inc   from its region's collectors",
            "  us-east/backend/embedded   US   Acme Inc   from us-east/gateway, as files on its nodes: traces, metrics, logs",
            "  us-east/central            US   Acme Inc   from us-east/gateway: traces; over links from eu-west/gateway, uk-south/gateway",
            "  us-east/backend/embedded   US   Acme Inc   from us-east/central, as files on its nodes: traces, metrics, logs",
        ]
    );
}

#[test]
fn a_backend_shows_where_it_is_and_by_which_way_it_is_reached() {
    let (_dir, documents) = rig::edited(|name, text| match name {
        "regions/eu-west.yaml" => format!(
            "{text}backends:\n  far: {{otlp_http: https://otlp.vendor.example, signals: [traces], regime: US, entity: Acme Inc}}\n  \
             tempo: {{otlp_grpc: tempo.eu:4317, signals: [traces, logs]}}\n"
        ),
        "regions/federation.yaml" => format!(
            "{text}  - {{from: eu-west, to: eu-west/backend/far, carries: [EEA], signals: [traces], instruments: {{EEA: dpf}}}}\n"
        ),
        _ => text,
    });
    let report = report(&documents, NOW);
    let places = section(&report, "places");
    for line in [
        "eu-west/backend/far US Acme Inc over link from eu-west/gateway",
        "eu-west/backend/tempo EEA Acme GmbH from eu-west/gateway to tempo.eu:4317: traces, logs",
        "eu-west/backend/embedded EEA Acme GmbH from eu-west/gateway, as files on its nodes: metrics",
    ] {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(places.iter().any(|found| words(found) == line), "{line:?} is missing in {places:#?}");
    }
}

#[test]
fn tiers_that_are_alike_share_their_backlogs() {
    let report = report(&rig::documents(), NOW);
    assert_eq!(
        section(&report, "how long"),
        [
            "  eu-west/collector, uk-south/collector, us-east/collector",
            "    traces         gateway                            3686 MiB  61 min, then refuses",
            "    metrics, logs  gateway                            1228 MiB  20 min, then refuses",
            "  eu-west/gateway",
            "    traces         backend/embedded                   3686 MiB  61 min, then lets go of its oldest",
            "    metrics, logs  backend/embedded                   1228 MiB  20 min, then refuses",
            "    traces         link/us-east/central               3686 MiB  61 min, then lets go of its oldest",
            "    traces         link/uk-south/gateway              3686 MiB  61 min, then lets go of its oldest",
            "  uk-south/gateway",
            "    traces         backend/embedded                   3686 MiB  61 min, then lets go of its oldest",
            "    metrics, logs  backend/embedded                   1228 MiB  20 min, then refuses",
            "    traces         link/us-east/central               3686 MiB  61 min, then lets go of its oldest",
            "  us-east/gateway",
            "    traces         backend/embedded                   3686 MiB  61 min, then lets go of its oldest",
            "    metrics, logs  backend/embedded                   1228 MiB  20 min, then refuses",
            "    traces         central                            3686 MiB  61 min, then lets go of its oldest",
            "  us-east/central",
            "    kept traces    backend/embedded                   2457 MiB  40 min, then refuses",
            "    metrics, logs  backend/embedded                    614 MiB  10 min, then refuses",
            "    traces         tail sampling                      2457 MiB  40 min, then refuses",
            "  refuses: whoever sends to the node keeps its data and comes back",
            "  lets go of its oldest: lost to this consumer, and counted; the others of its log lose nothing",
        ]
    );
}

#[test]
fn the_last_moment_of_the_clock_has_a_report_and_every_link_is_closed_in_it() {
    let report = Report::new(&rig::documents(), None, 0, Timestamp::from_nanos(u64::MAX)).to_string();
    assert_eq!(report.matches("CLOSED since").count(), 3, "{report}");
    assert!(report.contains("links on 2554-07-21 (UTC):"), "{report}");
}
