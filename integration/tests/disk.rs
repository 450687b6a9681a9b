//! A data folder on a file system that is full or cannot be written.
//!
//! Each test runs itself again in a mount namespace of its own, where it may mount a small tmpfs: with `unshare` of
//! util-linux, as root or where users may make namespaces. Where neither is possible these tests fail and say so.
#![expect(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tollgate_integration::Fleet;
use tollgate_integration::logs::{log, numbers};
use tollgate_testkit::{Client, Service, binary, http, wait_until};
use tonic::{Code, Status};

const LIMIT: Duration = Duration::from_secs(30);
const COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const GATEWAY: &str = "eu-west-gateway-0";
/// Says to a test that it is the one inside.
const INSIDE: &str = "TOLLGATE_OWN_MOUNTS";
const MIB: usize = 1 << 20;

/// Whether this is the inside, where mounts are ours; if not, the inside has run when this returns.
fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    // Built outside: inside, files seem to belong to somebody else.
    binary();
    let unshare = |rootless: &[&str], run: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(rootless).arg("--mount").args(run).env(INSIDE, "1").env("TOLLGATE_BIN", binary());
        let ended = command.output();
        assert!(ended.is_ok(), "`unshare` of util-linux is needed to mount a small tmpfs: {ended:?}");
        ended.unwrap()
    };
    let rootless: &[&str] = if unshare(&[], &["true"]).status.success() { &[] } else { &["--user", "--map-root-user"] };
    let this = std::env::current_exe().unwrap();
    let output = unshare(rootless, &[this.to_str().unwrap(), "--exact", test, "--nocapture"]);
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success(), "without root or user namespaces this cannot be tested: {err}{out}");
    assert!(out.contains("1 passed"), "the test ran inside: {out}");
    false
}

fn mount(arguments: &[&str], on: &Path) {
    assert!(Command::new("mount").args(arguments).arg(on).status().unwrap().success());
}

/// The collector's data folder, on a tmpfs of this size.
fn data_folder(fleet: &Fleet, size: usize) -> PathBuf {
    let data = fleet.folder().join(&fleet.planned(COLLECTOR).data);
    fs::create_dir_all(&data).unwrap();
    mount(&["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "tmpfs"], &data);
    data
}

/// Sends until it is refused; says with what.
fn fill(client: &Client, next: &mut u64) -> Status {
    loop {
        match client.export(Service::Logs, log(*next, 2 * MIB)) {
            Ok(_) => *next += 1,
            Err(refused) => return refused,
        }
    }
}

fn is_refused_for_now(refused: &Status) {
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(!refused.details().is_empty(), "without RetryInfo SDKs give up: {refused:?}");
}

#[test]
fn a_disk_that_fills_up_refuses_until_there_is_room_and_loses_nothing() {
    if !inside("a_disk_that_fills_up_refuses_until_there_is_room_and_loses_nothing") {
        return;
    }
    let mut fleet = Fleet::lay_out();
    // Its budget would allow for more than there is.
    fleet.edit(&format!("nodes/{COLLECTOR}.yaml"), |text| text.replace("disk: 1GiB", "disk: 400MiB"));
    let data = data_folder(&fleet, 90 * MIB);
    let ballast = data.join("ballast");
    fs::write(&ballast, vec![1; 45 * MIB]).unwrap();
    fleet.start([COLLECTOR]);
    let client = Client::plain(fleet.otlp(COLLECTOR));
    let mut acknowledged = 0;
    is_refused_for_now(&fill(&client, &mut acknowledged));
    let few = acknowledged;
    assert!(few >= 8, "{few} of 2 MiB fit into two segments of 20 MiB");
    let http = fleet.planned(COLLECTOR).otlp_http().unwrap();
    let reply = http::post(http, "/v1/logs", "application/x-protobuf", &[], &log(1000, 2 * MIB)).unwrap();
    assert_eq!(reply.status, 429, "{}", reply.text());
    assert!(reply.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    assert!(fleet.is_ready(COLLECTOR), "a full disk is no reason to move away");

    fs::remove_file(&ballast).unwrap();
    is_refused_for_now(&fill(&client, &mut acknowledged));
    assert!(acknowledged > few + 8, "it went on by itself: {acknowledged}");

    fleet.start([GATEWAY]);
    let last = || client.export(Service::Logs, log(acknowledged, 1000)).is_ok();
    wait_until(LIMIT, "what was sent on made room", last);
    let expected: BTreeSet<u64> = (0..=acknowledged).collect();
    let files = fleet.files(GATEWAY, "embedded", "logs");
    wait_until(LIMIT, "everything acknowledged has arrived", || numbers(&files).is_superset(&expected));
    assert_eq!(numbers(&files), expected, "what was refused is not there");
}

#[test]
fn a_node_starts_on_a_full_disk_and_sends_what_it_holds() {
    if !inside("a_node_starts_on_a_full_disk_and_sends_what_it_holds") {
        return;
    }
    let mut fleet = Fleet::lay_out();
    fleet.edit(&format!("nodes/{COLLECTOR}.yaml"), |text| text.replace("disk: 1GiB", "disk: 400MiB"));
    let data = data_folder(&fleet, 64 * MIB);
    fleet.start([COLLECTOR]);
    let client = Client::plain(fleet.otlp(COLLECTOR));
    let mut acknowledged = 0;
    is_refused_for_now(&fill(&client, &mut acknowledged));
    assert!(fleet.stop(COLLECTOR).success());
    // To the last byte, also what an orderly end gave back.
    let mut ballast = fs::File::create(data.join("ballast")).unwrap();
    while std::io::Write::write_all(&mut ballast, &[1; 4096]).is_ok() {}
    fleet.start([COLLECTOR, GATEWAY]);
    let expected: BTreeSet<u64> = (0..acknowledged).collect();
    let files = fleet.files(GATEWAY, "embedded", "logs");
    wait_until(LIMIT, "everything acknowledged has arrived", || numbers(&files).is_superset(&expected));
    wait_until(LIMIT, "and made room", || client.export(Service::Logs, log(acknowledged, 1000)).is_ok());
}

#[test]
fn a_data_folder_that_cannot_be_written_ends_the_start_and_says_why() {
    if !inside("a_data_folder_that_cannot_be_written_ends_the_start_and_says_why") {
        return;
    }
    let fleet = Fleet::lay_out();
    let data = data_folder(&fleet, MIB);
    mount(&["-o", "remount,ro"], &data);
    let planned = fleet.planned(COLLECTOR);
    let mut command = Command::new(binary());
    command.arg("run").arg("--set").arg(fleet.folder());
    command.arg("--node-file").arg(fleet.folder().join(&planned.node_file)).arg(planned.node.to_string());
    let ended = command.output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("Read-only file system") && said.contains(data.to_str().unwrap()), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
