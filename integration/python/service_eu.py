"""A European frontend: starts traces and calls a US service, which continues them.

Prints one line of JSON when all is sent: the trace ids, and every span that the collector acknowledged.
"""

import urllib.request

from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from telemetry import Tracing, arguments


def checkout(tracer, options, number: int) -> None:
    person = {
        "user.id": f"{options.user}-{number}",
        "user.email": f"{options.user}-{number}@kunde.example",
        "client.address": options.client_address,
    }
    request = {
        "http.request.method": "POST",
        "http.route": "/checkout",
        "http.request.header.content-type": ["application/json"],
        "http.request.body.size": 512,
        "url.scheme": "https",
    }
    with tracer.start_as_current_span("POST /checkout", kind=SpanKind.SERVER, attributes={**request, **person}) as span:
        span.add_event("cart.validated", {"user.email": person["user.email"], "cart.items": 3})
        if options.careless:
            remember(tracer, span, person)
        status = charge(tracer, options.downstream, person)
        span.set_attribute("http.response.status_code", status)
        if options.fail:
            span.record_exception(ValueError(f"no stock for {person['user.email']}"))
            span.set_status(Status(StatusCode.ERROR, f"declined for {person['user.email']}"))


def remember(tracer, root, person: dict) -> None:
    """What a careless program does: the person in a span's name, in a link, and under keys that nobody knows."""
    attributes = {"user.id": person["user.id"], "debug.user": person["user.email"], "cart.items": 3}
    link = Link(root.get_span_context(), {"user.email": person["user.email"]})
    with tracer.start_as_current_span(f"cart of {person['user.email']}", attributes=attributes, links=[link]):
        pass


def charge(tracer, downstream: str | None, person: dict) -> int:
    attributes = {"http.request.method": "POST", "url.template": "/charges"}
    with tracer.start_as_current_span("POST", kind=SpanKind.CLIENT, attributes=attributes) as span:
        if downstream is None:
            return 200
        headers = {"x-user": person["user.id"]}
        inject(headers)
        call = urllib.request.Request(f"http://{downstream}/charges", data=b"{}", headers=headers, method="POST")
        with urllib.request.urlopen(call, timeout=30) as reply:
            span.set_attribute("http.response.status_code", reply.status)
            return reply.status


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--downstream", help="host:port of the US service; without it the trace ends here")
    parser.add_argument("--checkouts", type=int, default=1)
    parser.add_argument("--user", default="usr-7f3a9c", help="how user ids and mailboxes begin")
    parser.add_argument("--client-address", default="198.151.213.147")
    parser.add_argument("--careless", action="store_true", help="a further span in each trace, full of personal data")
    parser.add_argument("--fail", action="store_true", help="end each trace with an error")
    options = parser.parse_args()
    tracing = Tracing("frontend", options)
    trace.set_tracer_provider(tracing.provider)
    for number in range(options.checkouts):
        checkout(tracing.tracer, options, number)
    tracing.finish()


if __name__ == "__main__":
    main()
