"""From a click to a record on `actions`: take, give back, resolve, reopen, and taking one of these back.

Owns: what such a record says. Must never: decide whether it makes sense; two people may do two things at once, and the order
of the topic says what stands.
"""

from __future__ import annotations

from typing import Any

from agents.console.entry import Entry, standing
from schemas.base import Invalid
from schemas.people import Action
from schemas.reading import convert
from streams.outputs import new_id

KINDS = ("taken", "released", "resolved", "reopened")
_INVERSE = {"taken": "released", "released": "taken", "resolved": "reopened", "reopened": "resolved"}


def perform(body: dict[str, Any], entry: Entry, at: str) -> Action:
    """The action of a request's body: `kind` or `undoes`, and `by`.

    Args:
        entry: the message in the live queue.
        at: now, RFC 3339.

    Raises:
        Invalid: one sentence that names field, value and limit.
    """
    by, kind, undoes = body.get("by"), body.get("kind"), body.get("undoes")
    if undoes is not None:
        before = next((one for one in standing(entry.actions) if one.id == undoes), None)
        if before is None:
            raise Invalid("out_of_bounds", 'field "undoes" names no action on this message that stands')
        kind = _INVERSE.get(before.kind, before.kind)
    elif kind not in KINDS:
        raise Invalid("out_of_bounds", f'field "kind" must be one of {", ".join(KINDS)}')
    fields = {
        "id": new_id(),
        "customer_id": entry.decision.customer_id,
        "message_id": entry.id,
        "kind": kind,
        "by": " ".join(by.split()) if isinstance(by, str) else by,
        "at": at,
        "decision_id": entry.decision.id,
    }
    return convert(fields if undoes is None else {**fields, "undoes": undoes}, Action)
