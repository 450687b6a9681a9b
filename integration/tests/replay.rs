//! `tollgate sampling replay` as operators run it.
#![allow(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tollgate_otlp::Limits;
use tollgate_otlp::json::{self, Message};
use tollgate_testkit::binary;

const BLOCK: &str =
    "decision_wait: 10s\npolicies:\n  - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}\n";

const FIRST: &str = "0102030405060708090a0b0c0d0e0f10";
const SECOND: &str = "ff02030405060708090a0b0c0d0e0f10";

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn replay(folder: &Path, arguments: &[&str]) -> Said {
    let mut command = Command::new(binary());
    let output = command.args(["sampling", "replay"]).args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn line(spans: &[(&str, u8)]) -> String {
    let span = |(trace, code): &(&str, u8)| {
        format!(
            r#"{{"traceId":"{trace}","spanId":"0102030405060708","name":"a","startTimeUnixNano":"1",
            "endTimeUnixNano":"2","status":{{"code":{code}}}}}"#
        )
    };
    let spans: Vec<_> = spans.iter().map(span).collect();
    let request = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#, spans.join(","));
    request.replace(['\n', ' '], "")
}

/// A folder with a policy and one recording in both formats: two traces, of which the later spans of one fail.
fn recorded() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let lines = [line(&[(FIRST, 0), (SECOND, 1), (FIRST, 0)]), line(&[(FIRST, 2)])];
    let framed = lines.iter().map(|line| {
        let message = json::decode(Message::Traces, line.as_bytes(), &Limits::default()).unwrap();
        [&u32::try_from(message.len()).unwrap().to_be_bytes(), message.as_slice()].concat()
    });
    write("both.pb", &framed.collect::<Vec<_>>().concat());
    write("one.json", lines[0].as_bytes());
    write("two.json", format!("{}\n\n", lines[1]).as_bytes());
    write("content.yaml", BLOCK.as_bytes());
    let nested: String = BLOCK.lines().map(|line| format!("  {line}\n")).collect();
    write("block.yaml", format!("tail_sampling:\n{nested}").as_bytes());
    folder
}

/// Guarantees: one line a trace in order of first arrival, whatever the format and however the policy is wrapped, and the
/// evidence of all files counts together.
#[test]
fn a_recording_is_judged_as_one_wait() {
    let folder = recorded();
    let expected = format!(
        "{{\"trace_id\":\"{FIRST}\",\"verdict\":\"keep\",\"policy\":\"errors\",\"spans\":3}}\n\
         {{\"trace_id\":\"{SECOND}\",\"verdict\":\"drop\",\"policy\":\"no policy matched\",\"spans\":1}}\n"
    );
    fs::write(folder.path().join("one_waits.yaml"), format!("num_traces: 1\n{BLOCK}")).unwrap();
    for (policy, files) in [
        ("content.yaml", &["one.json", "two.json"][..]),
        ("one_waits.yaml", &["one.json", "two.json"]),
        ("block.yaml", &["one.json", "two.json"]),
        ("block.yaml", &["both.pb"]),
    ] {
        let said = replay(folder.path(), &[&["--policy", policy], files].concat());
        assert_eq!((said.code, said.out.as_str()), (Some(0), expected.as_str()), "{}", said.err);
        for summary in
            ["kept 1 of 2 traces, 3 of 4 spans\n", "keep  errors", "drop  no policy matched  1 traces, 1 spans"]
        {
            assert!(said.err.contains(summary), "{summary:?} is missing in:\n{}", said.err);
        }
    }
}

/// Guarantees: what a policy is called steers no terminal, and a line stays one.
#[test]
fn names_are_shown_as_they_are_written() {
    let folder = recorded();
    let block = BLOCK.replace("name: errors", r#"name: "er\u001b[2J\nrors""#);
    fs::write(folder.path().join("named.yaml"), block).unwrap();
    let said = replay(folder.path(), &["--policy", "named.yaml", "one.json", "two.json"]);
    assert!(said.err.contains(r"  keep  er\u{1b}[2J\nrors  "), "{:?}", said.err);
    assert!(said.out.contains(r#""policy":"er\u001b[2J\nrors""#), "{:?}", said.out);
}

/// Guarantees: what cannot be read is counted and ends with 1, and the rest is judged all the same.
#[test]
fn what_cannot_be_read_is_counted() {
    let folder = recorded();
    let whole = fs::read(folder.path().join("both.pb")).unwrap();
    fs::write(folder.path().join("cut.pb"), &whole[..whole.len() - 1]).unwrap();
    let said = replay(folder.path(), &["--policy", "block.yaml", "cut.pb"]);
    assert_eq!((said.code, said.out.lines().count()), (Some(1), 2), "{}", said.err);
    assert!(said.err.contains("1 messages cannot be read"), "{}", said.err);
    let said = replay(folder.path(), &["--policy", "block.yaml", "missing.pb"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert!(said.err.contains("missing.pb"), "{}", said.err);
}

/// Guarantees: a policy is refused with file, line and column, before a file is opened.
#[test]
fn an_invalid_policy_is_refused_where_it_is_wrong() {
    let folder = recorded();
    fs::write(folder.path().join("bad.yaml"), BLOCK.replace("ERROR", "ERRORS")).unwrap();
    let said = replay(folder.path(), &["--policy", "bad.yaml", "one.json"]);
    assert_eq!((said.code, said.out.as_str()), (Some(78), ""));
    assert!(said.err.contains("bad.yaml:3:"), "{}", said.err);
    let said = replay(folder.path(), &["--policy", "bad.yaml"]);
    assert_eq!(said.code, Some(64), "{}", said.err);
}

/// Guarantees: a document as central has it is judged as central judges it, our own keys included.
#[test]
fn a_document_of_ours_is_judged_by_all_that_it_says() {
    let folder = recorded();
    let high = "010203040506070809ffffffffffffff";
    let document = "use_tracestate: true\nhistory: 10\ntail_sampling:\n  decision_wait: 10s\n  policies:\n    \
                    - {name: half, type: probabilistic, probabilistic: {sampling_percentage: 50}}\n";
    fs::write(folder.path().join("sampling.yaml"), document).unwrap();
    fs::write(folder.path().join("in.json"), line(&[(FIRST, 0), (high, 0)])).unwrap();
    let said = replay(folder.path(), &["--policy", "sampling.yaml", "in.json"]);
    let verdict = |trace: &str, verdict: &str| format!("{{\"trace_id\":\"{trace}\",\"verdict\":\"{verdict}\"");
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains(&verdict(FIRST, "drop")) && said.out.contains(&verdict(high, "keep")), "{}", said.out);
}
