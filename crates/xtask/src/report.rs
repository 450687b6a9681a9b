//! What a run prints: one heading a step, its findings, and how long it took.

use std::fmt::Display;
use std::time::Duration;

use crate::check::{Outcome, Step};

#[expect(clippy::print_stdout, reason = "the output of a command")]
pub(crate) fn line(text: impl Display) {
    println!("{text}");
}

pub(crate) fn begin(step: &Step) {
    line(format_args!("== {}: {}", step.name, step.about));
}

pub(crate) fn end(outcome: &Outcome, took: Duration) {
    let seconds = took.as_secs_f64();
    match outcome {
        Outcome::Passed => line(format_args!("   ok ({seconds:.1} s)")),
        Outcome::Skipped(why) => line(format_args!("   SKIPPED: {why}")),
        Outcome::Failed(findings) => {
            for finding in findings {
                line(format_args!("   {finding}"));
            }
            line(format_args!("   FAILED ({seconds:.1} s)"));
        }
    }
}

pub(crate) fn summary(outcomes: &[(&str, Outcome)]) {
    let named = |wanted: fn(&Outcome) -> bool| {
        let names: Vec<&str> = outcomes.iter().filter(|(_, outcome)| wanted(outcome)).map(|(name, _)| *name).collect();
        names.join(", ")
    };
    let failed = named(|outcome| matches!(outcome, Outcome::Failed(_)));
    let skipped = named(|outcome| matches!(outcome, Outcome::Skipped(_)));
    if !skipped.is_empty() {
        line(format_args!("skipped: {skipped}"));
    }
    if failed.is_empty() {
        line("check passed");
    } else {
        line(format_args!("check FAILED: {failed}"));
    }
}
