//! Where each signal is exported to: the gRPC methods and the HTTP paths of the OTLP specification.

use tollgate_federation::Signal;

/// The header and gRPC metadata key that carries a parcel's manifest.
pub(crate) const MANIFEST: &str = "tollgate-manifest-bin";

/// The gRPC method that exports a signal.
pub(crate) const fn method(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    }
}

/// The HTTP path that a signal is posted to.
pub(crate) const fn path(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/v1/traces",
        Signal::Metrics => "/v1/metrics",
        Signal::Logs => "/v1/logs",
    }
}

/// The signal whose place this is, as `place` names it.
pub(crate) fn signal_at(place: fn(Signal) -> &'static str, wanted: &str) -> Option<Signal> {
    Signal::ALL.into_iter().find(|signal| place(*signal) == wanted)
}
