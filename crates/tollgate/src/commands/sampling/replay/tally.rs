//! What a policy made of a recording, by reason, on standard error.

use std::collections::BTreeMap;

use tollgate_sampling::Decision;

use crate::plain;

/// Counts of a replay.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Traces and spans.
    by_reason: BTreeMap<(Kept, String), (u64, u64)>,
    /// Spans that the walk left out.
    pub(super) rejected: u64,
    /// Messages that are no requests.
    pub(super) unreadable: u64,
}

/// Kept first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kept {
    Yes,
    No,
}

impl Tally {
    pub(super) fn add(&mut self, decision: Decision, reason: &str, spans: u32) {
        let kept = if decision == Decision::Keep { Kept::Yes } else { Kept::No };
        let (all, all_spans) = self.by_reason.entry((kept, reason.to_owned())).or_default();
        *all += 1;
        *all_spans += u64::from(spans);
    }

    /// Whether everything could be read.
    pub(super) fn is_whole(&self) -> bool {
        self.unreadable == 0 && self.rejected == 0
    }

    #[expect(clippy::print_stderr, reason = "standard output is the verdicts")]
    pub(super) fn say(&self) {
        eprint!("{}", self.text());
    }

    fn text(&self) -> String {
        let sum = |of: &dyn Fn(Kept) -> bool| {
            let those = self.by_reason.iter().filter(|((kept, _), _)| of(*kept));
            those.fold((0, 0), |(traces, spans), (_, (more, more_spans))| (traces + more, spans + more_spans))
        };
        let ((kept, kept_spans), (all, all_spans)) = (sum(&|kept| kept == Kept::Yes), sum(&|_| true));
        let mut text = format!("kept {kept} of {all} traces, {kept_spans} of {all_spans} spans\n");
        let width = self.by_reason.keys().map(|(_, reason)| plain::word(reason).chars().count()).max().unwrap_or(0);
        for ((kept, reason), (traces, spans)) in &self.by_reason {
            let reason = plain::word(reason);
            let verdict = if *kept == Kept::Yes { "keep" } else { "drop" };
            text.push_str(&format!("  {verdict}  {reason:<width$}  {traces} traces, {spans} spans\n"));
        }
        for (count, what) in [(self.rejected, "spans cannot be read"), (self.unreadable, "messages cannot be read")] {
            if count > 0 {
                text.push_str(&format!("  {count} {what}\n"));
            }
        }
        text
    }
}
