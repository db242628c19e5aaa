"""Mutations that keep an input nearly what it should be: JSON that stays JSON, a document whose lines move.

Owns: them. Must never: use a source of chance but the one it is given.
"""

from __future__ import annotations

from random import Random
from typing import Any

import orjson

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 0.5, -0.0, 1.0, 1e308, -1e308, 5e-324, 2**31, 2**53, 2**53 + 1, 2**63, 2**64 - 1,
    "", " ", "\n", "\0", "p0", "p3", "yes", "no", "en", "fr", "de-AT", "other", "x" * 65, "x" * 257, "\u202e\ufeff",
    "ﷺ" * 20, "\U0001f525" * 3, "2026-03-02T09:00:00.000Z", "2026-02-30T09:00:00Z", "2026-03-02T23:59:60Z",
    "2026-03-02T09:00:00+29:59", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
    [], {}, [[]], {"": ""}, [0], ["a", "a"],
    "posted", "deleted", "customer", "retract", "correct", "confirm", "override", "learn", "unlearn", "withdrawn",
    "scored", "abstained", "unscored", "model", "rule", "human", "floor", "urgency", "category", "emotion",
)  # fmt: skip
"""Values that decoders trip over."""
RAW = (
    b"1e400",
    b"-1e400",
    b"NaN",
    b"9" * 400,
    b'"\\ud800"',
    b'"\\u0000"',
    b"-",
    b"0" * 20,
    b"[" * 1200,
    b"\xff",
    b"0.1e-999",
)
"""What stands in for a value where the result need not be JSON."""
VALUES = (
    b"", b"{}", b"[]", b"0.5", b"-1", b"1e9", b"&a x", b"*a", b"!!python/object:a.B {}", b"|", b">", b'"', b"'\\n'", b"no", b"~",
    b"(a|b) [c] ... d", b"((((((((((a))))))))))", b"zzz", b"<<", b"[a, a]", b"{a: {a: {a: a}}}", b"2026-03-02", b".inf",
)  # fmt: skip
"""What stands behind a colon in a document."""
NAMES = (
    "id", "customer_id", "text", "subject", "language", "sent_at", "attachments", "event", "revision", "attributes",
    "author_role", "reach", "visibility", "kind", "labels", "predicted", "reviewer", "message_id", "retracts", "at",
    "source", "reasons", "urgency", "by", "until", "priority", "status", "decided_by", "sentiment", "category",
    "emotion", "spam", "abuse", "contributions", "probabilities", "features", "values", "from_offset", "heads", "weights",
    "ids", "languages", "bias", "base", "seen", "figures", "document", "note", "decision_id", "received_at", "head",
    "label", "floor", "start", "end", "phrase", "logit", "rest", "supersedes", "feedback_id", "human_decision_id",
)  # fmt: skip


def mutated(data: bytes, kind: str, random: Random) -> bytes:
    """`data`, changed in one to four places.

    Args:
        kind: `json` (a value), `lines` (a document of lines), `packed` (a JSON header, a line feed, any bytes); anything
            else: bytes.
    """
    for _ in range(random.choice((1, 1, 2, 4))):
        if kind == "json":
            data = _json(data, random)
        elif kind == "lines" and random.random() < 0.8:
            data = _lines(data, random)
        elif kind == "packed" and data.startswith(b"{"):
            header, _, body = data.partition(b"\n")
            header, body = (_json(header, random), body) if random.random() < 0.7 else (header, _bytes(body, random))
            data = header + b"\n" + body
        else:
            data = _bytes(data, random)
    return data


def _json(data: bytes, random: Random) -> bytes:
    try:
        value: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _bytes(data, random)
    top: list[Any] = [value]
    places = _places(top)
    holder, key = random.choice(places)
    raw: bytes | None = None
    match random.randrange(10):
        case 0 | 1:
            holder[key] = random.choice(ODD)
        case 2:
            if holder is not top:
                del holder[key]
        case 3:
            if isinstance(holder, dict):
                holder[random.choice(NAMES)] = holder[key]
            else:
                holder.append(holder[key])
        case 4:
            holder[key] = random.choice(([holder[key]], {random.choice(NAMES): holder[key]}, [holder[key]] * 70))
        case 5:
            other_holder, other = random.choice(places)
            holder[key] = other_holder[other]
        case 6:
            if isinstance(holder[key], dict):
                holder[key][random.choice(NAMES)] = random.choice(ODD)
        case 7:
            holder[key] = _nested(random)
        case 8:
            holder[key] = _changed(holder[key], random)
        case _:
            holder[key] = "\x07raw\x07"
            raw = random.choice(RAW)
    try:
        out = orjson.dumps(top[0])
    except (TypeError, RecursionError):  # nested too deep, or in itself
        return data
    if len(out) > 1 << 20:
        return data
    return out if raw is None else out.replace(b'"\\u0007raw\\u0007"', raw)


def _places(top: list[Any]) -> list[tuple[Any, Any]]:
    """(container, key) of every value below `top`."""
    found: list[tuple[Any, Any]] = []
    waiting: list[Any] = [top]
    while waiting and len(found) < 3_000:
        holder = waiting.pop()
        for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
    return found


def _nested(random: Random) -> Any:
    value: Any = random.choice(ODD)
    for _ in range(random.choice((3, 60, 240))):
        value = [value] if random.random() < 0.5 else {"a": value}
    return value


def _changed(value: Any, random: Random) -> Any:
    if isinstance(value, str):
        at = random.randint(0, len(value))
        odd = random.choice(
            ("\0", "é", "e\u0301", "’", "\n", "> ", "\u200b", "ﷺ", "İ", "x" * 60, "-- \n", "@", '"', ".")
        )
        changed = (value[:at], value[at:], value[:at] + odd + value[at:], value * 2, value.upper())
        return random.choice(changed)[:120_000]
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        more = min(value * 1_000, 2**64 - 1) if value > 0 else value
        return random.choice((value + 1, value - 1, -value, more, str(value)))
    if isinstance(value, float):
        return random.choice((-value, value * 1e3, value + 1.0, int(min(max(value, -1e15), 1e15))))
    return value


def _lines(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\n")
    at, other = random.randrange(len(lines)), random.randrange(len(lines))
    line = lines[at]
    match random.randrange(8):
        case 0:
            del lines[at]
        case 1:
            lines.insert(other, line)
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
        case 3:
            lines[at] = b" " * random.randint(0, 9) + line.lstrip()
        case 4:
            head, colon, _ = line.partition(b":")
            lines[at] = head + colon + b" " + random.choice(VALUES)
        case 5:
            lines[at:at] = [line] * random.choice((2, 20, 500))
        case 6:
            indent = line[: len(line) - len(line.lstrip())]
            many = random.choice((20, 2_000))
            lines[at:at] = [indent + b"- phrase number %d of many" % number for number in range(many)]
        case _:
            lines[at] = line.replace(b" ", b"  ") if random.random() < 0.5 else line + b" " + line.strip()
    return b"\n".join(lines)


def _bytes(data: bytes, random: Random) -> bytes:
    at = random.randint(0, len(data))
    match random.randrange(6):
        case 0:
            return data[:at] + data[at + random.randint(1, 8) :]
        case 1:
            return data[:at] + random.randbytes(random.randint(1, 8)) + data[at:]
        case 2:
            return data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]
        case 3:
            end = min(len(data), at + random.randint(1, 64))
            return data[:end] + data[at:end] * random.choice((1, 3, 100)) + data[end:]
        case 4:
            return data[:at] + random.choice(RAW) + data[at:]
        case _:
            return data[:at]
