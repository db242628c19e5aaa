"""Logs: a library that says the same thing all the time does not fill a disk."""

from __future__ import annotations

import logging

from streams.logs import Flood


def line(name: str, text: str, at: float, *arguments: object) -> logging.LogRecord:
    """A log line at a second of the clock."""
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, text, arguments, None)
    record.created = at
    return record


def test_a_library_that_repeats_itself_is_cut_short_and_says_by_how_much() -> None:
    flood = Flood()
    passed = [at for at in range(1_000) if flood.filter(line("aiokafka.client", "no %s", at / 100, at))]
    assert passed == [0, 1, 2]
    after = line("aiokafka.client", "no %s", 10.5, "leader")
    assert flood.filter(after)
    assert after.getMessage() == "no leader (and 997 like it before)"


def test_other_lines_and_our_own_pass_meanwhile() -> None:
    flood = Flood()
    for at in range(10):
        flood.filter(line("aiokafka.client", "no leader", at / 100))
    assert flood.filter(line("aiokafka.client", "no rights", 0.2))
    assert all(flood.filter(line("tocsin.worker", "leaving", at / 100)) for at in range(10))
