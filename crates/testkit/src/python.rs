//! The real SDK of another language: a virtual environment outside the checkout, made once and shared.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

const REQUIREMENTS: &str = include_str!("../../../integration/python/requirements.txt");

/// A Python with the packages of `integration/python/requirements.txt`.
#[derive(Clone, Debug)]
pub struct Venv {
    folder: PathBuf,
}

impl Venv {
    /// Makes the environment, or finds the one that an earlier run made. Takes a minute the first time.
    pub fn ready() -> Self {
        let cache = cache();
        fs::create_dir_all(&cache).unwrap_or_else(|fault| panic!("cannot create {}: {fault}", cache.display()));
        let venv = Self { folder: cache.join(format!("venv-{:016x}", key())) };
        // Tests run in parallel, in several processes: one makes it, the others wait.
        let lock = venv.folder.with_extension("lock");
        let lock = File::create(&lock).unwrap_or_else(|fault| panic!("cannot create {}: {fault}", lock.display()));
        flock(&lock, FlockOperation::LockExclusive).unwrap_or_else(|fault| panic!("cannot lock the cache: {fault}"));
        if !venv.marker().exists() {
            venv.make();
        }
        venv
    }

    /// A command that runs a script of `integration/python`.
    pub fn script(&self, name: &str) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../integration/python");
        let mut command = Command::new(self.folder.join("bin/python"));
        command.arg("-u").arg(scripts.join(name)).env("PYTHONDONTWRITEBYTECODE", "1");
        // The surroundings of a developer's machine must not decide where the SDK sends to.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OTEL_")) {
            command.env_remove(name);
        }
        command
    }

    fn marker(&self) -> PathBuf {
        self.folder.join("complete")
    }

    fn make(&self) {
        // What an interrupted run left may be half of anything.
        let _ = fs::remove_dir_all(&self.folder);
        run(Command::new("python3").args(["-m", "venv"]).arg(&self.folder));
        let requirements = self.folder.join("requirements.txt");
        let written = fs::write(&requirements, REQUIREMENTS);
        written.unwrap_or_else(|fault| panic!("cannot write {}: {fault}", requirements.display()));
        let pip = self.folder.join("bin/pip");
        run(Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&requirements));
        let marked = File::create(self.marker());
        marked.unwrap_or_else(|fault| panic!("cannot mark the environment complete: {fault}"));
    }
}

/// The folder that `XDG_CACHE_HOME` names, or the usual one.
fn cache() -> PathBuf {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let usual = || std::env::home_dir().map(|home| home.join(".cache"));
    named.or_else(usual).unwrap_or_else(std::env::temp_dir).join("tollgate")
}

/// Another set of packages or another Python is another environment.
fn key() -> u64 {
    let version = Command::new("python3").arg("--version").output();
    let version = version.unwrap_or_else(|fault| panic!("the tests need python3: {fault}"));
    let mut hasher = DefaultHasher::new();
    (REQUIREMENTS, version.stdout).hash(&mut hasher);
    hasher.finish()
}

fn run(command: &mut Command) {
    let done = command.status().is_ok_and(|status| status.success());
    assert!(done, "failed: {command:?}");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::{BufRead, BufReader};
    use std::process::{Output, Stdio};

    use serde_json::Value;

    use super::*;
    use crate::backend::{FakeBackend, text_of};
    use crate::loopback::Block;

    fn report(output: &Output) -> Value {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[test]
    fn a_trace_goes_on_from_one_python_process_to_another() {
        let (venv, block) = (Venv::ready(), Block::take());
        for protocol in ["grpc", "http"] {
            let (eu, us) = (FakeBackend::start(block.socket(1, 0)), FakeBackend::start(block.socket(2, 0)));
            let common = |to: &FakeBackend| [format!("--endpoint={}", to.address()), format!("--protocol={protocol}")];
            let listen = format!("--listen={}", block.address(3));
            let mut payment = venv.script("service_us.py");
            let payment = payment.args(common(&us)).args([&listen, "--requests=2"]).stdout(Stdio::piped()).spawn();
            let mut payment = payment.unwrap();
            let mut lines = BufReader::new(payment.stdout.take().unwrap()).lines();
            let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            let downstream = format!("--downstream={}", first["listening"].as_str().unwrap());
            let mut frontend = venv.script("service_eu.py");
            let sent = frontend.args(common(&eu)).args([&downstream, "--checkouts=2", "--compression=gzip"]).output();
            let sent = report(&sent.unwrap());
            let continued: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            assert!(payment.wait().unwrap().success());
            assert_eq!(sent["traces"], continued["traces"]);
            assert_eq!(sent["traces"].as_array().unwrap().len(), 2);
            assert_eq!((eu.spans().len(), us.spans().len()), (4, 4));
            let mail =
                eu.spans().iter().find_map(|found| text_of(&found.span.attributes, "user.email").map(str::to_owned));
            assert_eq!(mail.unwrap(), "usr-7f3a9c-0@kunde.example");
        }
    }

    #[test]
    fn python_sends_metrics_and_logs_too() {
        let (venv, block) = (Venv::ready(), Block::take());
        for protocol in ["grpc", "http"] {
            let backend = FakeBackend::start(block.socket(1, 0));
            let endpoint = format!("--endpoint={}", backend.address());
            let sent = venv.script("signals.py").args([&endpoint, "--protocol", protocol, "--count=5"]).output();
            assert_eq!(report(&sent.unwrap())["flushed"], true);
            // The SDK exports once when it is flushed and once when it ends.
            let metrics = backend.metrics();
            let names: BTreeSet<&str> = metrics.iter().map(|received| received.metric.name.as_str()).collect();
            assert_eq!(names, BTreeSet::from(["http.server.request.duration", "shop.orders"]));
            assert_eq!(backend.logs().len(), 5);
        }
    }
}
