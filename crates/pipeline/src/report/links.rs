//! By what each link is open today, until when, and why it is closed where it is.

use std::fmt;

use time::Date;
use tollgate_federation::{Link, Origin, Regime, Signal};
use tollgate_residency::{Closed, LastDay, Standing, Term};

use super::{Report, joined};

impl Report<'_> {
    pub(super) fn write_links(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let federation = self.documents.federation();
        writeln!(f, "\nlinks on {} (UTC): nothing leaves its region another way", self.today)?;
        for link in federation.links() {
            writeln!(f, "  {link} ({}, {})", link.regime(), link.entity())?;
            self.write_thinning(f, link)?;
            for origin in federation.origins_over(link.id()) {
                let mut lines = origin.regimes().iter().flat_map(|regime| self.lines(link, origin, regime));
                let first = lines.next().unwrap_or_default();
                writeln!(f, "    {:<5} {first}", origin.to_string())?;
                lines.try_for_each(|line| writeln!(f, "    {:<5} {line}", ""))?;
            }
        }
        if federation.links().is_empty() {
            writeln!(f, "  none")?;
        }
        Ok(())
    }

    /// Whether nothing at all may cross the link today.
    pub(super) fn is_closed(&self, link: &Link) -> bool {
        let origins = self.documents.federation().origins_over(link.id());
        origins.iter().all(|origin| self.crossings(link, origin).all(|(_, crossing)| crossing.is_err()))
    }

    /// What the policy says today of each signal that can come over the link from there.
    fn crossings<'r>(
        &'r self,
        link: &'r Link,
        origin: &'r Origin,
    ) -> impl Iterator<Item = (Signal, Result<(), Closed>)> {
        let (federation, policy) = (self.documents.federation(), &self.documents.policy);
        let comes = move |signal: &Signal| federation.lets_over(link.id(), *signal, origin);
        link.signals().iter().filter(comes).map(move |signal| {
            let tables = policy.tables(federation, link.id(), signal, origin, self.today);
            (signal, tables.map(drop))
        })
    }

    fn lines(&self, link: &Link, origin: &Origin, regime: &Regime) -> Vec<String> {
        let standing = self.documents.policy.standing(link, regime);
        if let Some(standing) = standing.as_ref().filter(|standing| standing.in_force(self.today).is_none()) {
            return closed_by_date(standing, self.today);
        }
        let crossings: Vec<_> = self.crossings(link, origin).collect();
        let open: Vec<Signal> =
            crossings.iter().filter(|(_, crossing)| crossing.is_ok()).map(|(signal, _)| *signal).collect();
        let mut lines = Vec::new();
        if !open.is_empty() {
            let open = joined(open);
            lines.extend(match &standing {
                None => vec![format!("{open} open: the data stays in its regime")],
                Some(standing) => open_by(&open, standing, self.today),
            });
        }
        let closed = crossings.into_iter().filter_map(|(signal, crossing)| Some((signal, crossing.err()?)));
        lines.extend(closed.map(|(signal, why)| format!("{signal} CLOSED: {why}")));
        lines
    }
}

/// By what the link is open, what comes after it if nobody changes the documents, and what came before.
fn open_by(open: &str, standing: &Standing<'_>, today: Date) -> Vec<String> {
    let ended: Vec<String> = standing.ended(today).map(held).collect();
    let by = if ended.is_empty() { "by" } else { "by the fallback" };
    let now = standing.in_force(today).map(|term| format!("{open} open {by} {}", holds(term)));
    let later = standing.later(today).into_iter().map(|term| format!("then by {}", holds(term)));
    let mut lines: Vec<String> = now.into_iter().chain(later).collect();
    if let (Some(last), Some(day)) = (lines.last_mut(), standing.closed_from()) {
        last.push_str(&format!("; closed from {day}"));
    }
    lines.extend(ended);
    lines
}

fn closed_by_date(standing: &Standing<'_>, today: Date) -> Vec<String> {
    let since = standing.closed_from().map_or_else(String::new, |day| format!(" since {day}"));
    let closed = format!("CLOSED{since}: no instrument is in force");
    std::iter::once(closed).chain(standing.ended(today).map(held)).collect()
}

fn holds(term: Term<'_>) -> String {
    format!("{} ({}), {}", term.instrument, term.basis, term.last)
}

fn held(term: Term<'_>) -> String {
    let Term { instrument, basis, last } = term;
    match last {
        LastDay::Valid(day) => format!("{instrument} ({basis}) was valid until {day}"),
        LastDay::Review(day) => format!("{instrument} ({basis}) was to be reviewed by {day}"),
    }
}
