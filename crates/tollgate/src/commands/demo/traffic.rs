//! Sends the generated checkouts to the collectors, and counts what they acknowledged.

use std::collections::BTreeMap;
use std::time::Duration;

use tollgate_federation::{Role, Signal};
use tollgate_runtime::Clock;
use tollgate_scenario::scaffold::Scaffold;
use tollgate_scenario::traffic::Traffic;

use super::federation::Federation;
use super::metrics;
use super::post::Client;
use super::tally::{LinkName, Sent, Tally};
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
            sent: Sent { canaries: traffic.canaries(), ..Sent::default() },
            traffic,
            next: clock.uptime(),
            clock,
            collectors: clients,
            links: links.collect(),
        })
    }

    /// One turn of traffic, at its time.
    pub(super) fn send(&mut self) -> Result<(), Exit> {
        std::thread::sleep(self.next.saturating_sub(self.clock.uptime()));
        self.next = self.clock.uptime() + TURN;
        for request in self.traffic.batch(self.clock.now(), CHECKOUTS).requests {
            let Some(client) = self.collectors.get_mut(request.cluster) else { continue };
            let acknowledged = client.export(request.signal, &request.bytes).unwrap_or(false);
            if request.signal == Signal::Traces && acknowledged {
                self.sent.acknowledged += request.items as u64;
            }
            self.sent.refused += u64::from(!acknowledged);
        }
        Ok(())
    }

    /// What the processes have counted so far.
    pub(super) fn tally(&self, federation: &Federation) -> Result<Tally, Exit> {
        let scrapes = metrics::scrape(federation.processes()).map_err(Exit::failed)?;
        Ok(Tally::new(&scrapes, &self.links, self.sent.clone()))
    }
}
