"""`/metrics`, `/healthz` and `/readyz`, from a thread of their own.

Owns: the worker's HTTP port. Must never: wait for the event loop; a worker that hangs must still be seen to hang.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
from prometheus_client import make_wsgi_app

from streams.errors import TocsinError
from streams.settings import Settings

Status = dict[str, Any]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # the parent's name
        """Says nothing: probes come every few seconds."""


class HealthServer:
    """Serves metrics and probes until stopped.

    Args:
        alive: what `/healthz` says; 200 where its `ok` is true, else 503.
        ready: what `/readyz` says; the same.
    """

    def __init__(self, settings: Settings, alive: Callable[[], Status], ready: Callable[[], Status]) -> None:
        self._probes = {"/healthz": alive, "/readyz": ready}
        self._metrics = make_wsgi_app()
        try:
            self._server = make_server(
                settings.http_host, settings.http_port, self._app, server_class=_Server, handler_class=_Quiet
            )
        except OSError as error:
            raise TocsinError(
                f"port {settings.http_port} on {settings.http_host} (TOCSIN_HTTP_PORT) cannot be used: "
                f"{error.strerror}; choose another, or 0 for any free one"
            ) from None
        self.port = int(self._server.server_port)
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    def start(self) -> None:
        """Begins to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Stops serving and frees the port."""
        self._server.shutdown()
        self._server.server_close()

    def _app(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if path == "/metrics":
            body: Iterable[bytes] = self._metrics(environ, start_response)
            return body
        probe = self._probes.get(path)
        if probe is None:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"/metrics, /healthz, /readyz\n"]
        status = probe()
        line = "200 OK" if status.get("ok") else "503 Service Unavailable"
        start_response(line, [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
        return [orjson.dumps(status) + b"\n"]
