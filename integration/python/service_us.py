"""A US payment service: an HTTP server that continues the trace of whoever calls it.

Prints `{"listening": "host:port"}` when it can be called, serves the given number of requests, and then prints one line
of JSON: the trace ids, and every span that the collector acknowledged.
"""

import http.server
import json

from opentelemetry.propagate import extract
from opentelemetry.trace import SpanKind

from telemetry import Tracing, arguments


def handler(tracer):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            attributes = {"http.request.method": "POST", "http.route": self.path, "http.response.status_code": 200}
            context = extract(self.headers)
            name = f"POST {self.path}"
            with tracer.start_as_current_span(name, context=context, kind=SpanKind.SERVER, attributes=attributes):
                with tracer.start_as_current_span("authorize", attributes={"payment.provider": "example"}):
                    pass
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    return Handler


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--listen", default="127.0.0.1", help="address to listen on; the port is a free one")
    parser.add_argument("--requests", type=int, default=1, help="how many requests to serve")
    options = parser.parse_args()
    tracing = Tracing("payment", options)
    server = http.server.HTTPServer((options.listen, 0), handler(tracing.tracer))
    print(json.dumps({"listening": f"{options.listen}:{server.server_port}"}), flush=True)
    for _ in range(options.requests):
        server.handle_request()
    server.server_close()
    tracing.finish()


if __name__ == "__main__":
    main()
