//! `tollgate sampling replay`: which traces of a recording a policy would keep.
//!
//! Promises:
//! 1. The sampler is the data path's own, and so is the walk before it.
//! 2. Files are read message by message; memory is that of the traces, each of which is judged once and has one line.
//! 3. What cannot be read is counted, and the command then ends with 1.

mod tally;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;
use tollgate_federation::Signal;
use tollgate_otlp::{Batch, Limits, walk_traces};
use tollgate_sampling::{Decision, Judged, PolicySet, Replay};

use crate::cli::sampling::Replay as Options;
use crate::commands::print;
use crate::commands::recording::Recording;
use crate::exit::Exit;
use tally::Tally;

/// How many bytes of verdicts are printed at a time.
const PRINTED: usize = 1 << 16;

pub(super) fn replay(options: &Options) -> Result<ExitCode, Exit> {
    let mut replay = Replay::new(policies(&options.policy)?, secret()?);
    let (mut tally, mut out) = (Tally::default(), String::new());
    for file in &options.files {
        for message in Recording::open(file, Signal::Traces)? {
            let read =
                message?.ok().and_then(|payload| Some((walk_traces(&payload, &Limits::default()).ok()?, payload)));
            let Some((walked, payload)) = read else {
                tally.unreadable += 1;
                continue;
            };
            tally.rejected += walked.rejected.map_or(0, |rejected| u64::from(rejected.items));
            replay.fold(Batch::new(&payload, &walked.index));
        }
    }
    let judged = replay.end();
    say(&replay, &judged, &mut tally, &mut out);
    print::text(&out);
    tally.say();
    Ok(if tally.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One line for each verdict, some printed already and the rest left in `out`.
fn say(replay: &Replay, judged: &[Judged], tally: &mut Tally, out: &mut String) {
    for judged in judged {
        let (decision, reason) = (judged.verdict.decision, replay.reason(judged.verdict.reason));
        let verdict = match decision {
            Decision::Keep => "keep",
            Decision::Drop => "drop",
        };
        let (trace, spans) = (judged.trace, judged.summary.spans());
        let policy = Value::from(reason);
        out.push_str(&format!(
            "{{\"trace_id\":\"{trace}\",\"verdict\":\"{verdict}\",\"policy\":{policy},\"spans\":{spans}}}\n"
        ));
        tally.add(decision, reason, spans);
        if out.len() >= PRINTED {
            print::text(out);
            out.clear();
        }
    }
}

/// Reads a document with a `tail_sampling` block, or what stands below one.
fn policies(path: &Path) -> Result<PolicySet, Exit> {
    let text = fs::read_to_string(path).map_err(|error| Exit::Failed(format!("{}: {error}", path.display())))?;
    let (document, faults) = tollgate_config::parse(&path.display().to_string(), &text);
    let root = document.root(&faults);
    let read =
        if root.is_mapping() && root.fields().is_some_and(|fields| fields.keys().any(|key| key == "tail_sampling")) {
            PolicySet::document(root)
        } else {
            root.read()
        };
    read.filter(|_| faults.is_empty()).ok_or_else(|| Exit::config(faults))
}

/// A recording comes from strangers too.
fn secret() -> Result<u64, Exit> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(Exit::failed)?;
    Ok(u64::from_ne_bytes(bytes))
}
