//! Starts every consumer of a node's logs, tail sampling included.

use std::sync::Arc;

use tollgate_federation::Signal;
use tollgate_sampling::Sampler;

use crate::hold::correlation::Correlation;
use crate::hold::kept::{JOURNAL, KeptLog};
use crate::hold::renewal::Following;
use crate::hold::{Beside, Hold};
use crate::node::Node;
use crate::node::launch::{LaunchError, launch};
use crate::node::logs::Logs;
use crate::node::run::{RunError, random};
use crate::node::ways::{self, Consumption, Log, Way};

/// Starts the consumers of all logs.
pub(crate) async fn start(node: &Arc<Node>, logs: &Logs) -> Result<(), RunError> {
    for (number, consumption) in (0_u64..).zip(ways::ways(&node.federation, &node.me)) {
        let signal = match consumption.log {
            Log::Received(signal) => signal,
            Log::Kept => Signal::Traces,
        };
        let missing = || LaunchError::NoConsumer { signal, name: consumption.name.clone() };
        let log = logs.of(consumption.log).and_then(|log| log.consumer(&consumption.name)).ok_or_else(missing)?;
        match &consumption.way {
            Way::Sampler => sample(node, logs, log, &consumption).await?,
            Way::Out(out) => launch(node, log, signal, &consumption.name, out, number)?,
        }
    }
    Ok(())
}

async fn sample(
    node: &Arc<Node>,
    logs: &Logs,
    received: tollgate_spool::Consumer,
    consumption: &Consumption,
) -> Result<(), RunError> {
    let missing = |name: &str| LaunchError::NoConsumer { signal: Signal::Traces, name: name.to_owned() };
    let kept = logs.kept.clone().ok_or_else(|| missing(&consumption.name))?;
    let journal = kept.consumer(JOURNAL).ok_or_else(|| missing(JOURNAL))?;
    let attendance = node.attendance.clone().ok_or_else(|| missing(&consumption.name))?;
    let policies = node.documents.sampling()?;
    let longest_wait = policies.bounds().decision_wait_max;
    let sampler = Sampler::new(policies, random()?);
    let kept = KeptLog::new(kept, journal, node.clock.clone(), &node.me.to_string(), longest_wait);
    let (clock, counters, history) = (node.clock.clone(), Arc::clone(&node.counters), node.history.clone());
    let correlation = node
        .breaks
        .clone()
        .map(|breaks| Correlation::new(breaks, node.reloader.follow(), &node.me, &sampler, clock.clone()));
    let beside = Beside { attendance, history, correlation, clock, counters };
    let hold = Hold::open(received, kept, sampler, beside).await?;
    let following = Following::new(node.reloader.follow(), Arc::clone(&node.documents));
    node.tasks.spawn_on(node.workers.pick(), "sampler", hold.run(following, node.shutdown.clone()));
    Ok(())
}
