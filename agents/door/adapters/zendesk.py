"""Zendesk: webhooks that are subscribed to ticket events.

Every event carries the ticket in `detail` and what changed in `event`. The first comment is the ticket's description; it may
come as `ticket.created`, as `ticket.comment_added`, or as both, so both make the same message of it.
https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.door.adapters import NOTE, Deed, Ignored, Known, Said, Told, Word
from agents.door.adapters.shape import at, attachments, ident, many, message, millis, needed, text

_PREFIX = "zen:event-type:ticket."
_CHANGES = (
    "priority_changed",
    "tags_changed",
    "group_assignment_changed",
    "agent_assignment_changed",
    "status_changed",
)
_DONE = ("SOLVED", "CLOSED")
_SYSTEM = ("", "-1")
"""Whom Zendesk names where no person did it: a trigger, an automation."""


def told(payload: Mapping[str, Any], kind: str, arrived: int, known: Known) -> list[Told]:
    """See `agents.door.adapters.Adapter`."""
    kind = text(payload, "type")
    if not kind.startswith(_PREFIX):
        return [Ignored(f"Zendesk's {kind[:80]!r} is no event of a ticket")]
    event = kind.removeprefix(_PREFIX)
    if event == "created":
        return [_described(payload, arrived)]
    if event == "comment_added":
        return [_commented(payload, arrived)]
    actor, detail = ident(payload, "detail", "actor_id"), at(payload, "detail")
    if event not in _CHANGES:
        return [Ignored(f"nothing is made of ticket.{event[:80]}")]
    if actor in _SYSTEM:
        return [Ignored(f"ticket.{event}: Zendesk's own rules did it, no person")]
    conversation = f"zendesk:{needed(detail, 'id')}"
    name, when = f"zendesk:{needed(payload, 'id')}", millis(text(payload, "time"), arrived)
    now, before = (ident(payload, "event", which).upper() for which in ("current", "previous"))
    if event == "agent_assignment_changed":
        if now in ("", "0"):
            return [Deed(name, conversation, "released", actor, when)]
        return [Deed(name, conversation, "taken", now, when)]
    if event == "status_changed":
        if now in _DONE and before not in _DONE:
            return [Deed(name, conversation, "resolved", actor, when)]
        if before in _DONE and now not in _DONE:
            return [Deed(name, conversation, "reopened", actor, when)]
        return [Ignored("ticket.status_changed: neither solved nor opened again")]
    if actor == ident(detail, "requester_id"):
        return [Ignored(f"ticket.{event}: the customer did it, no agent")]
    if event == "tags_changed":
        tags = [tag for tag in many(payload, "event", "tags_added") if isinstance(tag, str) and tag]
        words: list[Told] = [Word(f"{name}:{tag}", conversation, "tag", tag, actor, when) for tag in tags[:64]]
        return words or [Ignored("ticket.tags_changed: tags were only taken away")]
    if not now:
        return [Ignored(f"ticket.{event}: taken away, not set")]
    if event == "priority_changed":
        return [Word(name, conversation, "priority", now.lower(), actor, when)]
    return [Word(name, conversation, "group", now.lower(), actor, when)]


def _described(payload: Mapping[str, Any], arrived: int) -> Told:
    detail = at(payload, "detail")
    author = ident(detail, "submitter_id") or ident(detail, "requester_id")
    return _said(
        payload, arrived, _first(detail), text(detail, "description"), author, author != ident(detail, "requester_id")
    )


def _commented(payload: Mapping[str, Any], arrived: int) -> Told:
    detail, comment = at(payload, "detail"), at(payload, "event", "comment")
    if at(comment, "is_public") is False:
        return NOTE
    words, author = text(comment, "body"), ident(comment, "author", "id")
    first = bool(words.strip()) and words.strip() == text(detail, "description").strip()
    name = _first(detail) if first else needed(payload, "event", "comment", "id")
    return _said(payload, arrived, name, words, author, at(comment, "author", "is_staff") is True)


def _first(detail: Any) -> str:
    return f"ticket-{needed(detail, 'id')}"


def _said(payload: Mapping[str, Any], arrived: int, name: str, words: str, author: str, staff: bool) -> Told:
    detail, comment = at(payload, "detail"), at(payload, "event", "comment")
    files = attachments(many(comment, "attachments"), "content_type", "content_url")
    if not words.strip() and not files:
        return Ignored("a ticket or comment without words")
    first = name.startswith("ticket-")
    return Said(
        message(
            id=f"zendesk:{name}",
            customer_id=f"zendesk:{needed(detail, 'requester_id')}",
            conversation_id=f"zendesk:{needed(detail, 'id')}",
            text=words.strip(),
            subject=text(detail, "subject"),
            channel=text(detail, "via", "channel") or "zendesk",
            author_role="agent" if staff else "customer",
            author_name="" if first else text(comment, "author", "name"),
            # A public comment is read by the customer and the agents: nobody else.
            visibility="private",
            sent_at=millis(text(detail, "created_at") if first else text(payload, "time"), arrived),
            attachments=files,
        ),
        author,
    )
