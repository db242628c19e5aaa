"""`/metrics`, `/healthz` and `/readyz`, from a thread of their own.

With TOCSIN_HTTP_TOKEN, metrics and the details of the probes need it as a bearer token; the probes' status needs none,
because what asks a container for its health seldom has one.
Owns: the worker's HTTP port, what counts as loopback, and how other servers listen. Must never: wait for the event loop; a worker
that hangs must still be seen to hang. Nor listen beyond loopback without a token.
"""

from __future__ import annotations

import hmac
import ipaddress
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
from aiohttp import web
from prometheus_client import make_wsgi_app

from streams.errors import TocsinError
from streams.settings import Settings

Status = dict[str, Any]
HEADERS = [
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
]


def loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def bears(authorization: str, token: str) -> bool:
    """Whether an Authorization header carries this bearer token; takes as long for a wrong one, wherever it differs."""
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # the parent's name
        """Says nothing: probes come every few seconds."""


async def listen(runner: web.AppRunner, host: str, port: int, stem: str) -> str:
    """Lets a server listen; its URL.

    Args:
        stem: of the settings that say where, such as CONSOLE.

    Raises:
        TocsinError: the address or the port cannot be used.
    """
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except (OSError, OverflowError) as error:
        raise TocsinError(
            f"port {port} (TOCSIN_{stem}_PORT) on {host} (TOCSIN_{stem}_HOST) cannot be used: "
            f"{getattr(error, 'strerror', None) or error}; choose another, or port 0 for any free one"
        ) from None
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{runner.addresses[0][1]}"


class HealthServer:
    """Serves metrics and probes until stopped.

    Args:
        alive: what `/healthz` says; 200 where its `ok` is true, else 503.
        ready: what `/readyz` says; the same.
    """

    def __init__(self, settings: Settings, alive: Callable[[], Status], ready: Callable[[], Status]) -> None:
        self._probes = {"/healthz": alive, "/readyz": ready}
        self._metrics = make_wsgi_app()
        self._token = None if settings.http_token is None else settings.http_token.get_secret_value()
        if self._token is None and not loopback(settings.http_host):
            raise TocsinError(
                f"metrics and health would listen on {settings.http_host!r} (TOCSIN_HTTP_HOST) for everybody: set "
                "TOCSIN_HTTP_TOKEN, or listen on 127.0.0.1"
            )
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
        known = self._token is None or bears(environ.get("HTTP_AUTHORIZATION", ""), self._token)

        def answer(status: str, headers: list[tuple[str, str]]) -> Any:
            return start_response(status, [*headers, *HEADERS])

        if path == "/metrics":
            if not known:
                answer("401 Unauthorized", [("Content-Type", "text/plain"), ("WWW-Authenticate", "Bearer")])
                return [b"/metrics needs TOCSIN_HTTP_TOKEN as a bearer token\n"]
            try:
                body: Iterable[bytes] = self._metrics(environ, answer)
            except (TypeError, ValueError):  # prometheus_client, of an Accept whose version is no number
                body = self._metrics({**environ, "HTTP_ACCEPT": ""}, answer)
            return body
        probe = self._probes.get(path)
        if probe is None:
            answer("404 Not Found", [("Content-Type", "text/plain")])
            return [b"/metrics, /healthz, /readyz\n"]
        status = probe()
        line = "200 OK" if status.get("ok") else "503 Service Unavailable"
        answer(line, [("Content-Type", "application/json")])
        return [orjson.dumps(status if known else {"ok": bool(status.get("ok"))}) + b"\n"]
