"""Logs: one line an event, JSON for machines or coloured text for people.

Owns: format and levels. Must never: hold a message's text or a secret.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import orjson
from rich.console import Console
from rich.logging import RichHandler

from streams.settings import Settings

_QUIET = {
    "aiokafka": "error",
    "aiokafka.consumer.fetcher": "critical",  # each retry while a new topic's leader settles would be an error
    "faust": "error",
    "mode": "error",
    "streams": "error",  # Faust's services log under the module of their subclass; our own loggers are `tocsin.*`
    "aiohttp.access": "warning",
    "clickhouse_connect": "critical",  # what fails there is told by whoever asked
    "urllib3": "error",
    "asyncio": "error",
}
"""Libraries that log each step of each rebalance; their errors still come through."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `at`, `level`, `logger`, `message`, and `error` with its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON; fields given as `extra={"fields": {...}}` stand beside the message."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry: dict[str, Any] = {
            "at": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return orjson.dumps(entry, default=str).decode()


def configure(settings: Settings) -> None:
    """Sends logs to standard error in the format that the settings ask for."""
    text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    handler: logging.Handler
    if text:
        handler = RichHandler(console=Console(stderr=True), show_path=False, rich_tracebacks=False)
        handler.setFormatter(logging.Formatter("%(message)s", datefmt="%H:%M:%S"))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel("DEBUG" if settings.log_level == "debug" else level.upper())
