//! What the `tollgate` command promises to people and scripts: exit codes, every fault at once, messages that say what to do.
#![allow(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use data_encoding::BASE64;
use time::OffsetDateTime;
use tollgate_integration::Fleet;
use tollgate_integration::requests::one_span;
use tollgate_otlp::{SpanId, TraceId};
use tollgate_runtime::Clock;
use tollgate_scenario::certs::{Leaf, Validity};
use tollgate_testkit::{Client, Service, binary, holds_within, http, wait_until};
use tonic::Code;

const LIMIT: Duration = Duration::from_secs(10);
/// How long an orderly end takes that nothing holds up.
const SECONDS: Duration = Duration::from_secs(4);
const COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const GATEWAY: &str = "eu-west-gateway-0";

/// What a command said, and how it ended.
struct Said {
    code: i32,
    out: String,
    err: String,
}

fn tollgate(arguments: &[&str]) -> Said {
    tollgate_in(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")), arguments)
}

fn tollgate_in(folder: &Path, arguments: &[&str]) -> Said {
    let output = Command::new(binary()).args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

impl Said {
    /// It ended with this code and said all of this on standard error.
    #[track_caller]
    fn failed(&self, code: i32, texts: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{}", self.err);
        for text in texts {
            assert!(self.err.contains(text), "{text:?} is missing in:\n{}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }
}

fn run<'a>(node_file: &'a str, node: &'a str) -> [&'a str; 6] {
    ["run", "--set", ".", "--node-file", node_file, node]
}

const NODE_FILE: &str = "nodes/eu-west-gateway-0.yaml";
const NODE: &str = "eu-west/gateway/0";

#[test]
fn wrong_usage_ends_with_64_and_says_what_was_wrong() {
    tollgate(&[]).failed(64, &["Usage: tollgate <COMMAND>", "check", "demo"]);
    tollgate(&["frobnicate"]).failed(64, &["frobnicate", "--help"]);
    tollgate(&["check", "--bogus"]).failed(64, &["--bogus", "--help"]);
    tollgate(&["run"]).failed(64, &["--node-file <FILE>", "<NODE>"]);
    tollgate(&["run", "--node-file", "x", "eu-west/gatway/0"]).failed(64, &["a role is collector, gateway or central"]);
    tollgate(&["run", "--node-file", "x", "eu-west"]).failed(64, &["invalid value 'eu-west' for '<NODE>'"]);
    tollgate(&["check", "--rate", "5parsecs"]).failed(64, &["--rate <BYTES>", "64MiB"]);
    tollgate(&["demo", "--duration", "soon"]).failed(64, &["--duration <TIME>", "5s"]);
    tollgate(&["demo", "--output", "xml"]).failed(64, &["text, json"]);
    tollgate(&["spool"]).failed(64, &["inspect"]);
    let destroy = ["keys", "destroy", "user", "--node-file", "x", "--epoch"];
    tollgate(&[&destroy[..], &["2026-11-03"]].concat()).failed(64, &["--yes"]);
    tollgate(&[&destroy[..], &["soon", "--yes"]].concat()).failed(64, &["2026-11-03T12:00:00Z"]);
    tollgate(&["subject", "find", "--group", "user", "--node-file", "x", "jane@example.org"])
        .failed(64, &["unexpected"]);
}

#[test]
fn help_of_every_command_reads_well_on_a_narrow_terminal() {
    let commands: [&[&str]; 15] = [
        &["--help"],
        &["run", "--help"],
        &["check", "--help"],
        &["certs", "--help"],
        &["certs", "dev", "--help"],
        &["keys", "--help"],
        &["keys", "new", "--help"],
        &["keys", "rotate", "--help"],
        &["keys", "destroy", "--help"],
        &["keys", "list", "--help"],
        &["subject", "--help"],
        &["subject", "find", "--help"],
        &["spool", "--help"],
        &["spool", "inspect", "--help"],
        &["demo", "--help"],
    ];
    for command in commands {
        let said = tollgate(command);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{command:?}");
        assert!(said.out.contains("Usage: tollgate"), "{command:?}: {}", said.out);
        assert!(said.out.lines().all(|line| line.chars().count() <= 100), "{command:?}: {}", said.out);
    }
    let version = tollgate(&["--version"]);
    assert_eq!((version.code, version.out), (0, concat!("tollgate ", env!("CARGO_PKG_VERSION"), "\n").to_owned()));
}

#[test]
fn check_says_everything_that_is_wrong_at_once_and_run_does_not_start() {
    let fleet = Fleet::lay_out();
    fleet.edit("regions/eu-west.yaml", |text| {
        let text = text.replace("entity: Acme GmbH", "entity: Acme GmbH\nentitty: twice");
        text.replacen("timeout: 200ms", "timeout: soon", 1).replacen("tls: off", "tls: of", 1)
    });
    fleet.edit("regions/uk-south.yaml", |text| text.replace("regime: UK", "regime: UK\nregime: GB"));
    fleet.edit("regions/federation.yaml", |text| text.replacen("us-east/central", "us-est/central", 1));
    fleet.edit("policies/residency.yaml", |text| text.replacen("user-key}}", "usr-key}}", 1));
    fleet.edit("policies/sampling.yaml", |text| {
        text.replace("decision_wait: 5s", "decision_wait: 5").replace("type: latency", "type: latncy")
    });
    let faults = [
        "policies/residency.yaml:37:32: rules[0].allow.direct.only[\"user.id\"]: `usr-key` is neither `raw` nor",
        "policies/sampling.yaml:5:18: tail_sampling.decision_wait: expected a duration",
        "policies/sampling.yaml:12:13: tail_sampling.policies[1].type: unknown word, did you mean \"latency\"?",
        "regions/eu-west.yaml:4:1: entitty: unknown key, did you mean \"entity\"?",
        "regions/eu-west.yaml:9:69: clusters.eu-west-a.listen.tls: unknown word, did you mean \"off\"?",
        "regions/eu-west.yaml:12:45: clusters.eu-west-a.batch.timeout: expected a duration",
        "regions/federation.yaml:4:25: links[0].to: no region is named us-est",
        "regions/uk-south.yaml:3:1: regime: duplicate key, first given in line 2",
    ];
    for arguments in [&["check", "--set", "."][..], &run(NODE_FILE, NODE)] {
        let said = tollgate_in(fleet.folder(), arguments);
        said.failed(78, &faults);
        assert_eq!(said.err.lines().count(), faults.len(), "nothing else is wrong:\n{}", said.err);
    }
    assert!(!fleet.folder().join("data").exists(), "a wrong set leaves no trace");
}

#[test]
fn a_folder_without_documents_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for command in [&["check"][..], &["certs", "dev", "out"], &run(NODE_FILE, NODE)] {
        tollgate_in(folder.path(), command).failed(78, &["neither `regions/` nor `policies/` is here", "--set"]);
    }
    fs::create_dir(folder.path().join("policies")).unwrap();
    tollgate_in(folder.path(), &["check"]).failed(78, &["regions/federation.yaml:1:1: the document is missing"]);
}

#[test]
fn a_node_that_the_documents_do_not_know_or_that_the_certificate_does_not_name_does_not_start() {
    let fleet = Fleet::lay_out();
    let said = tollgate_in(fleet.folder(), &run(NODE_FILE, "eu-west/gateway/7"));
    said.failed(78, &["the documents have no place for the node eu-west/gateway/7"]);
    let said = tollgate_in(fleet.folder(), &run(NODE_FILE, "eu-west/gateway/1"));
    said.failed(78, &["the certificate is for eu-west/gateway/0, this node is eu-west/gateway/1"]);
}

#[test]
fn every_fault_of_a_node_file_is_said_at_once() {
    let fleet = Fleet::lay_out();
    tollgate_in(fleet.folder(), &run("nodes/nowhere.yaml", NODE)).failed(78, &["nodes/nowhere.yaml", "No such file"]);
    fleet.edit(NODE_FILE, |text| {
        let text = text.replace("memory: 128MiB", "memory: 63MiB").replace("durability: fsync", "durability: maybe");
        text.replace("tier: 127", "tier: nowhere-127") + "upstream: us-east\n"
    });
    let faults = [
        "nodes/eu-west-gateway-0.yaml:4:9: listen.tier: expected an address and port",
        "nodes/eu-west-gateway-0.yaml:11:11: budgets.memory: is at least 64MiB",
        "durability: is `fsync` or `os`",
        "upstream: unknown key",
    ];
    for arguments in [&["check", "--set", ".", "--node-file", NODE_FILE][..], &run(NODE_FILE, NODE)] {
        let said = tollgate_in(fleet.folder(), arguments);
        said.failed(78, &faults);
        assert_eq!(said.err.lines().count(), faults.len(), "{}", said.err);
    }
    fleet.edit("policies/sampling.yaml", |text| text.replace("decision_wait: 5s", "decision_wait: 5"));
    tollgate_in(fleet.folder(), &run(NODE_FILE, NODE)).failed(78, &[faults[0], "tail_sampling.decision_wait"]);
}

/// `check` of what `run` would start from.
fn check<'a>(node_file: &'a str, node: &'a str) -> [&'a str; 6] {
    ["check", "--set", ".", "--node-file", node_file, node]
}

/// Both say all of this, in a line each and nothing else, and end with this code; nothing is left on the disk.
#[track_caller]
fn neither_runs(fleet: &Fleet, code: i32, faults: &[&str]) {
    for command in [check(NODE_FILE, NODE), run(NODE_FILE, NODE)] {
        let said = tollgate_in(fleet.folder(), &command);
        said.failed(code, faults);
        assert_eq!(said.err.lines().count(), faults.len(), "nothing else is wrong:\n{}", said.err);
    }
    assert!(!fleet.folder().join("data").exists(), "a node that cannot run leaves no trace");
}

#[test]
fn check_judges_what_run_would_start_from_and_changes_nothing() {
    let fleet = Fleet::lay_out();
    for command in [&check(NODE_FILE, NODE)[..], &check(NODE_FILE, NODE)[..5]] {
        let said = tollgate_in(fleet.folder(), command);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
        assert!(said.out.contains(&format!("{NODE} can run with {NODE_FILE}\n")), "{}", said.out);
        assert!(!said.out.contains("warning"), "{}", said.out);
    }
    tollgate(&["check", NODE]).failed(64, &["--node-file <FILE>"]);
    let mode = |file: &str, mode| {
        fs::set_permissions(fleet.folder().join(file), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("nodes/eu-west-gateway-0.key", 0o644);
    let root = root_of(&fleet, "user");
    mode(&root, 0o440);
    fs::remove_dir_all(fleet.folder().join("keys/eu-west/session")).unwrap();
    fs::write(fleet.folder().join("ca/uk-south.pem"), "").unwrap();
    fs::remove_file(fleet.folder().join("ca/us-east.pem")).unwrap();
    fs::write(fleet.folder().join("token"), "hunter2").unwrap();
    mode("token", 0o604);
    fleet.add_backends(
        "eu-west/gateway",
        "{vendor: {otlp_http: http://127.0.0.1:9, signals: [traces], tls: off, headers: {api-key: secret:vendor}}}",
    );
    fleet.edit(NODE_FILE, |text| {
        text.replace("disk: 1GiB", "disk: 399MiB") + "secrets: {unset: {env: TOLLGATE_NOT_SET}, token: {file: token}}\n"
    });
    let faults = [
        "cannot read key session from ./keys/eu-west/session: No such file",
        &format!("key user in ./{root} can be read by others: its mode is 0440 and must be 0400 or 0600"),
        "secret token in ./token can be read by others: its mode is 0604 and must be 0400 or 0600",
        "the environment variable TOLLGATE_NOT_SET for secret unset is not set",
        "./ca/uk-south.pem holds no usable certificate",
        "cannot read ./ca/us-east.pem: No such file",
        "./nodes/eu-west-gateway-0.key can be read by others: its mode is 0644 and must be 0400 or 0600",
        "budgets.disk: 399MiB is too little for the logs of a gateway: it is at least 400MiB",
    ];
    neither_runs(&fleet, 78, &faults);
    mode("token", 0o600);
    fleet.edit(NODE_FILE, |text| text.replace("{unset: {env: TOLLGATE_NOT_SET}, token:", "{token:"));
    let said = tollgate_in(fleet.folder(), &check(NODE_FILE, NODE));
    said.failed(78, &["eu-west/backend/vendor: the node file does not say where secret vendor lies"]);
}

#[test]
fn a_certificate_out_of_its_time_is_what_a_later_start_may_mend() {
    let fleet = Fleet::lay_out();
    let uri = "spiffe://acme.example/region/eu-west/gateway/0".to_owned();
    for validity in [Validity::Expired, Validity::NotYet] {
        let leaf = Leaf { validity, ..Leaf::node(uri.clone()) };
        fleet.authority("eu-west").issue(&leaf).unwrap().write(&fleet.folder().join("nodes"), GATEWAY).unwrap();
        neither_runs(&fleet, 1, &["our own certificate"]);
    }
    let stranger = fleet.authority("us-east").issue(&Leaf::node(uri)).unwrap();
    stranger.write(&fleet.folder().join("nodes"), GATEWAY).unwrap();
    neither_runs(&fleet, 78, &["our own certificate: invalid peer certificate: UnknownIssuer"]);
}

#[test]
fn the_smallest_disk_budget_that_is_named_is_enough() {
    let mut fleet = Fleet::lay_out();
    let (name, file) = ("us-east-central-0", "nodes/us-east-central-0.yaml");
    fleet.edit(file, |text| text.replace("disk: 1GiB", "disk: 799MiB"));
    let said = tollgate_in(fleet.folder(), &check(file, "us-east/central/0"));
    said.failed(78, &["too little for the logs of a central: it is at least 800MiB"]);
    fleet.edit(file, |text| text.replace("disk: 799MiB", "disk: 800MiB"));
    fleet.start([name]);
}

#[test]
fn a_gateway_without_the_keys_of_its_policies_says_so() {
    let mut fleet = Fleet::lay_out();
    fleet.edit(NODE_FILE, |text| {
        let (before, keys) = text.split_once("keys:").unwrap();
        let (_, after) = keys.split_once("durability").unwrap();
        format!("{before}durability{after}")
    });
    let said = tollgate_in(fleet.folder(), &check(NODE_FILE, NODE));
    fleet.start([COLLECTOR, GATEWAY, "us-east-central-0", "us-east-central-1"]);
    for key in ["user", "session"] {
        let missing = format!("no key {key} in the node file: what crosses to us-east/central as a pseudonym");
        assert!(said.out.contains(&format!("warning: {missing}")), "{}", said.out);
        let log = fleet.process(GATEWAY).log();
        assert!(log.lines().any(|line| line.contains(&missing) && line.contains("WARN")), "{log}");
    }
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    Client::plain(fleet.otlp(COLLECTOR)).export(Service::Traces, planted("user.id")).unwrap();
    let absent = || fleet.metric(GATEWAY, "tollgate_sealed_keys_missing_total", &["us-east/central"]);
    wait_until(LIMIT, "the value that did not cross is counted", || absent() == Some(1.0));
}

#[test]
fn development_certificates_are_private_backdated_and_name_one_node_each() {
    let folder = tempfile::tempdir().unwrap();
    let before = Clock::system().now().nanos() / 1_000_000_000;
    let said = tollgate(&["certs", "dev", folder.path().to_str().unwrap()]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.contains("12 certificates"), "{}", said.out);
    for (file, uri) in [
        ("nodes/eu-west-gateway-0", "spiffe://acme.example/region/eu-west/gateway/0"),
        ("nodes/us-east-central-1", "spiffe://acme.example/region/us-east/central/1"),
        ("nodes/uk-south-collector-uk-south-a-0", "spiffe://acme.example/region/uk-south/collector/uk-south-a-0"),
    ] {
        let der = certificate(&folder.path().join(file).with_extension("pem"));
        assert_eq!(uri_names(&der), [uri], "{file}");
    }
    let mut keys = 0;
    for entry in ["ca", "nodes"].iter().flat_map(|name| fs::read_dir(folder.path().join(name)).unwrap()) {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "key") {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
            keys += 1;
        } else {
            let backdated = before.saturating_sub(not_before(&certificate(&path)));
            assert!((3590..=3600).contains(&backdated), "{}: {backdated} s", path.display());
        }
    }
    assert_eq!(keys, 3 + 12, "one for each authority and each node");
}

fn certificate(path: &Path) -> Vec<u8> {
    let text = fs::read_to_string(path).unwrap();
    let lines: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    BASE64.decode(lines.as_bytes()).unwrap()
}

/// The URIs among a certificate's alternative names: the tag of a URI, its length, the text.
fn uri_names(der: &[u8]) -> Vec<&str> {
    let starts =
        der.windows(9).enumerate().filter(|(_, window)| window[0] == 0x86 && window[2..].starts_with(b"spiffe:"));
    starts.map(|(at, window)| std::str::from_utf8(&der[at + 2..at + 2 + usize::from(window[1])]).unwrap()).collect()
}

/// When a certificate begins to count, in seconds: the first time in it, `YYMMDDHHMMSSZ`.
fn not_before(der: &[u8]) -> u64 {
    let at = der.windows(2).position(|window| window == [0x17, 13]).unwrap();
    let part = |number: usize| {
        let digits = &der[at + 2 + 2 * number..at + 4 + 2 * number];
        std::str::from_utf8(digits).unwrap().parse::<u8>().unwrap()
    };
    let month = time::Month::try_from(part(1)).unwrap();
    let date = time::Date::from_calendar_date(2000 + i32::from(part(0)), month, part(2)).unwrap();
    let time = time::Time::from_hms(part(3), part(4), part(5)).unwrap();
    u64::try_from(OffsetDateTime::new_utc(date, time).unix_timestamp()).unwrap()
}

const CANARY: &str = "anna.kq7x2m9v4p@kunde.example";

/// A request of one span whose attribute is a planted value.
fn planted(attribute: &str) -> Vec<u8> {
    one_span((TraceId([7; 16]), SpanId([7; 8])), |span| {
        span.string(5, "POST /orders");
        span.key_string(9, attribute, CANARY);
    })
}

#[test]
fn inspection_shows_segments_and_lanes_and_never_a_payload() {
    let mut fleet = Fleet::lay_out();
    fleet.start([COLLECTOR]);
    Client::plain(fleet.otlp(COLLECTOR)).export(Service::Traces, planted("user.email")).unwrap();
    let data = fleet.planned(COLLECTOR).data.clone();
    let segments = fleet.folder().join(&data).join("spool/traces");
    assert!(holds_canary(&segments), "the planted value is in the log, or its absence below would prove nothing");
    let inspect = |folder: &Path| tollgate_in(fleet.folder(), &["spool", "inspect", folder.to_str().unwrap()]);
    for folder in [data.clone(), data.join("spool"), data.join("spool/traces")] {
        let said = inspect(&folder);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
        for text in ["segment ", "consumer gateway", "spare segments", "quarantined", "bytes behind, oldest"] {
            assert!(said.out.contains(text), "{text:?} is missing in:\n{}", said.out);
        }
        assert!(!said.out.contains("kunde") && !said.out.contains("orders"), "{}", said.out);
    }
    inspect(Path::new("regions")).failed(1, &["regions: no log here"]);
    inspect(Path::new("nowhere")).failed(1, &["nowhere: No such file"]);
}

fn holds_canary(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().any(|file| {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
    })
}

#[test]
fn a_second_process_of_a_node_leaves_the_first_alone() {
    let mut fleet = Fleet::lay_out();
    fleet.start([COLLECTOR]);
    let (file, node) = (fleet.planned(COLLECTOR).node_file.clone(), fleet.planned(COLLECTOR).node.to_string());
    let said = tollgate_in(fleet.folder(), &run(file.to_str().unwrap(), &node));
    said.failed(1, &["spool/traces", "another process has the log open"]);
    Client::plain(fleet.otlp(COLLECTOR)).export(Service::Traces, planted("user.email")).unwrap();
}

#[test]
fn a_data_folder_that_cannot_be_used_is_named() {
    let fleet = Fleet::lay_out();
    let data_in = |folder: &str| {
        fleet.edit(NODE_FILE, |text| {
            let lines = text
                .lines()
                .map(|line| if line.starts_with("data: ") { format!("data: {folder}") } else { line.into() });
            lines.map(|line| line + "\n").collect()
        });
    };
    for folder in ["nodes.json", "nodes.json/below"] {
        data_in(folder);
        neither_runs(
            &fleet,
            78,
            &[&format!("cannot make the data folder ./{folder} in ./nodes.json: not a directory")],
        );
    }
    data_in("/proc/tollgate");
    let said = tollgate_in(fleet.folder(), &run(NODE_FILE, NODE));
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    assert!(said.err.contains("cannot make the data folder") && said.err.contains("/proc/tollgate"), "{}", said.err);
}

#[test]
fn a_listener_that_the_role_does_not_have_or_the_machine_cannot_open_is_named_where_it_stands() {
    let fleet = Fleet::lay_out();
    fleet.edit(NODE_FILE, |text| text.replace("listen:\n", "listen:\n  otlp_grpc: 127.0.0.1:1\n"));
    neither_runs(&fleet, 78, &["eu-west-gateway-0.yaml:4:14: listen.otlp_grpc: a gateway has no such listener"]);
    // TEST-NET-1, RFC 5737: no machine has it.
    fleet.edit(NODE_FILE, |text| {
        text.replace("  otlp_grpc: 127.0.0.1:1\n", "").replacen("tier: 127.", "tier: 192.0.2.1:1 # 127.", 1)
    });
    neither_runs(&fleet, 1, &["eu-west-gateway-0.yaml:4:9: listen.tier: cannot listen on 192.0.2.1:1: "]);
    let (file, node) = (format!("nodes/{COLLECTOR}.yaml"), fleet.planned(COLLECTOR).node.to_string());
    fleet.edit(&file, |text| text.replace("listen:\n", "listen:\n  tier: 127.0.0.1:1\n"));
    let said = tollgate_in(fleet.folder(), &check(&file, &node));
    said.failed(78, &["listen.tier: a collector has no such listener"]);
    fleet.edit(&file, |text| text.replace("  tier: 127.0.0.1:1\n", ""));
    fleet.edit("regions/eu-west.yaml", |text| text.replace("otlp_http: 0.0.0.0:4318, ", ""));
    let said = tollgate_in(fleet.folder(), &check(&file, &node));
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let idle = "listen.otlp_http: the documents give the cluster no such listener; nothing listens here";
    assert!(said.out.contains(idle), "{}", said.out);
}

#[test]
fn a_variable_that_is_not_set_is_named_and_makes_no_folder() {
    let fleet = Fleet::lay_out();
    fleet.edit(NODE_FILE, |text| text.replacen("data: ", "data: ${env:TOLLGATE_NOT_SET}/", 1));
    let fault = "eu-west-gateway-0.yaml:2:7: data: the environment variable TOLLGATE_NOT_SET is not set";
    neither_runs(&fleet, 78, &[fault]);
    let names = || fs::read_dir(fleet.folder()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names().all(|name| !name.to_string_lossy().contains("env:")));
}

#[test]
fn an_address_in_use_is_named() {
    let fleet = Fleet::lay_out();
    let address = fleet.planned(GATEWAY).tier().unwrap();
    let _taken = TcpListener::bind(address).unwrap();
    let said = tollgate_in(fleet.folder(), &run(NODE_FILE, NODE));
    said.failed(1, &[&format!("cannot listen on {address}: Address already in use")]);
}

/// The file of the root that names what arrives now.
fn root_of(fleet: &Fleet, key: &str) -> String {
    let folder = format!("keys/eu-west/{key}");
    let entries = fs::read_dir(fleet.folder().join(&folder)).unwrap();
    let first = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).min().unwrap();
    format!("{folder}/{first}")
}

#[test]
fn keys_that_cannot_be_used_are_named_and_never_shown() {
    let fleet = Fleet::lay_out();
    let root = root_of(&fleet, "user");
    let key = fleet.folder().join(&root);
    let content = fs::read_to_string(&key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o440)).unwrap();
    let said = tollgate_in(fleet.folder(), &run(NODE_FILE, NODE));
    said.failed(78, &[&format!("key user in ./{root} can be read by others"), "0400 or 0600"]);
    assert!(!said.err.contains(&content));
    fs::remove_file(&key).unwrap();
    let said = tollgate_in(fleet.folder(), &check(NODE_FILE, NODE));
    assert_eq!(said.code, 0, "{}", said.err);
    for to in ["us-east/central", "uk-south/gateway"] {
        let absent = format!("what crosses to {to} as a pseudonym or a blinded id by it is absent then");
        let line = said.out.lines().find(|line| line.contains(&absent)).unwrap_or_default();
        assert!(line.trim_start().starts_with("warning: key user has no root for "), "{}", said.out);
    }
    fs::write(&key, "0".repeat(64)).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    neither_runs(
        &fleet,
        78,
        &[&format!("key user in ./{root} is a placeholder and no random root; `tollgate keys` makes them")],
    );
    fs::write(&key, "not hexadecimal").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    let said = tollgate_in(fleet.folder(), &run(NODE_FILE, NODE));
    said.failed(78, &["is not 64 hexadecimal digits"]);
    assert!(!said.err.contains("not hexadecimal"));
    fleet.edit(NODE_FILE, |text| text.replace("dir: keys/eu-west/user", "file: keys/eu-west/user.key"));
    neither_runs(&fleet, 78, &["keys.user: a key is a folder with a root for each epoch, said as `dir`"]);
}

#[test]
fn sigterm_ends_every_role_within_seconds() {
    let mut fleet = Fleet::lay_out();
    // Nobody has to wait for a peer that is away: they end in the order of the path.
    let all = [COLLECTOR, GATEWAY, "uk-south-gateway-0", "us-east-central-0", "us-east-central-1"];
    fleet.start(all);
    Client::plain(fleet.otlp(COLLECTOR)).export(Service::Traces, planted("user.email")).unwrap();
    let files = fleet.files(GATEWAY, "embedded", "traces");
    wait_until(LIMIT, "the span is at the gateway's backend", || files.is_dir() && holds_canary(&files));
    for name in all {
        let process = fleet.process(name);
        process.terminate();
        assert_eq!(process.wait(SECONDS).code(), Some(0), "{name}");
        assert!(process.log().contains("\"stopped\""), "{name}: {}", process.log());
    }
}

#[test]
fn sigterm_while_a_node_starts_ends_it_with_0() {
    let mut fleet = Fleet::lay_out();
    let data = fleet.folder().join(&fleet.planned(COLLECTOR).data);
    for part in ["", "documents", "spool", "spool/traces", "spool/metrics", "spool/logs"] {
        fleet.spawn(COLLECTOR);
        wait_until(LIMIT, "it is that far", || data.join(part).exists());
        let process = fleet.process(COLLECTOR);
        process.terminate();
        assert_eq!(process.wait(SECONDS).code(), Some(0), "{part}: {}", process.log());
        fs::remove_dir_all(&data).unwrap();
    }
}

#[test]
fn a_stopping_node_refuses_retryably_and_a_second_signal_ends_it_at_once() {
    let mut fleet = Fleet::lay_out();
    // Connections are taken; nobody ever answers on them.
    let silent = [GATEWAY, "eu-west-gateway-1"].map(|name| {
        let listener = TcpListener::bind(fleet.planned(name).tier().unwrap()).unwrap();
        listener.set_nonblocking(true).unwrap();
        listener
    });
    fleet.start([COLLECTOR]);
    let (client, admin) = (Client::plain(fleet.otlp(COLLECTOR)), fleet.admin(COLLECTOR));
    client.export(Service::Traces, planted("user.email")).unwrap();
    // Before that, the span would lie in the log only, and nothing would be under way.
    let mut taken = None;
    wait_until(LIMIT, "it is being sent", || {
        taken = silent.iter().find_map(|listener| listener.accept().ok());
        taken.is_some()
    });
    let process = fleet.process(COLLECTOR);
    process.terminate();
    wait_until(LIMIT, "readiness goes first", || http::get(admin, "/readyz").is_ok_and(|reply| reply.status == 503));
    let refused = client.export(Service::Traces, planted("user.email")).unwrap_err();
    assert_eq!((refused.code(), refused.details().is_empty()), (Code::Unavailable, false), "with RetryInfo: {refused}");
    assert!(!holds_within(Duration::from_secs(1), || !process.is_running()), "it waits for what is under way");
    process.terminate();
    assert_eq!(process.wait(SECONDS).code(), Some(0));
    assert!(process.log().contains("stopped at once"), "{}", process.log());
    drop((taken, silent));
    fleet.start([GATEWAY, COLLECTOR]);
    let files = fleet.files(GATEWAY, "embedded", "traces");
    wait_until(LIMIT, "the span is at the gateway's backend", || files.is_dir() && holds_canary(&files));
}
