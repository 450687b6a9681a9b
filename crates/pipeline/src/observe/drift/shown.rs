//! What drifts, as metrics: by fingerprint, and not more series than somebody can look at.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;

use crate::observe::{Observer, Sees};

/// So many findings have a series of their own, those of most requests; the others have one together.
const SERIES: usize = 200;

/// The metrics of an observer.
pub(crate) struct Shown(pub(crate) Arc<Observer>);

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Finding {
    why: &'static str,
    service: String,
    key: String,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what drifts")
    }
}

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Sees::Drift(drift) = &self.0.sees else { return Ok(()) };
        let mut drifts = drift.all();
        drifts.found.sort_by_key(|one| Reverse(one.requests));
        let help =
            "Requests, of those looked at, with a key that has no class or too many distinct values; by fingerprint";
        let zero = ConstCounter::new(0_u64);
        let mut family = encoder.encode_descriptor("tollgate_drift_requests", help, None, zero.metric_type())?;
        let mut together = drifts.left_out;
        for (number, one) in drifts.found.into_iter().enumerate() {
            if number >= SERIES {
                together += one.requests;
                continue;
            }
            let [service, key] = one.fingerprints;
            let labels = Finding { why: one.why.as_str(), service, key };
            ConstCounter::new(one.requests).encode(family.encode_family(&labels)?)?;
        }
        let others = Finding { why: "others", service: String::new(), key: String::new() };
        ConstCounter::new(together).encode(family.encode_family(&others)?)
    }
}
