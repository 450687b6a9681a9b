//! Root keys of running gateways, made and taken away under their feet.
//!
//! Guarantees: without the root of its epoch a value does not cross, and that shows; a root that is made is taken up without
//! a restart, and two gateways name a value alike; what they name is what `subject find` prints in the region of origin and
//! nowhere else; a root that is gone is forgotten. No root is in a log or on a page.
#![allow(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
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
/// Bytes of a root that no command made.
const ROOT: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
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

    /// What a command ends with and says.
    fn said(&self, arguments: &[&str], input: &str) -> (i32, String, String) {
        let output = self.command(GATEWAYS[0], arguments, input);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Lets no epoch end before 2052, whatever the hour of the test; returns the folder of a key that has such roots.
    fn long_epochs(&self, key: &str) -> PathBuf {
        let longer = |text: String| text.replace("epoch: 30d", "epoch: 10000d").replace("epoch: 1d", "epoch: 10000d");
        self.fleet.edit("policies/residency.yaml", longer);
        for name in ["user", "session"] {
            fs::remove_dir_all(self.fleet.folder().join("keys/eu-west").join(name)).unwrap();
        }
        for verb in ["new", "rotate"] {
            assert_eq!(self.said(&["keys", verb, "user", "session"], "").0, 0);
        }
        self.fleet.folder().join("keys/eu-west").join(key)
    }

    /// Where a gateway keeps the documents that it has run on.
    fn archive(&self) -> PathBuf {
        let text = fs::read_to_string(self.fleet.folder().join(format!("nodes/{}.yaml", GATEWAYS[0]))).unwrap();
        let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        self.fleet.folder().join(data).join("documents")
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

/// Guarantees: what the commands say and leave is what an operator can rely on, without any node that runs.
#[test]
fn roots_are_made_listed_and_destroyed_by_command() {
    let keys = Keys::lay_out();
    let folder = keys.long_epochs("session");
    let run = |arguments: &[&str]| keys.said(arguments, "");
    let states = || {
        let (code, out, err) = run(&["keys", "list", "session", "--output", "json"]);
        assert_eq!((code, &*err), (0, ""));
        let list: Value = serde_json::from_str(&out).unwrap();
        let rows = list["roots"].as_array().unwrap().clone();
        rows.iter().map(|row| format!("{} {}", row["from"], row["state"]).replace('"', "")).collect::<Vec<_>>()
    };
    // Two of a time when nobody ran this: one to be destroyed by its age, one by its name.
    let ancient = ["19700101T000000Z-10000d.root", "19970519T000000Z-10000d.root"].map(|name| folder.join(name));
    let text = ROOT;
    ancient.iter().for_each(|path| fs::write(path, text).unwrap());
    let modes = |mode| ancient.iter().for_each(|path| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap());
    modes(0o644);
    let (code, out, err) = run(&["keys", "list", "session"]);
    assert!(code == 78 && out.contains("unusable") && err.contains("its mode is 0644"), "{out}{err}");
    modes(0o400);
    let listed = states();
    assert_eq!(listed[..2], ["1970-01-01T00:00:00Z due", "1997-05-19T00:00:00Z due"]);
    assert!(listed[2].ends_with(" live") && listed[3..].iter().all(|row| row.ends_with(" ahead")), "{listed:?}");

    let (code, out, _) = run(&["keys", "destroy", "session", "--epoch", "1970-01-01", "--yes"]);
    assert!(code == 0 && out.starts_with("destroyed key session of 1970-01-01T00:00:00Z"), "{out}");
    let live = listed[2].split(' ').next().unwrap();
    let (code, out, err) = run(&["keys", "destroy", "session", "--epoch", live, "--yes"]);
    assert!(code == 1 && out.is_empty() && err.contains("is not over; its root is in use"), "{err}");
    let (code, out, _) = run(&["keys", "destroy"]);
    assert!(code == 0 && out.starts_with("destroyed key session of 1997-05-19T00:00:00Z"), "{out}");
    assert_eq!(run(&["keys", "destroy"]), (0, "no root is due\n".to_owned(), String::new()));
    let record = fs::read_to_string(folder.join("destroyed.jsonl")).unwrap();
    let days = record.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["epoch"]["from"].clone());
    assert_eq!(days.collect::<Vec<_>>(), ["1970-01-01T00:00:00Z", "1997-05-19T00:00:00Z"]);
    assert!(!record.contains(text) && record.contains("us-east/central"), "{record}");
    assert_eq!(states()[0], listed[2], "all others are as they were");

    let (code, _, err) = run(&["keys", "new"]);
    assert!(code == 1 && err.lines().count() == 2 && err.contains("has roots in"), "{err}");
    assert_eq!(run(&["keys", "rotate"]).1, "every root is there already\n");
    fs::remove_dir_all(&folder).unwrap();
    let (code, _, err) = run(&["keys", "rotate", "session"]);
    assert!(code == 78 && err.contains("cannot read key session"), "a folder that is not there is not made: {err}");
    assert_eq!(run(&["keys", "new", "session"]).0, 0);
    assert_eq!(states().len(), 2, "the one of now, and the next that is missing");
    let (code, _, err) = run(&["keys", "new", "sesion"]);
    assert!(code == 78 && err.contains("does not say where key sesion lies"), "{err}");
}

/// Guarantees: one odd file in a key's folder is said and keeps nothing else from being done; a pipe keeps nobody waiting.
#[test]
fn what_is_odd_in_a_folder_is_said_and_the_rest_is_done() {
    let keys = Keys::lay_out();
    let folder = keys.long_epochs("session");
    let put = |name: &str| {
        fs::write(folder.join(name), ROOT).unwrap();
        fs::set_permissions(folder.join(name), Permissions::from_mode(0o400)).unwrap();
    };
    // No epoch of 30 days begins then.
    ["20200106T000000Z-30d.root", "19700101T000000Z-10000d.root"].into_iter().for_each(put);
    let (code, out, err) = keys.said(&["keys", "list", "session"], "");
    assert!(code == 78 && out.contains(" due ") && out.contains(" live ") && err.contains("20200106T"), "{out}{err}");
    let (code, out, err) = keys.said(&["keys", "destroy", "session"], "");
    assert!(code == 78 && out.starts_with("destroyed key session of 1970-01-01") && err.contains("20200106T"), "{err}");
    fs::remove_file(folder.join("20200106T000000Z-30d.root")).unwrap();

    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let pipe = folder.join("19970519T000000Z-10000d.root");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let (code, out, err) = keys.said(&["keys", "list", "session"], "");
    assert!(code == 78 && out.contains("unusable") && err.contains("it is no regular file"), "{out}{err}");
    let (code, out, err) = keys.said(&["subject", "find", "--group", "session"], USER);
    assert!(code == 78 && out.is_empty() && err.contains("it is no regular file"), "{out}{err}");
    fs::remove_file(pipe).unwrap();

    fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
    let (code, out, err) = keys.said(&["keys", "list", "session"], "");
    assert!(code == 78 && out.contains("unusable") && !out.contains("missing"), "{out}");
    assert!(err.contains("the mode of the folder is 0777"), "{err}");
}

/// Guarantees: what a root that still lies there has named is found whatever the documents say by now; where earlier ones are
/// not known that is said, and is no success.
#[test]
fn what_was_named_by_documents_of_another_day_is_found() {
    let mut keys = Keys::lay_out();
    keys.fleet.start([GATEWAYS[0]]);
    keys.fleet.stop(GATEWAYS[0]);
    let find = |keys: &Keys| {
        let (code, out, err) = keys.said(&["subject", "find", "--group", "user", "--output", "json"], USER);
        let found: Value = serde_json::from_str(&out).unwrap();
        let rows = found["pseudonyms"].as_array().unwrap().iter();
        (code, rows.map(|row| row["pseudonym"].to_string()).collect::<BTreeSet<_>>(), err)
    };
    let (code, before, err) = find(&keys);
    assert!(code == 0 && !before.is_empty(), "{err}");

    let closed = |text: String| {
        let lines = text.lines().filter(|line| !line.contains("{from: eu-west, to: uk-south/gateway"));
        lines.map(|line| format!("{line}\n")).collect()
    };
    keys.fleet.edit("regions/federation.yaml", closed);
    let (code, less, err) = find(&keys);
    assert!(code == 0 && less == before, "a link that is no more: {err}");

    let week = |text: String| text.replace("key: user, epoch: 30d", "key: user, epoch: 7d");
    keys.fleet.edit("policies/residency.yaml", week);
    assert_eq!(keys.said(&["keys", "rotate", "user"], "").0, 0);
    let (code, shorter, err) = find(&keys);
    assert!(code == 0 && shorter.is_superset(&before) && shorter.len() > before.len(), "another length: {err}");

    keys.fleet.edit("policies/residency.yaml", |text| text.replace("key: user, epoch: 7d", "key: person, epoch: 7d"));
    let person = "keys:\n  person:\n    dir: keys/eu-west/person\n";
    keys.fleet.edit(&format!("nodes/{}.yaml", GATEWAYS[0]), |text| text.replacen("keys:\n", person, 1));
    assert_eq!(keys.said(&["keys", "new", "person"], "").0, 0);
    let (code, renamed, err) = find(&keys);
    assert!(code == 0 && renamed.is_superset(&shorter) && renamed.len() > shorter.len(), "another key: {err}");

    let user = "  user:\n    dir: keys/eu-west/user\n";
    keys.fleet.edit(&format!("nodes/{}.yaml", GATEWAYS[0]), |text| text.replacen(user, "", 1));
    let (code, found, err) = find(&keys);
    assert!(code == 78 && !found.is_empty() && err.contains("does not say where key user lies"), "{err}");
    fs::remove_dir_all(keys.archive()).unwrap();
    let (code, found, err) = find(&keys);
    assert!(code == 78 && !found.is_empty() && err.contains("cannot read the earlier documents"), "{err}");
}

/// Guarantees: a value that is too long is refused, rather than answered for what was cut from it.
#[test]
fn no_answer_is_given_for_a_part_of_a_value() {
    let keys = Keys::lay_out();
    let (code, out, err) = keys.said(&["subject", "find", "--group", "user"], &"u".repeat((1 << 20) + 1));
    assert!(code == 1 && out.is_empty() && err.contains("is longer than 1048576 bytes"), "{err}");
}
