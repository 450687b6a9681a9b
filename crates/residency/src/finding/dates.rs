//! Instruments and accepted risks that have ended or end soon.

use time::Duration;

use super::{Finding, Kind, Look};
use crate::risk::Risk;

/// How many days ahead a lawyer wants to know.
const SOON: i64 = 60;

impl Look<'_> {
    pub(super) fn dates(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let soon = self.today.saturating_add(Duration::days(SOON));
        for (name, instrument) in self.policy.residency.instruments.iter() {
            let (last, at) = (instrument.last, Some(&instrument.at));
            if last.day() < self.today {
                found.push(Finding::new(Kind::ExpiredInstrument, at, format_args!("instrument {name} was {last}")));
            } else if last.day() <= soon {
                found.push(Finding::new(Kind::ExpiringInstrument, at, format_args!("instrument {name} is {last}")));
            }
        }
        let transforms = self.policy.residency.transforms.list.iter();
        let of_transforms = transforms.filter_map(|one| Some((format!("transform {}", one.name), one.risk.as_ref()?)));
        let rules = self.policy.residency.rules.iter();
        let of_rules = rules.filter_map(|one| Some((format!("rule {}", one.id), one.risk.as_ref()?)));
        for (what, risk) in of_transforms.chain(of_rules) {
            found.extend(self.risk(&what, risk, soon));
        }
        found
    }

    fn risk(&self, what: &str, risk: &Risk, soon: time::Date) -> Option<Finding> {
        let id = &risk.id;
        let (Some(owner), Some(last)) = (&risk.owner, risk.expires) else {
            let message = format!(
                "{what} rests on {id}, which has no owner and no last day: write `{{id: {id}, owner: ..., expires: ...}}`"
            );
            return Some(Finding::new(Kind::UnownedRisk, Some(&risk.at), message));
        };
        if last < self.today {
            let message = format!("{what} rests on {id} ({owner}), which was accepted until {last}");
            return Some(Finding::new(Kind::ExpiredRisk, Some(&risk.at), message));
        }
        let message = format!("{what} rests on {id} ({owner}), which is accepted until {last}");
        (last <= soon).then(|| Finding::new(Kind::ExpiringRisk, Some(&risk.at), message))
    }
}
