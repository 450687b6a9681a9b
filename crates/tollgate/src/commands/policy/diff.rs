//! `tollgate policy diff`: what crosses under one set of documents and not under another.

mod shapes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use tollgate_residency::{Change, Difference, difference};

use crate::cli::Output;
use crate::cli::policy::Diff;
use crate::commands::unproved::Unproved;
use crate::commands::{print, unproved};
use crate::exit::{Exit, WIDENED};
use shapes::Touched;

pub(super) fn diff(options: &Diff) -> Result<ExitCode, Exit> {
    let side = |path: &Path| match path.is_file() {
        true => unproved::load_with(&options.asked.set.dir, path),
        false => unproved::load(path),
    };
    let (old, new) = match (side(&options.old), side(&options.new)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(Exit::Config(one)), Err(Exit::Config(two))) => {
            return Err(Exit::Config(format!("{}:\n{one}\n{}:\n{two}", options.old.display(), options.new.display())));
        }
        (Err(fault), _) | (_, Err(fault)) => return Err(fault),
    };
    let told = compare(&old, &new, unproved::day(&options.asked.day));
    let ends = ends(&old, &new);
    let touched = Touched::read(&options.shapes)?;
    let touched = touched.map(|touched| (touched.by(&told, &old, &new), touched.left_out()));
    match options.asked.output {
        Output::Text => {
            let touched =
                touched.map(|(touched, left_out)| shapes::text(&told, &touched, left_out)).unwrap_or_default();
            print::text(
                &(text(&told)
                    + &touched
                    + &ends.iter().map(|end| format!("ends otherwise: {end}\n")).collect::<String>()),
            )
        }
        Output::Json => {
            let mut value = to_json(&told);
            value["ends"] = json!(ends);
            if let Some((touched, left_out)) = touched {
                value["shapes_left_out"] = json!(left_out);
                let differences = value["differences"].as_array_mut().into_iter().flatten();
                differences.zip(touched).for_each(|(one, touches)| one["records_a_day"] = json!(touches.records()));
            }
            print::json(&value);
        }
    }
    let widened = told.iter().any(|one| one.change.widens());
    Ok(if widened { ExitCode::from(WIDENED) } else { ExitCode::SUCCESS })
}

/// Instruments and risks that end on another day. A date that was put off lets nothing cross today; a reviewer is told.
fn ends(old: &Unproved, new: &Unproved) -> Vec<String> {
    let (before, now) = (old.policy.ends(), new.policy.ends());
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let said = |end: Option<&String>| end.map_or("not there", String::as_str).to_owned();
    let changed = names.into_iter().filter(|name| before.get(*name) != now.get(*name));
    changed.map(|name| format!("{name}, {} → {}", said(before.get(name)), said(now.get(name)))).collect()
}

pub(super) fn compare(old: &Unproved, new: &Unproved, today: time::Date) -> Vec<Difference> {
    difference((&*old.policy, &old.federation), (&*new.policy, &new.federation), today)
}

pub(super) fn to_json(told: &[Difference]) -> Value {
    let one = |one: &Difference| {
        json!({
            "change": one.change.as_str(),
            "from": one.link.0,
            "to": one.link.1,
            "origin": one.origin.as_str(),
            "signal": one.signal.as_str(),
            "sender": one.sender.as_ref().map(ToString::to_string),
            "says": one.says,
            "item": one.item,
            "class": one.class.as_str(),
            "before": one.before,
            "now": one.now,
        })
    };
    json!({
        "widens": told.iter().any(|one| one.change.widens()),
        "differences": told.iter().map(one).collect::<Vec<_>>(),
    })
}

/// By change, link, origin, signal, sender and what data says of itself; what changes alike stands on one line.
pub(super) fn text(told: &[Difference]) -> String {
    type Alike<'d> = (&'d str, &'d [String], &'d [String]);
    let mut grouped: BTreeMap<(Change, String), BTreeMap<Alike<'_>, Vec<&str>>> = BTreeMap::new();
    for one in told {
        let by = one.sender.as_ref().map(|sender| format!(", sent by {sender}")).unwrap_or_default();
        let of = one.says.as_ref().map(|says| format!(", for {says}")).unwrap_or_default();
        let head = format!("{} from {} over {} → {}{by}{of}", one.signal, one.origin, one.link.0, one.link.1);
        let alike = (one.class.as_str(), one.before.as_slice(), one.now.as_slice());
        grouped.entry((one.change, head)).or_default().entry(alike).or_default().push(&one.item);
    }
    if grouped.is_empty() {
        return "nothing crosses otherwise than before\n".to_owned();
    }
    let mut text = String::new();
    for ((change, head), alike) in grouped {
        text.push_str(&format!("{}: {head}\n", change.as_str()));
        for ((class, before, now), items) in alike {
            let forms = |forms: &[String]| if forms.is_empty() { "absent".to_owned() } else { forms.join(" or ") };
            text.push_str(&format!("  {class}, {} → {}: {}\n", forms(before), forms(now), items.join(", ")));
        }
    }
    text
}
