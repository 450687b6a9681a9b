//! The demo keeps what it promises, to people and to scripts.
#![expect(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tollgate_otlp::Writer;
use tollgate_testkit::{Client, Process, Service, binary, http, wait_until};

const LIMIT: Duration = Duration::from_secs(30);

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
    assert!(!out.contains('\x1b') && !err.contains('\x1b'), "no terminal, no cursor movements:\n{err}");
    let kept = out.split("kept traces:\n").nth(1).unwrap().lines().take_while(|line| line.starts_with("  "));
    let files = kept.flat_map(|line| fs::read_dir(line.trim()).into_iter().flatten().flatten());
    let bytes: u64 = files.map(|file| file.metadata().unwrap().len()).sum();
    assert!(bytes > 0, "the kept traces are not where it says:\n{out}");
}

#[test]
fn when_it_is_interrupted_it_takes_its_processes_and_its_folder_along() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let temporary = folder.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let mut process = Process::start("demo", &mut demo(&temporary, &["--duration", "10m"]), &log);
    let children = format!("/proc/{0}/task/{0}/children", process.id());
    let running = || fs::read_to_string(&children).unwrap_or_default();
    wait_until(LIMIT, "all processes run", || running().split_whitespace().count() == 10);
    let children: Vec<String> = running().split_whitespace().map(str::to_owned).collect();
    process.terminate();
    assert_eq!(process.wait(LIMIT).code(), Some(1), "{}", process.log());
    assert!(process.log().contains("interrupted"), "{}", process.log());
    assert!(children.iter().all(|child| !Path::new("/proc").join(child).exists()), "a process is left");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "its folder is left");
}

/// A trace that is kept: one span, an error.
fn failed_span() -> Vec<u8> {
    let mut request = Vec::new();
    Writer::new(&mut request).message(1, |group| {
        group.message(2, |scope| {
            scope.message(2, |span| {
                span.bytes(1, &[0xab; 16]);
                span.bytes(2, &[0xcd; 8]);
                span.string(5, "GET");
                span.message(15, |status| status.varint(3, 2));
            });
        });
    });
    request
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
