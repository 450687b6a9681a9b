//! Plants each fault in a small workspace of its own and asks the rule to find it.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::finding::Finding;
use crate::rules;
use crate::workspace::Workspace;

/// A workspace that keeps every rule: a pure crate of layer 1, one of layer 4, transport and pipeline above them.
struct Planted {
    folder: TempDir,
}

impl Planted {
    fn new() -> Self {
        let planted = Self { folder: tempfile::tempdir().unwrap() };
        planted.write("Cargo.toml", &root_manifest());
        planted.write(".clippy.toml", &fs::read_to_string(Workspace::root().join(".clippy.toml")).unwrap());
        planted.package("otlp", &[]);
        planted.package("sampling", &["tollgate-otlp"]);
        planted.package("routing", &[]);
        planted.package("redaction", &[]);
        planted.package("transport", &["tollgate-redaction"]);
        planted.package("pipeline", &["tollgate-transport", "tollgate-sampling"]);
        planted
    }

    fn package(&self, name: &str, uses: &[&str]) {
        let mut manifest = format!("[package]\nname = \"tollgate-{name}\"\nversion = \"0.1.0\"\n\n[dependencies]\n");
        for used in uses {
            let folder = used.trim_start_matches("tollgate-");
            manifest.push_str(&format!("{used} = {{ path = \"../{folder}\" }}\n"));
        }
        manifest.push_str("\n[lints]\nworkspace = true\n");
        self.write(&format!("crates/{name}/Cargo.toml"), &manifest);
        self.write(&format!("crates/{name}/src/lib.rs"), "//! Nothing yet.\n");
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn edit(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.folder.path().join(path)).unwrap();
        assert!(text.contains(from), "{path} does not contain {from}");
        self.write(path, &text.replace(from, to));
    }

    fn found(&self, rule: fn(&Workspace) -> Vec<Finding>) -> Vec<String> {
        let workspace = Workspace::load(self.folder.path()).unwrap();
        rule(&workspace).iter().map(ToString::to_string).collect()
    }

    /// Asserts that the rule finds exactly one fault, and that it names the place and the reason.
    #[track_caller]
    fn reports(&self, rule: fn(&Workspace) -> Vec<Finding>, place: &str, reason: &str) {
        let found = self.found(rule);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(place) && found[0].contains(reason), "{found:?}");
    }
}

/// The lint tables of the real workspace, so that switching one off there fails here too.
fn root_manifest() -> String {
    let real = fs::read_to_string(Workspace::root().join("Cargo.toml")).unwrap();
    let start = real.find("[workspace.lints.rust]").unwrap();
    let end = real.find("[profile").unwrap_or(real.len());
    format!("[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n\n{}", &real[start..end])
}

const RULES: &[fn(&Workspace) -> Vec<Finding>] = &[
    rules::layers::check,
    rules::walls::check,
    rules::sizes::check,
    rules::doors::check,
    rules::purity::check,
    rules::lints::check,
    rules::paths::check,
];

#[test]
fn a_workspace_that_keeps_the_rules_passes_all_of_them() {
    let planted = Planted::new();
    for rule in RULES {
        assert_eq!(planted.found(*rule), Vec::<String>::new());
    }
}

#[test]
fn a_sideways_import_is_found() {
    let planted = Planted::new();
    planted.package("sampling", &["tollgate-routing"]);
    planted.reports(rules::layers::check, "crates/sampling/Cargo.toml", "sideways import");
}

#[test]
fn an_upward_import_is_found() {
    let planted = Planted::new();
    planted.package("otlp", &["tollgate-routing"]);
    planted.reports(rules::layers::check, "crates/otlp/Cargo.toml", "upward import");
}

#[test]
fn a_sideways_import_is_found_in_dev_dependencies_too() {
    let planted = Planted::new();
    let dev = "[dev-dependencies]\ntollgate-routing = { path = \"../routing\" }\n\n[lints]";
    planted.edit("crates/sampling/Cargo.toml", "[lints]", dev);
    planted.reports(rules::layers::check, "crates/sampling/Cargo.toml", "sideways import");
}

#[test]
fn a_package_outside_the_table_is_found() {
    let planted = Planted::new();
    planted.package("utils", &[]);
    planted.reports(rules::layers::check, "crates/utils/Cargo.toml", "nowhere in the layer table");
}

#[test]
fn test_tools_are_found_where_they_would_ship() {
    let planted = Planted::new();
    planted.package("testkit", &[]);
    planted.package("otlp", &["tollgate-testkit"]);
    planted.reports(rules::layers::check, "crates/otlp/Cargo.toml", "is for tests");
}

#[test]
fn an_executor_in_a_pure_layer_is_found_even_under_another_name() {
    let planted = Planted::new();
    let renamed = "[dependencies]\nrun = { package = \"tokio\", version = \"1\" }\n";
    planted.edit("crates/routing/Cargo.toml", "[dependencies]\n", renamed);
    planted.reports(rules::layers::check, "crates/routing/Cargo.toml", "tokio belongs to runtime");
}

#[test]
fn tls_outside_transport_is_found() {
    let planted = Planted::new();
    planted.edit("crates/pipeline/Cargo.toml", "[dependencies]\n", "[dependencies]\nrustls = \"0.23\"\n");
    planted.reports(rules::layers::check, "crates/pipeline/Cargo.toml", "rustls belongs to transport");
}

#[test]
fn a_spool_that_could_look_into_payloads_is_found() {
    let planted = Planted::new();
    planted.package("spool", &["tollgate-otlp"]);
    planted.reports(rules::walls::check, "crates/spool/Cargo.toml", "cannot look inside");
}

#[test]
fn transport_may_name_sealed_and_nothing_else_of_redaction() {
    let planted = Planted::new();
    let source = "//! Sends.\nuse tollgate_redaction::Sealed;\npub fn send(_: &tollgate_redaction::Sealed) {}\n";
    planted.write("crates/transport/src/lib.rs", source);
    assert!(planted.found(rules::walls::check).is_empty());
    planted.write("crates/transport/src/lib.rs", "use tollgate_redaction::{Sealed, Sealer as S};\n");
    planted.reports(rules::walls::check, "crates/transport/src/lib.rs:1", "not Sealer");
    planted.write("crates/transport/src/lib.rs", "\nuse tollgate_redaction as r;\n");
    planted.reports(rules::walls::check, "crates/transport/src/lib.rs:2", "under another name");
}

#[test]
fn a_file_of_700_lines_is_found() {
    let planted = Planted::new();
    planted.write("crates/otlp/src/long.rs", &"// one line\n".repeat(700));
    planted.reports(rules::sizes::check, "crates/otlp/src/long.rs", "700 lines");
}

#[test]
fn tests_do_not_count_as_lines_of_a_file() {
    let planted = Planted::new();
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "// one line\n".repeat(700));
    planted.write("crates/otlp/src/short.rs", &format!("//! Short.\n\n{tests}"));
    planted.write("crates/otlp/src/short/tests.rs", &"// one line\n".repeat(700));
    assert!(planted.found(rules::sizes::check).is_empty());
}

#[test]
fn mod_rs_and_a_long_main_are_found() {
    let planted = Planted::new();
    planted.write("crates/otlp/src/json/mod.rs", "//! A module.\n");
    planted.reports(rules::sizes::check, "crates/otlp/src/json/mod.rs", "not mod.rs");
    fs::remove_file(planted.folder.path().join("crates/otlp/src/json/mod.rs")).unwrap();
    planted.write("crates/otlp/src/main.rs", &"// one line\n".repeat(120));
    planted.reports(rules::sizes::check, "crates/otlp/src/main.rs", "main.rs has 120 lines");
}

#[test]
fn a_door_built_outside_its_file_is_found() {
    let planted = Planted::new();
    planted.write("crates/pipeline/src/send/doors.rs", "fn open() { LinkSender::new(); LocalSender::new(); }\n");
    assert!(planted.found(rules::doors::check).is_empty());
    planted.write("crates/pipeline/src/path.rs", "// LinkSender::new( in words\nfn open() { LinkSender::new(); }\n");
    planted.reports(rules::doors::check, "crates/pipeline/src/path.rs:2", "is built outside");
    planted.write("crates/pipeline/src/path.rs", "use tollgate_transport::LinkSender as Door;\n");
    planted.reports(rules::doors::check, "crates/pipeline/src/path.rs:1", "another name");
}

#[test]
fn a_clock_read_outside_the_clock_is_found() {
    let planted = Planted::new();
    planted.write("crates/pipeline/src/wait.rs", "fn wait() {\n    let _ = std::time::Instant::now();\n}\n");
    planted.reports(rules::purity::check, "crates/pipeline/src/wait.rs:2", "Instant::now outside the clock");
}

#[test]
fn the_instant_of_timers_is_not_a_clock_but_that_of_the_machine_is() {
    let planted = Planted::new();
    let wait = |import: &str| format!("use {import};\nfn wait() {{ let _ = Instant::now(); }}\n");
    for import in ["tokio::time::Instant", "tokio::time::{self, Instant}"] {
        planted.write("crates/transport/src/wait.rs", &wait(import));
        assert!(planted.found(rules::purity::check).is_empty());
    }
    for import in ["std::time::Instant", "std::time::{Duration, Instant}"] {
        planted.write("crates/transport/src/wait.rs", &wait(import));
        planted.reports(rules::purity::check, "crates/transport/src/wait.rs:2", "Instant::now");
    }
}

/// Guarantees: tokio's Instant in a file excuses no read of the machine's clock in the same file, however it is spelled.
#[test]
fn the_instant_of_timers_excuses_no_other_in_its_file() {
    let planted = Planted::new();
    let timers = "use tokio::time::Instant;\nfn wait() { let _ = Instant::now(); }\n";
    for read in [
        "fn read() { let _ = std::time::Instant::now(); }",
        "fn read() { let _ = ::std::time::Instant::now(); }",
        "use std::time; fn read() { let _ = time::Instant::now(); }",
        "use std::{time::{self as machine}}; fn read() { let _ = machine::Instant::now(); }",
        "use std::time::Instant as Machine; fn read() { let _ = Machine::now(); }",
        "use std::time::{Duration, Instant as Machine}; fn read() { let _ = Machine::now(); }",
        "fn read() { let _ = elsewhere::Instant::now(); }",
        "fn read() { let _ = SystemTime::now(); }",
    ] {
        planted.write("crates/transport/src/wait.rs", &format!("{timers}{read}\n"));
        planted.reports(rules::purity::check, "crates/transport/src/wait.rs:", "outside the clock");
    }
    for fine in [
        "fn wait_more() { let _ = tokio::time::Instant::now(); }",
        "use tokio::time; fn wait_more() { let _ = time::Instant::now(); }",
        "use tokio::time::{Duration, Instant as Timer}; fn wait_more() { let _ = Timer::now(); }",
        "fn kept(at: std::time::Instant) -> std::time::Duration { at.elapsed() }",
    ] {
        planted.write("crates/transport/src/wait.rs", &format!("{timers}{fine}\n"));
        assert!(planted.found(rules::purity::check).is_empty(), "{fine}");
    }
    // Where one name has two meanings in a file, neither is believed.
    let both = format!("{timers}fn read() {{ use std::time::Instant; let _ = Instant::now(); }}\n");
    planted.write("crates/transport/src/wait.rs", &both);
    assert_eq!(planted.found(rules::purity::check).len(), 2);
    // A mention alone is no import.
    let mention = "fn wait(until: tokio::time::Instant) { let _ = Instant::now(); }\n";
    planted.write("crates/transport/src/wait.rs", mention);
    planted.reports(rules::purity::check, "crates/transport/src/wait.rs:1", "Instant::now");
}

#[test]
fn io_in_a_pure_layer_is_found_in_every_spelling() {
    let planted = Planted::new();
    for source in
        ["use std::fs;", "use std::{fmt, fs::File};", "fn f() { std::fs::read(p); }", "use std::net::TcpStream;"]
    {
        planted.write("crates/sampling/src/disk.rs", source);
        planted.reports(rules::purity::check, "crates/sampling/src/disk.rs:1", "do no I/O");
    }
    planted
        .write("crates/sampling/src/disk.rs", "use std::{fmt, net::{IpAddr, Ipv4Addr}};\n#[cfg(test)]\nuse std::fs;\n");
    assert!(planted.found(rules::purity::check).is_empty());
}

#[test]
fn a_lint_that_would_let_unwrap_pass_is_found() {
    let planted = Planted::new();
    planted.edit("Cargo.toml", "unwrap_used = \"warn\"", "unwrap_used = \"allow\"");
    planted.reports(rules::lints::check, "Cargo.toml", "unwrap_used");
}

#[test]
fn clippy_itself_refuses_an_unwrap_and_a_clock() {
    let planted = Planted::new();
    let clippy = || {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["clippy", "--offline", "--package", "tollgate-otlp", "--", "-D", "warnings"]);
        cargo.current_dir(planted.folder.path()).env("CARGO_TARGET_DIR", planted.folder.path().join("target"));
        let output = cargo.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (passed, said) = clippy();
    assert!(passed, "{said}");
    let source = "//! Two faults.\n/// One.\npub fn one(of: Option<u8>) -> u8 {\n    of.unwrap()\n}\n\
                  /// Two.\npub fn two() -> std::time::Instant {\n    std::time::Instant::now()\n}\n";
    planted.write("crates/otlp/src/lib.rs", source);
    let (passed, said) = clippy();
    assert!(!passed && said.contains("unwrap-used") && said.contains("disallowed-methods"), "{said}");
}

#[test]
fn a_package_that_does_not_inherit_the_lints_is_found() {
    let planted = Planted::new();
    planted.edit("crates/otlp/Cargo.toml", "[lints]\nworkspace = true\n", "");
    planted.reports(rules::lints::check, "crates/otlp/Cargo.toml", "does not inherit");
}

#[test]
fn an_allowed_lint_is_found_outside_tests() {
    let planted = Planted::new();
    let source = "#[allow(clippy::unwrap_used, reason = \"lazy\")]\nfn f() {}\n";
    planted.write("crates/otlp/src/lazy.rs", source);
    planted.write("crates/otlp/src/lazy/tests.rs", source);
    planted.reports(rules::lints::check, "crates/otlp/src/lazy.rs:1", "by expect");
}

#[test]
fn a_method_that_is_no_longer_forbidden_is_found() {
    let planted = Planted::new();
    planted.edit(".clippy.toml", "\"std::time::Instant::now\"", "\"std::time::Instant::elapsed\"");
    planted.reports(rules::lints::check, ".clippy.toml", "std::time::Instant::now");
}

#[test]
fn unsafe_code_in_an_unlisted_file_is_found() {
    let planted = Planted::new();
    planted.write("crates/otlp/src/fast.rs", "// unsafe in words\nfn f() { unsafe { g() } }\n");
    planted.reports(rules::lints::check, "crates/otlp/src/fast.rs:2", "unsafe code");
}

#[test]
fn a_path_of_this_machine_is_found_in_any_text_file() {
    let planted = Planted::new();
    let root = planted.folder.path().display().to_string();
    planted.write("deploy/notes.txt", &format!("fine\nsee {root}/crates\n"));
    planted.reports(rules::paths::check, "deploy/notes.txt:2", "path of this machine");
}

#[test]
fn a_place_inside_a_longer_word_is_not_a_path_of_this_machine() {
    let planted = Planted::new();
    planted.write("deploy/notes.txt", "/srv/people/janet and /var/srv/people/jane\n");
    let workspace = Workspace::load(planted.folder.path()).unwrap();
    assert!(rules::paths::named(&workspace, &["/srv/people/jane".to_owned()]).is_empty());
    assert_eq!(rules::paths::named(&workspace, &["/srv/people/janet/".to_owned()]).len(), 1);
}

#[test]
fn the_real_workspace_is_the_one_that_is_checked() {
    assert!(Workspace::root().join("crates/xtask/Cargo.toml").is_file());
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).starts_with(Workspace::root()));
}
