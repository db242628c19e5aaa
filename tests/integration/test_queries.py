"""The queries that boards are made of, on the real engine, with rows that the recorder made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from schemas.base import timestamp
from tests.integration import recording_stage
from tests.integration.recording_stage import NOW, Play, Stage, decided

backend, play = recording_stage.backend, recording_stage.play
pytestmark = pytest.mark.integration
FOLDER = Path(__file__).parents[2] / "deploy/clickhouse/queries"


def query(name: str) -> str:
    return (FOLDER / f"{name}.sql").read_text("utf-8")


def moment(seconds: float) -> str:
    return timestamp(NOW + round(seconds * 1000))


def said(number: int, role: str, seconds: int, conversation: str = "v1") -> dict[str, Any]:
    fields = {"id": f"m{number}", "customer_id": "c1", "conversation_id": conversation, "text": "x", "channel": "chat"}
    return {**fields, "author_role": role, "sent_at": moment(seconds)}


def handed(number: int, trigger: str, seconds: int, conversation: str = "v1", **more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "customer_id": "c1",
        "conversation_id": conversation,
        "message_id": "m1",
        "decision_id": "d1",
    }
    why = {"en": "Why.", "fr": "Pourquoi."}
    told = {"trigger": trigger, "why": why, "priority": "p1", "route": "care", "transcript": ["m1", "m2"]}
    return {**fields, **told, "id": f"h{number}", "at": moment(seconds), **more}


def test_every_query_is_run_here() -> None:
    quoted = Path(__file__).read_text("utf-8").replace('"', "'")
    assert [file.stem for file in FOLDER.glob("*.sql") if f"query({file.stem!r})" not in quoted] == []


def test_every_query_stands_on_the_page() -> None:
    page = (FOLDER.parents[2] / "docs/boards.md").read_text("utf-8")
    assert [file.name for file in FOLDER.glob("*.sql") if f"`{file.name}`" not in page.split("## All queries")[1]] == []


def test_answers_are_people_s_and_their_times_are_rows(play: Play) -> None:
    async def story(stage: Stage) -> None:
        turns = [
            said(1, "customer", 0), said(2, "bot", 5), said(3, "agent", 90), said(4, "agent", 100),
            said(5, "customer", 10, "v2"), said(6, "bot", 11, "v2"),
        ]  # fmt: skip
        action = {"customer_id": "c1", "message_id": "m3", "kind": "resolved", "by": "r1"}
        await stage.record("messages", turns)
        await stage.record("decisions", [decided(1, priority="p2"), decided(5, priority="p3")])
        await stage.record(
            "actions",
            [
                {**action, "id": "a1", "at": timestamp(NOW + 200_000)},
                {**action, "id": "a2", "at": timestamp(NOW + 300_000)},
                {**action, "id": "a3", "at": timestamp(NOW + 310_000), "undoes": "a2"},
            ],
        )
        answers = query("answers")
        found = await stage.sink.query(
            f"SELECT conversation_id, channel, priority, answer_seconds, resolved_at IS NULL AS open FROM ({answers}) ORDER BY 1"
        )
        assert found == [
            {"conversation_id": "v1", "channel": "chat", "priority": "p2", "answer_seconds": 90.0, "open": 0},
            {"conversation_id": "v2", "channel": "chat", "priority": "p3", "answer_seconds": None, "open": 1},
        ]
        assert await stage.value(f"SELECT resolution_seconds FROM ({answers}) WHERE conversation_id = 'v1'") == 200

    play(story)


def test_who_waits_for_a_person_stands_by_priority_and_age(play: Play) -> None:
    async def story(stage: Stage) -> None:
        turns = [said(1, "customer", 0), said(2, "bot", 5), said(3, "customer", 0, "v2"), said(4, "agent", 9, "v2")]
        turns += [said(5, "customer", -60, "v3"), said(6, "customer", -50, "v4")]
        await stage.record("messages", turns)
        places = {1: "v1", 3: "v2", 5: "v3", 6: "v4"}
        flagged = [
            decided(n, priority="p1", conversation_id=v, sent_at=turns[n - 1]["sent_at"]) for n, v in places.items()
        ]
        flagged.append(
            decided(5, id="d5b", priority="p0", conversation_id="v3", sent_at=moment(-60), decided_by="history")
        )
        await stage.record("decisions", flagged)
        action = {"customer_id": "c1", "message_id": "m6", "kind": "resolved", "by": "ana", "id": "a1", "at": moment(0)}
        await stage.record("actions", [action])
        await stage.record("handoffs", [handed(1, "asked", 1, satisfaction=0.25)])
        found = await stage.sink.query(
            f"SELECT conversation_id, priority, handoff, satisfaction FROM ({query('waiting')})"
        )
        assert found == [
            {"conversation_id": "v3", "priority": "p0", "handoff": "", "satisfaction": None},
            {"conversation_id": "v1", "priority": "p1", "handoff": "asked", "satisfaction": 0.25},
        ]

    play(story)


def test_handoffs_say_how_soon_somebody_took_them(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.record("handoffs", [handed(1, "asked", 0), handed(2, "slope", 0, transcript=["m9"])])
        taken = {"customer_id": "c1", "message_id": "m2", "kind": "taken", "by": "ana", "id": "a1", "at": moment(40)}
        await stage.record("actions", [taken, {**taken, "id": "a2", "at": moment(90)}])
        found = await stage.sink.query(
            f"SELECT trigger, handoffs, taken, median_seconds FROM ({query('handoffs')}) ORDER BY 1"
        )
        assert found[0] == {"trigger": "asked", "handoffs": 1, "taken": 1, "median_seconds": 40.0}
        assert (found[1]["trigger"], found[1]["handoffs"], found[1]["taken"]) == ("slope", 1, 0)

    play(story)


def test_breaches_stand_apart_from_what_rose_otherwise(play: Play) -> None:
    async def story(stage: Stage) -> None:
        def raised(number: int, rule: str) -> dict[str, Any]:
            return decided(number, priority="p1", decided_by="history", reasons=[{"history": rule, "messages": ["m1"]}])

        await stage.record(
            "decisions", [raised(1, "breach_near"), raised(2, "joined"), raised(3, "joined"), decided(4)]
        )
        found = await stage.sink.query(f"SELECT priority, nearly_late, raised_otherwise FROM ({query('breaches')})")
        assert found == [{"priority": "p1", "nearly_late": 1, "raised_otherwise": 2}]

    play(story)


def test_the_last_word_on_a_customer_counts(play: Play) -> None:
    def standing(kind: str, score: float) -> dict[str, Any]:
        return {
            "kind": kind,
            "score": score,
            "events": [{"kind": "trouble", "at": NOW, "message_id": "m1", "weight": score}],
        }

    async def story(stage: Stage) -> None:
        rows = [
            {"standing": [standing("at_risk", 5.5)]},
            {"standing": [standing("at_risk", 7.0), standing("quotable", 0.9)]},
        ]
        await stage.record("customers", rows)
        found = await stage.sink.query(f"SELECT customer_id, kind, score, made_by, messages FROM ({query('standing')})")
        assert found == [
            {"customer_id": "c1", "kind": "at_risk", "score": 7.0, "made_by": "trouble 7", "messages": ["m1"]},
            {"customer_id": "c1", "kind": "quotable", "score": 0.9, "made_by": "trouble 0.9", "messages": ["m1"]},
        ]
        await stage.record("customers", [{"turns": [], "cleared": True}], first=2)
        assert await stage.sink.query(query("standing")) == []

    play(story)


def test_predicted_satisfaction_stands_beside_what_customers_said(play: Play) -> None:
    async def story(stage: Stage) -> None:
        outcomes = [(0.1, 0.0), (0.15, 0.25), (0.9, 1.0), (0.95, 0.5)]
        records = [
            {
                "code": "satisfaction", "component": "follow", "severity": "info", "at": moment(0),
                "figures": {"conversation_id": "v1", "message_id": "m1", "predicted": predicted, "rating": rating},
            }
            for predicted, rating in outcomes
        ]  # fmt: skip
        await stage.record("health", records)
        found = await stage.sink.query(query("satisfaction"))
        rounded = [
            (row["from_share"], row["outcomes"], round(row["predicted_mean"], 3), row["rated_mean"]) for row in found
        ]
        assert rounded == [(0.0, 2, 0.125, 0.125), (0.8, 2, 0.925, 0.75)]
        assert {round(row["calibration_error"], 4) for row in found} == {0.0875}

    play(story)


def judged(number: int, kind: str, was: str, said_: str = "", **more: Any) -> dict[str, Any]:
    labels = {"priority": said_} if said_ else {"sentiment": "negative"}
    source = {"topic": "tocsin.messages", "partition": 0, "offset": number}
    predicted = {"priority": was, "source": source}
    fields = {
        "id": f"f{number}",
        "message_id": f"m{number}",
        "customer_id": "c1",
        "kind": kind,
        "labels": labels,
        "text": "x",
    }
    return {**fields, "reviewer": "ana", "predicted": predicted, "at": moment(0), **more}


def test_precision_comes_with_its_interval_and_without_what_was_taken_back(play: Play) -> None:
    async def story(stage: Stage) -> None:
        words = [judged(n, "confirm", "p1") for n in range(8)] + [
            judged(8, "override", "p1", "p3"),
            judged(9, "override", "p1", "p2"),
        ]
        words += [judged(10, "override", "p2", "p3"), judged(11, "override", "p0", "p3")]
        taken = {
            "id": "r1",
            "message_id": "m11",
            "customer_id": "c1",
            "kind": "retract",
            "retracts": "f11",
            "reviewer": "ana",
        }
        await stage.record("feedback", [*words, {**taken, "at": moment(1)}])
        found = await stage.sink.query(query("precision"))
        rounded = [
            (r["priority"], r["judged"], round(r["precision"], 3), round(r["lowest"], 3), round(r["highest"], 3))
            for r in found
        ]
        assert rounded == [("p1", 10, 0.9, 0.596, 0.982), ("p2", 1, 0.0, 0.0, 0.793)]

    play(story)


def test_a_phrase_stands_with_its_rings_and_how_many_were_right(play: Play) -> None:
    async def story(stage: Stage) -> None:
        texts = {1: "I'll sue you", 2: "I WILL SUE YOU!", 3: "I'll sue you", 4: "hello"}
        await stage.record("messages", [{**said(n, "customer", 0), "text": text} for n, text in texts.items()])
        places = {1: (5, 12), 2: (7, 14), 3: (5, 12)}
        decisions = [
            decided(n, priority="p1", reasons=[{"floor": "legal", "phrase": "x", "start": start, "end": end}])
            for n, (start, end) in places.items()
        ]
        await stage.record("decisions", [*decisions, decided(4, priority="p3", reasons=[])])
        await stage.record("feedback", [judged(1, "confirm", "p1"), judged(2, "override", "p1", "p3")])
        assert await stage.sink.query(query("phrases")) == [
            {"floor": "legal", "phrase": "sue you", "rings": 3, "judged": 2, "right": 1}
        ]

    play(story)


def incident(number: int, state: str, seconds: float, **more: Any) -> dict[str, Any]:
    source = {"topic": "tocsin.messages", "partition": 0, "offset": number}
    first = {"message_id": f"m{number}", "customer_id": "c1", "source": source, "at": moment(0)}
    counts = {name: {"x": 1} for name in ("categories", "channels", "languages", "priorities")}
    fields = {"id": f"i{number}", "kind": "burst", "why": {"en": "Many.", "fr": "Beaucoup."}, "first": first, **counts}
    told = {"messages": 20, "customers": 20, "rate": 20.0, "peak": 20.0, "phrases": ["down"], "examples": [], "rang": 0}
    times = {"at": moment(seconds), "opened_at": moment(0)}
    return {**fields, **told, **times, "state": state, "alerts": [], **more}


def test_an_incident_stands_as_its_last_record_says_with_all_that_it_gathered(play: Play) -> None:
    def alert(group: str) -> dict[str, Any]:
        return {"message_id": "m1", "decision_id": group, "group": group, "priority": "p1"}

    usual = {"rate": 0.5, "low": 0.1, "high": 1.0, "hours": 3}

    async def story(stage: Stage) -> None:
        rows = [
            incident(1, "opened", 0, alerts=[alert("g1")], usual=usual),
            incident(1, "grown", 9, messages=80, peak=60.0, alerts=[alert("g1"), alert("g2")], rang=3, usual=usual),
            incident(2, "opened", 5),
            incident(1, "closed", 99, messages=90, closed_at=moment(99), rang=3, usual=usual),
        ]
        await stage.record("incidents", rows)
        found = await stage.sink.query(
            f"SELECT id, state, messages, peak, usual_at_most, gathered, rang FROM ({query('incidents')})"
        )
        assert found == [
            {
                "id": "i2",
                "state": "opened",
                "messages": 20,
                "peak": 20.0,
                "usual_at_most": 0.0,
                "gathered": 0,
                "rang": 0,
            },
            {
                "id": "i1",
                "state": "closed",
                "messages": 90,
                "peak": 60.0,
                "usual_at_most": 1.0,
                "gathered": 2,
                "rang": 3,
            },
        ]

    play(story)


def word(number: int, kind: str, predicted: dict[str, Any], **more: Any) -> dict[str, Any]:
    judged = {"source": {"topic": "tocsin.messages", "partition": 0, "offset": number}, "status": "scored", **predicted}
    fields = {"id": f"f{number}", "message_id": f"m{number}", "customer_id": "c1", "kind": kind, "reviewer": "ana"}
    return {**fields, "text": "x", "labels": {"priority": "p2"}, "predicted": judged, **more}


def test_the_budget_stands_beside_its_precision(play: Play) -> None:
    budget = {"priority": "p2", "route": "care", "hourly": 10, "rang": 10, "held": 5}

    async def story(stage: Stage) -> None:
        more = {"kind": "budget", "id": "budget-p2-care-1"}
        await stage.record(
            "incidents",
            [
                incident(1, "opened", 0, budget=budget, **more),
                incident(1, "closed", 9, budget={**budget, "held": 7}, **more),
            ],
        )
        place = {"priority": "p2", "route": "care"}
        said = [
            word(1, "confirm", place),
            word(2, "confirm", place),
            word(3, "override", place, labels={"priority": "p3"}),
        ]
        await stage.record("feedback", said)
        (found,) = await stage.sink.query(
            f"SELECT priority, route, hourly, rang, held, judged, precision, lowest, highest FROM ({query('budget')})"
        )
        assert (found["hourly"], found["rang"], found["held"], found["judged"]) == (10, 10, 7, 3)
        assert found["precision"] == pytest.approx(2 / 3)
        assert 0.2 < found["lowest"] < found["precision"] < found["highest"] < 0.95

    play(story)


def test_misses_are_counted_among_samples_alone(play: Play) -> None:
    async def story(stage: Stage) -> None:
        waits = {"priority": "p3"}
        said = [
            word(1, "override", waits, decision_id="00000001" + 24 * "0"),
            word(2, "confirm", waits, decision_id="01000000" + 24 * "0", labels={"priority": "p3"}),
            word(3, "override", waits, decision_id="ff000000" + 24 * "0"),
        ]
        await stage.record("feedback", said)
        (found,) = await stage.sink.query(query("misses"), {"share": 0.005})
        assert (found["judged"], found["missed"], found["share"]) == (2, 1, 0.5)
        assert found["lowest"] < 0.1 and found["highest"] > 0.9
        (none,) = await stage.sink.query(query("misses"), {"share": 0.0})
        assert (none["judged"], none["lowest"], none["highest"]) == (0, 0, 1)

    play(story)


HOUR_MS, DAY_MS = 3_600_000, 86_400_000


async def talk(stage: Stage) -> None:
    """40 messages now and 400 on each of the two days before: at this hour 10 of 100, and 300 at another."""
    now = range(1, 41)
    shut = {number: "The locker is shut" if number <= 12 else "hello there everyone" for number in now}
    turns = [{**said(number, "customer", 0), "customer_id": f"c{number % 6}", "text": shut[number]} for number in now]
    for turn in turns[:4]:
        turn["attributes"] = {"product": "X200"}
    await stage.record("messages", turns)
    await stage.record("decisions", [decided(n, priority="p3", customer_id=f"c{n % 6}", reasons=[]) for n in now])
    for day in (1, 2):
        for number, (hours, count) in enumerate([(0, 100), (5, 300)]):
            first = 1000 * (2 * day + number)
            arrived = NOW - day * DAY_MS - hours * HOUR_MS - 60_000
            before = range(first, first + count)
            words = {n: "my locker code" if n % 10 == 0 and not hours else "hello there everyone" for n in before}
            old = [{**said(n, "customer", 0), "id": f"m{n}", "text": words[n]} for n in before]
            await stage.record("messages", old, first=first, times=[arrived] * count)
            await stage.record(
                "decisions",
                [decided(n, priority="p3", reasons=[], received_at=timestamp(arrived)) for n in before],
                first=first,
                times=[arrived] * count,
            )


def test_trends_say_how_many_times_more_and_how_sure_that_is_by_hour_and_by_day(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await talk(stage)
        found = {(one["span"], one["by"], one["topic"]): one for one in await stage.sink.query(query("trends"))}
        hour, day = found["hour", "phrase", "locker"], found["day", "phrase", "locker"]
        assert (hour["n"], hour["customers"], hour["usual"], hour["small"]) == (12, 6, 4.0, 0)  # 20 of 200, of 40 now
        assert (day["n"], day["usual"]) == (12, 1.0)  # 20 of 800
        assert hour["times"] == pytest.approx((12.5 / 41) / (20.5 / 201))
        assert found["hour", "phrase", "the locker"]["n"] == 12
        product = found["day", "product", "X200"]
        assert (product["n"], product["small"]) == (4, 1)
        assert set(product["examples"]) == {"m1", "m2", "m3", "m4"}
        for one in found.values():
            assert one["times_at_least"] < one["times"] < one["times_at_most"]

    play(story)


def test_themes_are_trends_without_a_word_of_anybody(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await talk(stage)
        told = {"category": {"label": "delivery", "probabilities": {"delivery": 0.9}}, "priority": "p1"}
        floor = [{"floor": "legal", "phrase": "x", "start": 0, "end": 3}]
        await stage.record("decisions", [decided(n, reasons=floor, **told) for n in range(41, 54)], first=9000)
        found = {(one["span"], one["by"], one["topic"]): one for one in await stage.sink.query(query("themes"))}
        for by, topic in (("rule", "legal"), ("category", "delivery")):
            one = found["hour", by, topic]
            assert (one["n"], one["usual"], one["small"]) == (13, 0.0, 0)
            assert 1 < one["times_at_least"] < one["times"] < one["times_at_most"]
            assert set(one["examples"]) <= {f"m{n}" for n in range(41, 54)}
        assert "messages" not in re.findall(r"\b(?:FROM|JOIN) (\w+)", query("themes"))

    play(story)


def test_the_heat_map_counts_writing_and_answering_by_hour_of_the_week(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.record("messages", [said(1, "customer", 0), said(2, "agent", 5), said(3, "customer", 9)])
        await stage.record("decisions", [decided(1, priority="p1"), decided(3, priority="p3")])
        (found,) = await stage.sink.query(
            f"SELECT sum(messages) m, sum(flagged) f, sum(answers) a FROM ({query('heatmap')})"
        )
        assert found == {"m": 2, "f": 1, "a": 1}

    play(story)


def test_a_shadow_is_held_against_what_people_said_of_the_same_messages(play: Play) -> None:
    async def story(stage: Stage) -> None:
        numbers = range(1, 5)
        active = ["p2", "p2", "p3", "p3"]
        beside = ["p2", "p3", "p2", "p3"]
        await stage.record("decisions", [decided(n, priority=active[n - 1]) for n in numbers])
        # What history raised later is not what triage decided.
        await stage.record("decisions", [decided(4, id="d4b", priority="p1", decided_by="history", supersedes="d4")])
        other = [decided(n, priority=beside[n - 1], policy_version="eager@1") for n in numbers]
        await stage.record("shadow", [*other, {**other[0], "message_id": "m9", "id": "d9"}])
        said = [
            word(1, "confirm", {"priority": "p2"}),
            word(2, "override", {"priority": "p2"}, labels={"priority": "p3"}),
            word(3, "override", {"priority": "p3"}, labels={"priority": "p1"}),
        ]
        await stage.record("feedback", said)
        found = await stage.sink.query(
            f"SELECT policy_version, priority, side, messages, judged, right FROM ({query('shadow')}) ORDER BY 2, 3"
        )
        assert [tuple(one.values()) for one in found] == [
            ("eager@1", "p2", "active", 2, 2, 1),
            ("eager@1", "p2", "shadow", 2, 2, 2),
            ("eager@1", "p3", "active", 2, 1, 0),
            ("eager@1", "p3", "shadow", 2, 1, 1),
        ]

    play(story)
