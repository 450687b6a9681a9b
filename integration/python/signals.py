"""Sends metrics and logs with personal data in them, which must not leave their region.

Prints one line of JSON when all is sent: names of the metrics, number of log records, and whether all was acknowledged.
"""

import json
import logging

from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

from telemetry import arguments, exporter, resource


def send_metrics(options) -> tuple[list[str], bool]:
    reader = PeriodicExportingMetricReader(exporter("Metric", options), export_interval_millis=60_000)
    provider = MeterProvider(resource=resource("frontend"), metric_readers=[reader])
    meter = provider.get_meter("tollgate.integration", "1.0")
    orders = meter.create_counter("shop.orders", unit="{order}")
    duration = meter.create_histogram("http.server.request.duration", unit="s")
    for number in range(options.count):
        orders.add(1, {"http.route": "/checkout", "user.id": options.user})
        duration.record(0.1 * number, {"http.route": "/checkout"})
    flushed = provider.force_flush()
    provider.shutdown()
    return ["shop.orders", "http.server.request.duration"], flushed


def send_logs(options) -> bool:
    provider = LoggerProvider(resource=resource("frontend"))
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter("Log", options)))
    logger = logging.getLogger("shop")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(LoggingHandler(logger_provider=provider))
    for number in range(options.count):
        logger.info("order %d of %s", number, options.user, extra={"user.email": f"{options.user}@kunde.example"})
    flushed = provider.force_flush()
    provider.shutdown()
    return flushed


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--user", default="usr-7f3a9c")
    options = parser.parse_args()
    metrics, metrics_flushed = send_metrics(options)
    logs_flushed = send_logs(options)
    report = {"metrics": metrics, "logs": options.count, "flushed": metrics_flushed and logs_flushed}
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
