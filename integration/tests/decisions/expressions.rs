//! Random regular expressions: what Go makes of them, recorded, and what a `string_attribute` makes of them here.
//!
//! Recorded anew and tried on other ones as the decisions are. It takes Go, and no Collector.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{fs, thread};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::json;
use tollgate_otlp::{Batch, Limits, walk_traces};
use tollgate_sampling::{Decision, PolicySet, Replay};

use crate::dice::digest;
use crate::recorded::{bits, digits};
use crate::seeds;
use crate::spelled::{ANY, TEXTS, WELL_FORMED, all};

/// For each text whether it is matched; `None` if the expression is refused.
type Answer = Option<Vec<bool>>;

#[test]
fn a_regular_expression_means_what_it_means_to_go() {
    let expressions = all(crate::SEED);
    if std::env::var_os("TOLLGATE_RECORD").is_some() {
        let (version, theirs) = asked_of_go(&expressions);
        return write(&version, &expressions, &theirs);
    }
    assert_alike(&expressions, &read(&expressions));
    if std::env::var_os("TOLLGATE_FULL").is_some() {
        for seed in seeds() {
            let expressions = all(seed);
            assert_alike(&expressions, &asked_of_go(&expressions).1);
        }
    }
}

fn assert_alike(expressions: &[String], theirs: &[Answer]) {
    let request = request();
    let differences: Vec<_> = expressions
        .iter()
        .zip(theirs)
        .filter_map(|(expression, theirs)| {
            let ours = ours(expression, &request);
            let what = match (ours, theirs) {
                (Err(why), Some(_)) => format!("refused here: {why}"),
                (Ok(_), None) => "refused there".to_owned(),
                (Ok(ours), Some(theirs)) => {
                    let texts = TEXTS.iter().zip(ours.iter().zip(theirs)).filter(|(_, (ours, theirs))| ours != theirs);
                    let texts: Vec<_> = texts.map(|(text, (ours, _))| (text, *ours)).collect();
                    (!texts.is_empty()).then(|| format!("matched here or not: {texts:?}"))?
                }
                (Err(_), None) => return None,
            };
            Some(format!("{expression:?}\n  {what}"))
        })
        .collect();
    let taken = theirs.iter().flatten().count();
    assert!(taken > WELL_FORMED / 2 && theirs.len() - taken > ANY / 2, "{taken} of {} are taken", theirs.len());
    assert!(
        differences.is_empty(),
        "{} of {} differ:\n{}",
        differences.len(),
        expressions.len(),
        differences.join("\n")
    );
}

/// One trace for each text, which is an attribute of its resource: there the empty one counts too.
fn request() -> Vec<u8> {
    let traced = TEXTS.iter().zip(1_u128..).map(|(text, number)| {
        let value = Some(AnyValue { value: Some(Value::StringValue((*text).to_owned())) });
        let attributes = vec![KeyValue { key: "text".to_owned(), value, ..KeyValue::default() }];
        let span = Span {
            trace_id: number.to_be_bytes().to_vec(),
            span_id: vec![1; 8],
            name: "n".to_owned(),
            ..Span::default()
        };
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        let resource = Some(Resource { attributes, ..Resource::default() });
        ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }
    });
    ExportTraceServiceRequest { resource_spans: traced.collect() }.encode_to_vec()
}

fn ours(expression: &str, request: &[u8]) -> Result<Vec<bool>, String> {
    let policy = json!({"name": "p", "type": "string_attribute", "string_attribute":
        {"key": "text", "values": [expression], "enabled_regex_matching": true}});
    let (document, faults) =
        tollgate_config::parse("policies", &json!({"num_traces": 1_000, "policies": [policy]}).to_string());
    let policies: Option<PolicySet> = document.root(&faults).read();
    let policies = policies.filter(|_| faults.is_empty()).ok_or_else(|| faults.to_string())?;
    let walked = walk_traces(request, &Limits::default()).expect("a request");
    let mut replay = Replay::new(policies, 1);
    replay.fold(Batch::new(request, &walked.index));
    // Traces are judged in the order of their arrival.
    Ok(replay.end().iter().map(|judged| judged.verdict.decision == Decision::Keep).collect())
}

fn asked_of_go(expressions: &[String]) -> (String, Vec<Answer>) {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/decisions/expressions.go");
    let mut command = Command::new("go");
    command.args(["run", program]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut go = command.spawn().expect("go");
    let asked = json!({"expressions": expressions, "texts": TEXTS}).to_string();
    let mut stdin = go.stdin.take().expect("a pipe");
    let asking = thread::spawn(move || stdin.write_all(asked.as_bytes()));
    let output = go.wait_with_output().expect("go ends");
    asking.join().expect("a thread").expect("go listens");
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8(output.stdout).expect("text");
    let (version, lines) = text.split_once('\n').expect("a version");
    let answers = lines.lines().map(|line| (line != "-").then(|| line.chars().map(|digit| digit == '1').collect()));
    (version.to_owned(), answers.collect())
}

fn read(expressions: &[String]) -> Vec<Answer> {
    let text = fs::read_to_string(path()).expect("a recording");
    let (head, lines) = text.split_once('\n').expect("a recording");
    assert!(head.ends_with(&asked(expressions)), "the generator has changed: record anew");
    let answers: Vec<_> = lines.lines().map(|line| (line != "-").then(|| bits(line, TEXTS.len()))).collect();
    assert_eq!(answers.len(), expressions.len());
    answers
}

fn write(version: &str, expressions: &[String], answers: &[Answer]) {
    let lines: Vec<_> =
        answers.iter().map(|answer| answer.as_ref().map_or_else(|| "-".to_owned(), |bits| digits(bits))).collect();
    let text = format!("{version}, {}\n{}\n", asked(expressions), lines.join("\n"));
    fs::write(path(), text).expect("a recording is written");
}

fn asked(expressions: &[String]) -> String {
    let of = |texts: &mut dyn Iterator<Item = &str>| digest(texts.flat_map(|text| [text.as_bytes(), b"\0"]));
    let (expressions, count) = (of(&mut expressions.iter().map(String::as_str)), expressions.len());
    format!("{count} expressions {expressions:016x}, texts {:016x}", of(&mut TEXTS.iter().copied()))
}

fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/expressions.txt"))
}
