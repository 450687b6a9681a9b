"""OpenTelemetry as an application would set it up: SDK, OTLP exporter over gRPC or HTTP, batching.

Every exporter is wrapped so that a script can say which items the receiver acknowledged.
"""

import argparse
import json

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult


def arguments(description: str) -> argparse.ArgumentParser:
    """What every sender is told."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--endpoint", required=True, help="host:port of a collector")
    parser.add_argument("--protocol", choices=["grpc", "http"], default="grpc")
    parser.add_argument("--compression", choices=["none", "gzip"], default="none")
    return parser


def resource(service: str) -> Resource:
    return Resource.create({"service.name": service, "service.namespace": "shop", "service.version": "2.7.1"})


def exporter(kind: str, options: argparse.Namespace):
    """The SDK's own exporter of a kind: Span, Metric or Log."""
    signal = {"Span": "trace", "Metric": "metric", "Log": "_log"}[kind]
    path = {"Span": "traces", "Metric": "metrics", "Log": "logs"}[kind]
    module = __import__(
        f"opentelemetry.exporter.otlp.proto.{options.protocol}.{signal}_exporter", fromlist=[f"OTLP{kind}Exporter"]
    )
    make = getattr(module, f"OTLP{kind}Exporter")
    if options.protocol == "grpc":
        import grpc

        compression = grpc.Compression.Gzip if options.compression == "gzip" else grpc.Compression.NoCompression
        return make(endpoint=options.endpoint, insecure=True, compression=compression)
    from opentelemetry.exporter.otlp.proto.http import Compression

    compression = Compression.Gzip if options.compression == "gzip" else Compression.NoCompression
    return make(endpoint=f"http://{options.endpoint}/v1/{path}", compression=compression)


class Acknowledged(SpanExporter):
    """Passes spans on and remembers those that the receiver took."""

    def __init__(self, inner: SpanExporter):
        self._inner = inner
        self.spans = []
        self.refused = 0

    def export(self, spans):
        result = self._inner.export(spans)
        if result is SpanExportResult.SUCCESS:
            self.spans.extend(spans)
        else:
            self.refused += len(spans)
        return result

    def shutdown(self):
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._inner.force_flush(timeout_millis)


class Tracing:
    """Traces of one service."""

    def __init__(self, service: str, options: argparse.Namespace):
        self._exporter = Acknowledged(exporter("Span", options))
        self.provider = TracerProvider(resource=resource(service))
        self.provider.add_span_processor(BatchSpanProcessor(self._exporter, schedule_delay_millis=200))
        self._service = service
        self.tracer = self.provider.get_tracer("tollgate.integration", "1.0")

    def finish(self) -> None:
        """Flushes, then prints what was sent as one line of JSON."""
        self.provider.force_flush()
        self.provider.shutdown()
        spans = [described(span) for span in self._exporter.spans]
        traces = sorted({span["trace_id"] for span in spans})
        report = {"service": self._service, "traces": traces, "spans": spans, "refused": self._exporter.refused}
        print(json.dumps(report), flush=True)


def described(span) -> dict:
    return {
        "trace_id": format(span.context.trace_id, "032x"),
        "span_id": format(span.context.span_id, "016x"),
        "parent_span_id": format(span.parent.span_id, "016x") if span.parent else "",
        "name": span.name,
        "kind": span.kind.value + 1,
        "start": span.start_time,
        "end": span.end_time,
        "attributes": dict(span.attributes),
    }
