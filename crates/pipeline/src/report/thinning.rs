//! What collectors and links leave out before any tail, and where what is left cannot say so.

use std::fmt;

use tollgate_federation::{Cluster, Link, Origin, Signal, Thinning};
use tollgate_residency::{Carrier, Form};
use tollgate_sampling::{Consistency, PolicySet};

use super::{Report, joined};

pub(super) fn write_cluster(f: &mut fmt::Formatter<'_>, cluster: &Cluster) -> fmt::Result {
    cluster.thinning().map_or(Ok(()), |thinning| writeln!(f, "    traces {}", Described(thinning)))
}

impl Report<'_> {
    pub(super) fn write_thinning(&self, f: &mut fmt::Formatter<'_>, link: &Link) -> fmt::Result {
        if let Some(thinning) = link.thinning() {
            writeln!(f, "    traces {}", Described(thinning))?;
        }
        let mut clusters = self.documents.federation().clusters(link.from().as_str());
        if link.thinning().is_none() && clusters.all(|cluster| cluster.thinning().is_none()) {
            return Ok(());
        }
        let origins = self.documents.federation().origins_over(link.id());
        let silent: Vec<&Origin> = origins.iter().filter(|origin| self.withholds_thresholds(link, origin)).collect();
        if silent.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "    warning: span.trace_state of {} does not cross: what is left does not say by which threshold (`ot=th`), and \
             whoever counts it takes each span for one",
            joined(silent)
        )
    }

    /// What is thinned says so, and whoever samples it by hash drops more of it without a word.
    pub(super) fn write_thresholds_untold(&self, f: &mut fmt::Formatter<'_>, policies: &PolicySet) -> fmt::Result {
        let federation = self.documents.federation();
        let mut clusters = federation.regions().flat_map(|region| region.clusters().values());
        let is_thinned = clusters.any(|cluster| cluster.thinning().is_some())
            || federation.links().iter().any(|link| link.thinning().is_some());
        if !is_thinned || policies.own().sampling == Consistency::TraceState {
            return Ok(());
        }
        writeln!(
            f,
            "  warning: what is kept of thinned traces goes on saying the share of the thinning alone (`ot=th`), so that counts by \
             it are too low; with `use_tracestate: true` it says the share of both"
        )
    }

    fn withholds_thresholds(&self, link: &Link, origin: &Origin) -> bool {
        let (federation, policy) = (self.documents.federation(), &self.documents.policy);
        let crosses =
            link.signals().contains(Signal::Traces) && federation.lets_over(link.id(), Signal::Traces, origin);
        let table = policy.table(federation, link.id(), Signal::Traces, origin, self.today);
        // What is closed carries no span that could miss its threshold.
        crosses
            && table
                .is_ok_and(|table| matches!(table.carrier(Carrier::SpanTraceState), Form::Absent | Form::Aggregated))
    }
}

struct Described(Thinning);

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Thinning { percentage, spans_per_second, bytes_per_second } = self.0;
        let share = percentage.map(|percentage| format!("{percentage} % of all traces"));
        let spans = spans_per_second.map(|rate| format!("at most {rate} spans a second at a node"));
        let bytes = bytes_per_second.map(|rate| format!("at most {rate} a second at a node"));
        write!(f, "thinned to {}; the rest is dropped", joined(share.into_iter().chain(spans).chain(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use tollgate_runtime::Timestamp;

    use super::*;
    use crate::rig;

    /// The lines about thinning in the report on the example, with its first link and its first cluster changed.
    fn lines(link: &str, cluster: &str, policy: &str) -> Vec<String> {
        let (_dir, documents) = rig::edited(|name, text| match name {
            "regions/federation.yaml" => {
                text.replacen("instruments: {EEA: dpf}", &format!("{link}instruments: {{EEA: dpf}}"), 1)
            }
            "regions/eu-west.yaml" => text.replacen("    stamp:", &format!("{cluster}    stamp:"), 1),
            "policies/residency.yaml" => text.replacen("rules:\n", &format!("rules:\n{policy}"), 1),
            _ => text,
        });
        let report = Report::new(&documents, None, 1 << 20, Timestamp::from_nanos(1_796_126_400_000_000_000));
        let is_ours = |line: &&str| line.contains("thinned to") || line.contains("threshold");
        report.to_string().lines().filter(is_ours).map(str::to_owned).collect()
    }

    const STRIPPED: &str =
        "  - {id: silent, origin: EEA, reaching: US, signal: traces, require: {strip: [span.trace_state]}}\n";

    #[test]
    fn what_is_thinned_stands_by_its_cluster_and_its_link() {
        let link = "thin: {sampling_percentage: 12.5}, ";
        let cluster = "    thin: {spans_per_second: 500, bytes_per_second: 2MiB}\n";
        let of_link = "    traces thinned to 12.5 % of all traces; the rest is dropped";
        let of_cluster = "    traces thinned to at most 500 spans a second at a node, at most 2MiB a second at a node; the rest is dropped";
        assert_eq!(lines(link, cluster, ""), [of_cluster, of_link]);
        assert!(lines("", "", STRIPPED).is_empty());
    }

    /// Guarantees: a table that withholds trace states takes the threshold from what is thinned before, and that is said.
    #[test]
    fn a_link_over_which_no_threshold_comes_is_a_warning() {
        let cluster = "    thin: {sampling_percentage: 10}\n";
        for (link, cluster) in [("thin: {sampling_percentage: 10}, ", ""), ("", cluster)] {
            let lines = lines(link, cluster, STRIPPED);
            assert!(lines[1].starts_with("    warning: span.trace_state of EEA does not cross"), "{lines:?}");
        }
    }

    /// Guarantees: where a tail by hash follows the thinning, it is said that kept spans do not tell of it.
    #[test]
    fn a_tail_that_writes_no_threshold_behind_thinning_is_a_warning() {
        let warned = |cluster: &str, own: &str| {
            let (_dir, documents) = rig::edited(|name, text| match name {
                "regions/eu-west.yaml" => text.replacen("    stamp:", &format!("{cluster}    stamp:"), 1),
                "policies/sampling.yaml" => format!("{text}{own}"),
                _ => text,
            });
            let report = Report::new(&documents, None, 1 << 20, Timestamp::from_nanos(1_796_126_400_000_000_000));
            report.to_string().contains("with `use_tracestate: true` it says the share of both")
        };
        let thin = "    thin: {sampling_percentage: 10}\n";
        assert!(warned(thin, "") && !warned("", "") && !warned(thin, "\nuse_tracestate: true\n"));
    }
}
