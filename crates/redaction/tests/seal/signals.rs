//! The three signals side by side: sealers under rules that open each as far as the example opens traces.

use std::sync::{Arc, LazyLock};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use prost::Message;
use tollgate_federation::Signal;
use tollgate_otlp::{Fault, Limits, Walked, walk_logs, walk_metrics, walk_traces};
use tollgate_redaction::{Sealed, SealedBatch, Sealer};
use tollgate_residency::Table;

use crate::world::{ALL_KEYS, ARRIVAL, table_on};

/// The rule of the example for traces, for another signal and with more in it.
pub(crate) fn opened(residency: &str, signal: Signal, more: &str) -> String {
    let traces = residency.split_once("  - id: eea-us-traces\n").unwrap().1.split_once("\n\n").unwrap().0;
    let rule = traces.replacen("signal: traces", &format!("signal: {signal}"), 1);
    let closed = format!("  - {{id: eea-us-{signal}, origin: EEA, reaching: US, signal: {signal}, deny: [all]}}");
    assert!(residency.contains(&closed) || signal == Signal::Traces);
    residency.replace(&closed, &format!("  - id: eea-us-{signal}\n{rule}\n{more}"))
}

/// What the link from the EEA to the US does with a signal under rules that open it.
pub(crate) fn table(signal: Signal, change: impl Fn(String) -> String) -> Arc<Table> {
    Arc::new(table_on(signal, |residency| change(opened(residency, signal, "")), str::to_owned, "EEA", 0))
}

/// The same as a sealer, once for all tests that ask for no change.
pub(crate) fn sealer(signal: Signal) -> Sealer {
    static TABLES: LazyLock<[Arc<Table>; 3]> = LazyLock::new(|| Signal::ALL.map(|signal| table(signal, |same| same)));
    let table = Signal::ALL.into_iter().zip(&*TABLES).find(|(one, _)| *one == signal).unwrap().1;
    Sealer::new(Arc::clone(table), Arc::new(ALL_KEYS))
}

pub(crate) fn walk(signal: Signal, payload: &[u8]) -> Result<Walked, Fault> {
    match signal {
        Signal::Traces => walk_traces(payload, &Limits::default()),
        Signal::Metrics => walk_metrics(payload, &Limits::default()),
        Signal::Logs => walk_logs(payload, &Limits::default()),
    }
}

/// Seals a request that the door takes whole.
pub(crate) fn sealed(sealer: &mut Sealer, payload: &[u8]) -> SealedBatch {
    let walked = walk(sealer.table().signal(), payload).unwrap();
    assert_eq!(walked.rejected, None);
    sealer.seal(payload, &walked.index, ARRIVAL)
}

#[expect(clippy::disallowed_methods, reason = "prost is the oracle here")]
pub(crate) fn metrics_of(sealed: &Sealed) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest::decode(sealed.bytes()).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "prost is the oracle here")]
pub(crate) fn logs_of(sealed: &Sealed) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest::decode(sealed.bytes()).unwrap()
}

/// The metrics of a request, whatever they stand under.
pub(crate) fn metrics(request: &ExportMetricsServiceRequest) -> Vec<&Metric> {
    let scopes = request.resource_metrics.iter().flat_map(|group| &group.scope_metrics);
    scopes.flat_map(|scope| &scope.metrics).collect()
}

/// The log records of a request, whatever they stand under.
pub(crate) fn log_records(request: &ExportLogsServiceRequest) -> Vec<&LogRecord> {
    let scopes = request.resource_logs.iter().flat_map(|group| &group.scope_logs);
    scopes.flat_map(|scope| &scope.log_records).collect()
}
