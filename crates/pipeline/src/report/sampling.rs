//! What the sampling policies take of memory and disk, what of them means another thing here than for the Collector, and what
//! they look for that a link does not let through.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use tollgate_config::{At, ByteSize};
use tollgate_federation::{Link, Origin, PlaceId, Region, Role, Signal, Traces};
use tollgate_residency::{Carrier, Finding, Form, Holds, Kind, Resource, Severity, Table};
use tollgate_sampling::{Ask, Bounds, Note, PolicySet};

use super::{Report, joined};
use crate::documents::SAMPLING;
use crate::hold::history;

/// How much of what a policy reads a link lets through; the order is that of how useful it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Arrives {
    Not,
    /// In which form only.
    Changed(&'static str),
    AsItIs,
}

/// The member of a trace state that can cross.
const OPENTELEMETRY: &str = "ot";

impl Report<'_> {
    pub(super) fn write_sampling(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(policies) = self.sampled_by() else { return Ok(()) };
        let wait = policies.bounds().decision_wait;
        let nodes = self.sampling_nodes().join(" and ");
        writeln!(f, "\nsampling at {nodes}: a trace is judged {wait:?} after its first span arrived")?;
        self.write_sizes(f, &policies)?;
        self.write_thresholds_untold(f, &policies)?;
        self.sampling().iter().try_for_each(|finding| {
            let level = if finding.kind.severity() == Severity::Note { "note" } else { "warning" };
            let at = finding.at.iter().map(|at| format!("{at}: ")).collect::<String>();
            writeln!(f, "  {level}: {at}{}", finding.message)
        })
    }

    /// What of the sampling policy deserves a look.
    pub fn sampling(&self) -> Vec<Finding> {
        let Some(policies) = self.sampled_by() else { return Vec::new() };
        let mut findings: Vec<Finding> = room(policies.bounds()).into_iter().collect();
        let note = |note: &Note| finding(Kind::SamplingOtherwise, &note.at, note.text.clone());
        findings.extend(policies.notes().iter().map(note));
        findings.extend(policies.asks().iter().flat_map(|ask| self.withheld(ask)));
        findings
    }

    /// The policies, if somebody samples by them.
    fn sampled_by(&self) -> Option<PolicySet> {
        self.documents.sampling().ok().filter(|_| !self.sampling_nodes().is_empty())
    }

    /// Whose nodes sample, each with a table of its own.
    fn sampling_nodes(&self) -> Vec<String> {
        let federation = self.documents.federation();
        let has_central = federation.regions().any(|region| region.central().is_some());
        let asks =
            |region: &&Region| region.gateway().backends().iter().any(|backend| backend.traces() == Traces::Kept);
        let gateways = federation.regions().filter(asks).map(|region| format!("each gateway of {}", region.name()));
        has_central.then(|| "each central node".to_owned()).into_iter().chain(gateways).collect()
    }

    fn write_sizes(&self, f: &mut fmt::Formatter<'_>, policies: &PolicySet) -> fmt::Result {
        let (bounds, (pending, remembered)) = (policies.bounds(), policies.bytes_per_trace());
        let (traces, verdicts) = (bounds.num_traces as u64, bounds.remembered as u64);
        let (pending, remembered) = (mebibytes(traces, pending), mebibytes(verdicts, remembered));
        let history = mebibytes(1, history::bytes(policies.own().history));
        writeln!(
            f,
            "  memory: {pending} MiB for {traces} pending traces, {remembered} MiB for {verdicts} verdicts, {history} MiB for the history"
        )?;
        let [wait, longest] = [bounds.decision_wait, bounds.decision_wait_max].map(millis);
        let [waits, longest_waits] = [wait, longest].map(|wait| mebibytes(self.rate, wait.saturating_mul(12) / 10_000));
        let (rate, max) = (ByteSize(self.rate), bounds.decision_wait_max);
        writeln!(
            f,
            "  disk: {waits} MiB of spans wait if {rate} a second arrive, {longest_waits} MiB while a link lags by {max:?}"
        )?;
        if bounds.expected_new_traces_per_sec == 0 {
            let bearable = |wait: u64| u128::from(traces) * 10_000 / (12 * u128::from(wait.max(1)));
            let (usual, in_lag) = (bearable(wait), bearable(longest));
            return writeln!(
                f,
                "  num_traces is enough for {usual} new traces a second, {in_lag} while a link lags by {max:?}, with a fifth to \
                 spare"
            );
        }
        let (expected, needed) = (bounds.expected_new_traces_per_sec, bounds.needed_traces());
        let in_lag = bounds.needed_traces_in_lag();
        writeln!(
            f,
            "  {needed} traces are pending at {expected} new ones a second, {in_lag} while a link lags by {max:?}, with a fifth \
             to spare"
        )
    }

    fn withheld(&self, ask: &Ask) -> Vec<Finding> {
        let federation = self.documents.federation();
        let to_central = |link: &&Link| matches!(link.to(), PlaceId::Tier(tier) if tier.role() == Role::Central);
        let mut findings = Vec::new();
        for link in federation.links().iter().filter(to_central) {
            let origins = federation.origins_over(link.id());
            let answers: Vec<(&Origin, Arrives)> =
                origins.iter().filter_map(|origin| Some((origin, self.arrives(link, origin, ask)?))).collect();
            let lacking: BTreeSet<Arrives> =
                answers.iter().map(|(_, how)| *how).filter(|how| *how != Arrives::AsItIs).collect();
            for how in lacking {
                let of = joined(answers.iter().filter(|(_, answer)| *answer == how).map(|(origin, _)| origin));
                let message = format!("{} {how} over {link} of {of}", what(ask));
                findings.push(finding(Kind::SamplingWithheld, &ask.at, message));
            }
        }
        findings
    }

    /// What arrives over the link, if anything does.
    fn arrives(&self, link: &Link, origin: &Origin, ask: &Ask) -> Option<Arrives> {
        let (federation, policy) = (self.documents.federation(), &self.documents.policy);
        if !link.signals().contains(Signal::Traces) || !federation.lets_over(link.id(), Signal::Traces, origin) {
            return None;
        }
        let table = policy.table(federation, link.id(), Signal::Traces, origin, self.today).ok()?;
        let carriers = Carrier::ALL.iter().filter(|carrier| ask.carriers.contains(&carrier.as_str()));
        carriers.map(|carrier| arrives(&table, *carrier, ask.key.as_deref())).max()
    }
}

/// Whether `num_traces` is too small for the rate that is expected.
fn room(bounds: &Bounds) -> Option<Finding> {
    let (traces, expected) = (bounds.num_traces as u64, bounds.expected_new_traces_per_sec);
    let (needed, in_lag, max) = (bounds.needed_traces(), bounds.needed_traces_in_lag(), bounds.decision_wait_max);
    let (kind, message) = if needed > traces {
        let message = format!(
            "num_traces is too small: at {expected} new traces a second {needed} are pending, with a fifth to spare; above \
             {traces} the oldest are judged early by what has arrived"
        );
        (Kind::SamplingRoom, message)
    } else if in_lag > traces {
        let message = format!(
            "num_traces does not reach for decision_wait_max: at {expected} new traces a second {in_lag} are pending while a \
             link lags by {max:?}, with a fifth to spare; above {traces} the oldest are judged without what it has yet to bring"
        );
        (Kind::SamplingRoomInLag, message)
    } else {
        return None;
    };
    Some(finding(kind, &At::document(SAMPLING), message))
}

fn finding(kind: Kind, at: &At, message: String) -> Finding {
    Finding { kind, message, at: Some(at.clone()), path: Vec::new(), rules: Vec::new() }
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

fn arrives(table: &Table, carrier: Carrier, key: Option<&str>) -> Arrives {
    let form = match (carrier.holds(), key) {
        (Holds::Attributes, None) => return Arrives::Changed("arrives only as far as each attribute may cross"),
        (Holds::Attributes, Some(key)) => table.attribute(carrier, key.as_bytes(), Resource::Server).action.form(),
        _ => table.carrier(carrier),
    };
    match (form, carrier) {
        (Form::Absent | Form::Aggregated, _) => Arrives::Not,
        (_, Carrier::SpanTraceState) if key.is_some_and(|key| key != OPENTELEMETRY) => Arrives::Not,
        (_, Carrier::SpanName) => Arrives::Changed("arrives only if it is composed of what crosses, or listed"),
        (_, Carrier::EventName) => Arrives::Changed("arrives only if it is listed"),
        (Form::Keyed, _) => Arrives::Changed("arrives only as a pseudonym"),
        (Form::Generalised, _) => Arrives::Changed("arrives only with less precision"),
        (Form::Raw, _) => Arrives::AsItIs,
    }
}

impl fmt::Display for Arrives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Not => "does not arrive",
            Self::Changed(how) => how,
            Self::AsItIs => "arrives",
        })
    }
}

fn what(ask: &Ask) -> String {
    let carriers = ask.carriers.join(" or ");
    ask.key.as_ref().map_or_else(|| carriers.clone(), |key| format!("{key:?} of {carriers}"))
}

fn mebibytes(count: u64, bytes: u64) -> u64 {
    count.saturating_mul(bytes).div_ceil(1 << 20)
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;
    use time::macros::datetime;
    use tollgate_runtime::Timestamp;

    use super::*;
    use crate::rig;

    const NOW: OffsetDateTime = datetime!(2026-12-01 12:00 UTC);

    /// The section that a sampling policy gives in the example federation.
    fn section(sampling: &str) -> Vec<String> {
        let (_dir, documents) = rig::edited(|name, text| match name {
            "policies/sampling.yaml" => sampling.to_owned(),
            _ => text,
        });
        let now = Timestamp::from_nanos(u64::try_from(NOW.unix_timestamp_nanos()).unwrap());
        let report = Report::new(&documents, None, 1 << 20, now).to_string();
        let (_, section) = report.split_once("\nsampling").unwrap();
        section.lines().skip(1).take_while(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    fn block(top: &str, policies: &str) -> String {
        format!("tail_sampling:\n  decision_wait: 10s\n  num_traces: 1000\n{top}  policies: [{policies}]\n")
    }

    const ALL: &str = "{name: all, type: always_sample}";

    #[test]
    fn sizes_follow_from_the_bounds_and_the_rates() {
        assert_eq!(
            section(&block("", ALL)),
            [
                "  memory: 1 MiB for 1000 pending traces, 1 MiB for 10000 verdicts, 9 MiB for the history",
                "  disk: 12 MiB of spans wait if 1MiB a second arrive, 48 MiB while a link lags by 40s",
                "  num_traces is enough for 83 new traces a second, 20 while a link lags by 40s, with a fifth to spare",
            ]
        );
        let expecting = |rate: u64| section(&block(&format!("  expected_new_traces_per_sec: {rate}\n"), ALL));
        let sizes =
            "  996 traces are pending at 83 new ones a second, 3984 while a link lags by 40s, with a fifth to spare";
        assert_eq!(expecting(83)[2], sizes);
        let note = "  note: policies/sampling.yaml:1:1: num_traces does not reach for decision_wait_max: at 83 new traces a second 3984";
        assert!(expecting(83)[3].starts_with(note), "{:?}", expecting(83));
        assert_eq!(expecting(20).len(), 3, "it holds as long as anybody is waited for");
        let few = "  warning: policies/sampling.yaml:1:1: num_traces is too small: at 500 new traces a second 6000 are pending";
        assert!(expecting(500)[3].starts_with(few) && expecting(500).len() == 4, "{:?}", expecting(500));
    }

    #[test]
    fn what_means_another_thing_here_is_noted_with_its_line() {
        let noted = section(&block("  num_shards: 4\n", ALL));
        let line = "  note: policies/sampling.yaml:4:15: tail_sampling.num_shards: one table holds all traces";
        assert!(noted[3].starts_with(line), "{noted:?}");
    }

    /// Guarantees: gateways that sample are named, also where nobody else does.
    #[test]
    fn gateways_that_sample_are_named() {
        let sampled = "backends:\n  few: {otlp_grpc: few.example:4317, signals: [traces], sampled: true}\n";
        let (_dir, documents) = rig::edited(|name, text| match name {
            "regions/eu-west.yaml" | "regions/uk-south.yaml" => format!("{text}{sampled}"),
            _ => text,
        });
        let now = Timestamp::from_nanos(u64::try_from(NOW.unix_timestamp_nanos()).unwrap());
        let report = Report::new(&documents, None, 1 << 20, now).to_string();
        let line = "sampling at each central node and each gateway of eu-west and each gateway of uk-south: a trace";
        assert!(report.contains(line), "{report}");
    }

    /// Guarantees: a policy that can never match what comes over a link is told, by link and origin.
    #[test]
    fn what_a_link_withholds_from_a_policy_is_a_warning() {
        let string =
            |key: &str| format!("{{name: s, type: string_attribute, string_attribute: {{key: {key}, values: [v]}}}}");
        assert_eq!(section(&block("", &string("service.name"))).len(), 3, "it crosses");
        let email = section(&block("", &string("user.email")));
        let line = "  warning: policies/sampling.yaml:4:72: tail_sampling.policies[0].string_attribute.key: \
                    \"user.email\" of span.attributes or resource.attributes ";
        assert!(email[3].starts_with(line), "{email:?}");
        assert!(email.iter().any(|line| line.ends_with("over eu-west → us-east/central of EEA")), "{email:?}");
        let condition = |text: &str| format!("{{name: c, type: ottl_condition, ottl_condition: {{span: ['{text}']}}}}");
        for (text, said) in [
            ("status.message == \"\"", "span.status.message does not arrive over"),
            ("trace_state[\"a\"] == \"1\"", "\"a\" of span.trace_state does not arrive over"),
            ("name == \"a\"", "span.name arrives only if it is composed of what crosses, or listed over"),
        ] {
            let warned = section(&block("", &condition(text)));
            assert!(warned.len() > 3 && warned[3].contains(said), "{warned:?}");
        }
        assert_eq!(section(&block("", &condition("kind == SPAN_KIND_SERVER"))).len(), 3);
    }
}
