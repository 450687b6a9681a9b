//! `tollgate policy explain`: what each link would do with a value, and why.

mod otlp_json;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use tollgate_federation::{Link, Origin, Signal};
use tollgate_residency::{Carrier, Claim, Claims, Explanation, Given, Holds, Item, Reason, Resource};

use super::{explanation_json, explanation_text, known_sender};
use crate::cli::Output;
use crate::cli::policy::Explain;
use crate::commands::unproved::Unproved;
use crate::commands::{print, unproved};
use crate::exit::Exit;
use crate::plain;
use otlp_json::Found;

/// A crossing that is asked about.
struct Asked<'f> {
    link: &'f Link,
    signal: Signal,
    origin: Origin,
}

/// Something that is asked about, and how often it stands in a file.
struct Subject {
    carrier: Carrier,
    key: Option<String>,
    resource: Resource,
    /// What its resource says; never shown.
    claims: Claims,
    /// Where it first stands in a file, and how often; nothing where it was asked for by name.
    at: Option<(String, usize)>,
}

pub(super) fn explain(options: &Explain) -> Result<ExitCode, Exit> {
    let unproved = unproved::load(&options.asked.set.dir)?;
    let today = unproved::day(&options.asked.day);
    let (signal, named) = match &options.file {
        Some(path) => subjects_of(path, options.signal, &unproved)?,
        None => (options.signal, Vec::new()),
    };
    let asked = asked(&unproved, options, signal)?;
    let sender = options.sent.proved();
    known_sender(&unproved.federation, sender, asked.iter().map(|asked| asked.link))?;
    let mut told = Vec::new();
    for asked in &asked {
        let own = if options.file.is_none() { vec![subject(options, asked.signal)] } else { Vec::new() };
        for subject in own.iter().chain(&named) {
            let item = match (&subject.key, subject.carrier.holds()) {
                (Some(key), Holds::Attributes) => {
                    Item::Attribute { carrier: subject.carrier, key, resource: subject.resource }
                }
                _ => Item::Carrier(subject.carrier),
            };
            let crossing = (asked.link.id(), asked.signal, &asked.origin);
            let given = Given { sender, claims: subject.claims.clone() };
            let explained = unproved.policy.explain_given(&unproved.federation, crossing, &given, item, today);
            told.push((asked, shown(subject), value_json(subject), explained));
        }
    }
    match options.asked.output {
        Output::Text => print::text(&text(&told)),
        Output::Json => {
            let values: Vec<Value> = told.iter().map(|(asked, _, value, told)| to_json(asked, value, told)).collect();
            print::json(&json!({ "day": today.to_string(), "values": values }));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The crossings that fit what was said.
fn asked<'f>(unproved: &'f Unproved, options: &Explain, signal: Option<Signal>) -> Result<Vec<Asked<'f>>, Exit> {
    let federation = &unproved.federation;
    let starts = |link: &&Link, from: &str| link.from().as_str() == from || link.source().to_string() == from;
    let leads = |link: &&Link, to: &str| link.to().region().as_str() == to || link.to().to_string() == to;
    let from = |link: &&Link| options.from.as_ref().is_none_or(|from| starts(link, from));
    let to = |link: &&Link| options.to.as_ref().is_none_or(|to| leads(link, to));
    let mut asked = Vec::new();
    for link in federation.links().iter().filter(from).filter(to) {
        let signals = signal.map_or_else(|| link.signals().iter().collect(), |signal| vec![signal]);
        for signal in signals {
            match &options.origin {
                Some(origin) => asked.push(Asked { link, signal, origin: origin.clone() }),
                None => asked.extend(federation.origins_over(link.id()).iter().cloned().map(|origin| Asked {
                    link,
                    signal,
                    origin,
                })),
            }
        }
    }
    if asked.is_empty() {
        let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "anywhere".to_owned());
        return Err(Exit::Failed(format!("no link leads from {} to {}", side(&options.from), side(&options.to))));
    }
    Ok(asked)
}

/// What was asked for by name; an attribute stands on the item itself unless said otherwise.
fn subject(options: &Explain, signal: Signal) -> Subject {
    let own = match signal {
        Signal::Traces => Carrier::SpanAttributes,
        Signal::Metrics => Carrier::PointAttributes,
        Signal::Logs => Carrier::LogAttributes,
    };
    let resource = if options.device { Resource::Device } else { Resource::Server };
    let said = |name: &Option<String>| name.clone().map_or(Claim::Unclear, Claim::Is);
    let says = &options.says;
    let claims =
        Claims { service: said(&says.service), namespace: said(&says.namespace), environment: said(&says.environment) };
    Subject { carrier: options.carrier.unwrap_or(own), key: options.attribute.clone(), resource, claims, at: None }
}

/// Carrier, key, whether it is on a device, and what the resource says.
type Place = (Carrier, Option<String>, bool, Claims);

/// Every place of a file where a value stands, each carrier and key once, or once for each resource that says something else
/// of itself where rules ask for that.
fn subjects_of(
    path: &Path,
    signal: Option<Signal>,
    unproved: &Unproved,
) -> Result<(Option<Signal>, Vec<Subject>), Exit> {
    let text = fs::read_to_string(path).map_err(|error| Exit::Failed(format!("{}: {error}", path.display())))?;
    let found = otlp_json::read(&text, |key| unproved.policy.marks_device(key));
    let (of, found) = found.map_err(|error| Exit::Failed(format!("{}: {error}", path.display())))?;
    if signal.is_some_and(|signal| signal != of) {
        return Err(Exit::Failed(format!("{} holds {of}", path.display())));
    }
    let asks = unproved.policy.asks_claims();
    let mut subjects: BTreeMap<Place, (String, usize)> = BTreeMap::new();
    for Found { carrier, key, resource, claims, path } in found {
        let claims = if asks { claims } else { Claims::default() };
        let known = subjects.entry((carrier, key, resource == Resource::Device, claims)).or_insert((path, 0));
        known.1 += 1;
    }
    let subjects = subjects.into_iter().map(|((carrier, key, on_device, claims), at)| {
        let resource = if on_device { Resource::Device } else { Resource::Server };
        Subject { carrier, key, resource, claims, at: Some(at) }
    });
    Ok((Some(of), subjects.collect()))
}

fn shown(subject: &Subject) -> String {
    let on = if subject.resource == Resource::Device { " on a device" } else { "" };
    // A key of a file is what a service made up: it must not pass for a line of the explanation.
    let key = subject.key.as_ref().map(|key| format!(" {}", plain::word(key))).unwrap_or_default();
    let at = subject.at.as_ref().map(|(at, count)| format!("  ({at}, {count} times)")).unwrap_or_default();
    format!("{}{key}{on}{at}", subject.carrier)
}

fn value_json(subject: &Subject) -> Value {
    json!({
        "carrier": subject.carrier.as_str(),
        "attribute": subject.key,
        "resource": if subject.resource == Resource::Device { "device" } else { "server" },
        "first": subject.at.as_ref().map(|(at, _)| at),
        "count": subject.at.as_ref().map(|(_, count)| count),
    })
}

fn to_json(asked: &Asked<'_>, value: &Value, told: &Explanation) -> Value {
    let mut all = json!({
        "from": asked.link.source().to_string(),
        "to": asked.link.to().to_string(),
        "origin": asked.origin.to_string(),
        "signal": asked.signal.as_str(),
    });
    for part in [value.clone(), explanation_json(told)] {
        if let (Value::Object(all), Value::Object(part)) = (&mut all, part) {
            all.extend(part);
        }
    }
    all
}

fn text(told: &[(&Asked<'_>, String, Value, Explanation)]) -> String {
    let (mut text, mut before) = (String::new(), None);
    for (asked, subject, _, told) in told {
        let head =
            format!("{} from {} over {} → {}\n", asked.signal, asked.origin, asked.link.source(), asked.link.to());
        if before.as_ref() != Some(&head) {
            text.push_str(&head);
        }
        before = Some(head);
        let class = match told.reason {
            Reason::Ours(_) => String::new(), // no catalogue has to give it one
            _ => format!("{}, ", told.class),
        };
        text.push_str(&format!("  {subject}: {class}{}", explanation_text(told)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantees: a key that a service made up stays within its line, whatever it has in it.
    #[test]
    fn a_key_cannot_pass_for_a_line_of_the_explanation() {
        let key = Some("a: op, raw: allowed\n  span.attributes user.email".to_owned());
        let (carrier, resource, claims) = (Carrier::SpanAttributes, Resource::Server, Claims::default());
        let shown = shown(&Subject { carrier, key, resource, claims, at: None });
        assert_eq!(shown, "span.attributes a: op, raw: allowed\\n  span.attributes user.email");
    }
}
