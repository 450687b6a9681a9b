use std::time::Duration;

use tollgate_config::ByteSize;
use tollgate_disk::Disk;
use tollgate_runtime::{Clock, Metrics};
use tollgate_spool::{ConsumerConfig, Durability, SpoolConfig, Start, WhenFull};

use super::*;
use crate::rig::{entry, heavy};

const SHARE: u64 = 3 << 20;

fn log(dir: &std::path::Path) -> Spool {
    let consumer = |name: &str| ConsumerConfig {
        name: name.to_owned(),
        share: ByteSize(SHARE),
        max_age: Duration::from_secs(3600),
        when_full: WhenFull::Expire,
        start: Start::Oldest,
    };
    let config = SpoolConfig {
        dir: dir.to_owned(),
        segment_bytes: ByteSize(1 << 20),
        durability: Durability::Os,
        disk: ByteSize(16 << 20),
        recent: ByteSize(1 << 20),
        consumers: vec![consumer("backend/away"), consumer("sampler")],
    };
    Spool::open(config, Clock::system(), Disk::real()).unwrap().0
}

fn value(metrics: &Metrics, series: &str) -> Option<u64> {
    let text = metrics.encode();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned));
    line.map(|value| value.parse().unwrap())
}

/// Scenario: a consumer is away while its log grows past its share. Guarantees: the metrics say how much expired although
/// the consumer reads nothing, and how full its queue is; a consumer that sends nothing on is no exporter.
#[tokio::test]
async fn what_expires_is_shown_while_its_consumer_is_away() {
    let dir = tempfile::tempdir().unwrap();
    let (log, metrics) = (log(dir.path()), Metrics::new());
    let exporters = BTreeSet::from(["backend/away".to_owned()]);
    let backlogs = Backlogs::new(vec![Watched { signal: Signal::Traces, log: log.clone(), exporters }]);
    metrics.register(|registry| registry.register_collector(Box::new(backlogs)));
    let expired = r#"tollgate_consumer_expired_bytes_total{consumer="backend/away",signal="traces"}"#;
    let size = r#"otelcol_exporter_queue_size{exporter="backend/away",data_type="traces"}"#;
    assert_eq!((value(&metrics, expired), value(&metrics, size)), (Some(0), Some(0)));
    for number in 0..30 {
        log.append(entry(heavy(number, 200 << 10))).await.unwrap();
    }
    let capacity = r#"otelcol_exporter_queue_capacity{exporter="backend/away",data_type="traces"}"#;
    assert_eq!(value(&metrics, capacity), Some(SHARE));
    let segment = 1 << 20; // what is past the share is let go of when the next segment begins
    assert!((1..SHARE + segment).contains(&value(&metrics, size).unwrap()), "{}", metrics.encode());
    let away = &log.status().consumers[0];
    assert!(away.expired > 0);
    assert_eq!(value(&metrics, expired), Some(away.expired));
    assert!(!metrics.encode().contains("exporter=\"sampler\""));
    assert!(metrics.encode().ends_with("# EOF\n"));
}
