//! `tollgate trace`: asks central nodes why a trace was kept or dropped, and what of all traces does not join.

mod breaks;

use std::fmt::Write as _;
use std::net::ToSocketAddrs;
use std::process::ExitCode;

use serde_json::{Value, json};
use tollgate_otlp::TraceId;

use super::http::Client;
use super::print;
use crate::cli::{Asked, Output, Trace};
use crate::exit::Exit;
use crate::plain;

pub(crate) fn trace(command: &Trace) -> Result<ExitCode, Exit> {
    match command {
        Trace::Why { trace, asked } => why(trace, asked),
        Trace::Breaks(asked) => breaks::breaks(asked),
    }
}

fn why(trace: &TraceId, Asked { nodes, output }: &Asked) -> Result<ExitCode, Exit> {
    let path = format!("/trace/{trace}");
    let mut answers = Vec::new();
    for node in nodes {
        answers.push(ask(node, &path)?);
    }
    match output {
        Output::Text => {
            for answer in &answers {
                print::text(&text(answer));
            }
        }
        Output::Json => print::json(&json!({"trace_id": trace.to_string(), "nodes": answers})),
    }
    let is_known = answers.iter().any(|answer| answer.get("state").and_then(Value::as_str) != Some("unknown"));
    Ok(if is_known { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn ask(node: &str, path: &str) -> Result<Value, Exit> {
    let failed = |why: &dyn std::fmt::Display| Exit::failed(format!("{node}: {why}"));
    let authority = node.strip_prefix("http://").unwrap_or(node).trim_end_matches('/');
    let mut addresses = authority.to_socket_addrs().map_err(|error| failed(&error))?;
    let address = addresses.next().ok_or_else(|| failed(&"no address of that name"))?;
    let (status, body) = Client::new(address).get(path).map_err(|error| failed(&error))?;
    if status != 200 {
        return Err(failed(&body.trim_end()));
    }
    serde_json::from_str(&body).map_err(|error| failed(&error))
}

/// What stands below a key, without quotes.
fn said(value: &Value, key: &str) -> String {
    match value.get(key) {
        Some(Value::String(text)) => plain::word(text).into_owned(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

fn text(answer: &Value) -> String {
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut text = format!("{}: {}\n", said(answer, "node"), said(answer, "state"));
    let verdicts = answer.get("verdict").filter(|verdict| !verdict.is_null()).cloned().into_iter();
    for verdict in verdicts.chain(list(answer, "earlier_verdicts")) {
        let early = match said(&verdict, "judged_early_by").as_str() {
            _ if verdict.get("incomplete") != Some(&Value::Bool(true)) => String::new(),
            "" => ", before all evidence was there".to_owned(),
            cause => format!(", before all evidence was there ({cause})"),
        };
        let _ = writeln!(
            text,
            "  {} at {}: {}{early}",
            said(&verdict, "decision"),
            said(&verdict, "at"),
            said(&verdict, "reason")
        );
        if verdict.get("votes").is_some() {
            let (waited, spans) = (said(&verdict, "waited_seconds"), said(&verdict, "spans"));
            let _ = writeln!(text, "  judged {waited} s after the first of {spans} spans; the policies voted:");
        }
        for vote in list(&verdict, "votes") {
            let _ = writeln!(text, "    {:<32} {}", said(&vote, "policy"), said(&vote, "vote"));
        }
    }
    for arrived in list(answer, "arrived") {
        let [from, origin, spans, first, last, fate] =
            ["from", "origin", "spans", "first", "last", "fate"].map(|key| said(&arrived, key));
        let _ = writeln!(text, "  {spans} spans from {from} ({origin}), {first} to {last}: {fate}");
    }
    let note = said(answer, "note");
    if !note.is_empty() {
        let _ = writeln!(text, "  note: {note}");
    }
    let history = answer.get("history").cloned().unwrap_or_default();
    let (verdicts, arrivals) = (said(&history, "verdicts_since"), said(&history, "arrivals_since"));
    let _ = writeln!(text, "  the history has verdicts since {verdicts}, arrivals since {arrivals}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_in_full() {
        let answer = json!({
            "node": "us-east/central/0", "state": "kept", "earlier_verdicts": [],
            "verdict": {
                "decision": "keep", "reason": "errors", "at": "2026-01-02T03:04:05.006Z", "incomplete": true,
                "judged_early_by": "lag", "waited_seconds": 20.5, "spans": 3,
                "votes": [{"policy": "errors", "vote": "keep"}, {"policy": "slow", "vote": "pass"}],
            },
            "arrived": [{
                "from": "eu-west/gateway/0", "origin": "EEA", "spans": 3, "first": "a", "last": "b", "fate": "in time",
            }],
            "history": {"verdicts_since": "c", "arrivals_since": "d"}, "note": "so it is",
        });
        let text = text(&answer);
        for said in [
            "us-east/central/0: kept",
            "keep at 2026-01-02T03:04:05.006Z: errors, before all evidence was there (lag)",
            "judged 20.5 s after the first of 3 spans",
            "slow                             pass",
            "3 spans from eu-west/gateway/0 (EEA), a to b: in time",
            "note: so it is",
            "verdicts since c, arrivals since d",
        ] {
            assert!(text.contains(said), "{said} is not in\n{text}");
        }
    }
}
