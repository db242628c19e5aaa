"""What crowd makes of many messages: seeded replays of real messages with waves put into them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from agents.incidents import state
from agents.incidents.bursts import LOOK_MS
from agents.incidents.crowd import Crowd
from agents.incidents.live import begin
from agents.incidents.meaning import shipped, words_of
from agents.incidents.slow import QUARTER_MS, Days, cells_of
from agents.incidents.usual import HOUR_MS, Week
from agents.incidents.window import Seen
from agents.scoring.policy_crowd import CrowdRules
from schemas.arrays import pack
from schemas.base import Invalid, milliseconds
from schemas.incident import Incident
from tests.crowd.race import Told
from tests.crowd.replays import BEGIN_MS, Judged, Wave, background, replay

RULES = CrowdRules()
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def judged() -> Judged:
    return Judged()


@pytest.fixture(scope="module")
def texts() -> list[tuple[str, str]]:
    return [(text, language) for text, language in background()]


def told(crowd: Crowd, lines: list[Told], *, rest: int = 60) -> list[Incident]:
    """Everything that is said of these lines, and of the silence after them (looks)."""
    found: list[Incident] = []
    look = lines[0][0] + LOOK_MS
    for at, seen, words, _ in lines:
        while at >= look:
            found += crowd.look(look, RULES).incidents
            look += LOOK_MS
        crowd.take([(seen, words)])
    for _ in range(rest):
        found += crowd.look(look, RULES).incidents
        look += LOOK_MS
    return found


@pytest.mark.parametrize("languages", [("en",), ("fr",), ("en", "fr")])
def test_twenty_like_messages_among_a_thousand_a_minute_are_one_incident(
    judged: Judged, texts: list[tuple[str, str]], languages: tuple[str, ...]
) -> None:
    wave = Wave("charged_twice", at=300, seconds=60, count=30, languages=languages)
    lines = list(replay(judged, texts, [wave], seconds=480, a_minute=1000, seed=4))
    times = sorted(at for at, _, _, name in lines if name is not None)
    found = [one for one in told(Crowd(shipped(), {}), lines) if one.kind != "budget"]
    assert len({one.id for one in found}) == 1
    assert found[0].state == "opened"
    assert milliseconds(found[0].at) <= times[19] + 60_000
    assert found[-1].state == "closed"
    assert set(found[-1].phrases) & {"twice", "deux", "fois", "charged", "débité", "double"}
    assert {*found[-1].languages} >= {*languages}
    assert found[-1].usual is not None
    assert found[-1].peak > found[-1].usual.high
    assert all(one.peak >= one.rate for one in found)


def test_nothing_is_made_of_a_quiet_half_hour(judged: Judged, texts: list[tuple[str, str]]) -> None:
    lines = list(replay(judged, texts, [], seconds=1_800, a_minute=1000, seed=5))
    assert [one for one in told(Crowd(shipped(), {}), lines) if one.kind != "budget"] == []


@pytest.mark.parametrize(("name", "kind"), [("crypto_spam", "spam"), ("impostors", "impostor")])
def test_few_accounts_that_flood_are_an_incident_of_their_kind(
    judged: Judged, texts: list[tuple[str, str]], name: str, kind: str
) -> None:
    wave = Wave(name, at=300, seconds=60, count=40, customers=8)
    lines = list(replay(judged, texts, [wave], seconds=420, a_minute=1000, seed=6))
    assert {one.kind for one in told(Crowd(shipped(), {}), lines) if one.kind != "budget"} == {kind}


def test_impostors_whom_a_floor_finds_are_one_incident_whatever_they_say(
    judged: Judged, texts: list[tuple[str, str]]
) -> None:
    lines = list(replay(judged, texts, [], seconds=420, a_minute=500, seed=10))
    begun = BEGIN_MS + 330_000
    disguised = [place for place, line in enumerate(lines) if begun < line[0] < begun + 50_000][::20]
    for place in disguised:
        at, seen, words, _ = lines[place]
        fields = {name: getattr(seen, name) for name in Seen.__struct_fields__}
        lines[place] = at, Seen(**{**fields, "hostile": "impostor"}), words, "impostors"
    assert len(disguised) >= 15
    found = [one for one in told(Crowd(shipped(), {}), lines) if one.kind != "budget"]
    assert len({one.id for one in found}) == 1
    assert {one.kind for one in found} == {"impostor"}
    # None of the others is taken for theirs: it has no middle.
    assert found[-1].messages == len(disguised)


def test_one_customer_who_says_the_same_forty_times_is_none(judged: Judged, texts: list[tuple[str, str]]) -> None:
    wave = Wave("charged_twice", at=300, seconds=60, count=40, customers=1)
    lines = list(replay(judged, texts, [wave], seconds=420, a_minute=1000, seed=7))
    assert [one for one in told(Crowd(shipped(), {}), lines) if one.kind != "budget"] == []


def test_another_owner_goes_on_where_the_first_stopped(judged: Judged, texts: list[tuple[str, str]]) -> None:
    wave = Wave("no_code", at=300, seconds=60, count=60)
    lines = list(replay(judged, texts, [wave], seconds=480, a_minute=1000, seed=8))
    middle = next(place for place, line in enumerate(lines) if line[0] > BEGIN_MS + 345_000)
    first = Crowd(shipped(), {})
    found = told(first, lines[:middle], rest=1)
    second = Crowd(shipped(), {})
    state.restore_days(second, state.packed_days(first))
    state.restore(second, state.packed(first))
    found += told(second, lines[middle:])
    found = [one for one in found if one.kind != "budget"]
    assert len({one.id for one in found}) == 1
    assert [one.state for one in found].count("opened") == 1
    assert found[-1].state == "closed"
    assert sum(len(one.alerts) for one in found) == found[-1].rang
    assert found[-1].messages >= 45


@pytest.mark.parametrize(
    "data", [b"", b"TOCSIN1\n", pack({"kind": "crowd", "size": 96}, {}), pack({"kind": "model"}, {}), "cut"]
)
def test_bytes_that_are_no_state_are_refused(data: bytes | str) -> None:
    whole = state.packed(Crowd(shipped(), {}))
    with pytest.raises(Invalid):
        state.restore(Crowd(shipped(), {}), whole[:-40] if isinstance(data, str) else data)


# --- the budget


def flagged(number: int, at: int, priority: str = "p2", group: str | None = None) -> tuple[Seen, list[str]]:
    own = group or f"g{number}"
    return Seen(
        at, f"m{number}", f"d{number}", f"c{number}", own, own, 0, number, "chat", "en", "other", priority, "care"
    ), []


def spend(priority: str, count: int, groups: int | None = None) -> list[Incident]:
    crowd = Crowd(shipped(), {})
    rules = CrowdRules(budget={"p1": {"default": 5}, "p2": {"care": 10, "default": 1}})
    begin = BEGIN_MS // HOUR_MS * HOUR_MS
    found: list[Incident] = []
    for number in range(count):
        crowd.take([flagged(number, begin + 1000 * number, priority, f"g{number % groups}" if groups else None)])
    for look in (begin + 1000 * count, begin + HOUR_MS + 1000):
        found += crowd.look(look, rules).incidents
    return found


def test_what_is_beyond_the_budget_is_gathered_in_one_ring_until_the_hour_is_over() -> None:
    opened, closed = spend("p2", 25)
    assert opened.budget is not None and closed.budget is not None
    assert (opened.state, closed.state, opened.id) == ("opened", "closed", closed.id)
    assert (opened.budget.hourly, opened.budget.rang, opened.budget.held) == (10, 10, 15)
    assert [one.group for one in opened.alerts] == [f"g{number}" for number in range(10, 25)]


def test_a_group_rings_once_and_p0_is_never_held() -> None:
    assert spend("p2", 25, groups=10) == []
    assert spend("p0", 25) == []
    assert [one.budget.held for one in spend("p1", 6)[:1] if one.budget is not None] == [1]


# --- silence, and what grows


def hours(week: Week, count: int, a_hour: int) -> int:
    at = BEGIN_MS // HOUR_MS * HOUR_MS
    for hour in range(count):
        week.move(at + hour * HOUR_MS)
        for number in range(a_hour):
            week.take("chat", at + hour * HOUR_MS + number * HOUR_MS // a_hour)
    week.move(at + count * HOUR_MS)
    return at + count * HOUR_MS


def test_a_channel_that_usually_speaks_and_does_not_is_told_once() -> None:
    week = Week()
    now = hours(week, 24 * 8, 60)
    assert week.silent(now + 10 * 60_000, 15) == []
    (silent,) = week.silent(now + 40 * 60_000, 15)
    assert silent.channel == "chat"
    assert silent.expected == pytest.approx(20, abs=1)
    assert week.silent(now + 50 * 60_000, 15) == []
    week.take("chat", now + 51 * 60_000)
    assert week.silent(now + 52 * 60_000, 15) == []


def days(counts: list[int], others: int = 2_000) -> Iterator[tuple[Days, int]]:
    """Days with so many messages on one thing, among others; each at its end."""
    kept, rng = Days(), np.random.default_rng(3)
    words = [f"word{number}" for number in range(500)]
    weights = dict.fromkeys([*words, "swollen", "battery"], 1.0)
    for day, count in enumerate(counts):
        for quarter in range(4):
            at = BEGIN_MS // DAY_MS * DAY_MS + day * DAY_MS + quarter * QUARTER_MS
            kept.move(at)
            for _ in range(others // 4):
                kept.take(cells_of([words[place] for place in rng.integers(0, 500, 6)], weights))
            for _ in range(count // 4 + (count % 4 > quarter)):
                kept.take(cells_of(["swollen", "battery"], weights))
        yield kept, BEGIN_MS // DAY_MS * DAY_MS + (day + 1) * DAY_MS - 1


def test_what_doubles_from_day_to_day_is_watched_before_it_is_loud() -> None:
    seen_on = None
    for day, (kept, now) in enumerate(days([1, 1, 1, 2, 4, 8, 16, 32])):
        kept.look(now)
        if kept.watched and seen_on is None:
            seen_on = day
    assert seen_on == 6
    assert set(kept.watched) == set(cells_of(["swollen", "battery"], {"swollen": 1.0, "battery": 1.0}))


def test_what_is_steady_or_happens_once_is_not() -> None:
    for counts in ([30] * 8, [1, 1, 1, 1, 1, 1, 1, 40]):
        for kept, now in days(counts):
            kept.look(now)
            assert kept.watched == {}


def test_a_slow_crisis_becomes_an_incident_with_its_messages(judged: Judged, texts: list[tuple[str, str]]) -> None:
    crowd = Crowd(shipped(), {})
    crowd.days.watched = dict.fromkeys(cells_of(["battery"], {"battery": 1.0}), BEGIN_MS + DAY_MS)
    crowd.looked_slow_at = BEGIN_MS
    wave = Wave("swollen_battery", at=10, seconds=300, count=10)
    lines = list(replay(judged, texts, [wave], seconds=320, a_minute=100, seed=9))
    slow = [one for one in told(crowd, lines, rest=2) if one.kind == "slow"]
    assert len({one.id for one in slow}) == 1
    assert slow[0].messages >= 5


def test_new_alerts_of_a_slow_crisis_are_told_by_the_hour_and_never_as_opened_again() -> None:
    now, hour = BEGIN_MS, 3_600_000
    flagged = [
        Seen(now, f"m{n}", f"d{n}", f"c{n}", f"v{n}", f"g{n}", 0, n, "chat", "en", "other", "p1", "support")
        for n in range(5)
    ]
    live = begin("slow", flagged, np.ones(4, np.float32), 0.0, 0, now)
    for one in flagged[:4]:
        live.take(one, ["battery"])
    live.told, live.told_at = 4, now
    assert live.course(now + hour // 2, 0.0, 60_000) is False
    assert live.course(now + hour, 0.0, 60_000) is True
    assert live.state == "grown"


# --- meaning


def test_the_same_thing_in_both_languages_is_near() -> None:
    said = ["my card was charged twice", "ma carte a été débitée deux fois", "where is my parcel", "où est mon colis"]
    vectors, says = shipped().vectors([words_of(text) for text in said])
    likeness = vectors @ vectors.T
    assert says.all()
    assert likeness[0, 1] > 0.5 and likeness[2, 3] > 0.5
    assert likeness[0, 2] < 0.3 and likeness[1, 3] < 0.3


def test_greetings_say_nothing_and_nothing_is_no_error() -> None:
    _, says = shipped().vectors([words_of(text) for text in ("thank you", "", "ok", "🙂", "the server is down")])
    assert says.tolist() == [False, False, False, False, True]
