//! The demo keeps what it promises, to people and to scripts.
//!
//! Guarantees: the numbers agree with each other; a planted value that turns up in any other region is found and fails the
//! run; whatever ends the demo, its processes end with it; a scaffold runs by its Procfile and is never written over.
#![expect(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tollgate_integration::requests::{fail, one_span};
use tollgate_otlp::{SpanId, TraceId};
use tollgate_testkit::{Client, Process, Service, binary, http, wait_until};

const LIMIT: Duration = Duration::from_secs(30);
/// How long a short demo may take on a machine that is busy.
const DEMO: Duration = Duration::from_secs(120);
/// The processes of the example federation.
const PROCESSES: usize = 10;

fn demo(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.arg("demo").args(arguments).env("TMPDIR", folder).stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[track_caller]
fn count(object: &Value, path: &str) -> u64 {
    let number = object.pointer(path).and_then(Value::as_u64);
    assert!(number.is_some(), "no number at {path} in {object}");
    number.unwrap_or_default()
}

#[test]
fn for_scripts_it_ends_with_one_object_that_says_nothing_crossed() {
    let folder = tempfile::tempdir().unwrap();
    let Output { status, stdout, stderr } =
        demo(folder.path(), &["--duration", "5s", "--output", "json"]).output().unwrap();
    let (out, err) = (text(&stdout), text(&stderr));
    assert_eq!(status.code(), Some(0), "{err}\n{out}");
    assert_eq!(out.trim().lines().count(), 1, "one object and nothing else:\n{out}");
    let object: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(keys(&object), ["canaries", "links", "spans", "verdicts"]);

    let links = object["links"].as_array().unwrap();
    let mut ends = BTreeSet::new();
    for link in links {
        assert_eq!(keys(link), ["crossed", "from", "offered", "signal", "to", "withheld"]);
        assert_eq!(link["signal"], "traces", "no other signal crosses: {link}");
        let [offered, crossed, withheld] = ["/offered", "/crossed", "/withheld"].map(|path| count(link, path));
        assert!(offered > 0 && crossed > 0, "no traffic: {link}");
        assert_eq!(offered, crossed + withheld, "{link}");
        ends.insert((link["from"].as_str().unwrap(), link["to"].as_str().unwrap()));
    }
    assert_eq!(ends, BTreeSet::from([("eu-west", "us-east"), ("eu-west", "uk-south"), ("uk-south", "us-east")]));
    assert!(count(&object, "/verdicts/kept") > 0 && count(&object, "/verdicts/dropped") > 0, "{object}");
    let [acknowledged, kept, delivered] =
        ["/spans/acknowledged", "/spans/kept", "/spans/delivered"].map(|path| count(&object, path));
    assert!(acknowledged > kept && kept > 0, "{object}");
    assert_eq!(delivered, kept, "{object}");
    assert!(count(&object, "/canaries/planted") > 0, "{object}");
    assert_eq!(count(&object, "/canaries/crossed"), 0, "{object}");
}

#[test]
fn for_people_it_shows_every_link_and_says_where_the_kept_traces_are() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(folder.path(), &["--duration", "2s"]).output().unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{err}\n{out}");
    for line in ["eu-west → us-east/central traces", "eu-west → uk-south/gateway traces", "uk-south → us-east/central"]
    {
        assert!(out.contains(line), "{line:?} is missing in:\n{out}");
    }
    assert!(out.ends_with("0 canaries crossed\n"), "{out}");
    let (_, planted) = out.split_once("of all regions for ").unwrap();
    let planted = planted.split(' ').next().unwrap();
    assert!(out.contains(&format!("\n{planted} of them are in their own region")), "the search does not see:\n{out}");
    assert!(!out.contains('\x1b') && !err.contains('\x1b'), "no terminal, no cursor movements:\n{err}");
    let (_, kept) = out.split_once("kept traces, as lines of OTLP/JSON:\n").unwrap();
    let kept: Vec<&str> = kept.lines().take_while(|line| line.starts_with("  ")).map(str::trim).collect();
    assert_eq!(kept.len(), 2, "one folder for each node of central:\n{out}");
    assert!(kept.iter().all(|folder| folder.ends_with("/traces")), "{out}");
    let files: Vec<_> = kept.iter().flat_map(|folder| fs::read_dir(folder).unwrap().flatten()).collect();
    assert!(files.iter().all(|file| fs::read_to_string(file.path()).unwrap().contains("resourceSpans")), "{out}");
    assert!(!files.is_empty(), "the kept traces are not where it says:\n{out}");
}

/// The only folder that a demo has made in the folder for temporary files.
fn made(temporary: &Path) -> PathBuf {
    fs::read_dir(temporary).unwrap().next().unwrap().unwrap().path()
}

/// A mailbox that is named in the traces that a region's gateway passed to the region's own backend.
fn mailbox(gateway: &Path) -> Option<String> {
    let files = fs::read_dir(gateway.join("backends/embedded/traces")).ok()?.flatten();
    let texts = files.map(|file| fs::read_to_string(file.path()).unwrap_or_default());
    texts.into_iter().find_map(|text| {
        let (before, _) = text.split_once("@kunde.example")?;
        before.rsplit(|letter: char| letter != '.' && !letter.is_ascii_alphanumeric()).next().map(str::to_owned)
    })
}

#[test]
fn a_value_that_turns_up_in_another_region_is_found_and_fails_the_demo() {
    let folder = tempfile::tempdir().unwrap();
    let (log, temporary) = (folder.path().join("log"), folder.path().join("tmp"));
    fs::create_dir(&temporary).unwrap();
    let arguments = ["--duration", "6s", "--output", "json"];
    let mut process = Process::start("demo", &mut demo(&temporary, &arguments), &log);
    wait_until(LIMIT, "it has a folder", || fs::read_dir(&temporary).unwrap().next().is_some());
    let made = made(&temporary);
    // What would be left in the UK by a door that passes the EU's values, and in the US by one that passes the UK's.
    for (from, to) in [
        ("data/eu-west-gateway-0", "data/uk-south-gateway-0/left"),
        ("data/uk-south-gateway-0", "logs/us-east-central-1/left"),
    ] {
        let mut found = None;
        wait_until(DEMO, "a region has traces of its own", || {
            found = mailbox(&made.join(from));
            found.is_some() || !process.is_running()
        });
        fs::write(made.join(to), found.unwrap_or_else(|| panic!("{from}: {}", process.log()))).unwrap();
    }
    assert_eq!(process.wait(DEMO).code(), Some(1), "{}", process.log());
    let log = process.log();
    let object: Value = serde_json::from_str(log.lines().find(|line| line.starts_with('{')).unwrap()).unwrap();
    assert_eq!(count(&object, "/canaries/crossed"), 2, "{log}");
    assert!(log.contains("user.email of eu-west in uk-south, as text") && log.contains("data/uk-south-gateway-0/left"));
    assert!(log.contains("user.email of uk-south in us-east, as text") && log.contains("logs/us-east-central-1/left"));
}

/// A demo whose processes all run, and their ids.
fn running(folder: &Path) -> (Process, Vec<String>) {
    let (log, temporary) = (folder.join("log"), folder.join("tmp"));
    fs::create_dir(&temporary).unwrap();
    let process = Process::start("demo", &mut demo(&temporary, &["--duration", "10m"]), &log);
    let children = format!("/proc/{0}/task/{0}/children", process.id());
    let children = || fs::read_to_string(&children).unwrap_or_default();
    wait_until(LIMIT, "all processes run", || children().split_whitespace().count() == PROCESSES);
    let ids = children().split_whitespace().map(str::to_owned).collect();
    (process, ids)
}

/// Whether a process is there and not only waits for its parent to see that it has ended.
fn lives(id: &str) -> bool {
    fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|command| !command.is_empty())
}

#[test]
fn when_it_is_interrupted_it_takes_its_processes_and_its_folder_along() {
    let folder = tempfile::tempdir().unwrap();
    let (mut process, children) = running(folder.path());
    process.terminate();
    assert_eq!(process.wait(LIMIT).code(), Some(1), "{}", process.log());
    assert!(process.log().contains("interrupted"), "{}", process.log());
    assert!(!children.iter().any(|child| lives(child)), "a process is left");
    assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0, "its folder is left");
}

#[test]
fn when_it_is_killed_its_processes_end_too() {
    let folder = tempfile::tempdir().unwrap();
    let (mut process, children) = running(folder.path());
    assert!(children.iter().all(|child| lives(child)), "{}", process.log());
    process.kill();
    wait_until(Duration::from_secs(5), "no process is left", || !children.iter().any(|child| lives(child)));
}

#[test]
fn a_scaffold_is_not_written_over_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("federation");
    let scaffold = || demo(folder.path(), &["--scaffold", dir.to_str().unwrap()]).output().unwrap();
    let first = scaffold();
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let certificate = || fs::read(dir.join("nodes/eu-west-gateway-0.pem")).unwrap();
    let before = certificate();
    let again = scaffold();
    assert_eq!((again.status.code(), text(&again.stdout)), (Some(1), String::new()));
    assert!(text(&again.stderr).contains("name a folder that is new or empty"), "{}", text(&again.stderr));
    assert_eq!(certificate(), before);
}

#[test]
fn whoever_closes_the_pipe_does_not_make_it_fail() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let dir = folder.path().join("federation");
    let mut command = demo(folder.path(), &["--scaffold", dir.to_str().unwrap()]);
    let output = command.stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

/// A trace that is kept: one span, an error.
fn failed_span() -> Vec<u8> {
    one_span((TraceId([0xab; 16]), SpanId([0xcd; 8])), |span| {
        span.string(5, "GET");
        fail(span);
    })
}

#[test]
fn the_scaffold_runs_by_its_procfile_and_every_path_of_nodes_json_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("federation");
    let output = demo(folder.path(), &["--scaffold", dir.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let check = Command::new(binary()).args(["check", "--set"]).arg(&dir).output().unwrap();
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stderr));

    let nodes: Value = serde_json::from_slice(&fs::read(dir.join("nodes.json")).unwrap()).unwrap();
    let nodes = nodes.as_array().unwrap();
    let mut processes = run_procfile(&dir, nodes.len());
    for node in nodes {
        let shape = ["admin", "data", "files", "node", "otlp_grpc", "otlp_http", "region", "role"];
        assert_eq!(keys(node), shape, "{node}");
        let (name, process) = processes.iter_mut().find(|(name, _)| node["node"] == **name).unwrap();
        process.wait_ready(address(&node["admin"]).unwrap(), LIMIT);
        let is_collector = node["role"] == "collector";
        assert_eq!(address(&node["otlp_grpc"]).is_some(), is_collector, "{name}");
        assert_eq!(address(&node["otlp_http"]).is_some(), is_collector, "{name}");
        assert!(name.starts_with(node["region"].as_str().unwrap()), "{name}");
        assert!(dir.join(node["data"].as_str().unwrap()).is_dir(), "{name} has no data");
    }
    let collectors: Vec<&Value> = nodes.iter().filter(|node| node["role"] == "collector").collect();
    let (first, last) = (collectors[0], collectors[collectors.len() - 1]);
    Client::plain(address(&first["otlp_grpc"]).unwrap()).export(Service::Traces, failed_span()).unwrap();
    let over_http = address(&last["otlp_http"]).unwrap();
    for signal in ["traces", "metrics", "logs"] {
        let reply = http::post(over_http, &format!("/v1/{signal}"), "application/json", &[], b"{}").unwrap();
        assert_eq!(reply.status, 200, "{signal}: {}", reply.text());
    }
    let kept = |role: &str| nodes.iter().any(|node| node["role"] == role && holds_span(&dir, node));
    wait_until(LIMIT, "the trace is kept at central and in its own region", || kept("central") && kept("gateway"));
    for (_, process) in &processes {
        process.terminate();
    }
    for (name, process) in &mut processes {
        assert_eq!(process.wait(LIMIT).code(), Some(0), "{name}:\n{}", process.log());
    }
    for node in nodes.iter().filter(|node| node["role"] != "collector") {
        let signals: Vec<&str> =
            node["files"].as_array().unwrap().iter().map(|file| file["signal"].as_str().unwrap()).collect();
        assert_eq!(signals, ["traces", "metrics", "logs"], "{node}");
        for file in node["files"].as_array().unwrap() {
            assert!(dir.join(file["path"].as_str().unwrap()).is_dir(), "{file} is not there");
        }
    }
}

/// Starts each line of the Procfile as anybody would: by the shell, in the scaffold's folder.
fn run_procfile(dir: &Path, nodes: usize) -> Vec<(String, Process)> {
    let procfile = fs::read_to_string(dir.join("Procfile")).unwrap();
    let bin = binary().parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let lines = procfile.lines().map(|line| line.split_once(": ").unwrap());
    let processes: Vec<_> = lines
        .map(|(name, command)| {
            assert!(command.starts_with("tollgate run "), "{name}: {command}");
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("exec {command}")]).current_dir(dir).env("PATH", &path);
            (name.to_owned(), Process::start(name, &mut shell, &dir.join(format!("{name}.log"))))
        })
        .collect();
    assert_eq!(processes.len(), nodes, "one line a node:\n{procfile}");
    processes
}

fn address(value: &Value) -> Option<SocketAddr> {
    value.as_str().map(|text| text.parse().unwrap())
}

fn holds_span(dir: &Path, node: &Value) -> bool {
    let traces = node["files"].as_array().unwrap().iter().filter(|file| file["signal"] == "traces");
    let folders = traces.map(|file| dir.join(file["path"].as_str().unwrap()));
    let files = folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let mut texts = files.map(|file| fs::read_to_string(file.path()).unwrap_or_default());
    texts.any(|text| text.contains("cdcdcdcdcdcdcdcd"))
}
