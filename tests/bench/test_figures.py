"""The bench's arithmetic and its check of outputs; nothing here measures anything."""

from __future__ import annotations

from collections import Counter

from tests.bench import memory, picture
from tests.bench.corpus import BROKEN_EVERY, Corpus, Feed, partition_of
from tests.bench.drain import WARM, Answers, Drained, faults
from tests.bench.figures import median, percentile, spread
from tests.bench.load import Seen, latencies

ROWS = [{"text": f"my order {n} is late", "customer_id": f"c{n % 5}", "source": "made"} for n in range(7)]


def feed() -> Feed:
    return Feed(Corpus("made", ROWS), 4, at_ms=1_760_000_000_000)


def drained(decisions: int, dead_letters: int) -> Drained:
    return Drained("tocsin", "full", 1_000, decisions=decisions, dead_letters=dead_letters)


def test_the_same_number_is_the_same_message_and_its_customer_has_one_partition() -> None:
    one, other = feed(), feed()
    assert [*one.range(0, 50)] == [*other.range(0, 50)]
    assert all(sent.partition == partition_of(sent.key, 4) for sent in one.range(0, 50))
    assert len({sent.id for sent in one.range(0, BROKEN_EVERY - 1)}) == BROKEN_EVERY - 1
    assert one[BROKEN_EVERY - 1].id is None
    assert one.readable(2 * BROKEN_EVERY) == 2 * BROKEN_EVERY - 2


def test_a_missing_a_double_and_another_decision_are_each_found() -> None:
    total = WARM + 1_000
    whole = drained(feed().readable(total), total - feed().readable(total))
    answers: Answers = {"b0": ("p3", "scored"), "b1": ("p2", "scored")}
    given = Counter({"b0": 1, "b1": 1})
    assert faults(whole, feed(), given, answers, wrong=0) == []
    assert any("not decided" in fault for fault in faults(whole, feed(), Counter({"b0": 1}), answers, wrong=0))
    assert any("decided twice" in fault for fault in faults(whole, feed(), Counter({"b0": 2, "b1": 1}), answers, 0))
    assert any("otherwise" in fault for fault in faults(whole, feed(), given, answers, wrong=1))
    assert any("decisions for" in fault for fault in faults(drained(3, 4), feed(), given, answers, 0))
    assert any("dead letters for" in fault for fault in faults(drained(3, 0), feed(), given, answers, 0))


def test_latency_counts_from_when_a_message_was_due() -> None:
    seen = [Seen("l", 100, "priority.p1", 12.5), Seen("l", 1, "priority.p1", 99.0)]
    assert latencies(seen, begun=10.0, rate=50.0, burn_in=1.0) == [0.5]


def test_percentiles_are_nearest_ranks() -> None:
    assert percentile([], 0.5) == 0
    assert percentile(list(range(100)), 0.99) == 99
    assert median([3, 1, 2, 10]) == 2.5
    assert spread([0.001, 0.002])["max_ms"] == 2.0


def test_growth_is_between_the_wanted_message_and_the_end() -> None:
    samples = [(n * 10_000, 100 + (n >= 100), 50) for n in range(201)]
    found = memory.summary(samples, 2_000_000)
    assert (found["from"], found["rss_growth"], found["pss_growth"]) == (200_000, 0.01, 0.0)


def test_the_picture_holds_every_point() -> None:
    points = [{"share": share, "p50_ms": 10.0, "p99_ms": 90.0, "max_ms": 0.0} for share in (0.1, 0.5, 0.9)]
    drawn = picture.curve([{"workers": 1, "maximum": 5_000.0, "points": points}], "made up")
    assert drawn.count("<circle") == 9
    assert "1 worker, maximum 5,000/s" in drawn
