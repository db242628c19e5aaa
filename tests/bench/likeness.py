"""`python -m tests.bench.likeness`: the same question asked before, among twenty thousand: how often, and how long it takes.

Questions are those of two open sets whose labels say which ask the same (227 intents); Kafka and the console are real. Owns: that
measure. Must never: ask with a question that is in the index.
"""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import aiohttp
import click
import numpy as np

from agents.incidents.meaning import shipped, words_of
from agents.likeness.index import ALIKE, MOST, Index, packed
from agents.likeness.sketch import sketch_of
from agents.training.corpora import rows
from schemas.answered import Answered, Written
from schemas.base import timestamp
from schemas.decision import encode
from schemas.place import Source
from streams.kafka import producer, started
from streams.outputs import Outputs
from streams.settings import Settings
from tests.bench import machine
from tests.bench.customers import rss
from tests.bench.stage import Stage, stage
from tests.browser.kit import running

SEED = 20261123
ASKED = 3_000
OVER_HTTP = 500
SETS = {"banking77": ("train", "test"), "clinc150": ("train", "val")}
SIZES = (500, 5_000, MOST)

Question = tuple[str, str]
"""Its text, and the intent that it has."""


def questions(corpus: Path) -> tuple[list[Question], list[Question]]:
    """Those to be found, and those to ask with; shuffled."""
    known: list[Question] = []
    asked: list[Question] = []
    for name, (train, test) in SETS.items():
        for row in rows(corpus / f"{name}.jsonl.gz"):
            split, intent = row["labels"]["split"], row["labels"]["intent"]
            if split in (train, test) and intent != "oos":
                (known if split == train else asked).append((row["text"], f"{name} {intent}"))
    rng = random.Random(SEED)
    rng.shuffle(known)
    rng.shuffle(asked)
    return known[:MOST], asked[:ASKED]


def answered(number: int, text: str, now: int) -> Answered | None:
    """A question with its answer behind it."""
    numbers = packed(text, shipped())
    if numbers is None:
        return None
    places = [Source("bench.messages", 0, 2 * number + more) for more in (0, 1)]
    question, answer = (
        Written(message_id=f"{kind}{number}", source=place, at=timestamp(now))
        for kind, place in zip("qa", places, strict=True)
    )
    return Answered(question=question, answer=answer, by="person", meaning=numbers[0], sketch=numbers[1])


def quality(known: list[Question], asked: list[Question]) -> dict[str, Any]:
    """Of those asked, the share for which one is found, and of these the share with the same intent; by size of the index."""
    found: dict[str, Any] = {"questions": {}}
    for size in SIZES:
        before = rss()
        index = Index(shipped(), size)
        for number, (text, _) in enumerate(known[:size]):
            one = answered(number, text, 0)
            if one is not None:
                index.put(one)
        memory, begun = rss() - before, time.process_time()
        hits = [(index.find(text, most=1), intent) for text, intent in asked]
        micros = (time.process_time() - begun) / len(asked) * 1e6
        right = [known[int(hit[0].question.message_id[1:])][1] == intent for hit, intent in hits if hit]
        found["questions"][size] = {
            "found": round(len(right) / len(asked), 3),
            "same_intent": round(float(np.mean(right)), 3),
            "us": round(micros),
            "mib": round(memory / 2**20, 1),
        }
    begun = time.process_time()
    for text, _ in asked:
        sketch_of(words_of(text))
    found["us_sketch"] = round((time.process_time() - begun) / len(asked) * 1e6, 1)
    return found


async def fill(settings: Settings, known: list[Question], now: int) -> None:
    """All questions and answers as messages, and what is known of them."""
    out = await started(producer(settings), settings)
    try:
        for begin in range(0, len(known), 2_000):
            outputs = Outputs()
            for number in range(begin, min(begin + 2_000, len(known))):
                for kind in "qa":
                    text = known[number][0] if kind == "q" else f"An answer to question {number}, of some length. " * 6
                    value = {"id": f"{kind}{number}", "customer_id": f"c{number}", "text": text}
                    outputs.add(settings.topic("messages"), 0, None, encode(value), [])
                one = answered(number, known[number][0], now)
                if one is not None:
                    outputs.add(settings.topic("answered"), 0, one.question.message_id.encode(), encode(one), [])
            await outputs.send(out)
    finally:
        await out.stop()


async def over_http(on: Stage, known: list[Question], asked: list[Question]) -> dict[str, Any]:
    """Milliseconds from question to answer at the console, words included; those found only."""
    now = time.time_ns() // 1_000_000
    async with on.topics("likeness") as settings:
        await fill(settings, known, now)
        begun = time.monotonic()
        async with running(settings) as desk, aiohttp.ClientSession() as http:
            ready = time.monotonic() - begun
            seconds, texts = [], 0
            for text, _ in asked[:OVER_HTTP]:
                begun = time.perf_counter()
                async with http.get(desk.url + "/api/asked-before", params={"text": text}) as answer:
                    found = (await answer.json())["found"]
                if found:
                    seconds.append(time.perf_counter() - begun)
                    texts += all(one["question"]["text"] and one["answer"]["text"] for one in found)
    p50, p99, most = (float(np.quantile(seconds, q)) * 1000 for q in (0.5, 0.99, 1.0))
    return {
        "found": len(seconds),
        "with_all_words": texts,
        "ready_seconds": round(ready, 1),
        "p50_ms": round(p50, 1),
        "p99_ms": round(p99, 1),
        "max_ms": round(most, 1),
    }


def lines(found: dict[str, Any], about: dict[str, Any], command: str) -> list[str]:
    """The page."""
    http = found["http"]
    table = [
        f"| {size:,} | {one['found']:.1%} | {one['same_intent']:.1%} | {one['us']} | {one['mib']} |"
        for size, one in found["questions"].items()
    ]
    return [
        "# The same question asked before",
        "",
        f"`{command}`, {about['date']}, {about['cores']} cores ({about['processor']}), {about['system']}, seed {SEED}.",
        "Questions: the training parts of banking77 and clinc150, English, 227 intents; asked with: their test parts. An answer",
        "to the same intent is an answer. Labels are used to judge alone.",
        "",
        f"| known | one is found (cosine {ALIKE}, or the same words) | of these, the same intent | us of CPU to look | MiB |",
        "|---|---|---|---|---|",
        *table,
        "",
        f"A sketch costs {found['us_sketch']} us. At the console, over HTTP, {MOST:,} known, one page asking {OVER_HTTP} times,",
        f"the words of questions and answers read from Kafka: p50 {http['p50_ms']} ms, p99 {http['p99_ms']} ms, at most",
        f"{http['max_ms']} ms ({http['found']} found, {http['with_all_words']} with all their words). 50 ms wanted.",
    ]


@click.command()
@click.option("--corpus", type=click.Path(path_type=Path, exists=True), envvar="TOCSIN_CORPUS", required=True)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the page; printed without it.")
def main(corpus: Path, out: Path | None) -> None:
    """Measures, and writes the page."""
    about = machine.describe()
    known, asked = questions(corpus)
    found = quality(known, asked)

    async def run() -> dict[str, Any]:
        async with stage() as on:
            return await over_http(on, known, asked)

    found["http"] = asyncio.run(run())
    page = "\n".join(lines(found, about, "python -m tests.bench.likeness")) + "\n"
    if out is None:
        click.echo(page, nl=False)
    else:
        (out / "likeness.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
