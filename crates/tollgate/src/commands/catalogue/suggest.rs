//! `tollgate catalogue suggest`: the drift of a region as a catalogue of its own keys, for review.
//!
//! Promises:
//! 1. Nothing that the catalogue has is said again, and what it prints loads as it is, whatever keys services invented.
//! 2. A key is proposed as operational only if all its words are: one that is unknown keeps it `free`.

mod words;

use std::collections::BTreeMap;
use std::process::ExitCode;

use tollgate_pipeline::{Drifting, Why};

use crate::cli::policy::Suggest;
use crate::commands::{drift, print, unproved};
use crate::exit::Exit;
use words::proposal;

const HEAD: &str = "# Keys that services of this region send and no catalogue has, each with a proposed class: by the words of \
                    the key alone.\n# Read every line, correct it, and only then let it be `policies/catalogue-own.yaml`.\n\
                    # An operational key (op) crosses where a rule allows its class: be sure that its values never tell of \
                    people.\n";

pub(super) fn suggest(options: &Suggest) -> Result<ExitCode, Exit> {
    let documents = unproved::load(&options.set.dir)?;
    let drifts = drift::read(&options.data)?;
    print::text(&yaml(&drifts.found, |key| documents.policy.knows(key)));
    Ok(ExitCode::SUCCESS)
}

/// Which requests had a key, and whose they were.
#[derive(Default)]
struct Seen<'d> {
    requests: u64,
    services: Vec<&'d str>,
}

fn yaml(found: &[Drifting], knows: impl Fn(&str) -> bool) -> String {
    let mut keys: BTreeMap<&str, Seen<'_>> = BTreeMap::new();
    for one in found.iter().filter(|one| one.why == Why::Unclassified && !knows(&one.key)) {
        let seen = keys.entry(&one.key).or_default();
        seen.requests = seen.requests.saturating_add(one.requests);
        seen.services.push(&one.service);
    }
    let mut text = HEAD.to_owned();
    text += if keys.keys().any(|key| is_key(key)) { "attributes:\n" } else { "attributes: {}\n" };
    keys.into_iter().for_each(|(key, seen)| text += &line(key, seen));
    for Drifting { key, service, .. } in found.iter().filter(|one| one.why == Why::Distinct) {
        text += &format!(
            "# {key:?} of {service:?} is operational with very many distinct values: does it hold identifiers?\n"
        );
    }
    text
}

/// Names are quoted with escapes: a service may have put anything into one.
fn line(key: &str, mut seen: Seen<'_>) -> String {
    seen.services.sort_unstable();
    seen.services.dedup();
    let from = seen.services.iter().map(|service| format!("{service:?}")).collect::<Vec<_>>().join(", ");
    if !is_key(key) {
        return format!("# {key:?} is no key that a catalogue can have: change what writes it ({from})\n");
    }
    let (class, by) = proposal(key);
    format!("  {key:?}: {class}  # {by}; {} requests from {from}\n", seen.requests)
}

/// As the catalogue spells keys.
fn is_key(key: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
    !key.is_empty() && key.len() <= 128 && key.bytes().all(plain) && !key.ends_with('.')
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tollgate_residency::Class;

    use super::*;

    fn drifting(why: Why, key: &str) -> Drifting {
        let fingerprints = [String::new(), String::new()];
        Drifting { why, service: "sh\"op\n".to_owned(), key: key.to_owned(), fingerprints, requests: 1, seen: (1, 2) }
    }

    /// Guarantees: whatever services called their keys, what is printed is a document that loads as the deployment's own
    /// catalogue, and says nothing of a key that is known.
    #[test]
    fn what_is_suggested_loads_as_it_is() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let shipped = unproved::load(&example).unwrap_or_else(|_| panic!("the example loads"));
        let odd =
            ["a\nb: op", "  x", "x: {y: raw}", "null", "1.5", "ends.", "#", "ünï", "x.authorization", "acme-x-api-key"];
        let keys = odd.iter().chain(&["worker.queue.size", "user.email"]);
        let mut found: Vec<_> = keys.map(|key| drifting(Why::Unclassified, key)).collect();
        found.push(drifting(Why::Distinct, "http.route"));
        for found in [&found[..], &[]] {
            let text = yaml(found, |key| shipped.policy.knows(key));
            assert!(!text.contains("user.email"), "{text}");
            let (set, faults) = tollgate_config::load_with(&example, "policies/catalogue-own.yaml", &text);
            let draft = tollgate_federation::FederationDraft::read(&set, &faults);
            let policy = tollgate_residency::Policy::unproved(&set, &draft, &faults);
            assert!(faults.is_empty(), "{text}\n{faults}");
            let size = policy.unwrap().classify("worker.queue.size").map(|(class, _)| class);
            assert_eq!(size, (!found.is_empty()).then_some(Class::Op));
        }
    }
}
