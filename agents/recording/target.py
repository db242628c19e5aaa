"""Which ClickHouse: what the URL in TOCSIN_CLICKHOUSE means, and what must stand in its database.

Owns: the URL's forms, and how `deploy/clickhouse/*.sql` is read. Must never: connect, or quote a URL (it may hold a
password).
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from streams.errors import TocsinError

CONNECT_SECONDS = 5
ANSWER_SECONDS = 60
"""Longest wait for an insert's answer; then it is sent again, and its token tells ClickHouse that it is the same."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL in TOCSIN_CLICKHOUSE says: options of `clickhouse_connect.get_client`, and the database."""

    options: dict[str, Any]
    database: str

    @classmethod
    def parse(cls, url: str) -> Target:
        """`http(s)://[user:password@]host:port/database[?ca=FILE]` or `chdb:///folder[?database=name]`.

        `ca` is what TOCSIN_CLICKHOUSE_CA adds; without it the system's own authorities are believed.

        Raises:
            TocsinError: neither; the text never quotes the URL, which may hold a password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:  # its text quotes what was taken for the port, which may be a password
            raise TocsinError(
                "TOCSIN_CLICKHOUSE is no URL; in a user or password write @ as %40, : as %3A, / as %2F, # as %23"
            ) from None
        if parts.scheme == "chdb" and parts.path.strip("/") and not parts.netloc:
            database = parse_qs(parts.query).get("database", ["tocsin"])[0]
            options: dict[str, Any] = {"interface": "chdb", "path": str(Path(unquote(parts.path)).absolute())}
        elif parts.scheme in ("http", "https") and parts.hostname:
            database = unquote(parts.path.strip("/")) or "tocsin"
            options = {
                "interface": parts.scheme,
                "host": parts.hostname,
                "port": port or {"http": 8123, "https": 8443}[parts.scheme],
                "username": unquote(parts.username or "default"),
                "password": unquote(parts.password or ""),
                "connect_timeout": CONNECT_SECONDS,
                "send_receive_timeout": ANSWER_SECONDS,
                "query_retries": 0,
                "autogenerate_session_id": False,  # a session takes one query at a time
                "dedicated_pool": True,
            }
            ca = parse_qs(parts.query).get("ca")
            if ca and parts.scheme == "https":
                options["ca_cert"] = _authority(Path(ca[0]))
        else:
            raise TocsinError(
                "TOCSIN_CLICKHOUSE must be http(s)://[user:password@]host:port/database or chdb:///folder"
            )
        if not _NAME.fullmatch(database):
            raise TocsinError("TOCSIN_CLICKHOUSE's database may hold letters, digits and _ only, 64 at most")
        return cls(options, database)

    @property
    def place(self) -> str:
        """Where it is, for messages: never with a password."""
        if "path" in self.options:
            return f"chdb://{self.options['path']}"
        host = self.options["host"]
        return f"{self.options['interface']}://{f'[{host}]' if ':' in host else host}:{self.options['port']}/{self.database}"


def _authority(file: Path) -> str:
    """The file, once it was read: clickhouse-connect would find it missing with every question it asks."""
    try:
        ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        reason = "no certificate is in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise TocsinError(f"TOCSIN_CLICKHOUSE_CA: {file} cannot be read as PEM: {reason}") from None
    return str(file)


def statements(database: str) -> list[str]:
    """What `deploy/clickhouse/*.sql` says, one statement each, in the order of the files' numbers."""
    found = []
    folder = resources.files("deploy") / "clickhouse"
    for file in sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name):
        lines = [line for line in file.read_text("utf-8").splitlines() if not line.startswith("--")]
        found += [part.strip() for part in "\n".join(lines).split(";") if part.strip()]
    return [found[0].replace("tocsin", database), *found[1:]]
