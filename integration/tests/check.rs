//! What `tollgate check` promises to those who answer for the documents: all that is wrong with them at once, and by what each
//! link is open today.
#![allow(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tollgate_integration::Fleet;
use tollgate_testkit::binary;

fn check(set: &Path, more: &[&str]) -> Output {
    Command::new(binary()).args(["check", "--set"]).arg(set).args(more).output().unwrap()
}

#[track_caller]
fn report(set: &Path, more: &[&str]) -> String {
    let output = check(set, more);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Every line stands in the report, whatever its spaces.
#[track_caller]
fn says(report: &str, lines: &[&str]) {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for line in lines {
        assert!(report.lines().any(|found| words(found) == words(line)), "{line:?} is missing in:\n{report}");
    }
}

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[test]
fn every_place_every_backlog_and_every_plain_text_listener_is_shown() {
    let said = report(Path::new(EXAMPLE), &[]);
    says(
        &said,
        &[
            "federation acme (trust domain acme.example)",
            "region eu-west (EEA, Acme GmbH)",
            "cluster eu-west-a grpc 0.0.0.0:4317, http 0.0.0.0:4318, plain text",
            "eu-west → us-east/central (US, Acme Inc)",
            "eu-west/backend/embedded EEA Acme GmbH from eu-west/gateway, as files on its nodes: traces, metrics, logs",
            "us-east/backend/embedded US Acme Inc from us-east/central, as files on its nodes: traces, metrics, logs",
            "traces link/us-east/central 3686 MiB 61 min, then lets go of its oldest",
            "traces tail sampling 2457 MiB 40 min, then refuses",
            "kept traces backend/embedded 2457 MiB 40 min, then refuses",
            "regions/eu-west.yaml:8:13: clusters.eu-west-a.listen: plain text: services reach this listener without tls",
        ],
    );
    let places = said.split("places that data can be sent to").nth(1).unwrap().split("\n\n").next().unwrap();
    assert_eq!(places.trim().lines().count(), 8, "{places}");
    let fast = report(Path::new(EXAMPLE), &["--rate", "64MiB"]);
    assert!(fast.contains("57 s"), "a faster rate shortens every backlog:\n{fast}");
}

/// Guarantees: a date that passes closes a link and is no fault; a fallback is called one. The days lie far from today on
/// either side, so that the test holds on any.
#[test]
fn a_link_is_shown_as_it_stands_today() {
    let fleet = Fleet::lay_out();
    fleet.edit("policies/residency.yaml", |text| {
        let text = text.replace("review_by: 2027-02-11, fallback", "valid_until: 2001-01-01, fallback");
        text.replace("2027-03-01", "2999-12-31").replace("2027-02-11", "2002-02-02").replace("2031-12-27", "2998-12-31")
    });
    let said = report(fleet.folder(), &[]);
    says(
        &said,
        &[
            "EEA traces open by the fallback scc (GDPR-46-SCC), to be reviewed by 2999-12-31; closed from 3000-01-01",
            "dpf (GDPR-45) was valid until 2001-01-01",
            "UK CLOSED since 2002-02-03: no instrument is in force",
            "uk-us-extension (UK-GDPR-45) was to be reviewed by 2002-02-02",
            "EEA traces open by uk-adequacy (GDPR-45), valid until 2998-12-31; closed from 2999-01-01",
            "us-east/central US Acme Inc from us-east/gateway: traces; over links from eu-west/gateway, \
             uk-south/gateway (CLOSED)",
        ],
    );
}

/// Guarantees: unknown keys, duplicate keys, wrong types and references that lead nowhere, in every document at once: each is
/// said, each once, and none because of another. What cannot be parsed or read is one fault.
#[test]
fn all_that_is_wrong_with_a_thoroughly_broken_set_is_said_at_once() {
    let broken = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/broken");
    let set = tempfile::tempdir().unwrap();
    for folder in ["regions", "policies"] {
        fs::create_dir(set.path().join(folder)).unwrap();
        for file in fs::read_dir(broken.join(folder)).unwrap().map(Result::unwrap) {
            fs::copy(file.path(), set.path().join(folder).join(file.file_name())).unwrap();
        }
    }
    fs::write(set.path().join("regions/far-east.yaml"), [0xff]).unwrap();
    let output = check(set.path(), &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(78), 0), "{said}");
    let expected = fs::read_to_string(broken.join("faults.txt")).unwrap();
    let without = |one: &str, other: &str| {
        one.lines().filter(|line| !other.lines().any(|found| found == *line)).collect::<Vec<_>>().join("\n")
    };
    let (missing, more) = (without(&expected, &said), without(&said, &expected));
    assert!(missing.is_empty() && more.is_empty(), "missing:\n{missing}\n\nnot expected:\n{more}");
    assert_eq!(said, expected, "in order of their places, each once");
}
