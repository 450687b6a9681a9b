//! What the admin listener shows of a node: liveness, readiness, state and metrics; never payloads.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use serde_json::{Value, json};
use tollgate_federation::Signal;
use tollgate_otlp::{NotAnId, TraceId};
use tollgate_runtime::Metrics;
use tollgate_spool::Status;
use tollgate_transport::admin::{Pages, Reload};

use crate::documents::Documents;
use crate::hold::correlation::breaks::Breaks;
use crate::hold::history::History;
use crate::node::Node;
use crate::node::backlogs::{Backlogs, Watched};
use crate::node::in_force::Borders;
use crate::node::keys::{self, KeyGauges};
use crate::node::lags::{self, Lags};
use crate::node::logs::Logs;
use crate::node::node_file::Listen;
use crate::node::reload::Refused;
use crate::node::ways::{Consumption, Log, Way, ways};

/// The pages of one node.
pub(crate) struct NodePages {
    node: Arc<Node>,
    logs: Logs,
    metrics: Metrics,
}

impl NodePages {
    pub(crate) fn new(node: Arc<Node>, logs: Logs, metrics: Metrics) -> Self {
        let backlogs = backlogs(&node, &logs);
        let gauges =
            KeyGauges { keys: Arc::clone(&node.keys), in_force: node.reloader.follow(), clock: node.clock.clone() };
        metrics.register(|registry| {
            registry.register_collector(Box::new(backlogs));
            registry.register_collector(Box::new(gauges));
            if let Some(attendance) = &node.attendance {
                registry.register_collector(Box::new(Lags(Arc::clone(attendance))));
            }
        });
        Self { node, logs, metrics }
    }

    fn history(&self) -> Option<&History> {
        self.node.history.as_ref().filter(|history| history.is_kept())
    }

    /// Loopback unless told otherwise.
    pub(crate) fn addresses(listen: &Listen) -> [SocketAddr; 2] {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        [listen.admin.unwrap_or_else(|| loopback(13133)), listen.metrics.unwrap_or_else(|| loopback(8888))]
    }
}

impl Pages for NodePages {
    fn livez(&self) -> bool {
        true
    }

    /// A full spool or a lagging link never changes it: a node taken out of DNS moves its traces and makes it worse.
    fn readyz(&self) -> Result<(), String> {
        if self.node.shutdown.is_started() { Err("shutting down".to_owned()) } else { Ok(()) }
    }

    fn status(&self) -> Value {
        let logs: serde_json::Map<_, _> =
            self.logs.status().into_iter().map(|(name, status)| (name.to_owned(), log(&status))).collect();
        let edition = self.node.reloader.follow().edition();
        let hex = |documents: &Documents| data_encoding::HEXLOWER.encode(&documents.federation.digest());
        let documents = &edition.documents;
        json!({
            "node": self.node.me.to_string(),
            "boot": format!("{:016x}", self.node.boot),
            "documents": hex(documents),
            "documents_before": edition.previous.first().map(|previous| hex(previous)),
            "links": if edition.borders == Borders::Closed { "closed" } else { "open" },
            "documents_refused": self.node.reloader.refused().map(|refused| refusal(&refused)),
            "uptime_seconds": self.node.clock.uptime().as_secs(),
            "keys": keys::status(&self.node.keys),
            "logs": logs,
            "history": self.history().map(History::status),
            "thinning": self.node.counters.thinning.status(),
            "senders": self.node.attendance.as_deref().map(lags::status),
        })
    }

    fn trace(&self, id: &str) -> Result<Value, String> {
        let history = self.history().ok_or("no history of traces is kept here: a central node keeps one")?;
        let trace: TraceId = id.parse().map_err(|error: NotAnId| error.to_string())?;
        let mut answer = history.why(&trace);
        answer["node"] = self.node.me.to_string().into();
        Ok(answer)
    }

    fn breaks(&self) -> Result<Value, String> {
        let breaks = self.node.breaks.as_ref().map(Breaks::page);
        let mut page = breaks.ok_or("traces are not followed here: a central node does that beside its history")?;
        page["node"] = self.node.me.to_string().into();
        Ok(page)
    }

    fn metrics(&self) -> String {
        self.metrics.encode()
    }
}

impl Reload for NodePages {
    fn reload(&self) -> Result<Value, Value> {
        let reloader = &self.node.reloader;
        let outcome = reloader.reload();
        let documents = reloader.digest();
        match outcome {
            Ok(reloaded) => Ok(json!({"outcome": reloaded.as_str(), "documents": documents})),
            Err(error) => {
                let (reason, why) = (error.reason(), error.to_string());
                let faults: Vec<&str> = why.lines().collect();
                Err(json!({"outcome": "refused", "documents": documents, "reason": reason, "faults": faults}))
            }
        }
    }
}

/// What was wrong with the documents that are there and not in force.
fn refusal(refused: &Refused) -> Value {
    let faults: Vec<_> = refused.why.lines().collect();
    json!({"reason": refused.reason, "unix_seconds": refused.at.nanos() / 1_000_000_000, "faults": faults})
}

fn backlogs(node: &Node, logs: &Logs) -> Backlogs {
    let ways = ways(&node.federation, &node.me);
    let all =
        Signal::ALL.map(|signal| (Log::Received(signal), signal)).into_iter().chain([(Log::Kept, Signal::Traces)]);
    let watched = |(of, signal)| {
        let leads_out = |way: &&Consumption| way.log == of && matches!(way.way, Way::Out(_));
        let exporters = ways.iter().filter(leads_out).map(|way| way.name.clone()).collect();
        Some(Watched { signal, log: logs.of(of)?.clone(), exporters })
    };
    Backlogs::new(all.filter_map(watched).collect())
}

fn log(status: &Status) -> Value {
    let consumers: Vec<_> = status
        .consumers
        .iter()
        .map(|consumer| {
            let lanes = consumer.lanes.iter().map(|lane| {
                let (name, position) = (lane.name.to_string(), lane.position.value());
                json!({"name": name, "position": position, "lag_bytes": lane.lag, "age_seconds": lane.age.as_secs()})
            });
            json!({
                "name": consumer.name.to_string(),
                "lag_bytes": consumer.lag,
                "held_bytes": consumer.held,
                "share_bytes": consumer.share,
                "age_seconds": consumer.age.as_secs(),
                "expired_bytes": consumer.expired,
                "lanes": lanes.collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "end": status.end.value(),
        "oldest": status.oldest.value(),
        "disk_bytes": status.disk_bytes,
        "segments": status.segments,
        "consumers": consumers,
    })
}
