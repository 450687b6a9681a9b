//! What the sampling policies take of memory and disk, what of them means another thing here than for the Collector, and what
//! they look for that a link does not let through.

use std::collections::BTreeSet;
use std::fmt;

use tollgate_config::ByteSize;
use tollgate_federation::{Link, Origin, PlaceId, Role, Signal};
use tollgate_residency::{Carrier, Form, Holds, Resource, Table};
use tollgate_sampling::{Ask, PolicySet};

use super::{Report, joined};

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
        let federation = self.documents.federation();
        let Ok(policies) = self.documents.sampling() else { return Ok(()) };
        if !federation.regions().any(|region| region.central().is_some()) {
            return Ok(());
        }
        let wait = policies.bounds().decision_wait;
        writeln!(f, "\nsampling at each central node: a trace is judged {wait:?} after its first span arrived")?;
        self.write_sizes(f, &policies)?;
        policies.notes().iter().try_for_each(|note| writeln!(f, "  note: {}: {}", note.at, note.text))?;
        policies.asks().iter().try_for_each(|ask| self.write_withheld(f, ask))
    }

    fn write_sizes(&self, f: &mut fmt::Formatter<'_>, policies: &PolicySet) -> fmt::Result {
        let bounds = policies.bounds();
        let (pending, remembered) = policies.bytes_per_trace();
        let (traces, verdicts) = (bounds.num_traces as u64, bounds.remembered as u64);
        let (pending, remembered) = (mebibytes(traces, pending), mebibytes(verdicts, remembered));
        writeln!(f, "  memory: {pending} MiB for {traces} pending traces, {remembered} MiB for {verdicts} verdicts")?;
        let wait = u64::try_from(bounds.decision_wait.as_millis()).unwrap_or(u64::MAX);
        let waits = mebibytes(self.rate, wait.saturating_mul(12) / 10_000);
        writeln!(f, "  disk: {waits} MiB of spans wait if {} a second arrive", ByteSize(self.rate))?;
        let (expected, needed) = (bounds.expected_new_traces_per_sec, bounds.needed_traces());
        match expected {
            0 => {
                let bearable = u128::from(traces) * 10_000 / (12 * u128::from(wait.max(1)));
                writeln!(f, "  num_traces is enough for {bearable} new traces a second, with a fifth to spare")
            }
            _ if needed <= traces => {
                writeln!(f, "  {needed} traces are pending at {expected} new ones a second, with a fifth to spare")
            }
            _ => writeln!(
                f,
                "  warning: num_traces is too small: at {expected} new traces a second {needed} are pending, with a fifth to \
                 spare; above {traces} the oldest are judged early by what has arrived"
            ),
        }
    }

    fn write_withheld(&self, f: &mut fmt::Formatter<'_>, ask: &Ask) -> fmt::Result {
        let federation = self.documents.federation();
        let to_central = |link: &&Link| matches!(link.to(), PlaceId::Tier(tier) if tier.role() == Role::Central);
        for link in federation.links().iter().filter(to_central) {
            let origins = federation.origins_over(link.id());
            let answers: Vec<(&Origin, Arrives)> =
                origins.iter().filter_map(|origin| Some((origin, self.arrives(link, origin, ask)?))).collect();
            let lacking: BTreeSet<Arrives> =
                answers.iter().map(|(_, how)| *how).filter(|how| *how != Arrives::AsItIs).collect();
            for how in lacking {
                let of = joined(answers.iter().filter(|(_, answer)| *answer == how).map(|(origin, _)| origin));
                writeln!(f, "  warning: {}: {} {how} over {link} of {of}", ask.at, what(ask))?;
            }
        }
        Ok(())
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
                "  memory: 1 MiB for 1000 pending traces, 1 MiB for 10000 verdicts",
                "  disk: 12 MiB of spans wait if 1MiB a second arrive",
                "  num_traces is enough for 83 new traces a second, with a fifth to spare",
            ]
        );
        let enough = section(&block("  expected_new_traces_per_sec: 83\n", ALL));
        assert_eq!(enough[2], "  996 traces are pending at 83 new ones a second, with a fifth to spare");
        let few = section(&block("  expected_new_traces_per_sec: 500\n", ALL));
        assert!(few[2].starts_with("  warning: num_traces is too small: at 500 new traces a second 6000 are pending"));
    }

    #[test]
    fn what_means_another_thing_here_is_noted_with_its_line() {
        let noted = section(&block("  num_shards: 4\n", ALL));
        let line = "  note: policies/sampling.yaml:4:15: tail_sampling.num_shards: one table holds all traces";
        assert!(noted[3].starts_with(line), "{noted:?}");
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
