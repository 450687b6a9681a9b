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
use tollgate_otlp::Writer;
use tollgate_runtime::Clock;
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
}

#[test]
fn help_of_every_command_reads_well_on_a_narrow_terminal() {
    let commands: [&[&str]; 8] = [
        &["--help"],
        &["run", "--help"],
        &["check", "--help"],
        &["certs", "--help"],
        &["certs", "dev", "--help"],
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
fn check_prints_every_place_every_backlog_and_every_plain_text_listener() {
    let said = tollgate(&["check"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    for line in [
        "federation acme (trust domain acme.example)",
        "region eu-west (EEA, Acme GmbH)",
        "eu-west/backend/embedded EEA Acme GmbH inside its region",
        "uk-south/gateway UK Acme Ltd over link from eu-west (EEA by uk-adequacy; traces)",
        "us-east/central US Acme Inc over link from eu-west (EEA by dpf; traces); \
         link from uk-south (UK by uk-us-extension; traces)",
        "traces link/us-east/central 3686 MiB 61 min, then lets go of its oldest",
        "traces tail sampling 2457 MiB 40 min, then refuses",
        "kept traces backend/embedded 2457 MiB 40 min, then refuses",
        "regions/eu-west.yaml:8:13: clusters.eu-west-a.listen: plain text: services reach this listener without tls",
    ] {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.out.lines().any(|found| words(found) == words(line)), "{line:?} is missing in:\n{}", said.out);
    }
    let places = said.out.split("places that data can be sent to").nth(1).unwrap().split("\n\n").next().unwrap();
    assert_eq!(places.trim().lines().count(), 8, "{places}");
    let fast = tollgate(&["check", "--rate", "64MiB"]);
    assert!(fast.out.contains("57 s"), "a faster rate shortens every backlog:\n{}", fast.out);
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
        "policies/residency.yaml:28:32: rules[0].allow.direct.only[\"user.id\"]: `usr-key` is neither `raw` nor",
        "policies/sampling.yaml:4:18: tail_sampling.decision_wait: expected a duration",
        "policies/sampling.yaml:11:13: tail_sampling.policies[1].type: unknown word, did you mean \"latency\"?",
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
        let text = text.replace("memory: 128MiB", "memory: lots").replace("durability: fsync", "durability: maybe");
        text.replace("tier: 127", "tier: nowhere-127") + "upstream: us-east\n"
    });
    let faults = [
        "nodes/eu-west-gateway-0.yaml:4:9: listen.tier: expected an address and port",
        "nodes/eu-west-gateway-0.yaml:11:11: budgets.memory: expected a size",
        "durability: is `fsync` or `os`",
        "upstream: unknown key",
    ];
    for arguments in [&["check", "--set", ".", "--node-file", NODE_FILE][..], &run(NODE_FILE, NODE)] {
        let said = tollgate_in(fleet.folder(), arguments);
        said.failed(78, &faults);
        assert_eq!(said.err.lines().count(), faults.len(), "{}", said.err);
    }
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
fn planted() -> Vec<u8> {
    let mut request = Vec::new();
    Writer::new(&mut request).message(1, |group| {
        group.message(2, |scope| {
            scope.message(2, |span| {
                span.bytes(1, &[7; 16]);
                span.bytes(2, &[7; 8]);
                span.string(5, "POST /orders");
                span.key_string(9, "user.email", CANARY);
            });
        });
    });
    request
}

#[test]
fn inspection_shows_segments_and_lanes_and_never_a_payload() {
    let mut fleet = Fleet::lay_out();
    fleet.start([COLLECTOR]);
    Client::plain(fleet.otlp(COLLECTOR)).export(Service::Traces, planted()).unwrap();
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
    Client::plain(fleet.otlp(COLLECTOR)).export(Service::Traces, planted()).unwrap();
}

#[test]
fn an_address_in_use_is_named() {
    let fleet = Fleet::lay_out();
    let address = fleet.planned(GATEWAY).tier().unwrap();
    let _taken = TcpListener::bind(address).unwrap();
    let said = tollgate_in(fleet.folder(), &run(NODE_FILE, NODE));
    said.failed(1, &[&format!("cannot listen on {address}: Address already in use")]);
}

#[test]
fn keys_that_cannot_be_used_are_named_and_never_shown() {
    let fleet = Fleet::lay_out();
    let key = fleet.folder().join("keys/eu-west/user.key");
    let content = fs::read_to_string(&key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o440)).unwrap();
    let said = tollgate_in(fleet.folder(), &run(NODE_FILE, NODE));
    said.failed(1, &["key user can be read by others", "0400 or 0600"]);
    assert!(!said.err.contains(&content));
    fs::remove_file(&key).unwrap();
    tollgate_in(fleet.folder(), &run(NODE_FILE, NODE)).failed(1, &["cannot read user", "No such file"]);
    fs::write(&key, "not hexadecimal").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    let said = tollgate_in(fleet.folder(), &run(NODE_FILE, NODE));
    said.failed(1, &["key user is not 64 hexadecimal digits"]);
    assert!(!said.err.contains("not hexadecimal"));
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let fleet = Fleet::lay_out();
    let _taken = TcpListener::bind(fleet.planned(GATEWAY).tier().unwrap()).unwrap();
    for command in [vec!["check", "--bogus"], run(NODE_FILE, NODE).to_vec()] {
        let plain = tollgate_in(fleet.folder(), &command);
        assert!(!plain.err.contains('\x1b'), "not a terminal: {}", plain.err);
        assert!(on_terminal(&fleet, &command, None).contains('\x1b'), "{command:?}");
        let asked = on_terminal(&fleet, &command, Some("1"));
        assert!(!asked.contains('\x1b') && !asked.is_empty(), "NO_COLOR is not heard: {asked}");
    }
}

/// What a command says to a terminal.
fn on_terminal(fleet: &Fleet, arguments: &[&str], no_color: Option<&str>) -> String {
    let mut python = Command::new("python3");
    python.args(["-c", "import pty, sys; pty.spawn(sys.argv[1:])"]).arg(binary()).args(arguments);
    python.current_dir(fleet.folder()).env("TERM", "xterm").env_remove("NO_COLOR");
    python.envs(no_color.map(|value| ("NO_COLOR", value)));
    String::from_utf8(python.output().unwrap().stdout).unwrap()
}

#[test]
fn sigterm_ends_every_role_within_seconds() {
    let mut fleet = Fleet::lay_out();
    // Nobody has to wait for a peer that is away: they end in the order of the path.
    let all = [COLLECTOR, GATEWAY, "uk-south-gateway-0", "us-east-central-0", "us-east-central-1"];
    fleet.start(all);
    Client::plain(fleet.otlp(COLLECTOR)).export(Service::Traces, planted()).unwrap();
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
fn a_stopping_node_refuses_retryably_and_a_second_signal_ends_it_at_once() {
    let mut fleet = Fleet::lay_out();
    // The kernel takes connections for whoever listens; nobody ever answers on them.
    let silent =
        [GATEWAY, "eu-west-gateway-1"].map(|name| TcpListener::bind(fleet.planned(name).tier().unwrap()).unwrap());
    fleet.start([COLLECTOR]);
    let (client, admin) = (Client::plain(fleet.otlp(COLLECTOR)), fleet.admin(COLLECTOR));
    client.export(Service::Traces, planted()).unwrap();
    let process = fleet.process(COLLECTOR);
    process.terminate();
    wait_until(LIMIT, "readiness goes first", || http::get(admin, "/readyz").is_ok_and(|reply| reply.status == 503));
    let refused = client.export(Service::Traces, planted()).unwrap_err();
    assert_eq!((refused.code(), refused.details().is_empty()), (Code::Unavailable, false), "with RetryInfo: {refused}");
    assert!(!holds_within(Duration::from_secs(1), || !process.is_running()), "it waits for what is under way");
    process.terminate();
    assert_eq!(process.wait(SECONDS).code(), Some(0));
    assert!(process.log().contains("stopped at once"), "{}", process.log());
    drop(silent);
    fleet.start([GATEWAY, COLLECTOR]);
    let files = fleet.files(GATEWAY, "embedded", "traces");
    wait_until(LIMIT, "the span is at the gateway's backend", || files.is_dir() && holds_canary(&files));
}
