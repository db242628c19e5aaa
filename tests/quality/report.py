"""What a run found, as tables: targets beside figures, then every part. Pure but for writing the files.

Owns: the wording, the targets. Must never: hide a figure that misses its target.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from agents.fairness import page
from agents.fairness.pairs import Shift
from agents.markdown import table
from tests.quality import picture
from tests.quality.everyday import WORDS
from tests.quality.learning import COVERAGE, DELAY, LAST, SETTLED
from tests.quality.poison import REVIEWERS

OURS = "Tocsin"
REFITTED = "TF-IDF + logistic regression, refitted"


def write(out: Path, found: dict[str, Any]) -> list[Path]:
    """quality.json, quality.md and, where learning was measured, learning.svg."""
    out.mkdir(parents=True, exist_ok=True)
    written = [out / "quality.json", out / "quality.md"]
    written[0].write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    written[1].write_text("\n".join(lines(found)) + "\n", "utf-8")
    if found.get("learning"):
        written.append(out / "learning.svg")
        written[2].write_text(picture.curves(found["learning"]), "utf-8")
    return written


def targets(found: dict[str, Any]) -> Iterator[tuple[str, str, str, bool]]:
    """(what, wanted, found, whether met) of each target that these sets can speak of."""
    for stream in found.get("learning", []):
        last, name = stream["last"], stream["title"]
        if stream["base"] == "none":
            ours, batch = last[OURS]["macro_f1"], last[REFITTED]["macro_f1"]
            yield (
                f"{name}: macro F1 beside a batch model refitted",
                "at most 0.03 less",
                _beside(ours, batch),
                ours >= batch - 0.03,
            )
        else:
            ours, plain = last[OURS]["macro_f1"], last["River, plain"]["macro_f1"]
            yield f"{name}: macro F1 beside plain River", "more", _beside(ours, plain), ours > plain
            cover = stream["coverage"]
            gain = cover["surest"] - cover["all"]
            yield f"{name}: accuracy over the surest {COVERAGE:.0%}", "0.05 more", f"{gain:+.3f}", gain >= 0.05
        if stream["ece"] is not None:
            yield (
                f"{name}: calibration error after {SETTLED:,}",
                "at most 0.05",
                f"{stream['ece']:.3f}",
                stream["ece"] <= 0.05,
            )
    if cold := found.get("cold"):
        for row in cold["heads"]:
            if row["head"] == "urgency":
                auc = row["auc"]
                yield f"urgency, {row['language']}, written set: AUC", "at least 0.90", f"{auc:.3f}", auc >= 0.90
    if corrections := found.get("corrections"):
        wrong = [one for one in corrections["phrases"] if one["before"] < one["of"]]
        after, of = sum(one["after"] for one in wrong), sum(one["of"] for one in wrong)
        yield "paraphrases right after ten corrections", "all", f"{after} of {of}", after == of
        cost = max(one["cost"] for one in corrections["phrases"])
        yield "what ten corrections cost elsewhere, at most", "0.01", f"{cost:.3f}", cost <= 0.01
    for one in found.get("poison", []):
        cost, theirs = one["honest"] - one["flipped"], one["labels_until_quarantine"]
        yield f"{one['title']}: what one who flips 5 % of all labels costs", "at most 0.01", f"{cost:.3f}", cost <= 0.01
        told = "never" if theirs is None else f"after {theirs} labels"
        yield f"{one['title']}: they are left out", "within 200", told, theirs is not None and theirs <= 200
    for one in found.get("everyday", []):
        wrongly = one["false"] / one["n"]
        yield f"false alarms (p0, p1) on {one['set']}", "at most 0.5 %", f"{wrongly:.2%}", wrongly <= 0.005
        if one["set"] == "multidogo":
            review = sum(one["statuses"].get(each, 0) for each in ("abstained", "unscored")) / one["n"]
            yield "chat turns of multidogo left to people", "at most 5 %", f"{review:.1%}", review <= 0.05
    if speed := found.get("speed"):
        yield "judging a short message", "at most 60 us", f"{speed['judging_us']:.0f} us", speed["judging_us"] <= 60
        yield "times a plain River pipeline a head", "at least 3", f"{speed['ratio']:.1f}", speed["ratio"] >= 3


def _beside(ours: float, other: float) -> str:
    return f"{ours:.3f} ({ours - other:+.3f})"


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The report in Markdown."""
    machine = found["machine"]
    yield "# How well"
    yield ""
    yield f"`{found['command']}`, {machine['date']}, {found['minutes']:.1f} minutes, seed {found['seed']}."
    yield (
        f"{machine['cores']} cores ({machine['processor']}), {machine['system']}, Python {machine['python']}. Every message is "
        "told before its label is learned. Cold and learning: by bases that never saw that kind of text. The rest: by the "
        "shipped base, which has learned from a part of these sets."
    )
    if not found["corpus"]:
        yield ""
        yield (
            "Without TOCSIN_CORPUS: on the repository's own messages alone. The shipped base has learned from them, so learning "
            "starts from nothing here."
        )
    yield ""
    rows = [(what, wanted, told, "met" if met else "**missed**") for what, wanted, told, met in targets(found)]
    yield from table(("target", "wanted", "found", ""), rows)
    for name, part in (
        ("cold", _cold),
        ("learning", _learning),
        ("corrections", _corrections),
        ("poison", _poison),
        ("everyday", _everyday),
        ("fairness", _fairness),
        ("conversations", _conversations),
        ("speed", _speed),
    ):
        if found.get(name):
            yield ""
            yield from part(found[name])


def _cold(cold: dict[str, Any]) -> Iterator[str]:
    yield "## Cold: no feedback yet"
    yield ""
    yield (
        f"Base {cold['base']}. The written sets are the repository's own, some 300 messages a language; measured before "
        "they were learned, too."
    )
    yield ""
    rows = [
        (
            one["head"],
            one["language"],
            f"{one['n']:,}",
            f"{one['accuracy']:.3f}",
            f"{one['macro_f1']:.3f}",
            f"{one['majority']:.3f}",
            f"{one['auc']:.3f}" if "auc" in one else "",
        )
        for one in cold["heads"]
    ]
    yield from table(("head", "language", "messages", "accuracy", "macro F1", "commonest label", "AUC"), rows)
    yield ""
    yield f"VADER on the English written set: macro F1 {cold['vader_written']:.3f}."
    yield ""
    if not cold["kinds"]:
        return
    yield "Sentiment of kinds of text that the base never saw (a base without them each time; macro F1):"
    yield ""
    kinds = [
        (
            one["title"],
            f"{one['n']:,}",
            f"{one['scored']:.1%}",
            f"{one['macro_f1']:.3f}",
            f"{one['commonest']:.3f}",
            f"{one['vader']:.3f}" if "vader" in one else "",
        )
        for one in cold["kinds"]
    ]
    yield from table(("kind", "messages", "scored", "Tocsin", "always the commonest", "VADER"), kinds)
    yield ""
    yield "VADER's lexicon was made together with the labels of the tweets: there it judges itself."


def _learning(streams: list[dict[str, Any]]) -> Iterator[str]:
    yield "## Learning"
    yield ""
    yield f"Macro F1 over the last 30 % of each stream; in its own order, or shuffled; labels at once, or {DELAY} messages late."
    yield ""
    yield "![Learning curves](learning.svg)"
    yield ""
    names = list(dict.fromkeys(name for stream in streams for name in stream["last"]))
    rows = [
        (name, *(f"{stream['last'][name]['macro_f1']:.3f}" if name in stream["last"] else "" for stream in streams))
        for name in names
    ]
    sizes = ("messages, labels", *(f"{stream['n']:,}, {stream['labels']}" for stream in streams))
    order = ("order", *("shuffled" if stream["shuffled"] else "its own" for stream in streams))
    yield from table(("", *(stream["title"] for stream in streams)), [sizes, order, *rows])
    yield ""
    yield f"How sure (calibration error after {SETTLED:,} labels), and accuracy over all and over the surest {COVERAGE:.0%}:"
    yield ""
    rows = [
        (
            stream["title"],
            "" if stream["ece"] is None else f"{stream['ece']:.3f}",
            f"{stream['coverage']['all']:.3f}",
            f"{stream['coverage']['surest']:.3f}",
        )
        for stream in streams
    ]
    yield from table(("stream", "calibration error", "all", "surest"), rows)


def _corrections(found: dict[str, Any]) -> Iterator[str]:
    yield "## Ten corrections"
    yield ""
    yield (
        "A phrase corrected in ten messages, then asked for in others that nobody corrected; beside it what that costs on "
        f"{found['elsewhere']:,} messages of the first three streams (accuracy before: {found['accuracy']:.3f})."
    )
    yield ""
    rows = [
        (
            one["phrase"],
            one["label"],
            f"{one['before']} of {one['of']}",
            f"{one['after']} of {one['of']}",
            f"{one['cost']:+.4f}",
        )
        for one in found["phrases"]
    ]
    yield from table(("phrase", "is", "right before", "right after", "cost"), rows)


def _poison(streams: list[dict[str, Any]]) -> Iterator[str]:
    yield "## A reviewer who flips every label"
    yield ""
    yield f"One of {REVIEWERS} reviewers, so 5 % of all labels; macro F1 over the last {LAST:.0%}, against the right labels."
    yield ""
    rows = [
        (
            one["title"],
            f"{one['honest']:.3f}",
            f"{one['flipped']:.3f}",
            f"{one['not_left_out']:.3f}",
            "never" if one["labels_until_quarantine"] is None else str(one["labels_until_quarantine"]),
        )
        for one in streams
    ]
    yield from table(("stream", "nobody flips", "left out", "not left out", "left out after so many of theirs"), rows)


def _everyday(sets: list[dict[str, Any]]) -> Iterator[str]:
    yield "## Everyday messages"
    yield ""
    yield (
        "Judged with the shipped base and the default policy, no language given. Each ring (p0, p1) was read once: false are "
        "those for which nobody should be rung, and those that nobody has read (`tests/quality/rings.json`)."
    )
    yield ""
    rows = []
    for one in sets:
        share = [one["priorities"].get(each, 0) / one["n"] for each in ("p0", "p1", "p2")]
        status = [one["statuses"].get(each, 0) / one["n"] for each in ("abstained", "unscored", "too short")]
        right = f"{one['language_right']:.1%}"
        rows.append(
            (
                one["set"],
                f"{one['n']:,}",
                *(f"{each:.2%}" for each in share),
                f"{one['false']:,}",
                *(f"{each:.1%}" for each in status),
                right,
            )
        )
    head = (
        "set",
        "messages",
        "p0",
        "p1",
        "p2",
        "false alarms",
        "abstained",
        "unscored",
        "too short",
        f"language right, {WORDS} words or more",
    )
    yield from table(head, rows)
    yield ""
    yield "What rang falsely, most first:"
    yield ""
    loudest = [(one["set"], name, str(count)) for one in sets for name, count in one["loudest"]]
    yield from table(("set", "phrase or head", "times"), loudest)


def _fairness(found: dict[str, Any]) -> Iterator[str]:
    yield "## Fairness"
    yield ""
    yield page.EXPLAINED
    yield ""
    yield from table(page.HEAD, page.rows([Shift(**one) for one in found["pairs"]]))
    yield ""
    own = found["identities"]
    if own is None:
        return
    most = ", ".join(f"{identity} {value:.3f}" for value, identity in own["most_abuse"])
    least = ", ".join(f"{identity} {value:+.2f}" for value, identity in own["least_sentiment"])
    yield (
        f"{own['sentences']:,} neutral sentences about {own['identities']} identities: abuse {own['abuse']:.3f} on average, "
        f"above 0.5 for {own['over_half']}; most for {most}. Sentiment {own['sentiment']:+.2f} on average; least for {least}."
    )


def _conversations(found: dict[str, Any]) -> Iterator[str]:
    yield "## Conversations"
    yield ""
    if "expects" in found:
        yield (
            "Real support threads (tweets), read one by one by one person; small numbers. Recall of danger and repeats is "
            "estimated: what rang was read whole, of the rest a sample that stands for all."
        )
        yield ""
        names = {"expects": "expects an answer", "danger": "danger (p0, p1)", "repeats": "says the same again"}
        rows = [
            (told, *(f"{found[name][figure]}" for figure in ("n", "true", "said")), *_both(found[name]))
            for name, told in names.items()
        ]
        yield from table(("", "read", "true", "said", "precision", "recall"), rows)
        chat = found["chat"]
        yield ""
        yield (
            f"Floors over the last turns joined rang {chat['rang']} times over {chat['turns']:,} turns of "
            f"{chat['conversations']:,} chats with a desk in which nobody was in danger."
        )
    for one in found["pieces"]:
        yield ""
        yield (
            f"{one['cut']} dangers of the test set ({one['language']}) cut in two turns within their phrase: {one['alone']} ring "
            f"turn by turn, {one['together']} read together."
        )


def _both(figures: dict[str, float]) -> tuple[str, str]:
    return f"{figures['precision']:.2f}", f"{figures['recall']:.2f}"


def _speed(speed: dict[str, Any]) -> Iterator[str]:
    yield "## Speed of judging"
    yield ""
    yield (
        f"{speed['messages']:,} real messages of at most 140 characters; language, features, all heads, floors, reasons: "
        f"{speed['judging_us']:.1f} us of CPU a message. A plain River pipeline a head, scores alone: {speed['river_us']:.1f} us."
    )
