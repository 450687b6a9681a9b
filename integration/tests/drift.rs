//! What a region's services send that the documents do not fit, and what a change of them would touch: seen on running
//! processes, read by commands on the same machine.
//!
//! Guarantees: names that services made up are in clear in the region's own files only; metrics have fingerprints; what
//! `catalogue suggest` prints is taken as the deployment's own catalogue; `policy diff --shapes` says how much a change touches.
#![expect(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tollgate_integration::Fleet;
use tollgate_integration::requests::{numbered, one_span};
use tollgate_runtime::Clock;
use tollgate_testkit::{Client, Service, binary, http, wait_until};

const LIMIT: Duration = Duration::from_secs(60);
const COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const GATEWAYS: [&str; 2] = ["eu-west-gateway-0", "eu-west-gateway-1"];

fn data(fleet: &Fleet, name: &str) -> PathBuf {
    fleet.folder().join(&fleet.planned(name).data)
}

/// What a command of the binary prints, and its exit code.
fn run(command: &mut Command) -> (String, Option<i32>) {
    let output = command.output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

#[test]
fn what_drifts_is_found_named_at_home_and_turned_into_a_catalogue() {
    let mut fleet = Fleet::lay_out();
    let node_file = fleet.planned(COLLECTOR).node_file.display().to_string();
    fleet.edit(&node_file, |text| format!("{text}shapes: record\n"));
    fleet.start([COLLECTOR].into_iter().chain(GATEWAYS));
    let client = Client::plain(fleet.otlp(COLLECTOR));
    let now = Clock::system().now().nanos();
    let mut sent = 0;
    let mut send = || {
        sent += 1;
        let request = one_span(numbered(sent), |span| {
            span.string(5, "GET");
            span.fixed64(7, now);
            span.fixed64(8, now + 1);
            span.key_string(9, "shop.till.queue.size", "till-7x");
            span.key_string(9, "geo.country.iso_code", "DE");
        });
        client.export(Service::Traces, request).unwrap();
    };
    let drifts = |fleet: &Fleet, name: &&str| {
        let labels = ["why=\"unclassified\""];
        fleet.metric(name, "tollgate_drift_requests_total", &labels).is_some_and(|requests| requests > 0.0)
    };
    wait_until(LIMIT, "a gateway finds the key", || {
        send();
        GATEWAYS.iter().any(|name| drifts(&fleet, name))
    });
    let files: Vec<_> = GATEWAYS.iter().map(|name| data(&fleet, name)).collect();
    let has_file = |folder: &&PathBuf| folder.join("drift/drift.json").is_file();
    wait_until(LIMIT, "it is written", || files.iter().any(|folder| has_file(&folder)));
    let files: Vec<_> = files.iter().filter(has_file).collect();

    for name in GATEWAYS {
        let page = http::get(fleet.planned(name).metrics(), "/metrics").unwrap().text();
        assert!(!page.contains("shop.till") && !page.contains("by-hand"), "{name}");
        assert!(!fleet.process(name).log().contains("shop.till"), "{name}");
    }
    let (text, code) = run(Command::new(binary()).arg("drift").args(&files));
    assert_eq!(code, Some(0));
    assert!(
        text.contains("\"by-hand\"") && text.contains("\"shop.till.queue.size\"") && !text.contains("7x"),
        "{text}"
    );
    let (json, _) = run(Command::new(binary()).arg("drift").args(&files).args(["--output", "json"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["found"][0]["key"], &json["found"][0]["why"]),
        (&"shop.till.queue.size".into(), &"unclassified".into())
    );

    let suggest = |fleet: &Fleet| {
        let mut command = Command::new(binary());
        run(command.args(["catalogue", "suggest", "--set"]).arg(fleet.folder()).args(&files)).0
    };
    let suggested = suggest(&fleet);
    assert!(suggested.contains("\"shop.till.queue.size\": free"), "nobody knows what a till is:\n{suggested}");
    fs::write(fleet.folder().join("policies/catalogue-own.yaml"), suggested.replace(": free", ": op")).unwrap();
    let (_, code) = run(Command::new(binary()).args(["check", "--set"]).arg(fleet.folder()));
    assert_eq!(code, Some(0));
    assert!(!suggest(&fleet).contains("shop.till"), "it has a class now");

    let shapes = data(&fleet, COLLECTOR).join("shapes/shapes.json");
    wait_until(LIMIT, "shapes are written", || shapes.is_file());
    assert!(!fs::read_to_string(&shapes).unwrap().contains("till"), "no key that a service made up");
    let residency = fs::read_to_string(fleet.folder().join("policies/residency.yaml")).unwrap();
    let stricter = fleet.folder().join("stricter.yaml");
    fs::write(&stricter, residency.replace("quasi: {only: {geo.country.iso_code: raw}}", "quasi: {only: {}}")).unwrap();
    let mut diff = Command::new(binary());
    diff.args(["policy", "diff"]).args([&fleet.folder().join("policies/residency.yaml"), &stricter]);
    let (text, code) = run(diff.arg("--set").arg(fleet.folder()).arg("--shapes").arg(&shapes));
    assert_eq!(code, Some(0), "{text}");
    let line =
        text.lines().find(|line| line.contains("records a day") && line.contains("geo.country.iso_code")).unwrap();
    let records: u64 = line.split("at most ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(records > 0 && line.contains("no longer crosses"), "{text}");
}

/// Guarantees: a file that is broken is named, and a folder that is given twice is read once.
#[test]
fn a_broken_file_is_named_and_a_folder_is_read_once() {
    let data = tempfile::tempdir().unwrap();
    let (folder, file) = (data.path().join("drift"), data.path().join("drift/drift.json"));
    fs::create_dir(&folder).unwrap();
    let (once, again) = (data.path().display().to_string(), folder.join("..").display().to_string());
    for text in ["", "{", r#"{"version": 1}"#] {
        fs::write(&file, text).unwrap();
        for words in [&["drift"][..], &["catalogue", "suggest"]] {
            let mut command = Command::new(binary());
            command.args(words).arg(&once).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
            let output = command.output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()), "{said}");
            assert!(said.contains(&once) && said.contains("drift/drift.json"), "{said}");
        }
    }
    let found = r#"{"why": "unclassified", "service": "shop", "key": "shop.till", "requests": 1, "service_fingerprint": "1",
                    "key_fingerprint": "2", "first": 1, "last": 1}"#;
    fs::write(&file, format!(r#"{{"version": 1, "left_out": 0, "found": [{found}]}}"#)).unwrap();
    let drift = |folders: &[&str]| run(Command::new(binary()).arg("drift").args(folders));
    assert_eq!(drift(&[&once, &again]), drift(&[&once]));
}
