//! What can be seen of the processes of a federation from outside: health, backlogs, metrics, memory.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde_json::Value;
use tollgate_testkit::{http, wait_until};

use crate::fleet::Fleet;

impl Fleet {
    /// Waits until nothing is on its way in the processes that run; the senders must have stopped.
    #[track_caller]
    pub fn wait_idle(&self, limit: Duration) {
        // They are planned in the order in which data flows: what one passed on, the next ones have.
        let running = self.running();
        wait_until(limit, "nothing is on its way", || running.iter().all(|name| self.is_idle(name, "")));
    }

    /// Whether a process says that it is ready.
    #[track_caller]
    pub fn is_ready(&self, name: &str) -> bool {
        http::get(self.admin(name), "/readyz").is_ok_and(|reply| reply.status == 200)
    }

    /// The most memory that a process which runs has had, in bytes.
    #[track_caller]
    pub fn peak_memory(&mut self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process(name).id())).unwrap_or_default();
        let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        let kibibytes: Option<u64> = kibibytes.and_then(|number| number.parse().ok());
        kibibytes.unwrap_or_else(|| panic!("{name} says nothing of its memory:\n{status}")) << 10
    }

    /// What a process says of itself; `Null` while it does not answer.
    #[track_caller]
    pub fn status(&self, name: &str) -> Value {
        let reply = http::get(self.admin(name), "/status");
        reply.ok().and_then(|reply| serde_json::from_slice(&reply.body).ok()).unwrap_or_default()
    }

    /// Bytes that each consumer has not passed yet, by log and name (`traces/sampler`); nothing while there is no answer.
    #[track_caller]
    pub fn lags(&self, name: &str) -> BTreeMap<String, u64> {
        let status = self.status(name);
        let mut lags: BTreeMap<_, _> =
            consumers(&status).filter_map(|(name, consumer)| Some((name, lag(consumer)?))).collect();
        // Verdicts stay for late spans, whoever has been served.
        lags.remove("kept/verdicts");
        lags
    }

    /// Bytes that each lane of a consumer has not passed yet, by the node that it leads to.
    #[track_caller]
    pub fn lane_lags(&self, name: &str, consumer: &str) -> BTreeMap<String, u64> {
        let status = self.status(name);
        let found = consumers(&status).find(|(name, _)| name == consumer);
        let lanes = found.into_iter().flat_map(|(_, consumer)| list(consumer, "lanes"));
        lanes.filter_map(|lane| Some((lane.get("name")?.as_str()?.to_owned(), lag(lane)?))).collect()
    }

    /// Whether a process answers and each of its consumers has passed everything, but for those whose name holds `dead`.
    #[track_caller]
    pub fn is_idle(&self, name: &str, dead: &str) -> bool {
        let lags = self.lags(name);
        let alive = |(name, _): &(&String, &u64)| dead.is_empty() || !name.contains(dead);
        !lags.is_empty() && lags.iter().filter(alive).all(|(_, lag)| *lag == 0)
    }

    /// The sum of the samples of a metric whose labels hold all of these texts; none if there is no such sample.
    #[track_caller]
    pub fn metric(&self, name: &str, metric: &str, labels: &[&str]) -> Option<f64> {
        let page = http::get(self.planned(name).metrics(), "/metrics").ok()?.text();
        let samples = page.lines().filter_map(|line| line.rsplit_once(' '));
        let found = samples.filter(|(key, _)| {
            let family = key.split_once('{').map_or(*key, |(family, _)| family);
            family == metric && labels.iter().all(|label| key.contains(label))
        });
        found.filter_map(|(_, value)| value.parse::<f64>().ok()).reduce(|sum, value| sum + value)
    }
}

/// The consumers of a status page, by log and name.
fn consumers(status: &Value) -> impl Iterator<Item = (String, &Value)> {
    let logs = status.get("logs").and_then(Value::as_object).into_iter().flatten();
    logs.flat_map(|(log, status)| {
        let named = move |consumer: &Value| Some(format!("{log}/{}", consumer.get("name")?.as_str()?));
        list(status, "consumers").filter_map(move |consumer| Some((named(consumer)?, consumer)))
    })
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn lag(of: &Value) -> Option<u64> {
    of.get("lag_bytes")?.as_u64()
}
