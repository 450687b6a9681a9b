//! Sends the generated checkouts to the collectors, and counts what they acknowledged.

use std::collections::BTreeMap;
use std::time::Duration;

use tollgate_federation::{Role, Signal};
use tollgate_runtime::Clock;
use tollgate_scenario::canary::Canary;
use tollgate_scenario::scaffold::Scaffold;
use tollgate_scenario::traffic::Traffic;

use super::federation::Federation;
use super::planted::Planted;
use super::tally::{LinkName, Sent, Tally};
use crate::commands::http::Client;
use crate::exit::Exit;

/// Checkouts in one turn, and turns in a second: enough to fill every link, little enough for two cores.
const CHECKOUTS: usize = 10;
const TURN: Duration = Duration::from_millis(100);

/// The traffic of the demo.
pub(super) struct Load {
    traffic: Traffic,
    clock: Clock,
    next: Duration,
    collectors: BTreeMap<String, Client>,
    sent: Sent,
    planted: Planted,
    links: Vec<LinkName>,
}

impl Load {
    pub(super) fn new(scaffold: &Scaffold, clock: Clock) -> Result<Self, Exit> {
        let traffic = Traffic::new(clock.now().nanos());
        let collectors = scaffold.processes.iter().filter(|process| process.node.role() == Role::Collector);
        let clients = collectors
            .filter_map(|process| Some((process.node.cluster()?.to_owned(), Client::new(process.otlp_http()?))))
            .collect();
        let links = scaffold.federation.links().iter();
        let links = links.map(|link| LinkName {
            from: link.from().to_string(),
            to: link.to().region().to_string(),
            consumer: format!("link/{}", link.to()),
        });
        Ok(Self {
            sent: Sent::default(),
            planted: Planted::new(traffic.canaries())?,
            traffic,
            next: clock.uptime(),
            clock,
            collectors: clients,
            links: links.collect(),
        })
    }

    /// One turn of traffic, at its time.
    pub(super) fn send(&mut self, federation: &Federation) -> Result<(), Exit> {
        std::thread::sleep(self.next.saturating_sub(self.clock.uptime()));
        self.next = self.clock.uptime() + TURN;
        for request in self.traffic.batch(self.clock.now(), CHECKOUTS).requests {
            federation.still_runs()?;
            let Some(client) = self.collectors.get_mut(request.cluster) else { continue };
            self.planted.note(&request.bytes);
            match client.export(request.signal, &request.bytes) {
                Ok(200) if request.signal == Signal::Traces => self.sent.acknowledged += request.items as u64,
                Ok(200) => {}
                Ok(status) => self.sent.refuse(request.cluster, &format!("status {status}")),
                Err(fault) => self.sent.refuse(request.cluster, &fault.to_string()),
            }
        }
        Ok(())
    }

    /// The values that must not leave their regions, of those that were sent.
    pub(super) fn planted(&self) -> Vec<Canary> {
        self.planted.values()
    }

    /// What the processes have counted so far.
    pub(super) fn tally(&self, federation: &Federation) -> Result<Tally, Exit> {
        Ok(Tally::new(&federation.scrape()?, &self.links, self.sent.clone()))
    }
}
