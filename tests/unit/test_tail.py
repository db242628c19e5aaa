"""`tocsin tail` shows every record as one readable line, and never what a terminal would obey."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from agents.commands.tail import readable

EXAMPLES = Path(__file__).parents[2] / "schemas/examples/valid"
TOPICS = {
    "alert": "priority.p0",
    "decision": "decisions",
    "handoff": "handoffs",
    "incident": "incidents",
    "health": "health",
}


def shown(topic: str, value: bytes) -> str:
    record: Any = SimpleNamespace(topic=f"tocsin.{topic}", partition=3, offset=41, timestamp=0, key=b"c", value=value)
    return readable(topic, record).plain


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_example_is_one_line(path: Path) -> None:
    line = shown(TOPICS.get(path.parent.name, path.parent.name), path.read_bytes())
    assert " 3/41 " in line
    assert line.isprintable()


def test_a_handoff_and_an_alarm_are_told_in_words() -> None:
    (handoff,) = (EXAMPLES / "handoff").glob("*.json")
    assert shown("handoffs", handoff.read_bytes()).endswith(
        "p2 The bot's answers did not help.  customer c-7731, conversation t-1, 5 messages, to support"
    )
    alarm = orjson.loads((EXAMPLES / "health/alarm.json").read_bytes())
    assert shown("health", orjson.dumps(alarm)).endswith(f"{alarm['code']} {alarm['component']}  {alarm['detail']}")


def test_control_characters_are_shown_and_not_obeyed() -> None:
    value = orjson.dumps({"id": "a", "note": "\x1b[2J\u202e"})
    assert "\x1b" not in shown("actions", value)
    assert "\u202e" not in shown("actions", value)
