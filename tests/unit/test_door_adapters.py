"""What tools send, in our words: every example with what becomes of it, and what an agent's change means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents.door.adapters import TOOLS, Word, adapter
from agents.door.adapters.html import plain
from agents.door.back import records
from agents.door.lookup import NoAnswer
from agents.door.mapping import ToolMap, load_map
from schemas.base import Invalid
from streams.errors import TocsinError
from tests.unit.door_world import ARRIVED, EXAMPLES, MAP, Fake, records_of, said

PAYLOADS = sorted(path for path in EXAMPLES.glob("*/*.json") if path.name != "expected.json")
ODD: tuple[Any, ...] = (None, {}, 7, "x", [["x"]])


def expected(tool: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXAMPLES / tool / "expected.json").read_text("utf-8"))
    return found


def payload(tool: str, name: str) -> Any:
    return json.loads((EXAMPLES / tool / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_an_example_becomes_what_stands_beside_it(path: Path) -> None:
    tool = path.parent.name
    wanted = expected(tool)[path.stem]
    found = await records_of(tool, json.loads(path.read_bytes()), wanted.get("event", ""), Fake([said("m-1", "p2")]))
    assert found == wanted["records"]


def test_every_tool_has_examples_and_every_expectation_a_payload() -> None:
    assert {path.parent.name for path in PAYLOADS} == set(TOOLS)
    for tool in TOOLS:
        assert set(expected(tool)) == {path.stem for path in PAYLOADS if path.parent.name == tool}


async def test_a_tickets_description_and_its_first_comment_are_one_message() -> None:
    lookup = Fake()
    created = await records_of("zendesk", payload("zendesk", "ticket_created"), "", lookup)
    assert created == await records_of("zendesk", payload("zendesk", "first_comment"), "", lookup)
    assert created[0]["record"]["id"] == "zendesk:ticket-5158"


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_wrong_type_anywhere_is_refused_or_ignored(tool: str) -> None:
    """Every value of every example, one after the other, is replaced by each odd one."""
    part = load_map(MAP)[tool]
    tried = 0
    for path in (one for one in PAYLOADS if one.parent.name == tool):
        event = expected(tool)[path.stem].get("event", "")
        whole = json.loads(path.read_bytes())
        for holder, key in list(places(whole)):
            kept = holder[key]
            for odd in ODD:
                holder[key] = odd
                try:
                    told = adapter(tool)(whole, event, ARRIVED, part.known)
                except Invalid:
                    continue
                for one in await records(tool, told, part, Fake([said("m-1", "p2")]), ARRIVED):
                    assert one is not None
                tried += 1
            holder[key] = kept
    assert tried > 100


def places(value: Any) -> Any:
    """(container, key) of everything in a decoded JSON value."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in list(entries):
        yield value, key
        yield from places(one)


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<p>a</p><p>b &amp; c</p>", "a\n\nb & c"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<style>p{}</style><script>alert(1)</script>seen", "seen"),
        ('<img alt="🙁" src="x"> sad', "🙁 sad"),
        ("no markup: 1 < 2", "no markup: 1 < 2"),
        ("<p>left open <b>bold", "left open bold"),
    ],
)
def test_html_becomes_the_words_that_people_see(markup: str, words: str) -> None:
    assert plain(markup) == words


# --- an agent's change


def word(value: str, kind: Any = "priority", **more: Any) -> Word:
    return Word("zendesk:e1", "zendesk:1", kind, value, "ana", ARRIVED, **more)


async def of(one: Word, *messages: Any, part: ToolMap | None = None) -> Any:
    part = load_map(MAP)["zendesk"] if part is None else part
    (found,) = await records("zendesk", [one], part, Fake(messages), ARRIVED)
    return found


@pytest.mark.parametrize(
    ("ours", "theirs", "kind", "reason"),
    [
        ("p3", "urgent", "override", "missed"),
        ("p0", "high", "override", "false_alarm"),
        ("p1", "urgent", "confirm", None),
    ],
)
async def test_an_agents_priority_judges_the_decision(ours: str, theirs: str, kind: str, reason: str | None) -> None:
    feedback = json.loads((await of(word(theirs), said("m-1", ours))).value)
    assert (feedback["kind"], feedback["reason"], feedback["reviewer"]) == (kind, reason, "zendesk:ana")
    assert feedback["predicted"]["priority"] == ours and feedback["predicted"]["source"]["offset"] == 17
    assert feedback["text"] == "words"


async def test_a_word_on_a_conversation_speaks_of_its_most_pressing_message() -> None:
    """What rang is what an agent looks at; not the "thanks" behind it."""
    found = await of(
        word("urgent"), said("thanks", "p3"), said("newer", "p1"), said("older", "p1"), said("undecided", None)
    )
    assert json.loads(found.value)["message_id"] == "newer"


async def test_without_a_decision_there_is_no_feedback() -> None:
    assert (await of(word("urgent"), said("m-1", None))).outcome == "unknown"
    assert (await of(word("urgent"))).outcome == "unknown"


async def test_what_tocsin_itself_did_is_nobodys_word() -> None:
    part = ToolMap({("tag", "tocsin_p1"): load_map(MAP)["zendesk"].labels["priority", "urgent"]})
    assert (await of(word("Tocsin_P1", "tag"), said("m-1", "p3"), part=part)).outcome == "ignored"
    assert (await of(word("urgent"), said("m-1", "p3"), part=ToolMap(ours=frozenset({"ana"})))).outcome == "ignored"
    assert (await of(word("urgent"), said("m-1", "p3"), part=ToolMap())).outcome == "unmapped"


async def test_an_answer_needs_the_customer_of_its_conversation() -> None:
    answer = payload("discourse", "moderator_answers")
    (found,) = await records_of("discourse", answer, "post_created", Fake())
    assert list(found) == ["unknown"]
    with pytest.raises(NoAnswer):
        await records_of("discourse", answer, "post_created", Fake(away=True))


# --- the map file


@pytest.mark.parametrize(
    ("document", "said_so"),
    [
        ("- a", "(the file)"),
        ("jira: {}", '"jira"'),
        ("zendesk: {priority: {urgent: p9}}", "zendesk.priority.urgent"),
        ("zendesk: {tag: {x: {mood: bad}}}", '"mood"'),
        ("zendesk: {tag: {x: {}}}", "zendesk.tag.x labels nothing"),
        ("zendesk: {tag: {yes: billing}}", "quote it"),
        ("slack: {agents: ana}", "slack.agents"),
        ("slack: {agents: [", "line 1"),
    ],
)
def test_a_wrong_map_file_is_refused_with_the_place(document: str, said_so: str, tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(document, "utf-8")
    with pytest.raises(TocsinError) as refused:
        load_map(path)
    assert said_so in str(refused.value) and str(path) in str(refused.value)


def test_a_missing_map_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TocsinError, match="TOCSIN_DOOR_MAP"):
        load_map(tmp_path / "none.yaml")
    assert load_map(None) == {}
