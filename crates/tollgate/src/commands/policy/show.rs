//! `tollgate policy show`: link × class × form, as a table.

use std::process::ExitCode;

use serde_json::{Map, Value, json};
use tollgate_residency::{Class, Crosses, Form, MatrixRow, Whole};

use crate::cli::Output;
use crate::cli::policy::Show;
use crate::commands::{print, unproved};
use crate::exit::Exit;

pub(super) fn show(options: &Show) -> Result<ExitCode, Exit> {
    let unproved = unproved::load(&options.asked.set.dir)?;
    let today = unproved::day(&options.asked.day);
    let rows = unproved.policy.matrix(&unproved.federation, today);
    match options.asked.output {
        Output::Text => {
            print::text(&format!("what crosses on {today} (UTC); what is not named here stays\n\n{}", text(&rows)))
        }
        Output::Json => {
            print::json(&json!({ "day": today.to_string(), "rows": rows.iter().map(to_json).collect::<Vec<_>>() }))
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn to_json(row: &MatrixRow) -> Value {
    let classes = Class::ALL.into_iter().map(|class| {
        let forms = row.classes.get(&class).into_iter().flatten();
        let forms: Map<String, Value> = forms
            .map(|(form, crosses)| {
                let whole = crosses.whole == Whole::All;
                (form.to_string(), json!({ "whole": whole, "names": crosses.names }))
            })
            .collect();
        (class.to_string(), Value::Object(forms))
    });
    json!({
        "link": row.link,
        "reaching": row.reaching.as_str(),
        "recipient": row.recipient,
        "origin": row.origin.as_str(),
        "signal": row.signal.as_str(),
        "sender": row.sender.as_ref().map(ToString::to_string),
        "says": row.says,
        "instrument": row.instrument,
        "lost": row.lost.as_ref().map(ToString::to_string),
        "closed": row.closed.as_ref().map(ToString::to_string),
        "classes": classes.collect::<Map<_, _>>(),
    })
}

fn text(rows: &[MatrixRow]) -> String {
    let mut text = String::new();
    for row in rows {
        let (link, recipient, reaching) = (&row.link, &row.recipient, &row.reaching);
        text.push_str(&format!("{} from {} over {link} (to {recipient}, {reaching})", row.signal, row.origin));
        if let Some(sender) = &row.sender {
            text.push_str(&format!(", sent by {sender}"));
        }
        if let Some(says) = &row.says {
            text.push_str(&format!(", for {says}"));
        }
        let nothing = row.closed.as_ref().map(ToString::to_string);
        if let Some(why) = nothing.or_else(|| row.lost.as_ref().map(ToString::to_string)) {
            text.push_str(&format!("\n  nothing: {why}\n\n"));
            continue;
        }
        let by =
            row.instrument.as_ref().map_or_else(|| "it stays in its regime".to_owned(), |name| format!("by {name}"));
        text.push_str(&format!(", {by}\n"));
        for class in Class::ALL {
            text.push_str(&format!("  {:<13} {}\n", class.as_str(), cell(row, class)));
        }
        text.push('\n');
    }
    text
}

fn cell(row: &MatrixRow, class: Class) -> String {
    let Some(forms) = row.classes.get(&class) else { return "–".to_owned() };
    let form = |(form, crosses): (&Form, &Crosses)| match crosses.whole {
        Whole::All => form.to_string(),
        Whole::Part => format!("{form}: {}", crosses.names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")),
    };
    forms.iter().map(form).collect::<Vec<_>>().join("; ")
}
