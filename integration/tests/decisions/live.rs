//! The real Collector: one pipeline with a sampler and a file for each policy, many at once.
//!
//! Nothing depends on time: the wait is longer than the run, and a Collector that is told to end judges all that it has.

use std::collections::HashSet;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tollgate_otlp::{Batch, Limits, walk_traces};
use tollgate_testkit::{Block, Process, http, wait_until};

use crate::policies::Case;
use crate::traffic::Traffic;

/// Policies of one Collector: each holds its own copy of the traffic.
const AT_ONCE: usize = 100;
const LIMIT: Duration = Duration::from_secs(120);

/// For each policy, for each trace, whether it is kept.
pub(crate) fn kept(cases: &[Case], traffic: &Traffic) -> Vec<Vec<bool>> {
    let (program, block) = (collector(), Block::take());
    let mut kept = Vec::new();
    for (number, cases) in cases.chunks(AT_ONCE).enumerate() {
        let folder = tempfile::tempdir().expect("a folder");
        let server = block.socket(1, 4318 + number as u16);
        decide(&program, folder.path(), server, cases, traffic);
        kept.extend((0..cases.len()).map(|case| read(&file(folder.path(), case), traffic)));
    }
    kept
}

fn decide(program: &Path, folder: &Path, server: SocketAddr, cases: &[Case], traffic: &Traffic) {
    let config = folder.join("config.json");
    fs::write(&config, configuration(folder, server, cases).to_string()).expect("a configuration");
    let mut command = Command::new(program);
    command.arg("--config").arg(&config);
    let mut process = Process::start("the Collector", &mut command, &folder.join("log"));
    wait_until(LIMIT, "the Collector listens", || {
        assert!(process.is_running(), "{}", process.log());
        TcpStream::connect(server).is_ok()
    });
    for request in &traffic.requests {
        let reply = http::post(server, "/v1/traces", "application/x-protobuf", &[], &request.payload).expect("a reply");
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    process.terminate();
    let status = process.wait(LIMIT);
    assert!(status.success(), "{status}\n{}", process.log());
}

fn configuration(folder: &Path, server: SocketAddr, cases: &[Case]) -> Value {
    let (mut processors, mut exporters, mut pipelines) = (Map::new(), Map::new(), Map::new());
    for (number, case) in cases.iter().enumerate() {
        let (sampler, exporter) = (format!("tail_sampling/{number}"), format!("file/{number}"));
        pipelines.insert(
            format!("traces/{number}"),
            json!({"receivers": ["otlp"], "processors": [sampler], "exporters": [exporter]}),
        );
        processors.insert(sampler, json!({"decision_wait": "600s", "num_traces": 10_000, "policies": case.policies}));
        exporters.insert(exporter, json!({"path": file(folder, number), "format": "proto"}));
    }
    json!({
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": server.to_string()}}}},
        "processors": processors,
        "exporters": exporters,
        "service": {
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "error"}},
            "pipelines": pipelines,
        },
    })
}

fn file(folder: &Path, case: usize) -> PathBuf {
    folder.join(format!("{case}.kept"))
}

fn read(path: &Path, traffic: &Traffic) -> Vec<bool> {
    let bytes = fs::read(path).expect("what was kept");
    let (mut rest, mut kept) = (bytes.as_slice(), HashSet::new());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (message, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        let walked = walk_traces(message, &Limits::default()).expect("a request");
        kept.extend(Batch::new(message, &walked.index).items().filter_map(|item| item.trace_id()));
        rest = after;
    }
    traffic.traces.iter().map(|trace| kept.contains(&tollgate_otlp::TraceId(*trace))).collect()
}

/// The program that `TOLLGATE_COLLECTOR` names, or the one that the measuring stand builds.
fn collector() -> PathBuf {
    if let Some(path) = std::env::var_os("TOLLGATE_COLLECTOR") {
        return path.into();
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--quiet", "--package", "tollgate-bench", "--", "collector"]);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("the measuring stand");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}
