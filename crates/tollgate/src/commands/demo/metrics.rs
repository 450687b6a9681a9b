//! Reads the metrics of the processes: OpenMetrics text, line by line.

use std::collections::BTreeMap;
use std::io;

use tollgate_federation::NodeId;
use tollgate_scenario::scaffold::Process;

use crate::commands::http::Client;

/// One sample: its name, labels and value.
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: u64,
}

/// What one process has counted.
pub(super) struct Scrape {
    pub(super) node: NodeId,
    pub(super) samples: Vec<Sample>,
}

impl Scrape {
    /// The sum of a metric over the samples that have all of these labels.
    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let matches = |sample: &&Sample| {
            sample.name == name && labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|v| v == value))
        };
        self.samples.iter().filter(matches).map(|sample| sample.value).sum()
    }
}

pub(super) fn scrape(processes: &[Process]) -> io::Result<Vec<Scrape>> {
    let one = |process: &Process| {
        let (_, text) = Client::new(process.metrics()).get("/metrics")?;
        Ok(Scrape { node: process.node.clone(), samples: text.lines().filter_map(sample).collect() })
    };
    processes.iter().map(one).collect()
}

/// `name{key="value",…} 12`; the labels of this program hold neither quotes nor commas.
fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ').filter(|_| !line.starts_with('#'))?;
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let pairs = labels.trim_end_matches('}').split(',').filter_map(|pair| pair.split_once('='));
    let labels = pairs.map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned())).collect();
    Some(Sample { name: name.to_owned(), labels, value: value.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_their_labels() {
        let read = sample(r#"items_total{consumer="link/us-east/central",outcome="sent"} 7"#).unwrap();
        assert_eq!((read.name.as_str(), read.value), ("items_total", 7));
        assert_eq!(read.labels["consumer"], "link/us-east/central");
        assert_eq!(sample("up_total 3").unwrap().value, 3);
        assert!(sample("# TYPE x counter").is_none() && sample("# EOF").is_none());
    }
}
