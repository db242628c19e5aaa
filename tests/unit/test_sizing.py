"""The page on sizing says what its arithmetic gives."""

from __future__ import annotations

from dataclasses import replace

from tests.bench import sizing


def test_the_page_holds_the_tables_that_the_figures_give() -> None:
    page = sizing.PAGE.read_text("utf-8")
    assert "\n".join(sizing.table(sizing.measured())) in page, "put what `python -m tests.bench.sizing` prints into it"


def test_twice_the_messages_need_twice_the_disk_and_no_fewer_workers() -> None:
    known = sizing.measured()
    for rate in (1, 777, 10_000):
        one, two = sizing.size(rate, known), sizing.size(2 * rate, known)
        assert abs(two.kafka_gb - 2 * one.kafka_gb) < 1e-6 * two.kafka_gb
        assert two.triage >= one.triage >= 2
        assert one.partitions >= max(one.triage, one.follow, one.record)
        assert one.triage * sizing.LOAD >= rate * known.triage_us / 1e6


def test_money_follows_the_prices() -> None:
    known = sizing.measured()
    one = sizing.size(100, known)
    double = replace(
        known, core_price=2 * known.core_price, gib_price=2 * known.gib_price, disk_price=2 * known.disk_price
    )
    assert abs(sizing.size(100, double).money - 2 * one.money) < 1e-6
