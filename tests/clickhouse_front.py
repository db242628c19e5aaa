"""A ClickHouse server for tests: the real engine (chdb) behind the server's HTTP protocol, in a process of its own.

    python -m tests.clickhouse_front --path DIR [--port 0] [--control 0]

Prints one line when it is ready: its port and its control port. Speaks what clickhouse-connect's HTTP client speaks:
the query in the URL or the body, settings and `param_` values as URL parameters, data in any format (Native blocks too)
behind an INSERT, compressed bodies both ways, `X-ClickHouse-*` headers, exception codes. With --cert and --key it speaks
TLS; with --user and --password-file it answers nobody else (516, as the server does); with --config the engine takes its
users.xml from there, so that the user it runs as has these grants.
POST /faults on the control port sets the faults (a JSON object; what is left out is off): `slow` (milliseconds before
any answer), `refuse` (503), `away` (connections closed), `full` (inserts: code 243), `drop_answer` (inserts are taken,
then the connection is closed). The last four: true, or how many requests. GET /faults says how many inserts came and
were taken.
Owns: this protocol and its faults. Must never: listen on anything but loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import ssl
import tempfile
import zlib
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import cramjam
import orjson
from aiohttp import web

chdb: Any = import_module("chdb")  # Any: its functions have no types

TRANSPORT = frozenset(
    (
        "query",
        "database",
        "user",
        "password",
        "session_id",
        "session_timeout",
        "session_check",
        "query_id",
        "quota_key",
        "default_format",
        "compress",
        "decompress",
        "buffer_size",
        "wait_end_of_query",
        "client_protocol_version",
        "role",
        "enable_http_compression",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "cancel_http_readonly_queries_on_client_close",
    )
)
"""URL parameters that the HTTP handler itself obeys, or that mean nothing to an engine without connections."""
FAULTS = ("slow", "refuse", "away", "full", "drop_answer")
FULL = "Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)"
STRANGER = (
    "Code: 516. DB::Exception: Authentication failed: password is incorrect, or no such user. (AUTHENTICATION_FAILED)"
)
_INSERT = re.compile(rb"\s*(INSERT\s+INTO\s+[^\s(]+\s*(?:\([^)]*\))?)\s*FORMAT\s+(\w+)\s?", re.IGNORECASE)
_SELECT = re.compile(rb"\s*(SELECT|SHOW|DESCRIBE|DESC|EXISTS|WITH|EXPLAIN)\b", re.IGNORECASE)
_FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: zlib.decompress(data, 31),
    "deflate": zlib.decompress,
    "lz4": lambda data: bytes(cramjam.lz4.decompress(data)),
    "zstd": lambda data: bytes(cramjam.zstd.decompress(data)),
}
_PACK: dict[str, Callable[[bytes], bytes]] = {
    "lz4": lambda data: bytes(cramjam.lz4.compress(data)),
    "zstd": lambda data: bytes(cramjam.zstd.compress(data)),
    "gzip": lambda data: bytes(cramjam.gzip.compress(data)),
}


class Front:
    """The server; one engine connection a request, so that settings and USE end with it."""

    def __init__(self, path: str, config: str = "", login: tuple[str, str] | None = None) -> None:
        self._path = os.path.realpath(path) + (f"?config-file={config}" if config else "")
        self._login = None if login is None else "Basic " + b64encode(":".join(login).encode()).decode()
        self._keep = _connect(self._path)  # the engine lives as long as one connection does
        self._faults: dict[str, Any] = {}
        self._counts: Counter[str] = Counter()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Any request on the main port."""
        try:
            body = await request.read()
        except ConnectionResetError:  # whoever asked was killed meanwhile
            return _closed(request)
        if self._struck("away"):
            return _closed(request)
        if slow := self._faults.get("slow"):
            await asyncio.sleep(slow / 1000)
        if self._struck("refuse"):
            return web.Response(status=503, text="refused by the test\n")
        if request.path == "/ping":
            return web.Response(text="Ok.\n")
        if self._login is not None and request.headers.get("Authorization", "") != self._login:
            return _refused(STRANGER)
        packed = request.headers.get("Content-Encoding")
        if packed and body:
            body = _UNPACK[packed](body)
        query = request.query.get("query", "").encode()
        statement = query + b"\n" + body if query else body
        insert = _INSERT.match(statement)
        if insert is not None:
            self._counts["inserts"] += 1
            if self._struck("full"):
                return _refused(FULL)
        try:
            result, written = await asyncio.to_thread(self._run, statement, insert, dict(request.query))
        except RuntimeError as error:
            return _refused(str(error))
        if insert is not None:
            self._counts["taken"] += 1
            if self._struck("drop_answer"):
                return _closed(request)
        return _answered(request, statement, result, written)

    def _run(self, statement: bytes, insert: re.Match[bytes] | None, params: dict[str, str]) -> tuple[bytes, int]:
        connection = _connect(self._path)
        try:
            if database := params.get("database"):
                connection.query(f"USE `{database}`", "TabSeparated")
            for name, value in params.items():
                if name not in TRANSPORT and not name.startswith("param_"):
                    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
                    connection.query(f"SET {name} = '{quoted}'", "TabSeparated")
            if insert is not None:
                return b"", _insert(connection, insert, statement)
            bound = {name[6:]: value for name, value in params.items() if name.startswith("param_")}
            return connection.query(statement.decode(), "TabSeparated", params=bound).bytes() or b"", 0
        finally:
            connection.close()

    def _struck(self, fault: str) -> bool:
        """Whether this request is one that the fault is for."""
        left = self._faults.get(fault, 0)
        if left is True:
            return True
        if left:
            self._faults[fault] = left - 1
        return bool(left)

    async def control(self, request: web.Request) -> web.Response:
        """The control port."""
        if request.method == "POST":
            faults = await request.json()
            if unknown := set(faults) - set(FAULTS):
                return web.Response(status=400, text=f"no such fault: {', '.join(sorted(unknown))}\n")
            self._faults = faults
        return web.json_response(
            {"faults": self._faults, **{name: self._counts[name] for name in ("inserts", "taken")}}
        )

    def close(self) -> None:
        """Ends the engine."""
        self._keep.close()


def _connect(path: str) -> Any:
    return chdb.connect(path)


def _insert(connection: Any, insert: re.Match[bytes], statement: bytes) -> int:
    # Through a file: inline data behind an INSERT is not read by chdb 26.9.
    with tempfile.NamedTemporaryFile(suffix=".data") as file:
        file.write(statement[insert.end() :])
        file.flush()
        sql = f"{insert[1].decode()} FROM INFILE '{file.name}' FORMAT {insert[2].decode()}"
        return int(connection.query(sql, "TabSeparated").rows_read())


def _answered(request: web.Request, statement: bytes, result: bytes, written: int) -> web.Response:
    headers = {
        "X-ClickHouse-Summary": orjson.dumps({"written_rows": str(written)}).decode(),
        "X-ClickHouse-Timezone": "UTC",
        "Content-Type": "application/octet-stream",
    }
    if _SELECT.match(statement):
        found = _FORMAT.search(statement)
        headers["X-ClickHouse-Format"] = found[1].decode() if found else "TabSeparated"
    if request.query.get("enable_http_compression") == "1" and result:
        wanted = [name.strip().partition(";")[0] for name in request.headers.get("Accept-Encoding", "").split(",")]
        packing = next((name for name in wanted if name in _PACK), None)
        if packing:
            headers["Content-Encoding"] = packing
            result = _PACK[packing](result)
    return web.Response(body=result, headers=headers)


def _refused(message: str) -> web.Response:
    found = re.search(r"Code: (\d+)", message)
    code = found[1] if found else "1000"
    headers = {"X-ClickHouse-Exception-Code": code}
    return web.Response(
        status=404 if code in ("60", "81") else 500, text=message[message.find("Code:") :], headers=headers
    )


def _closed(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _serve(port: int, control: int, front: Front, tls: ssl.SSLContext | None) -> None:
    runners = []
    ports = []
    for wanted, handler in ((port, front.answer), (control, front.control)):
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{tail:.*}", handler)
        runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", wanted, ssl_context=tls if handler == front.answer else None)
        await site.start()
        runners.append(runner)
        ports.append(runner.addresses[0][1])
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    print(*ports, flush=True)
    await stopped.wait()
    for runner in runners:
        await runner.cleanup()
    front.close()


def main() -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--control", type=int, default=0, help="port of the fault switches; 0: any free one")
    parser.add_argument("--path", type=Path, required=True, help="folder of the engine's data")
    parser.add_argument("--cert", type=Path, help="certificate (PEM): the main port speaks TLS")
    parser.add_argument("--key", type=Path, help="its private key")
    parser.add_argument("--user", help="the only user that is answered")
    parser.add_argument("--password-file", type=Path, help="file with that user's password")
    parser.add_argument("--config", default="", help="configuration file of the engine, which names its users.xml")
    arguments = parser.parse_args()
    tls = None
    if arguments.cert is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(arguments.cert, arguments.key)
    login = None if arguments.user is None else (arguments.user, arguments.password_file.read_text("utf-8"))
    front = Front(str(arguments.path), arguments.config, login)
    asyncio.run(_serve(arguments.port, arguments.control, front, tls))


if __name__ == "__main__":
    main()
