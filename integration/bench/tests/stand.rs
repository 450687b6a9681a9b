//! The stand as a program: what it prints for scripts, and what it leaves behind.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tollgate_testkit::{Process, wait_until};

const STAND: &str = env!("CARGO_BIN_EXE_tollgate-bench");
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn json_is_one_object_a_row_with_the_fields_that_scripts_read() {
    let output = Command::new(STAND).args(["--quick", "--output", "json", "walk/tls", "split/floor"]).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.iter().map(|row| row["row"].as_str().unwrap()).collect::<Vec<_>>(), ["walk/tls", "split/floor"]);
    for row in rows {
        assert!(["ours", "peer", "ratio", "low", "high"].iter().all(|field| row[field].is_f64()), "{row}");
        assert!(row["shape"].is_string() && row["target"].is_null() && row["met"].is_null(), "{row}");
        assert!(row["cpu_seconds_per_million_spans"]["ours"].is_f64(), "{row}");
    }
}

#[test]
fn without_the_binary_the_command_that_builds_it_is_told() {
    let output = Command::new(STAND).arg("gateway").env("TOLLGATE_BIN", "/nowhere/tollgate").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("/nowhere/tollgate is missing; `cargo build --release --package tollgate` builds it"),
        "{said}"
    );
}

#[test]
fn a_killed_run_leaves_no_folder_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (scratch, log) = (folder.path().join("scratch"), folder.path().join("log"));
    fs::create_dir(&scratch).unwrap();
    let mut run = Process::start("run", Command::new(STAND).args(["append", "walk"]).env("TMPDIR", &scratch), &log);
    let entries = || fs::read_dir(&scratch).unwrap().count();
    wait_until(LIMIT, "the run has its folder", || entries() == 1);
    run.kill();
    wait_until(LIMIT, "the folder is gone", || entries() == 0);
}

#[test]
fn what_the_stand_starts_ends_with_whoever_started_it() {
    let folder = tempfile::tempdir().unwrap();
    let (id, log) = (folder.path().join("id"), folder.path().join("log"));
    let script = "\"$0\" keep $$ -- sleep 600 & echo $! > \"$1.new\"; mv \"$1.new\" \"$1\"; wait";
    let mut parent = Process::start("parent", Command::new("sh").args(["-c", script, STAND]).arg(&id), &log);
    wait_until(LIMIT, "there is a child", || id.exists());
    let child = Path::new("/proc").join(fs::read_to_string(&id).unwrap().trim());
    let program = || fs::read_to_string(child.join("comm")).unwrap_or_default();
    wait_until(LIMIT, "the child has become what was wanted", || program() == "sleep\n");
    parent.kill();
    let is_gone = || fs::read_to_string(child.join("stat")).map_or(true, |stat| stat.contains(") Z "));
    wait_until(LIMIT, "the child has ended", is_gone);
}

#[test]
fn nothing_is_started_for_a_parent_that_has_ended() {
    let output = Command::new(STAND).args(["keep", "1", "--", "true"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("the parent has ended"));
}
