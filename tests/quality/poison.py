"""What a reviewer who flips labels costs, and how soon they are left out.

Owns: the reviewers. Must never: let the flipped labels into what is measured against.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from agents.evaluate import figures, prepared
from agents.quarantine import quarantine
from agents.scoring.base import Base
from agents.scoring.heads import Model
from agents.scoring.learner import Learner
from schemas.learning import Lesson
from tests.quality.learning import LAST
from tests.quality.sets import SEED, Sets, Stream

REVIEWERS = 20
"""Each labels as many; one of them flips."""
_AT = "2026-01-01T00:00:00.000Z"
_FLIPPER = "reviewer-0"


def measure(sets: Sets, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Macro F1 over the end of each stream: nobody flips; one of twenty does and is left out; does and is not."""
    found = []
    for stream in sets.streams()[:4]:
        say(f"a reviewer who flips: {stream.title}")
        base = sets.base(stream.source)
        honest, _ = _run(stream, base, flips=False, watched=True)
        flipped, theirs = _run(stream, base, flips=True, watched=True)
        kept, _ = _run(stream, base, flips=True, watched=False)
        found.append(
            {
                "title": stream.title,
                "n": len(stream.messages),
                "honest": honest,
                "flipped": flipped,
                "not_left_out": kept,
                "labels_until_quarantine": theirs,
            }
        )
    return found


def _run(stream: Stream, base: Base, *, flips: bool, watched: bool) -> tuple[float, int | None]:
    """Macro F1 over the end, and after how many labels of theirs the one who flips was left out; None: never.

    Args:
        watched: reviewers have names; else each label comes from another, and none can be suspected.
    """
    rng = random.Random(SEED)
    learner, model = Learner(base), Model(base)
    every = sorted({one["labels"][stream.head] for one in stream.messages})
    pairs: list[tuple[str, str]] = []
    theirs, left_out_after = 0, None
    for number, message in enumerate(stream.messages):
        features, language = prepared(message)
        said = model.ask(features, stream.head)
        label = given = message["labels"][stream.head]
        pairs.append((label, said.label if said is not None else ""))
        reviewer = f"reviewer-{rng.randrange(REVIEWERS)}"
        wrong = rng.choice([other for other in every if other != label])
        if reviewer == _FLIPPER:
            theirs += 1
            given = wrong if flips else label
        lesson = Lesson(
            id=f"lesson-{number}",
            base=base.id,
            feedback_id=f"feedback-{number}",
            reviewer=reviewer if watched else f"somebody-{number}",
            at=_AT,
            language=language,
            features=features.ids,
            values=features.values,
            labels={stream.head: given},
        )
        _learn(learner, model, lesson)
        while (suspect := learner.suspect) is not None:
            if suspect.reviewer == _FLIPPER and flips and left_out_after is None:
                left_out_after = theirs
            _learn(learner, model, quarantine(suspect, base.id, _AT))
    last = pairs[round(len(pairs) * (1.0 - LAST)) :]
    return round(figures(last)["macro_f1"], 4), left_out_after


def _learn(learner: Learner, model: Model, lesson: Lesson) -> None:
    update = learner.learn(lesson, learner.offset + 1)
    if update is not None:
        model.apply(update)
