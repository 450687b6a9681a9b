//! Root keys of running gateways, made and taken away under their feet.
//!
//! Guarantees: without the root of its epoch a value does not cross, and that shows; a root that is made is taken up without
//! a restart, and two gateways name a value alike; what they name is what `subject find` prints in the region of origin and
//! nowhere else; a root that is gone is forgotten. No root is in a log or on a page.
#![allow(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tollgate_integration::Fleet;
use tollgate_integration::fleet::ALL;
use tollgate_integration::held::attributes_of;
use tollgate_integration::requests::{numbered, request, span};
use tollgate_testkit::{Client, FakeBackend, Service, binary, http, wait_until};

const LIMIT: Duration = Duration::from_secs(60);
const COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const GATEWAYS: [&str; 2] = ["eu-west-gateway-0", "eu-west-gateway-1"];
const CENTRAL: [&str; 2] = ["us-east-central-0", "us-east-central-1"];
const USER: &str = "usr-7f3a9c";
/// Each of its own trace, so that both gateways get some.
const SPANS: u64 = 32;

struct Keys {
    fleet: Fleet,
    backend: FakeBackend,
    sent: u64,
}

impl Keys {
    fn lay_out() -> Self {
        let fleet = Fleet::lay_out();
        let backend = FakeBackend::start(fleet.block().socket(100, 0));
        let sink = format!("{{sink: {{otlp_grpc: \"{}\", signals: [traces], tls: off}}}}", backend.address());
        fleet.add_backends("us-east/central", &sink);
        fleet.sample(ALL);
        Self { fleet, backend, sent: 0 }
    }

    /// The files of the key's roots, the first is the one of now.
    fn roots(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.fleet.folder().join("keys/eu-west/user")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut roots: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "root")).collect();
        roots.sort();
        roots
    }

    /// Sends spans with somebody's name, and returns by what it is known at the backend.
    #[track_caller]
    fn cross(&mut self) -> BTreeSet<Option<String>> {
        let first = self.sent;
        self.sent += SPANS;
        let spans: Vec<_> = (first..self.sent)
            .map(|number| span(numbered(number + 1), |span| span.key_string(9, "user.id", USER)))
            .collect();
        Client::plain(self.fleet.otlp(COLLECTOR)).export(Service::Traces, request(&spans)).unwrap();
        let sent = usize::try_from(self.sent).unwrap();
        wait_until(LIMIT, "all spans arrive", || self.backend.spans().len() == sent);
        let new = self.backend.spans().split_off(usize::try_from(first).unwrap());
        let name = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        new.iter().map(|found| name(attributes_of(&found.span.attributes).get("user.id"))).collect()
    }

    /// What every gateway says by a metric of the key.
    fn each(&self, metric: &str, value: f64) -> bool {
        GATEWAYS.iter().all(|name| self.fleet.metric(name, metric, &["key=\"user\""]) == Some(value))
    }

    fn command(&self, node: &str, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::new(binary());
        command.args(arguments).args(["--set", ".", "--node-file", &format!("nodes/{node}.yaml")]);
        command.current_dir(self.fleet.folder()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// The pseudonyms at central that `subject find` prints.
    fn found(&self) -> BTreeSet<Option<String>> {
        let find = ["subject", "find", "--group", "user", "--output", "json"];
        let output = self.command(GATEWAYS[0], &find, &format!("{USER}\n"));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = found["pseudonyms"].as_array().unwrap().iter();
        let rows = rows.filter(|row| row["destination"] == "us-east/central" && row["origin"] == "EEA");
        rows.map(|row| row["pseudonym"].as_str().map(str::to_owned)).collect()
    }
}

#[test]
fn a_running_gateway_takes_a_root_up_and_forgets_one_that_is_gone() {
    let mut keys = Keys::lay_out();
    fs::remove_file(&keys.roots()[0]).unwrap();
    keys.fleet.start([COLLECTOR].into_iter().chain(GATEWAYS).chain(CENTRAL));

    // The root of the next epoch lies there, and does not stand in.
    assert_eq!(keys.cross(), [None].into());
    wait_until(LIMIT, "what is missing shows", || keys.each("tollgate_key_roots_missing", 1.0));
    let link = ["us-east/central"];
    let missing = |name| keys.fleet.metric(name, "tollgate_sealed_keys_missing_total", &link).unwrap_or_default();
    assert_eq!(GATEWAYS.map(missing).iter().sum::<f64>(), SPANS as f64);
    let status: Value =
        serde_json::from_slice(&http::get(keys.fleet.admin(GATEWAYS[0]), "/status").unwrap().body).unwrap();
    let of_key = &status["keys"]["user"];
    assert_eq!((of_key["missing"].as_array().unwrap().len(), of_key["roots"].as_array().unwrap().len()), (1, 1));
    let log = keys.fleet.process(GATEWAYS[0]).log();
    assert_eq!(log.lines().filter(|line| line.contains("no root for this epoch")).count(), 1, "{log}");
    assert!(keys.found().is_empty());

    let rotated = keys.command(GATEWAYS[0], &["keys", "rotate", "user"], "");
    assert!(rotated.status.success() && String::from_utf8_lossy(&rotated.stdout).lines().count() == 1, "{rotated:?}");
    wait_until(LIMIT, "both take it up", || keys.each("tollgate_key_roots", 2.0));
    assert!(keys.each("tollgate_key_roots_missing", 0.0));
    let named = keys.cross();
    assert!(GATEWAYS.iter().all(|name| keys.fleet.accepted(name, tollgate_federation::Signal::Traces) > 0.0));
    assert_eq!((named.len(), &named), (1, &keys.found()), "one name, from both gateways, and it is found again");
    let abroad = keys.command(CENTRAL[0], &["subject", "find", "--group", "user"], USER);
    assert_eq!((abroad.status.code(), &*abroad.stdout), (Some(78), &b""[..]));
    assert!(String::from_utf8_lossy(&abroad.stderr).contains("does not lie here"), "{abroad:?}");

    let root = keys.roots().remove(0);
    let text = fs::read_to_string(&root).unwrap();
    fs::remove_file(root).unwrap();
    wait_until(LIMIT, "both forget it", || keys.each("tollgate_key_roots", 1.0));
    assert_eq!(keys.cross(), [None].into(), "not even from what was derived before");
    assert!(keys.found().is_empty());
    for name in GATEWAYS {
        let pages = ["/status", "/metrics"].map(|page| http::get(keys.fleet.admin(name), page).unwrap().text());
        let log = keys.fleet.process(name).log();
        assert!(pages.iter().chain([&log]).all(|text_of| !text_of.contains(text.trim()) && !text_of.contains(USER)));
    }
}
