//! The numbers of the demo, from what its processes count.
//!
//! Not here: how they are shown (`report.rs`).

use std::collections::BTreeMap;

use tollgate_federation::{Role, Signal};

use super::metrics::Scrape;

const ACCEPTED_SPANS: &str = "otelcol_receiver_accepted_spans_total";
const ITEMS: &str = "tollgate_consumer_items_total";
const SEALED: &str = "tollgate_sealed_values_total";
const VERDICTS: &str = "tollgate_sampling_verdicts_total";
const PENDING: &str = "otelcol_processor_tail_sampling_sampling_traces_on_memory";
const KEPT: &str = "tollgate_sampling_spans_kept_total";
const DROPPED: &str = "tollgate_sampling_spans_dropped_total";
/// What can become of an offered item for good, but for its being sent or refused by its destination.
const OUTCOMES: [&str; 3] = ["withheld", "dropped", "rejected"];

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
    /// Who did not take the first of them, and why.
    pub(super) first_refusal: Option<String>,
}

impl Sent {
    pub(super) fn refuse(&mut self, cluster: &str, why: &str) {
        self.refused += 1;
        self.first_refusal.get_or_insert_with(|| format!("{cluster}: {why}"));
    }
}

/// What became of one signal's items at a link.
pub(super) struct LinkTally {
    pub(super) link: LinkName,
    pub(super) signal: Signal,
    pub(super) offered: u64,
    pub(super) crossed: u64,
    pub(super) withheld: u64,
}

/// The numbers of the whole federation.
pub(super) struct Tally {
    pub(super) links: Vec<LinkTally>,
    /// Values by class and form, over all links.
    pub(super) values: BTreeMap<(String, String), u64>,
    /// Traces by whether they were kept, and why.
    pub(super) verdicts: BTreeMap<(bool, String), u64>,
    /// Spans of kept traces.
    pub(super) kept: u64,
    /// Spans that central's backends took.
    pub(super) delivered: u64,
    /// Spans, and at links items of every signal, that have not come to their end.
    pub(super) under_way: u64,
    pub(super) sent: Sent,
}

impl Tally {
    pub(super) fn new(scrapes: &[Scrape], links: &[LinkName], sent: Sent) -> Self {
        let of = |role: Role| scrapes.iter().filter(move |scrape| scrape.node.role() == role);
        let central = |name: &str| of(Role::Central).map(|scrape| scrape.sum(name, &[])).sum::<u64>();
        let delivered = of(Role::Central).map(|scrape| acknowledged(scrape, "backend/embedded", Signal::Traces)).sum();
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

    /// How many traces were kept, or dropped.
    pub(super) fn traces(&self, kept: bool) -> u64 {
        self.reasons(kept).map(|(_, count)| count).sum()
    }

    /// Why traces were kept, or dropped, and how many for each reason.
    pub(super) fn reasons(&self, kept: bool) -> impl Iterator<Item = (&str, u64)> {
        let of_kind = self.verdicts.iter().filter(move |((keep, _), _)| *keep == kept);
        of_kind.map(|((_, reason), count)| (reason.as_str(), *count))
    }
}

fn items(scrape: &Scrape, consumer: &str, signal: Signal, outcome: &str) -> u64 {
    scrape.sum(ITEMS, &[("consumer", consumer), ("signal", signal.as_str()), ("outcome", outcome)])
}

fn acknowledged(scrape: &Scrape, exporter: &str, signal: Signal) -> u64 {
    scrape.sum(exported(signal).0, &[("exporter", exporter)])
}

/// The names under which a signal's items are counted that were sent, and those that were refused for good.
const fn exported(signal: Signal) -> (&'static str, &'static str) {
    match signal {
        Signal::Traces => ("otelcol_exporter_sent_spans_total", "otelcol_exporter_send_failed_spans_total"),
        Signal::Metrics => ("tollgate_exporter_sent_metrics_total", "tollgate_exporter_send_failed_metrics_total"),
        Signal::Logs => ("otelcol_exporter_sent_log_records_total", "otelcol_exporter_send_failed_log_records_total"),
    }
}

fn accepted(scrape: &Scrape) -> u64 {
    scrape.sum(ACCEPTED_SPANS, &[])
}

/// Spans in a gateway's log that its own backend has not been offered yet.
fn waiting_at_gateway(scrape: &Scrape) -> u64 {
    accepted(scrape).abs_diff(items(scrape, "backend/embedded", Signal::Traces, "offered"))
}

fn between_offer_and_outcome(scrape: &Scrape) -> u64 {
    let of = |outcome| scrape.sum(ITEMS, &[("outcome", outcome)]);
    let exported = Signal::ALL.map(exported).into_iter().flat_map(|(sent, failed)| [sent, failed]);
    let gone: u64 = exported.map(|name| scrape.sum(name, &[])).sum();
    of("offered").abs_diff(gone + OUTCOMES.into_iter().map(of).sum::<u64>())
}

/// A row for each signal that the link was offered anything of, and always one for traces.
fn link_tallies(scrapes: &[Scrape], link: &LinkName) -> Vec<LinkTally> {
    let from: Vec<&Scrape> = scrapes.iter().filter(|scrape| scrape.node.region().as_str() == link.from).collect();
    let row = |signal| {
        let of = |outcome| from.iter().map(|scrape| items(scrape, &link.consumer, signal, outcome)).sum::<u64>();
        let crossed = from.iter().map(|scrape| acknowledged(scrape, &link.consumer, signal)).sum::<u64>();
        let (offered, withheld) = (of("offered"), of("withheld"));
        LinkTally { link: link.clone(), signal, offered, crossed, withheld }
    };
    let rows = Signal::ALL.map(row).into_iter();
    rows.filter(|row| row.offered > 0 || row.signal == Signal::Traces).collect()
}

fn values(scrapes: &[Scrape]) -> BTreeMap<(String, String), u64> {
    sums(scrapes, SEALED, |labels| Some((labels.get("class")?.clone(), labels.get("form")?.clone())))
}

fn verdicts(scrapes: &[Scrape]) -> BTreeMap<(bool, String), u64> {
    sums(scrapes, VERDICTS, |labels| Some((labels.get("sampled")? == "true", labels.get("reason")?.clone())))
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
