"""Target: bytes on the port of metrics and health.

Promises: no answer is a 500 or holds a stack trace; the next probe is answered as ever.
Owns: these checks, and the server, on loopback. Must never: know how a request is handled.
"""

from __future__ import annotations

import re
import socket
from functools import cache

from streams.http import HealthServer
from streams.settings import load
from tests.fuzz.target import Target

SECONDS = 5.0
"""Until an answer to a whole request counts as none."""


@cache
def _health() -> int:
    settings = load(http_port=0, http_host="127.0.0.1", kafka="127.0.0.1:1")
    server = HealthServer(settings, lambda: {"ok": True}, lambda: {"ok": False, "why": "\u202e"})
    server.start()
    return server.port


def health_server(data: bytes) -> None:
    """Bytes on the health port, then a good request."""
    asked = _told(data)
    for status in re.findall(rb"^HTTP/1\.[01] (\d{3}) ", asked):
        assert status not in (b"500", b"502"), f"{status.decode()} for {data[:400]!r}"
    assert b"Traceback" not in asked
    assert b" 200 OK" in _told(b"GET /healthz HTTP/1.0\r\n\r\n")[:40]


def _told(data: bytes) -> bytes:
    found = b""
    with socket.create_connection(("127.0.0.1", _health()), timeout=SECONDS) as line:
        try:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            while more := line.recv(1 << 16):
                found += more
        except (ConnectionResetError, BrokenPipeError, ConnectionAbortedError):
            pass
    return found


def _probes() -> list[bytes]:
    accept = b"Accept: application/openmetrics-text; version=1.0.0\r\n"
    paths = (b"/metrics", b"/healthz", b"/readyz", b"/metrics?name[]=a&name[]=%ff", b"/x", b"/%00", b"//x/metrics")
    return [
        *(b"GET " + path + b" HTTP/1.0\r\n\r\n" for path in paths),
        b"GET /metrics HTTP/1.0\r\n" + accept + b"\r\n",
        b"HEAD /metrics HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n",
        b"POST /metrics HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
        b"GET / HTTP/1.0\r\nA: b\r\n\r\n",
        b"OPTIONS /metrics HTTP/1.1\r\n\r\n",
        b"GET /metrics\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"\0\0\0",
    ]


TARGETS = [Target("health-server", health_server, made=_probes, largest=70_000)]
