//! The numbers of the demo as a table for people and as one JSON object for programs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use tollgate_federation::{Role, Signal};
use tollgate_scenario::scaffold::Process;

use super::check::Found;
use super::tally::{LinkTally, Tally};

/// How many places of values that crossed are listed.
const LISTED: usize = 20;

/// What there is to say at the end.
pub(super) struct Report<'a> {
    pub(super) tally: &'a Tally,
    pub(super) found: &'a Found,
    pub(super) processes: &'a [Process],
    pub(super) dir: &'a Path,
}

/// The live table. It has no more lines than a small terminal shows.
pub(super) fn table(tally: &Tally) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:<34} {:>11} {:>11} {:>11}", "link", "offered", "crossed", "withheld");
    for row in &tally.links {
        let name = format!("{} → {} {}", row.link.from, row.link.consumer.trim_start_matches("link/"), row.signal);
        let _ = writeln!(text, "{name:<34} {:>11} {:>11} {:>11}", row.offered, row.crossed, row.withheld);
    }
    let forms: BTreeSet<&str> = tally.values.keys().map(|(_, form)| form.as_str()).collect();
    let classes: BTreeSet<&str> = tally.values.keys().map(|(class, _)| class.as_str()).collect();
    let heads: String = forms.iter().map(|form| format!(" {form:>11}")).collect();
    let _ = writeln!(text, "\n{:<22}{heads}", "values by class, form");
    for class in classes {
        let count =
            |form: &&str| tally.values.get(&(class.to_owned(), (*form).to_owned())).copied().unwrap_or_default();
        let counts: String = forms.iter().map(|form| format!(" {:>11}", count(form))).collect();
        let _ = writeln!(text, "{class:<22}{counts}");
    }
    for (kept, verdict) in [(true, "kept"), (false, "dropped")] {
        let reasons: Vec<String> = tally.reasons(kept).map(|(reason, count)| format!("{reason} {count}")).collect();
        let line = format!("{verdict:<8} {:>6} traces  {}", tally.traces(kept), reasons.join(", "));
        let _ = writeln!(text, "{}{}", if kept { "\n" } else { "" }, line.trim_end());
    }
    let (acknowledged, kept, delivered) = (tally.sent.acknowledged, tally.kept, tally.delivered);
    let _ = write!(text, "spans: {acknowledged} acknowledged, {kept} kept, {delivered} delivered");
    text
}

impl Report<'_> {
    /// The end of the demo, for people.
    pub(super) fn text(&self) -> String {
        let (found, sent) = (self.found, &self.tally.sent);
        let mut text = table(self.tally);
        let _ = writeln!(text, "\n\nkept traces, as lines of OTLP/JSON:");
        for folder in self.kept_traces() {
            let _ = writeln!(text, "  {}", folder.display());
        }
        let _ = writeln!(text, "all that the processes wrote, until you remove it: {}", self.dir.display());
        if let Some(first) = &sent.first_refusal {
            let _ = writeln!(text, "{} requests were not acknowledged; the first by {first}", sent.refused);
        }
        let (files, mib, planted) = (found.files, found.bytes >> 20, found.planted);
        let _ = writeln!(text, "searched {files} files ({mib} MiB) of all regions for {planted} planted values");
        let _ = writeln!(text, "{} of them are in their own region, where they may be", found.at_home.len());
        let _ = write!(text, "{} canaries crossed", found.crossed.len());
        text
    }

    /// The end of the demo, for programs.
    pub(super) fn json(&self) -> String {
        let link = |row: &LinkTally| {
            let (from, to, signal) = (&row.link.from, &row.link.to, row.signal.as_str());
            let (offered, crossed, withheld) = (row.offered, row.crossed, row.withheld);
            json!({"from": from, "to": to, "signal": signal, "offered": offered, "crossed": crossed, "withheld": withheld})
        };
        let tally = self.tally;
        let object = json!({
            "links": tally.links.iter().map(link).collect::<Vec<_>>(),
            "verdicts": {"kept": tally.traces(true), "dropped": tally.traces(false)},
            "spans": {"acknowledged": tally.sent.acknowledged, "kept": tally.kept, "delivered": tally.delivered},
            "canaries": {"planted": self.found.planted, "crossed": self.found.crossed.len()},
        });
        object.to_string()
    }

    /// Why this run is no proof that nothing crosses.
    pub(super) fn objection(&self) -> Option<String> {
        let (tally, found) = (self.tally, self.found);
        if !found.crossed.is_empty() {
            Some(format!("{} planted values are where they must not be\n{}", found.crossed.len(), places(&found.hits)))
        } else if tally.sent.acknowledged == 0 {
            let first = tally.sent.first_refusal.as_deref().unwrap_or("no traffic was sent");
            Some(format!("nothing was acknowledged, so nothing could cross: {first}"))
        } else if !tally.is_settled() {
            Some(format!("{} items were still under way when the demo ended", tally.under_way))
        } else if found.at_home.is_empty() {
            Some("no planted value was found even at home: the search does not see".to_owned())
        } else {
            None
        }
    }

    fn kept_traces(&self) -> impl Iterator<Item = PathBuf> {
        let central = self.processes.iter().filter(|process| process.node.role() == Role::Central);
        let files = central.flat_map(|process| &process.files);
        files.filter(|files| files.signal == Signal::Traces.as_str()).map(|files| self.dir.join(&files.path))
    }
}

fn places(hits: &[String]) -> String {
    let mut listed: Vec<&str> = hits.iter().take(LISTED).map(String::as_str).collect();
    let more = hits.len().saturating_sub(LISTED);
    let rest = format!("and {more} more places");
    listed.extend((more > 0).then_some(rest.as_str()));
    listed.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::metrics::Scrape;
    use super::super::tally::Sent;
    use super::*;

    fn tally(sent: Sent) -> Tally {
        Tally::new(&[] as &[Scrape], &[], sent)
    }

    fn objection(tally: &Tally, found: &Found) -> Option<String> {
        Report { tally, found, processes: &[], dir: Path::new("demo") }.objection()
    }

    fn found() -> Found {
        Found { planted: 3, at_home: [0, 1, 2].into(), ..Found::default() }
    }

    #[test]
    fn a_run_in_which_nothing_was_acknowledged_proves_nothing() {
        let mut sent = Sent::default();
        sent.refuse("eu-west-a", "status 503");
        sent.refuse("us-east-a", "status 429");
        let said = objection(&tally(sent), &found()).unwrap();
        assert!(said.contains("eu-west-a: status 503"), "{said}");
    }

    #[test]
    fn a_run_that_did_not_come_to_its_end_or_did_not_see_proves_nothing() {
        let mut tally = tally(Sent { acknowledged: 7, ..Sent::default() });
        assert!(objection(&tally, &found()).unwrap().contains("7 items were still under way"));
        tally.under_way = 0;
        assert_eq!(objection(&tally, &found()), None);
        assert!(objection(&tally, &Found { planted: 3, ..Found::default() }).unwrap().contains("does not see"));
    }

    #[test]
    fn a_value_that_crossed_is_the_first_thing_said() {
        let hits = (0..LISTED + 2).map(|number| format!("user.id of eu-west in us-east: file {number}")).collect();
        let found = Found { crossed: [1].into(), hits, ..found() };
        let said = objection(&tally(Sent::default()), &found).unwrap();
        assert!(said.starts_with("1 planted values are where they must not be\nuser.id of eu-west"), "{said}");
        assert!(said.ends_with("file 19\nand 2 more places"), "{said}");
    }

    #[test]
    fn the_table_of_a_full_run_fits_a_small_terminal() {
        let mut tally = tally(Sent::default());
        for class in ["corr", "direct", "free", "online", "op", "quasi", "secret", "special", "unclassified"] {
            for form in ["absent", "aggregated", "generalised", "keyed"] {
                tally.values.insert((class.to_owned(), form.to_owned()), 1_000_000);
            }
        }
        for reason in ["critical", "errors", "rest", "slow"] {
            tally.verdicts.insert((true, reason.to_owned()), 10_000);
        }
        // Three links of the example and two lines of the screen's own stand beside them.
        let table = table(&tally);
        assert!(table.lines().count() + 3 + 2 < 24, "{table}");
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        assert!(table.contains("kept      40000 traces  critical 10000, errors 10000"), "{table}");
    }
}
