//! How commands print: in colour for a terminal that wants it, quietly into a pipe that nobody reads any more.
#![allow(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use tollgate_integration::Fleet;
use tollgate_testkit::binary;

const TOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const GATEWAY: &str = "eu-west-gateway-0";
const RUN: [&str; 6] = ["run", "eu-west/gateway/0", "--set", ".", "--node-file", "nodes/eu-west-gateway-0.yaml"];

#[test]
fn colour_is_for_terminals_that_want_it() {
    let fleet = Fleet::lay_out();
    let _taken = TcpListener::bind(fleet.planned(GATEWAY).tier().unwrap()).unwrap();
    for command in [&["check", "--bogus"][..], &RUN] {
        let plain = Command::new(binary()).args(command).current_dir(fleet.folder()).output().unwrap();
        let plain = String::from_utf8(plain.stderr).unwrap();
        assert!(!plain.contains('\x1b') && !plain.is_empty(), "not a terminal: {plain}");
        assert!(on_terminal(&fleet, command, None).contains('\x1b'), "{command:?}");
        let asked = on_terminal(&fleet, command, Some("1"));
        assert!(!asked.contains('\x1b') && !asked.is_empty(), "NO_COLOR is not heard: {asked}");
    }
}

/// What a command says to a terminal.
fn on_terminal(fleet: &Fleet, arguments: &[&str], no_color: Option<&str>) -> String {
    let mut python = Command::new("python3");
    python.args(["-c", "import pty, sys; pty.spawn(sys.argv[1:])"]).arg(binary()).args(arguments);
    python.current_dir(fleet.folder()).env("TERM", "xterm").env_remove("NO_COLOR");
    python.envs(no_color.map(|value| ("NO_COLOR", value)));
    String::from_utf8(python.output().unwrap().stdout).unwrap()
}

/// Guarantees: a pipe that nobody reads any more is no fault, and hides none: the exit code is that of the command.
#[test]
fn a_pipe_that_is_closed_ends_a_command_quietly() {
    let wide = tempfile::NamedTempFile::new().unwrap();
    let residency = fs::read_to_string(format!("{TOP}/policies/residency.yaml")).unwrap();
    fs::write(&wide, residency.replace("quasi: {only: {geo.country.iso_code: raw}}", "quasi: raw")).unwrap();
    let wide = wide.path().to_str().unwrap();
    let diff = ["policy", "diff", "policies/residency.yaml", wide, "--on", "2026-12-01"];
    for (words, code) in [(&["policy", "show", "--on", "2026-12-01"][..], 0), (&diff, 3)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(binary()).args(words).current_dir(TOP).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(code), String::new()));
    }
}
