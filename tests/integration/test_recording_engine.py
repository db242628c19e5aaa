"""What the recorder leaves in the real ClickHouse engine, in this process and behind HTTP."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition

from agents.recording import Away, Refused
from agents.recording.sink import Sink
from agents.recording.tables import DAY_MS, TABLES, Tables
from schemas.base import timestamp
from streams.errors import TocsinError
from tests.integration import recording_stage
from tests.integration.recording_stage import NOW, Play, Stage, decided, record
from tests.unit.test_tables import FEEDBACK, MESSAGE

backend = recording_stage.backend
play = recording_stage.play
pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def test_a_token_counts_once_in_raw_tables_and_in_everything_fed_by_them(play: Play) -> None:
    async def story(stage: Stage) -> None:
        make = Tables(lambda name, language: 1).row
        health = {"code": "model_quality", "component": "learn", "at": timestamp(NOW)}
        figures = {"head": "spam", "language": "en", "n": 10, "right": 9, "majority_right": 8, "log_loss": 0.25}
        metrics = {"role": "triage", "worker": "w1", "messages": 5, "lag_seconds": 0.5, "memory_bytes": "odd"}
        records = {
            "decisions": [record("decisions", n, decided(n)) for n in range(50)],
            "health": [
                record("health", 0, {**health, "figures": figures}),
                record("health", 1, {**health, "code": "worker_metrics", "figures": metrics}),
                record("health", 2, {**health, "code": "alarm"}),
            ],
        }
        for _ in range(3):
            for kind, found in records.items():
                rows = [made.data for made in (make(kind, one, "life") for one in found) if made is not None]
                await stage.sink.insert(TABLES[kind], rows, f"token-{kind}")
        assert await stage.counts() == (50, 50, 50)
        assert await stage.value("SELECT count() FROM health") == 3
        quality = await stage.sink.query("SELECT head, language, n, right, majority_right, log_loss FROM model_quality")
        assert quality == [figures]
        found = await stage.sink.query("SELECT role, worker, messages, lag_seconds, memory_bytes FROM worker_metrics")
        assert found == [{**metrics, "memory_bytes": 0}]
        rows = [record("decisions", n, decided(n)) for n in range(50)]
        await stage.sink.insert("decisions", [m.data for m in (make("decisions", r, "") for r in rows) if m], "another")
        assert await stage.counts() == (100, 100, 100)

    play(story)


def test_every_kind_of_record_becomes_one_row_that_can_be_asked_for(play: Play) -> None:
    async def story(stage: Stage) -> None:
        letter = {
            "topic": "tocsin.messages", "partition": 3, "offset": 9, "key": None, "value": "eA==", "length": 1,
            "sha256": "ab", "error": "not_json", "detail": "not JSON", "at": timestamp(NOW),
        }  # fmt: skip
        action = {
            "id": "a1",
            "customer_id": "c1",
            "message_id": "m1",
            "kind": "taken",
            "by": "r1",
            "at": timestamp(NOW),
        }
        attached = {
            **MESSAGE,
            "attachments": [{"kind": "image", "url": "https://x.test"}, {"kind": "file"}],
            "reach": 12,
        }
        await stage.record("messages", [attached, {**MESSAGE, "id": "m2", "author_role": "agent"}, b"junk", None])
        await stage.record("decisions", [decided(1)])
        await stage.record("feedback", [FEEDBACK])
        await stage.record("actions", [action, b"junk"])
        await stage.record("dead-letters", [letter], partition=5)
        assert [(dead.offset, dead.error) for dead in stage.dead] == [(1, "not_json")]
        ask = stage.sink.query
        assert await ask(
            "SELECT id, attachments.kind AS kinds, reach, attributes['vip'] AS vip FROM messages ORDER BY id"
        ) == [
            {"id": "m1", "kinds": ["image", "file"], "reach": 12, "vip": "true"},
            {"id": "m2", "kinds": [], "reach": None, "vip": "true"},
        ]
        assert await ask(
            "SELECT sentiment.label AS label, sentiment.score AS score, urgency.probability AS urgency,"
            " category.label AS none, reasons.floor AS floors,"
            " arrayMap(x -> x.1, reasons.contributions[2]) AS features, source.offset AS at"
            " FROM decisions"
        ) == [
            {"label": "negative", "score": -0.5, "urgency": None, "none": "", "floors": ["legal", ""],
             "features": [6, 9], "at": 9}
        ]  # fmt: skip
        found = (
            "SELECT labels.urgency AS u, labels.spam AS s, predicted.priority AS p, predicted.labels['category'] AS c"
        )
        assert await ask(found + " FROM feedback") == [{"u": True, "s": None, "p": "p3", "c": "billing"}]
        assert await ask("SELECT by, until FROM actions") == [{"by": "r1", "until": None}]
        assert await ask("SELECT error, key, value, _partition FROM dead_letters") == [
            {"error": "not_json", "key": None, "value": "eA==", "_partition": 5}
        ]
        for table, words in (("decisions", ("lawyer", "refund")), ("feedback", ("SECRET", "words"))):
            text = str(await ask(f"SELECT * FROM {table}"))
            assert not [word for word in words if word in text]

    play(story)


def test_five_months_of_arrivals_and_an_old_sent_at_all_stay(play: Play) -> None:
    async def story(stage: Stage) -> None:
        old = [
            decided(n, received_at=timestamp(NOW - (149 - n) * DAY_MS), sent_at="2017-01-01T00:00:00Z")
            for n in range(150)
        ]
        await stage.record("decisions", old)
        await stage.record("messages", [{**MESSAGE, "sent_at": "2017-01-01T00:00:00Z"}])
        for table in ("decisions", "messages"):
            await stage.sink.query(f"OPTIMIZE TABLE {table} FINAL")
        raw, minutes, hours = await stage.counts()
        assert (raw, hours) == (150, 150)
        assert 88 <= minutes <= 150, "minutes are kept for 90 days"
        assert await stage.value("SELECT uniqExact(toDate(received_at)) FROM decisions") == 150
        assert await stage.value("SELECT toYear(min(sent_at)) FROM messages") == 2017

    play(story)


def test_a_refused_row_is_dead_and_the_others_are_in(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.sink.query("ALTER TABLE decisions ADD CONSTRAINT test CHECK route != 'poison'")
        values = [decided(n, route="poison" if n in (0, 7, 8) else "care") for n in range(20)]
        await stage.record("decisions", values)
        assert [(letter.offset, letter.error) for letter in stage.dead] == [(n, "record_refused") for n in (0, 7, 8)]
        assert "VIOLATED_CONSTRAINT" in stage.dead[0].detail
        assert await stage.counts() == (17, 17, 17)
        assert not stage.failures

    play(story)


def test_a_refusal_by_a_roll_up_is_not_taken_for_the_rows_fault(play: Play) -> None:
    """The source holds the rows by then: halving them would write them twice."""

    async def story(stage: Stage) -> None:
        await stage.sink.query("ALTER TABLE decisions_1h ADD CONSTRAINT test CHECK route != 'poison'")
        waiting = asyncio.create_task(stage.record("decisions", [decided(n, route="poison") for n in range(10)]))
        while not stage.failures:
            await asyncio.sleep(0.01)
        await stage.sink.query("ALTER TABLE decisions_1h DROP CONSTRAINT test")
        await waiting
        assert await stage.counts() == (10, 10, 10)
        assert not stage.dead

    play(story)


def test_current_decisions_shows_one_a_message_by_the_contracts_rule(play: Play) -> None:
    async def story(stage: Stage) -> None:
        human = {"decided_by": "human", "priority": "p0"}
        model = {"decided_by": "model", "priority": "p3"}
        made = [
            ("twice", decided(1, id="a"), decided(1, id="b")),
            ("edited", decided(2, revision=1, id="new"), decided(2, revision=0, id="old")),
            ("human", decided(3, **human, id="h", feedback_id="f3", supersedes="x"), decided(3, **model, id="again")),
            ("retracted", decided(4, **human, id="h4", feedback_id="f4", supersedes="x"),
             decided(4, **model, id="anew", feedback_id="r4", supersedes="h4")),
            ("two humans", decided(5, **human, id="h5", feedback_id="f5"),
             decided(5, **human, id="h6", feedback_id="f6")),
            ("second retracted", decided(6, **human, id="h7", feedback_id="f7"),
             decided(6, **human, id="h8", feedback_id="f8")),
            ("human, then edited", decided(7, **human, id="h9", feedback_id="f9"),
             decided(7, **model, id="e", revision=1)),
        ]  # fmt: skip
        for number, (_, *values) in enumerate(made):
            times = [NOW - 1000, NOW]
            await stage.record("decisions", list(values), first=number * 2, times=times)
        retract = {"customer_id": "c1", "kind": "retract", "reviewer": "r1"}
        await stage.record(
            "feedback",
            [{**retract, "id": f"r{n}", "message_id": m, "retracts": f"f{n}"} for n, m in ((4, "m4"), (8, "m6"))],
        )
        found = await stage.sink.query("SELECT message_id, id FROM current_decisions ORDER BY message_id")
        assert [row["id"] for row in found] == ["b", "new", "h", "anew", "h6", "h7", "e"]

    play(story)


def test_roll_ups_answer_by_their_dimensions(play: Play) -> None:
    async def story(stage: Stage) -> None:
        late = timestamp(NOW + 2000)
        values = [decided(n, customer_id=f"c{n % 3}", decided_at=late) for n in range(6)]
        values.append(decided(6, supersedes="d0", decided_by="human", feedback_id="f", decided_at=late))
        await stage.record("decisions", values)
        found = await stage.sink.query(
            "SELECT superseding, decided_by, sum(decisions) AS n, uniqMerge(customers) AS customers,"
            " quantilesTDigestMerge(0.5, 0.9, 0.99)(seconds)[3] AS p99, avgMerge(sentiment) AS sentiment,"
            " sum(negative) AS negative FROM decisions_1m GROUP BY ALL ORDER BY n"
        )
        assert [(row["superseding"], row["decided_by"], row["n"], row["customers"]) for row in found] == [
            (True, "human", 1, 1),
            (False, "rule", 6, 3),
        ]
        assert found[1]["p99"] == pytest.approx(2.0, abs=0.01)
        assert found[1]["sentiment"] == -0.5
        assert found[1]["negative"] == 6

    play(story)


def test_a_range_found_in_the_group_is_sent_again_and_adds_nothing(play: Play) -> None:
    async def story(stage: Stage) -> None:
        values = [decided(n) for n in range(30)]
        await stage.record("decisions", values[:20])
        tp = TopicPartition("tocsin.decisions", 0)
        metadata = '{"first":0,"last":19,"topic_id":"life"}'
        stage.group[tp] = (0, metadata)  # as if the recorder had died before its last commit
        await stage.record("decisions", values)
        assert await stage.counts() == (30, 30, 30)
        assert stage.group[tp] == (30, "")

    play(story)


def test_the_schema_is_applied_twice_without_a_word(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.record("decisions", [decided(1)])
        await stage.sink.ensure_tables()
        assert await stage.counts() == (1, 1, 1)
        tables = await stage.sink.query("SHOW TABLES")
        wanted = {
            *TABLES.values(),
            "model_quality",
            "worker_metrics",
            "satisfaction",
            "decisions_1m",
            "decisions_1h",
            "current_decisions",
        }
        assert wanted <= {row["name"] for row in tables}
        windows = await stage.sink.query(
            "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
            " AND engine_full NOT LIKE '%non_replicated_deduplication_window = 10000%'"
        )
        assert windows == []

    play(story)


def test_which_errors_are_for_ever(play: Play) -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(Refused):
            await stage.sink.insert("decisions", [b'{"revision":"x"}'], "a")
        with pytest.raises(Away):
            await stage.sink.insert("no_such_table", [b"{}"], "b")
        other = Sink(stage.backend.url(stage.sink.database))
        await other.query("DROP VIEW decisions_1h_view")
        with pytest.raises(Away, match="lacks decisions_1h_view: run `tocsin init`"):
            await other.insert("decisions", [b"{}"], "c")
        await other.close()

    play(story)


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "chdb://", "http://", "http://u:hush@h:x/", "http://u:hush@h/a;b", "http://[hush"]
)
def test_a_broken_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(TocsinError) as caught:
        Sink(url)
    assert "hush" not in str(caught.value)
