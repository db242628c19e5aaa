"""Logs: one line an event, JSON for machines or coloured text for people.

Owns: format and levels. Must never: hold a message's text or a secret.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import Any
from urllib.parse import quote, unquote

import orjson
from rich.console import Console
from rich.logging import RichHandler

from streams.settings import Settings, secret_values

_QUIET = {
    "aiokafka": "error",
    "aiokafka.consumer.fetcher": "critical",  # each retry while a new topic's leader settles would be an error
    "faust": "error",
    "mode": "error",
    "streams": "error",  # Faust's services log under the module of their subclass; our own loggers are `tocsin.*`
    "aiohttp.access": "warning",
    "clickhouse_connect": "critical",  # what fails there is told by whoever asked
    "urllib3": "error",
    "apprise": "critical",  # what fails there is told by whoever asked
    "asyncio": "error",
}
"""Libraries that log each step of each rebalance; their errors still come through."""
_NEVER_DEBUG = ("aiokafka.conn",)
"""Writes each request with its bytes, a password among them where the mechanism is PLAIN."""
_STARS = "*****"


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


def _told_anyway(record: logging.LogRecord) -> bool:
    """Drops aiokafka's line for each attempt to connect at start, several a second, and asyncio's for the connection that it
    dropped with its error unread: who waits says it in a sentence."""
    if record.name == "asyncio" and "exception was never retrieved" in record.getMessage():
        return not (record.exc_info and isinstance(record.exc_info[1], OSError))
    return not (record.name == "aiokafka" and str(record.msg).startswith('Unable connect to "%s:%s"'))


class Flood(logging.Filter):
    """Lets few of the same lines of a library through: one that retries every 5 ms would write megabytes a minute.

    The same: one logger, level and text before its arguments. Our own lines (`tocsin.*`) always pass.
    """

    LINES = 3
    SECONDS = 10.0

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """The first lines of every ten seconds; the next one that passes says how many did not."""
        if record.name.startswith("tocsin"):
            return True
        same = (record.name, record.levelno, str(record.msg))
        begun, count = self._seen.get(same, (record.created, 0))
        if record.created - begun >= self.SECONDS:
            left_out = count - self.LINES
            if left_out > 0:
                record.msg, record.args = f"{record.getMessage()} (and {left_out} like it before)", None
            begun, count = record.created, 0
        if len(self._seen) >= 1_000:  # texts made with their arguments in them
            self._seen.clear()
        self._seen[same] = (begun, count + 1)
        return count < self.LINES


class Discreet(logging.Formatter):
    """Another formatter's lines without any secret of ours: the last door, for what a library's own text may hold.

    Args:
        inner: makes the line.
        secrets: see `streams.settings.secret_values`.
    """

    def __init__(self, inner: logging.Formatter, secrets: list[str]) -> None:
        super().__init__()
        self._inner = inner
        self._secrets = secrets

    def hide(self, secrets: Iterable[str]) -> None:
        """Puts stars in place of these, too."""
        self._secrets = sorted({*self._secrets, *secrets}, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """The line, its traceback included."""
        return self.clean(self._inner.format(record))

    def clean(self, text: str) -> str:
        """The text with stars in place of secrets."""
        for secret in self._secrets:
            text = text.replace(secret, _STARS)
        return text

    def uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """For `sys.excepthook`: the interpreter's own last words pass by every log."""
        sys.stderr.write(self.clean("".join(traceback.format_exception(kind, error, trace))))


def hide(secrets: Iterable[str]) -> None:
    """Keeps more secrets out of the logs than the settings hold, in the forms that they may be written in."""
    # A short value would blot out half a log, and is no secret anyway.
    forms = {form for one in secrets for form in (one, unquote(one), quote(one, safe="")) if len(form) >= 4}
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, Discreet):
            handler.formatter.hide(forms)


def configure(settings: Settings) -> None:
    """Sends logs to standard error in the format that the settings ask for; secrets do not pass."""
    text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    handler: logging.Handler
    if text:
        handler = RichHandler(console=Console(stderr=True), show_path=False, rich_tracebacks=False)
        formatter: logging.Formatter = logging.Formatter("%(message)s", datefmt="%H:%M:%S")
    else:
        handler = logging.StreamHandler(sys.stderr)
        formatter = JsonFormatter()
    discreet = Discreet(formatter, secret_values(settings))
    handler.setFormatter(discreet)
    handler.addFilter(_told_anyway)
    handler.addFilter(Flood())
    sys.excepthook = discreet.uncaught
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel("DEBUG" if settings.log_level == "debug" else level.upper())
    if settings.log_level == "debug":
        for name in _NEVER_DEBUG:
            logging.getLogger(name).setLevel("INFO")
