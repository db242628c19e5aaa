"""What a run found, as tables: targets beside figures, then every part. Pure but for writing the files.

Owns: the wording, the targets. Must never: hide a figure that misses its target.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from agents.markdown import table
from tests.bench import picture
from tests.bench.latency import WARM_UP

_OUR_SHARE = "broker, load generator, subscriber and workers share the cores"


def write(out: Path, found: dict[str, Any]) -> list[Path]:
    """bench.json, bench.md and, where latency was measured, latency.svg."""
    out.mkdir(parents=True, exist_ok=True)
    written = [out / "bench.json", out / "bench.md"]
    written[0].write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    written[1].write_text("\n".join(lines(found)) + "\n", "utf-8")
    if found.get("latency"):
        written.append(out / "latency.svg")
        machine = found["machine"]
        subtitle = f"alerts on p0, p1 and p2, exactly once; {machine['cores']} cores: {_OUR_SHARE}"
        written[2].write_text(picture.curve(found["latency"], subtitle), "utf-8")
    return written


def targets(found: dict[str, Any]) -> Iterator[tuple[str, str, str, bool]]:
    """(what, target, found, whether met) of each target that this run measured."""
    race = found.get("contenders")
    if race:
        beside = race["medians"]["tocsin"]["beside_scoring_us"]
        if beside is not None:
            yield "worker CPU a message beside scoring", "at most 20 us", f"{beside:.1f} us", beside <= 20
        for name, least, named in (
            ("faust", 8.0, "idiomatic Faust"),
            ("quix-exactly-once", 1.3, "Quix Streams, exactly once"),
            ("quix-at-least-once", 1.0, "Quix Streams, at least once"),
            ("bare-transactions", 0.8, "bare aiokafka, same transactions"),
        ):
            ratio = race["ratios"][name]
            told = f"{ratio['per_second']:.2f} (by CPU {ratio['cpu']:.2f})"
            yield f"messages/s, times {named}", f"at least {least:g}", told, ratio["per_second"] >= least
    for curve in found.get("latency", []):
        half = next(point for point in curve["points"] if point["share"] == 0.5)
        for key, most in (("p50_ms", 40), ("p99_ms", 150)):
            name = f"{key[:3]} at half load, {curve['workers']} worker(s)"
            yield name, f"at most {most} ms", f"{half[key]:.1f} ms", half[key] <= most
    if fair := found.get("fairness"):
        yield (
            "p99 of the others' p0 beside a noisy customer",
            "within 2x",
            f"{fair['ratio_p99']:.2f}x",
            fair["ratio_p99"] <= 2,
        )
    if memory := found.get("memory"):
        grown = memory["rss_growth"]
        name = f"memory growth, message {memory['from']:,} to {memory['messages']:,}"
        yield name, "less than 2 %", f"{grown:.2%}", grown < 0.02
    if recorder := found.get("recorder"):
        times = recorder["times_one_worker"]
        yield "recorder, times what one worker writes", "at least 2", f"{times:.2f}", times >= 2
    if corrections := found.get("corrections"):
        p95 = corrections["p95_ms"] / 1000
        yield "a correction in every worker, p95", "at most 1 s", f"{p95:.2f} s", p95 <= 1


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The report in Markdown."""
    machine, corpus = found["machine"], found["corpus"]
    yield "# How fast"
    yield ""
    yield f"`{found['command']}`, {machine['date']}, {found['minutes']:.1f} minutes."
    yield (
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gib']} GiB, {machine['system']}, Python "
        f"{machine['python']}, Apache Kafka {machine['kafka']}, one node; {_OUR_SHARE}. Load average before: "
        f"{machine['load_before']}."
    )
    sources = ", ".join(f"{name} {count:,}" for name, count in corpus["sources"].items())
    yield (
        f"Messages: {corpus['name']}, {corpus['messages']:,} ({sources}; {corpus['distinct']:,} distinct texts), "
        f"{corpus['mean_characters']:g} "
        f"characters on average, {corpus['french_share']:.0%} marked French, cycled with fresh ids; one record in "
        f"{corpus['broken_every']:,} cannot be read. 4 partitions."
    )
    yield ""
    yield from table(
        ("target", "wanted", "found", ""),
        [(what, wanted, told, "met" if met else "**missed**") for what, wanted, told, met in targets(found)],
    )
    for name, why in found.get("failed", {}).items():
        yield ""
        yield f"**The part {name} failed:** {why}"
    for name, part in (
        ("contenders", _contenders),
        ("latency", _latency),
        ("fairness", _fairness),
        ("memory", _memory),
        ("recorder", _recorder),
        ("corrections", _corrections),
    ):
        if found.get(name):
            yield ""
            yield from part(found[name])


def _contenders(race: dict[str, Any]) -> Iterator[str]:
    yield "## Contenders"
    yield ""
    yield (
        "The same messages, scorer and encoders; each a process of its own, warmed up, then given a backlog, in turn; "
        "medians. From the sending of the backlog to the last output's time by the broker, CPU and memory by the kernel. "
        "*Beside scoring* is measured with a scorer that remembers each text's decision, less its own cost."
    )
    yield ""
    ours = race["medians"]["tocsin"]["per_second"]
    rows = [
        (
            one["title"],
            f"{one['per_second']:,.0f}",
            f"{ours / max(one['per_second'], 1e-9):.2f}",
            f"{one['cpu_us']:.0f}",
            "-" if one["beside_scoring_us"] is None else f"{one['beside_scoring_us']:.1f}",
            f"{one['peak_rss'] / 2**20:.0f}",
        )
        for one in race["medians"].values()
    ]
    head = ("contender", "messages/s", "Tocsin is times", "CPU us/message", "beside scoring, us", "peak MiB")
    yield from table(head, rows)
    yield ""
    checked = "All outputs are equal: every message decided once, the same priority, status and floors everywhere."
    yield checked if not race["faults"] else "**Outputs differ:** " + "; ".join(race["faults"])
    yield ""
    yield "### Where the time goes"
    yield ""
    yield "Each pure step alone over the same messages; the rest is what the worker's CPU has beyond their sum."
    yield ""
    total = race["medians"]["tocsin"]["cpu_us"]
    named = {"scoring": "scoring", "rest": "everything else"}
    parts = [(str(step["name"]), named[step["group"]], f"{step['us']:.1f}") for step in race["steps"]]
    rest = total - sum(step["us"] for step in race["steps"])
    parts += [
        ("consumer, event loop, transactions, group, garbage collection", "everything else", f"{rest:.1f}"),
        ("**the worker, a message**", "", f"**{total:.1f}**"),
    ]
    yield from table(("step", "counts as", "CPU us/message"), parts)
    yield ""
    by_source = ", ".join(f"{name} {us:.0f}" for name, us in race["scoring_us_by_source"].items())
    yield f"Scoring by where a message is from, us: {by_source}."


def _latency(curves: list[dict[str, Any]]) -> Iterator[str]:
    yield "## Latency"
    yield ""
    yield (
        "From the moment a message was due, on a fixed schedule that waits for nobody, to a `read_committed` subscriber "
        "of the priority topics; the first seconds of each load are dropped. Due messages leave every 4 ms. Before the "
        f"first point {WARM_UP:.0%} of the maximum is offered and dropped: a broker just started still compiles itself."
    )
    yield ""
    yield "![Latency over offered load](latency.svg)"
    yield ""
    rows = [
        _point(str(curve["workers"]), f"{point['share']:.0%}", point) for curve in curves for point in curve["points"]
    ]
    rows += [_point("bare aiokafka, the same transactions", "", curve["bare"]) for curve in curves if "bare" in curve]
    yield from table(("workers", "load", "messages/s", "p50 ms", "p95 ms", "p99 ms", "max ms", "alerts"), rows)


def _point(who: str, load: str, point: dict[str, Any]) -> tuple[str, ...]:
    times = (f"{point[key]:.1f}" for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms"))
    return (who, load, f"{point['rate']:,.0f}", *times, f"{point['n']:,}")


def _fairness(fair: dict[str, Any]) -> Iterator[str]:
    yield "## One noisy customer"
    yield ""
    yield (
        f"One partition takes {fair['one_partition']:,.0f} messages/s; all traffic together is a quarter of that, ten "
        "elevenths of it from one customer. The same load is offered before, and dropped. p0 alerts of the others:"
    )
    yield ""
    rows = [
        (name, *(f"{fair[key][what]:.1f}" for what in ("p50_ms", "p99_ms", "max_ms")), f"{fair[key]['n']:,}")
        for key, name in (("alone", "without that customer"), ("noisy", "with that customer"))
    ]
    yield from table(("", "p50 ms", "p99 ms", "max ms", "alerts"), rows)


def _memory(memory: dict[str, Any]) -> Iterator[str]:
    yield "## Memory of a worker"
    yield ""
    rows = [
        (
            name,
            f"{memory[f'{key}_from_bytes'] / 2**20:.1f}",
            f"{memory[f'{key}_to_bytes'] / 2**20:.1f}",
            f"{memory[f'{key}_growth']:+.2%}",
        )
        for key, name in (("rss", "resident"), ("pss", "proportional"))
    ]
    head = ("MiB", f"at message {memory['from']:,}", f"at message {memory['messages']:,}", "growth")
    yield from table(head, rows)
    if memory["messages"] < memory["wanted"]:
        yield ""
        yield f"The time for this part ended before {memory['wanted']:,} messages."


def _recorder(recorder: dict[str, Any]) -> Iterator[str]:
    yield "## Recorder"
    yield ""
    yield (
        f"{recorder['rows']:,} rows into the ClickHouse engine in the recorder's process: "
        f"{recorder['rows_per_second']:,.0f} rows/s, {recorder['cpu_us']:.1f} us CPU a row. One triage worker makes "
        f"{recorder['triage_rows_per_second']:,.0f} messages and decisions a second."
    )


def _corrections(found: dict[str, Any]) -> Iterator[str]:
    yield "## Corrections"
    yield ""
    yield (
        f"{found['learned']} of {found['sent']} corrections learned while {found['workers']} triage workers drained a "
        f"backlog without end; from sending one to the slowest worker's first decision that knows it: p50 "
        f"{found['p50_ms']:.0f} ms, p95 {found['p95_ms']:.0f} ms, max {found['max_ms']:.0f} ms."
    )
