//! The example federation as real processes on a loopback block of its own.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::delivered::Delivered;
use crate::held::{self, Held};
use tollgate_runtime::Clock;
use tollgate_scenario::certs::Authority;
use tollgate_scenario::scaffold::{self, Scaffold};
use tollgate_testkit::{Block, Process, binary, wait_until};

/// How long a process may take to start: a debug build on a machine that is busy.
const START: Duration = Duration::from_secs(40);
/// How long an orderly end may take: the flush, and the wait for parts that do not end.
const END: Duration = Duration::from_secs(20);
/// How much of a log is shown when a test fails.
const SHOWN: usize = 3000;

/// Sampling that keeps every trace.
pub const ALL: &str = "    - {name: all, type: always_sample}\n";
/// Sampling that keeps errors and drops the rest.
pub const ERRORS: &str = "    - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}\n";

/// The example federation: laid out, changed, then started process by process.
pub struct Fleet {
    running: BTreeMap<String, Process>,
    scaffold: Scaffold,
    folder: tempfile::TempDir,
    block: Block,
}

impl Fleet {
    /// Lays the federation out; nothing runs yet.
    #[track_caller]
    pub fn lay_out() -> Self {
        let (block, folder) = (Block::take(), tempfile::tempdir().expect("a temporary folder"));
        let loopback = block.to_string().parse().expect("a loopback block");
        let scaffold = scaffold::write(folder.path(), loopback, Clock::system().now());
        let scaffold = scaffold.unwrap_or_else(|error| panic!("{error}"));
        Self { running: BTreeMap::new(), scaffold, folder, block }
    }

    /// The folder of the documents.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The addresses that belong to this federation.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// Changes a document or a node file.
    #[track_caller]
    pub fn edit(&self, file: &str, change: impl FnOnce(String) -> String) {
        let path = self.folder().join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|fault| panic!("cannot read {file}: {fault}"));
        let changed = change(text.clone());
        assert_ne!(text, changed, "nothing to change in {file}");
        fs::write(path, changed).unwrap_or_else(|fault| panic!("cannot write {file}: {fault}"));
    }

    /// Replaces the sampling policy by these policies, which are judged after a second.
    #[track_caller]
    pub fn sample(&self, policies: &str) {
        self.sample_after(1, policies);
    }

    /// Replaces the sampling policy by these policies, which are judged after so many seconds.
    #[track_caller]
    pub fn sample_after(&self, seconds: u64, policies: &str) {
        let head = format!("tail_sampling:\n  decision_wait: {seconds}s\n  num_traces: 100000\n  policies:\n");
        self.edit("policies/sampling.yaml", |_| head + policies);
    }

    /// Takes the second gateway of the EU out of the documents: all of its region comes to the first.
    #[track_caller]
    pub fn with_one_eu_gateway(&self) {
        let second = self.planned("eu-west-gateway-1").tier().expect("gateways listen to collectors");
        self.edit("regions/eu-west.yaml", |text| text.replace(&format!(", \"1\": {second}"), ""));
    }

    /// Gives the gateways of a region (`eu-west/gateway`) or a central tier backends of its own: YAML, one mapping.
    #[track_caller]
    pub fn add_backends(&self, tier: &str, backends: &str) {
        let (region, role) = tier.split_once('/').unwrap_or_else(|| panic!("{tier} is no tier"));
        self.edit(&format!("regions/{region}.yaml"), |text| match role {
            "central" => text.replace("central: {", &format!("central: {{backends: {backends}, ")),
            _ => format!("{text}backends: {backends}\n"),
        });
    }

    /// Starts processes and waits until all are ready.
    #[track_caller]
    pub fn start<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        let names: Vec<&str> = names.into_iter().collect();
        for name in &names {
            self.spawn(name);
        }
        for name in names {
            self.wait_ready(name);
        }
    }

    /// Starts a process and does not wait for it.
    #[track_caller]
    pub fn spawn(&mut self, name: &str) {
        let planned = self.planned(name);
        let mut command = Command::new(binary());
        command.arg("run").arg("--set").arg(self.folder());
        command.arg("--node-file").arg(self.folder().join(&planned.node_file)).arg(planned.node.to_string());
        let process = Process::start(name, &mut command, &self.folder().join(format!("{name}.log")));
        self.running.insert(name.to_owned(), process);
    }

    /// Waits until a process that was started is ready.
    #[track_caller]
    pub fn wait_ready(&mut self, name: &str) {
        let admin = self.admin(name);
        self.process(name).wait_ready(admin, START);
    }

    /// Ends a process as a supervisor does, and waits for its end.
    #[track_caller]
    pub fn stop(&mut self, name: &str) -> ExitStatus {
        self.process(name).terminate();
        self.wait_for_end(name)
    }

    /// Waits for the end of a process that was told to stop.
    #[track_caller]
    pub fn wait_for_end(&mut self, name: &str) -> ExitStatus {
        self.take(name).wait(END)
    }

    /// Ends a process as `kill -9` does.
    #[track_caller]
    pub fn kill(&mut self, name: &str) {
        self.take(name).kill();
    }

    /// Asks processes to read their documents again, and waits until all have the same ones in force.
    #[track_caller]
    pub fn reload(&mut self, names: &[&str]) {
        let count =
            |fleet: &Self, name: &&str| fleet.metric(name, "tollgate_documents_reloads_total", &[]).unwrap_or(0.0);
        let before: Vec<f64> = names.iter().map(|name| count(self, name)).collect();
        names.iter().for_each(|name| self.process(name).hang_up());
        let reloaded = || names.iter().zip(&before).all(|(name, before)| count(self, name) > *before);
        wait_until(START, "the documents are read again", reloaded);
        let in_force = |name: &&str| self.status(name)["documents"].clone();
        assert!(names.iter().map(in_force).collect::<Vec<_>>().windows(2).all(|two| two[0] == two[1]), "{names:?}");
    }

    /// A process that runs.
    #[track_caller]
    pub fn process(&mut self, name: &str) -> &mut Process {
        self.running.get_mut(name).unwrap_or_else(|| panic!("{name} does not run"))
    }

    #[track_caller]
    fn take(&mut self, name: &str) -> Process {
        self.running.remove(name).unwrap_or_else(|| panic!("{name} does not run"))
    }

    /// What was planned for a process.
    #[track_caller]
    pub fn planned(&self, name: &str) -> &scaffold::Process {
        let found = self.scaffold.processes.iter().find(|process| process.name == name);
        found.unwrap_or_else(|| panic!("the example has no process {name}"))
    }

    /// Who signs for a region.
    #[track_caller]
    pub fn authority(&self, region: &str) -> &Authority {
        let found = self.scaffold.authorities.iter().find(|(name, _)| name.as_str() == region);
        found.map(|(_, authority)| authority).unwrap_or_else(|| panic!("the example has no region {region}"))
    }

    /// Where services reach a collector.
    #[track_caller]
    pub fn otlp(&self, collector: &str) -> SocketAddr {
        self.planned(collector).otlp_grpc().expect("a collector")
    }

    /// Where health and status are asked.
    #[track_caller]
    pub fn admin(&self, name: &str) -> SocketAddr {
        self.planned(name).admin()
    }

    /// The folder in which a file exporter writes.
    #[track_caller]
    pub fn files(&self, name: &str, backend: &str, signal: &str) -> PathBuf {
        self.folder().join(&self.planned(name).data).join("backends").join(backend).join(signal)
    }

    /// The spans that the embedded file exporters of these processes have written.
    #[track_caller]
    pub fn exported(&self, names: &[&str]) -> Delivered {
        Delivered::read(&names.iter().map(|name| self.files(name, "embedded", "traces")).collect::<Vec<_>>())
    }

    /// What a file exporter has written, item by item.
    #[track_caller]
    pub fn held(&self, name: &str, backend: &str, signal: &str) -> Vec<Held> {
        held::read(&self.files(name, backend, signal), signal)
    }

    /// All processes of a region, or of all if it is empty, whether they run or not.
    pub fn names(&self, region: &str) -> Vec<&str> {
        let all = self.scaffold.processes.iter();
        let of_region = all.filter(|process| region.is_empty() || process.node.region().as_str() == region);
        of_region.map(|process| process.name.as_str()).collect()
    }

    /// The processes that run, in the order in which data flows.
    pub fn running(&self) -> Vec<&str> {
        self.names("").into_iter().filter(|name| self.running.contains_key(*name)).collect()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        self.folder.disable_cleanup(true);
        eprintln!("all of it is kept in {}", self.folder().display());
        for name in self.scaffold.processes.iter().map(|process| &process.name) {
            let log = fs::read_to_string(self.folder().join(format!("{name}.log"))).unwrap_or_default();
            let from = log.len().saturating_sub(SHOWN);
            let from = (from..log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or(log.len());
            if !log.is_empty() {
                eprintln!("---- {name}\n{}", &log[from..]);
            }
        }
    }
}
