//! The root keys of a running node: looked for again and again, and shown.
//!
//! Promises:
//! 1. A root that came is taken up, and one that is gone forgotten, within the interval; no restart, no signal.
//! 2. What is shown are names, epochs and public names of roots.
//!
//! Not here: reading roots (`tollgate_keys`), what is derived from them (`tollgate_redaction`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use serde_json::{Value, json};
use tollgate_keys::{KeyRing, KeyStatus, start_text};
use tollgate_runtime::{Clock, Shutdown, TaskGroup};

use crate::node::in_force::InForce;

/// How often a node looks whether roots came or went, and whoever derives from them forgets what is gone.
pub(crate) const INTERVAL: Duration = Duration::from_secs(10);

/// Looks until the node stops.
pub(crate) fn watch(keys: &Arc<KeyRing>, tasks: &TaskGroup, shutdown: Shutdown) {
    let keys = Arc::clone(keys);
    tasks.spawn("keys", async move {
        while shutdown.sleep(INTERVAL).await {
            let keys = Arc::clone(&keys);
            // A look reads a folder, which may lie on a disk that hangs.
            let _ = tokio::task::spawn_blocking(move || keys.refresh()).await;
        }
    });
}

/// What `/status` says.
pub(crate) fn status(keys: &KeyRing) -> Value {
    keys.status()
        .into_iter()
        .map(|KeyStatus { key, roots, missing }| {
            let roots = roots.into_iter().map(|(epoch, id)| {
                let covers = start_text(epoch);
                json!({"from": covers.start, "until": covers.end, "root_id": id})
            });
            let missing = missing.into_iter().map(|epoch| {
                let covers = start_text(epoch);
                json!({"from": covers.start, "until": covers.end})
            });
            (key, json!({"roots": roots.collect::<Vec<_>>(), "missing": missing.collect::<Vec<_>>()}))
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// What `/metrics` says.
pub(crate) struct KeyGauges {
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) in_force: InForce,
    pub(crate) clock: Clock,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfKey {
    key: String,
}

impl fmt::Debug for KeyGauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the gauges of root keys")
    }
}

impl Collector for KeyGauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (keys, now) = (self.keys.status(), self.clock.now());
        let edition = self.in_force.edition();
        let gauge = |value| ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let kind = gauge(0_u64).metric_type();
        let mut show = |name, help, value: &dyn Fn(&KeyStatus) -> u64| {
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for key in &keys {
                gauge(value(key)).encode(family.encode_family(&OfKey { key: key.key.clone() })?)?;
            }
            Ok::<(), fmt::Error>(())
        };
        show("tollgate_key_roots", "Epochs whose root key is here", &|key| count(key.roots.len()))?;
        let help = "Epochs whose root key was asked for lately and is not here";
        show("tollgate_key_roots_missing", help, &|key| count(key.missing.len()))?;
        let help = "Until when there is a root key for every moment, in seconds since the Unix epoch";
        show("tollgate_key_roots_until_timestamp_seconds", help, &|key| {
            let uses = edition.documents.policy.key_uses().iter().filter(|one| one.keyed.key == key.key);
            key.until(uses.map(|one| one.keyed.epoch), now)
        })
    }
}
