//! Services of two regions whose traces meet at central, under traffic: what restarts, kills and stalls are tried on.

use std::time::Duration;

use tollgate_testkit::wait_until;

use crate::delivered::Delivered;
use crate::fleet::{ERRORS, Fleet};
use crate::ledger::{Findings, Ledger, Traffic};

/// Where services of the two regions send to.
pub const COLLECTORS: [&str; 2] = ["eu-west-collector-eu-west-a-0", "us-east-collector-us-east-a-0"];
/// The gateways of the two regions, each with a backend of its own.
pub const GATEWAYS: [&str; 3] = ["eu-west-gateway-0", "eu-west-gateway-1", "us-east-gateway-0"];
/// The tier where the traces meet.
pub const CENTRAL: [&str; 2] = ["us-east-central-0", "us-east-central-1"];
/// Not one of the two, and not started by itself: one link of the EU leads there.
pub const UK: &str = "uk-south-gateway-0";

/// How long anything may take that must come true.
const LIMIT: Duration = Duration::from_secs(60);
/// A new trace in this time.
const EVERY: Duration = Duration::from_millis(40);

/// The two regions and central.
pub struct Meeting {
    /// The processes.
    pub fleet: Fleet,
}

impl Meeting {
    /// Starts all of them; a trace waits so many seconds for its verdict.
    #[track_caller]
    pub fn start(decision_wait: u64) -> Self {
        let mut fleet = Fleet::lay_out();
        // Each span of the ledger's traces knows its fate.
        fleet.sample_after(decision_wait, ERRORS);
        fleet.start(Self::names());
        Self { fleet }
    }

    /// All processes that run.
    pub fn names() -> impl Iterator<Item = &'static str> {
        COLLECTORS.into_iter().chain(GATEWAYS).chain(CENTRAL)
    }

    /// Starts traffic at both collectors.
    pub fn traffic(&self, seed: u64) -> Traffic {
        Traffic::start(&COLLECTORS.map(|collector| self.fleet.otlp(collector)), EVERY, seed)
    }

    /// Ends the traffic and stops the test unless every trace has arrived as it must.
    #[track_caller]
    pub fn end(&self, traffic: Traffic) -> Findings {
        let ledger = traffic.stop();
        let findings = ledger.check(&self.settle(&[&ledger]));
        eprintln!("{ledger}: {findings}");
        findings.assert_complete();
        findings
    }

    /// Waits until all that must arrive has arrived and nothing is on its way any more; says what central delivered.
    #[track_caller]
    pub fn settle(&self, ledgers: &[&Ledger]) -> Delivered {
        let fleet = &self.fleet;
        let outstanding = |at_central: &Delivered| ledgers.iter().any(|ledger| ledger.outstanding(at_central) > 0);
        wait_until(LIMIT, "all spans of kept traces arrive", || !outstanding(&fleet.exported(&CENTRAL)));
        let is_missing = |ledger: &&Ledger| !ledger.missing_anywhere(&fleet.exported(&GATEWAYS)).is_empty();
        wait_until(LIMIT, "the regions have everything", || !ledgers.iter().any(is_missing));
        // Nobody need run in the UK.
        let is_idle = |node| fleet.is_idle(node, "uk-south");
        wait_until(LIMIT, "nothing is on its way", || Self::names().all(is_idle));
        fleet.exported(&CENTRAL)
    }
}
