"""Messages out of somebody's export: a CSV file whose columns have names of their own, in English or French.

Owns: finding the columns, and what is said of a row that cannot be read. Must never: guess at a text.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from codecs import getincrementaldecoder
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import TextIOWrapper
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from agents.inputs import opened
from schemas.base import MAX_MESSAGE_BYTES, quoted
from streams.errors import TocsinError

NAMES: Mapping[str, tuple[str, ...]] = {
    "text": (
        "text", "message", "body", "message text", "message body", "content", "comment", "description", "review",
        "review text", "tweet", "post", "verbatim", "plain body", "texte", "contenu", "corps", "commentaire", "avis",
        "corps du message", "texte du message",
    ),
    "subject": ("subject", "title", "topic", "summary", "sujet", "objet", "titre"),
    "customer_id": (
        "customer id", "customer", "user id", "user", "author id", "requester id", "requester", "requester email",
        "client id", "client", "contact id", "contact", "author", "from", "sender", "email", "username", "utilisateur",
        "auteur", "expediteur", "demandeur",
    ),
    "conversation_id": ("conversation id", "conversation", "thread id", "thread", "ticket id", "ticket", "case id", "fil"),
    "sent_at": (
        "sent at", "created at", "created", "date", "timestamp", "time", "datetime", "date created", "created time",
        "received at", "cree le", "envoye le", "date de creation", "horodatage",
    ),
    "language": ("language", "lang", "locale", "langue"),
    "channel": ("channel", "source", "via", "canal"),
    "author_role": ("author role", "role", "author type", "sender type", "from type", "inbound", "direction"),
}  # fmt: skip
"""Names that a column may have, small, without accents and signs; the first that is there counts."""

_CUSTOMERS = frozenset(
    ["customer", "user", "end user", "client", "contact", "visitor", "true", "in", "inbound", "incoming", "1", ""]
)
_DELIMITERS = ",;\t|"
_HEADER_BYTES = 65_536


def pairs(option: str, given: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """The columns that options of the form WHAT=NAME name, by what they hold.

    Raises:
        TocsinError: a WHAT that is not known, or no NAME.
    """
    found = {}
    for each in given:
        what, _, name = each.partition("=")
        if what not in known or not name:
            raise TocsinError(f"{option} {each}: must be one of {', '.join(known)}, then = and a column's name")
        found[what] = name
    return found


class Row(NamedTuple):
    """A message, as the fields of one, or why there is none.

    Attributes:
        line: of the file, from 1; where the row ends, if it has several.
        fault: what is wrong with the row, in a few words; "" where it is a message.
        labels: what stands in the columns of labels, by head; empty cells left out.
    """

    line: int
    fields: dict[str, Any]
    fault: str
    labels: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Layout:
    """How a file is to be read."""

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    columns: Mapping[str, int]
    labels: Mapping[str, int]
    lines: int

    def said(self) -> str:
        """Which column was taken for what."""
        return ", ".join(f"{name}: {quoted(self.header[place])}" for name, place in self.columns.items())


def layout(file: str, given: Mapping[str, str], labels: Mapping[str, str] | None = None) -> Layout:
    """How a file is to be read: its encoding, what stands between its columns, and which is which.

    Args:
        given: columns by what they hold, named as in the file; they go before what would be found.
        labels: columns with somebody's labels, by the head that they speak of.

    Raises:
        TocsinError: the file cannot be read, is empty, or has no such column, or none for the text.
    """
    encoding, count = _encoding(file)
    with opened(file) as raw:
        first = next(csv.reader(_text(raw, encoding), delimiter=(mark := _delimiter(file, encoding))), None)
    if not first:
        raise TocsinError(f"{file} is empty: its first line must name the columns")
    header = tuple(name.strip() for name in first)
    plain = [_plain(name) for name in header]
    for column in (*given.values(), *(labels or {}).values()):
        if _plain(column) not in plain:
            raise TocsinError(f"{file} has no column {quoted(column)}; it has {_listed(header)}")
    columns = {name: plain.index(_plain(column)) for name, column in given.items()}
    spoken = {head: plain.index(_plain(column)) for head, column in (labels or {}).items()}
    for name, known in NAMES.items():
        found = next((plain.index(each) for each in known if each in plain), None)
        if name not in columns and found is not None and found not in (*columns.values(), *spoken.values()):
            columns[name] = found
    if "text" not in columns:
        raise TocsinError(
            f"{file} has no column that looks like the messages' text; it has {_listed(header)}: "
            "name it with --column text=NAME"
        )
    return Layout(encoding, mark, header, {name: columns[name] for name in NAMES if name in columns}, spoken, count)


def rows(file: str, how: Layout) -> Iterator[Row]:
    """Every row behind the header, in order; agents' own turns and empty lines are left out.

    Raises:
        TocsinError: the file cannot be read.
    """
    csv.field_size_limit(8 * MAX_MESSAGE_BYTES)
    with opened(file) as raw:
        reader = csv.reader(_text(raw, how.encoding), delimiter=how.delimiter)
        next(reader)
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield Row(reader.line_num, {}, str(error))
                continue
            if cells is None:
                return
            if not any(cells):
                continue
            row = _row(reader.line_num, cells, how)
            if row is not None:
                yield row


def _row(line: int, cells: list[str], how: Layout) -> Row | None:
    if len(cells) != len(how.header):
        return Row(line, {}, f"another number of columns than the {len(how.header)} of the first line")
    found = {name: cells[place].strip() for name, place in how.columns.items()}
    if _plain(found.pop("author_role", "")) not in _CUSTOMERS:
        return None
    if not found["text"] and not found.get("subject"):
        return Row(line, {}, "no text")
    fields: dict[str, Any] = {name: value for name, value in found.items() if value}
    fields |= {"id": f"row-{line}", "text": found["text"], "customer_id": found.get("customer_id") or f"row-{line}"}
    if "sent_at" in fields:
        sent = moment(fields.pop("sent_at"))
        if sent is not None:
            fields["sent_at"] = sent.isoformat(timespec="milliseconds")
    if not re.fullmatch(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*", fields.get("language", "en")):
        del fields["language"]  # a name such as "French" is no tag; the text says it, too
    if "language" in fields:
        fields["language"] = fields["language"].replace("_", "-")
    return Row(line, fields, "", {head: cell for head, place in how.labels.items() if (cell := cells[place].strip())})


def moment(value: str) -> datetime | None:
    """A time as exports write it (ISO 8601, mail's, Twitter's); UTC where it names no zone; None for any other."""
    for read in (datetime.fromisoformat, parsedate_to_datetime, _twitter):
        try:
            found = read(value)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return None


def _twitter(value: str) -> datetime:
    return datetime.strptime(value, "%a %b %d %H:%M:%S %z %Y")


def _encoding(file: str) -> tuple[str, int]:
    """(encoding, lines): UTF-8 if it is that, else what its first bytes say, else Windows' Western."""
    lines, first, decoder = 0, True, getincrementaldecoder("utf-8")()
    good = True
    with opened(file) as raw:
        while block := raw.read(1 << 20):
            if first and block[:2] in (b"\xff\xfe", b"\xfe\xff"):
                return "utf-16", block.count(b"\n")
            first = False
            lines += block.count(b"\n")
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                good = False
    return ("utf-8-sig" if good else "cp1252"), lines


def _delimiter(file: str, encoding: str) -> str:
    with opened(file) as raw:
        first = _text(raw, encoding).readline(_HEADER_BYTES)
    return max(_DELIMITERS, key=first.count)


def _text(raw: Any, encoding: str) -> TextIOWrapper:
    return TextIOWrapper(cast("Any", raw), encoding=encoding, errors="replace", newline="")


def _plain(name: str) -> str:
    bare = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"[a-z0-9]+", bare))


def _listed(header: tuple[str, ...]) -> str:
    return ", ".join(quoted(name, 40) for name in header[:20]) + (" …" if len(header) > 20 else "")
