//! `tollgate policy what-if`: what becomes illegal when an instrument falls.

use std::process::ExitCode;

use serde_json::json;
use tollgate_config::nearest;
use tollgate_residency::MatrixRow;

use super::diff;
use crate::cli::Output;
use crate::cli::policy::WhatIf;
use crate::commands::{print, unproved};
use crate::exit::Exit;

pub(super) fn what_if(options: &WhatIf) -> Result<ExitCode, Exit> {
    let before = unproved::load(&options.asked.set.dir)?;
    let mut after = unproved::load(&options.asked.set.dir)?;
    for name in &options.without {
        if !after.policy.forget_instrument(name) {
            let known: Vec<&str> = before.policy.instruments().collect();
            let hint = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            return Err(Exit::Config(format!("no instrument is called `{name}`, {hint}")));
        }
    }
    if options.unshadowed {
        after.policy.lift_shadows();
    }
    let today = unproved::day(&options.asked.day);
    let told = diff::compare(&before, &after, today);
    let rows = after.policy.matrix(&after.federation, today);
    let before = before.policy.matrix(&before.federation, today).into_iter();
    let links: Vec<Fate> = before.filter_map(|row| Fate::of(row, &rows)).collect();
    match options.asked.output {
        Output::Text => print::text(&text(&links, &diff::text(&told))),
        Output::Json => {
            let mut value = diff::to_json(&told);
            value["links"] = links.iter().map(Fate::json).collect();
            print::json(&value);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What becomes of a link that rested on the instrument.
struct Fate {
    row: MatrixRow,
    /// The instrument that takes its place, if one does.
    fallback: Option<String>,
    why: Option<String>,
}

impl Fate {
    fn of(before: MatrixRow, after: &[MatrixRow]) -> Option<Self> {
        let crossing = |row: &MatrixRow| (row.link.clone(), row.origin.clone(), row.signal);
        let of_it = after.iter().filter(|row| crossing(row) == crossing(&before));
        // One row stands for every sender and all that data says of itself where the other side tells none apart.
        let is_alike = |row: &&MatrixRow| [&row.says, &before.says].contains(&&None) || row.says == before.says;
        let is_same = |row: &&MatrixRow| {
            is_alike(row) && ([&row.sender, &before.sender].contains(&&None) || row.sender == before.sender)
        };
        let after = of_it.clone().find(is_same).or_else(|| of_it.clone().next())?;
        let changed = before.instrument != after.instrument || before.closed != after.closed;
        let (fallback, why) = (after.instrument.clone(), after.closed.as_ref().map(ToString::to_string));
        (changed && before.closed.is_none()).then_some(Self { row: before, fallback, why })
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "link": self.row.link,
            "origin": self.row.origin.as_str(),
            "signal": self.row.signal.as_str(),
            "sender": self.row.sender.as_ref().map(ToString::to_string),
            "says": self.row.says,
            "instrument": self.row.instrument,
            "becomes": if self.fallback.is_some() { "legal by a fallback" } else { "illegal" },
            "fallback": self.fallback,
        })
    }
}

fn text(links: &[Fate], told: &str) -> String {
    let mut text = String::new();
    for fate in links {
        let row = &fate.row;
        let fate = match (&fate.fallback, &fate.why) {
            (Some(fallback), _) => format!("goes on by {fallback}"),
            (None, Some(why)) => format!("becomes illegal: {why}"),
            (None, None) => "becomes illegal".to_owned(),
        };
        let by = row.sender.as_ref().map(|sender| format!(", sent by {sender}")).unwrap_or_default();
        let of = row.says.as_ref().map(|says| format!(", for {says}")).unwrap_or_default();
        text.push_str(&format!("{} from {} over {}{by}{of}: {fate}\n", row.signal, row.origin, row.link));
    }
    if links.is_empty() {
        text.push_str("no link rests on it today\n");
    }
    text.push('\n');
    text.push_str(told);
    text
}
