//! The numbers of the demo, as a table for people and as one JSON object for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;
use tollgate_federation::{Role, Signal};
use tollgate_scenario::canary::Canary;

use super::check::Found;
use super::metrics::Scrape;

const RECEIVED: &str = "tollgate_received_total";
const ITEMS: &str = "tollgate_consumer_items_total";
const SEALED: &str = "tollgate_sealed_values_total";
const VERDICTS: &str = "otelcol_processor_tail_sampling_count_traces_sampled_total";
const PENDING: &str = "otelcol_processor_tail_sampling_sampling_traces_on_memory";
const KEPT: &str = "tollgate_sampling_spans_kept_total";
const DROPPED: &str = "tollgate_sampling_spans_dropped_total";
/// What can become of an offered item for good.
const OUTCOMES: [&str; 5] = ["sent", "withheld", "dropped", "rejected", "quarantined"];

/// A link of the documents and the name of its consumer.
#[derive(Clone, Debug)]
pub(super) struct LinkName {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) consumer: String,
}

/// What the generator knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent {
    /// Spans that a collector acknowledged.
    pub(super) acknowledged: u64,
    /// Requests that no collector took.
    pub(super) refused: u64,
    /// Every planted value.
    pub(super) canaries: Vec<Canary>,
}

struct LinkTally {
    link: LinkName,
    signal: Signal,
    offered: u64,
    crossed: u64,
    withheld: u64,
}

/// The numbers of the whole federation.
pub(super) struct Tally {
    links: Vec<LinkTally>,
    /// Values by class and form, over all links.
    values: BTreeMap<(String, String), u64>,
    /// Traces by whether they were kept, and why.
    verdicts: BTreeMap<(bool, String), u64>,
    kept: u64,
    delivered: u64,
    under_way: u64,
    pub(super) sent: Sent,
}

impl Tally {
    pub(super) fn new(scrapes: &[Scrape], links: &[LinkName], sent: Sent) -> Self {
        let of = |role: Role| scrapes.iter().filter(move |scrape| scrape.node.role() == role);
        let central = |name: &str| of(Role::Central).map(|scrape| scrape.sum(name, &[])).sum::<u64>();
        let delivered = of(Role::Central).map(|scrape| items(scrape, "backend/embedded", Signal::Traces, "sent")).sum();
        let (kept, dropped) = (central(KEPT), central(DROPPED));
        let entered = of(Role::Collector).map(|scrape| items(scrape, "gateway", Signal::Traces, "offered")).sum();
        let at_central = of(Role::Central).map(accepted).sum::<u64>();
        let under_way = [
            sent.acknowledged.abs_diff(entered),
            of(Role::Gateway).map(waiting_at_gateway).sum(),
            scrapes.iter().map(between_offer_and_outcome).sum(),
            at_central.abs_diff(kept + dropped),
            kept.abs_diff(delivered),
            central(PENDING),
        ];
        Self {
            links: links.iter().flat_map(|link| link_tallies(scrapes, link)).collect(),
            values: values(scrapes),
            verdicts: verdicts(scrapes),
            kept,
            delivered,
            under_way: under_way.iter().sum(),
            sent,
        }
    }

    /// Whether everything that was acknowledged has come to its end.
    pub(super) fn is_settled(&self) -> bool {
        self.under_way == 0
    }

    fn traces(&self, kept: bool) -> u64 {
        self.verdicts.iter().filter(|((keep, _), _)| *keep == kept).map(|(_, count)| count).sum()
    }

    /// The live table.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<34} {:>10} {:>10} {:>10}", "link", "offered", "crossed", "withheld");
        for row in &self.links {
            let name = format!("{} → {} {}", row.link.from, row.link.consumer.trim_start_matches("link/"), row.signal);
            let _ = writeln!(text, "{name:<34} {:>10} {:>10} {:>10}", row.offered, row.crossed, row.withheld);
        }
        let _ = writeln!(text, "\n{:<22} {:<12} {:>10}", "class", "form", "values");
        for ((class, form), count) in &self.values {
            let _ = writeln!(text, "{class:<22} {form:<12} {count:>10}");
        }
        let _ = writeln!(text, "\n{:<10} {:<24} {:>10}", "verdict", "reason", "traces");
        for ((keep, reason), count) in &self.verdicts {
            let verdict = if *keep { "keep" } else { "drop" };
            let _ = writeln!(text, "{verdict:<10} {reason:<24} {count:>10}");
        }
        let (acknowledged, kept, delivered) = (self.sent.acknowledged, self.kept, self.delivered);
        let _ = write!(text, "\nspans: {acknowledged} acknowledged, {kept} kept, {delivered} delivered");
        text
    }

    /// The end of the demo, for people.
    pub(super) fn summary(&self, found: &Found, dir: &Path) -> String {
        let mut text = self.table();
        let _ = writeln!(text, "\n");
        if !self.is_settled() {
            let _ = writeln!(text, "{} spans were still under way when the demo ended", self.under_way);
        }
        if self.sent.refused > 0 {
            let _ = writeln!(text, "{} requests were refused by a collector", self.sent.refused);
        }
        let _ = writeln!(text, "kept traces:");
        for folder in &found.kept {
            let _ = writeln!(text, "  {}", folder.display());
        }
        let _ = writeln!(text, "logs of the processes: {}", dir.join("logs").display());
        let (files, bytes) = (found.files, found.bytes);
        let _ = writeln!(text, "searched {files} files ({bytes} bytes) of the US side for {} values", found.planted);
        for hit in &found.hits {
            let _ = writeln!(text, "  CROSSED: {hit}");
        }
        let _ = write!(text, "{} canaries crossed", found.crossed);
        text
    }

    /// The end of the demo, for programs.
    pub(super) fn json(&self, found: &Found) -> String {
        let link = |row: &LinkTally| {
            let (from, to, signal) = (&row.link.from, &row.link.to, row.signal.as_str());
            let (offered, crossed, withheld) = (row.offered, row.crossed, row.withheld);
            json!({"from": from, "to": to, "signal": signal, "offered": offered, "crossed": crossed, "withheld": withheld})
        };
        let (acknowledged, kept, delivered) = (self.sent.acknowledged, self.kept, self.delivered);
        let object = json!({
            "links": self.links.iter().map(link).collect::<Vec<_>>(),
            "verdicts": {"kept": self.traces(true), "dropped": self.traces(false)},
            "spans": {"acknowledged": acknowledged, "kept": kept, "delivered": delivered},
            "canaries": {"planted": found.planted, "crossed": found.crossed},
        });
        object.to_string()
    }
}

fn items(scrape: &Scrape, consumer: &str, signal: Signal, outcome: &str) -> u64 {
    scrape.sum(ITEMS, &[("consumer", consumer), ("signal", signal.as_str()), ("outcome", outcome)])
}

fn accepted(scrape: &Scrape) -> u64 {
    scrape.sum(RECEIVED, &[("signal", Signal::Traces.as_str()), ("outcome", "accepted")])
}

/// Spans in a gateway's log that its own backend has not been offered yet.
fn waiting_at_gateway(scrape: &Scrape) -> u64 {
    accepted(scrape).abs_diff(items(scrape, "backend/embedded", Signal::Traces, "offered"))
}

fn between_offer_and_outcome(scrape: &Scrape) -> u64 {
    let of = |outcome| scrape.sum(ITEMS, &[("outcome", outcome)]);
    of("offered").abs_diff(OUTCOMES.into_iter().map(of).sum())
}

/// A row for each signal that the link was offered anything of, and always one for traces.
fn link_tallies(scrapes: &[Scrape], link: &LinkName) -> Vec<LinkTally> {
    let from: Vec<&Scrape> = scrapes.iter().filter(|scrape| scrape.node.region().as_str() == link.from).collect();
    let row = |signal| {
        let of = |outcome| from.iter().map(|scrape| items(scrape, &link.consumer, signal, outcome)).sum::<u64>();
        let (offered, crossed, withheld) = (of("offered"), of("sent"), of("withheld"));
        LinkTally { link: link.clone(), signal, offered, crossed, withheld }
    };
    let rows = Signal::ALL.map(row).into_iter();
    rows.filter(|row| row.offered > 0 || row.signal == Signal::Traces).collect()
}

fn values(scrapes: &[Scrape]) -> BTreeMap<(String, String), u64> {
    sums(scrapes, SEALED, |labels| Some((labels.get("class")?.clone(), labels.get("form")?.clone())))
}

fn verdicts(scrapes: &[Scrape]) -> BTreeMap<(bool, String), u64> {
    sums(scrapes, VERDICTS, |labels| Some((labels.get("sampled")? == "true", labels.get("policy")?.clone())))
}

fn sums<K: Ord>(
    scrapes: &[Scrape],
    name: &str,
    key: impl Fn(&BTreeMap<String, String>) -> Option<K>,
) -> BTreeMap<K, u64> {
    let mut sums = BTreeMap::new();
    let samples = scrapes.iter().flat_map(|scrape| &scrape.samples).filter(|sample| sample.name == name);
    for sample in samples {
        if let Some(key) = key(&sample.labels) {
            *sums.entry(key).or_default() += sample.value;
        }
    }
    sums
}
