"""Intercom: notifications of an app's webhook topics about conversations.

A conversation's first message is its `source` (its `conversation_message` before API version 2.0); what came later are parts,
of which a notification carries those that it is about. Bodies are HTML.
https://developers.intercom.com/docs/references/webhooks/webhook-models
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.door.adapters import NOTE, Deed, Ignored, Known, Said, Told, Word
from agents.door.adapters.html import plain
from agents.door.adapters.shape import at, attachments, ident, many, message, millis, needed, text

_SAYING = (
    "conversation.user.replied",
    "conversation.admin.replied",
    "conversation.admin.noted",
    "conversation.operator.replied",
)
_STARTING = ("conversation.user.created", "conversation.admin.single.created")
_ROLES = {"user": "customer", "lead": "customer", "contact": "customer", "admin": "agent", "bot": "bot"}
_DEEDS: dict[str, Any] = {
    "conversation.admin.closed": "resolved",
    "conversation.admin.opened": "reopened",
    "conversation.admin.snoozed": "snoozed",
    "conversation.admin.unsnoozed": "reopened",
}


def told(payload: Mapping[str, Any], kind: str, arrived: int, known: Known) -> list[Told]:
    """See `agents.door.adapters.Adapter`."""
    topic, item = text(payload, "topic"), at(payload, "data", "item")
    if topic in _STARTING:
        return [_started(item, arrived)]
    if topic in _SAYING:
        said = [_part(item, part, arrived) for part in many(item, "conversation_parts", "conversation_parts")[:100]]
        return said or [Ignored(f"{topic}: no part of the conversation is in it")]
    if topic not in (*_DEEDS, "conversation.admin.assigned", "conversation.rating.added") and topic not in (
        "conversation_part.tag.created", "conversation.priority.updated", "conversation_part.redacted",
    ):  # fmt: skip
        return [Ignored(f"nothing is made of Intercom's topic {topic[:80]!r}")]
    conversation = f"intercom:{needed(item, 'id')}"
    name, when = f"intercom:{needed(payload, 'id')}", millis(at(payload, "created_at"), arrived)
    part = at(item, "conversation_parts", "conversation_parts", -1)
    actor = ident(part, "author", "id") if text(part, "author", "type") == "admin" else ""
    if topic in _DEEDS:
        until = millis(at(item, "snoozed_until"), 0) or None if _DEEDS[topic] == "snoozed" else None
        said = [_part(item, part, arrived)] if plain(text(part, "body")) else []
        return [*said, Deed(name, conversation, _DEEDS[topic], actor, when, until)]
    if topic == "conversation.rating.added":
        return [_rated(item, name, conversation, when)]
    if topic == "conversation_part.redacted":
        return _redacted(item, arrived)
    if topic == "conversation.admin.assigned":
        return _assigned(part, name, conversation, actor, when)
    if topic == "conversation.priority.updated":
        value = text(item, "priority")
        if not actor or not value:
            return [Ignored("conversation.priority.updated: it does not say which agent did it")]
        return [Word(name, conversation, "priority", value, actor, when)]
    return _tagged(item, name, conversation, when)


def _customer(item: Any) -> str:
    found = (
        ident(item, "contacts", "contacts", 0, "id")
        or ident(item, "user", "id")
        or (
            ident(item, "source", "author", "id")
            if _ROLES.get(text(item, "source", "author", "type")) == "customer"
            else ""
        )
    )
    return f"intercom:{found}" if found else ""


def _started(item: Any, arrived: int) -> Told:
    source = at(item, "source") or at(item, "conversation_message")
    return _said(item, source, millis(at(item, "created_at"), arrived))


def _part(item: Any, part: Any, arrived: int) -> Told:
    return _said(item, part, millis(at(part, "created_at"), arrived))


def _said(item: Any, part: Any, sent: int) -> Told:
    role = _ROLES.get(text(part, "author", "type"))
    if role is None:
        return Ignored(f"written by {text(part, 'author', 'type')[:40]!r}, neither customer, agent nor bot")
    if text(part, "part_type") in ("note", "note_and_reopen"):
        return NOTE
    words = plain(text(part, "body"))
    files = attachments(many(part, "attachments"), "content_type", "url")
    if not words and not files:
        return Ignored("a part of the conversation without words")
    author = ident(part, "author", "id")
    customer = _customer(item) or (f"intercom:{author}" if role == "customer" and author else "")
    return Said(
        message(
            id=f"intercom:{needed(part, 'id')}",
            customer_id=customer,
            conversation_id=f"intercom:{needed(item, 'id')}",
            text=words,
            subject=plain(text(part, "subject")),
            channel=text(item, "source", "type") or "intercom",
            author_role=role,
            author_name=text(part, "author", "name"),
            visibility="private",
            sent_at=sent,
            url=text(part, "url") or text(item, "links", "conversation_web"),
            attachments=files,
        ),
        author,
    )


def _redacted(item: Any, arrived: int) -> list[Told]:
    """Its words were taken out: as good as deleted."""
    parts = many(item, "conversation_parts", "conversation_parts")[:100]
    gone: list[Told] = []
    for part in parts:
        found = _part(item, {**part, "body": "(taken out)"} if isinstance(part, dict) else part, arrived)
        if at(part, "redacted") is True and isinstance(found, Said):
            changed = millis(at(part, "updated_at"), arrived)
            gone.append(Said({**found.fields, "text": "", "event": "deleted", "revision": changed // 1000}, found.by))
    return gone or [Ignored("conversation_part.redacted: it does not say which part")]


def _rated(item: Any, name: str, conversation: str, when: int) -> Told:
    stars = at(item, "conversation_rating", "rating")
    if isinstance(stars, bool) or not isinstance(stars, int) or not 1 <= stars <= 5:
        return Ignored("conversation.rating.added: no rating from 1 to 5 is in it")
    return Deed(name, conversation, "rated", _customer(item).removeprefix("intercom:"), when, rating=(stars - 1) / 4)


def _assigned(part: Any, name: str, conversation: str, actor: str, when: int) -> list[Told]:
    whom, what = ident(part, "assigned_to", "id"), text(part, "assigned_to", "type")
    if what == "team" and whom and actor:
        return [Word(name, conversation, "group", whom, actor, when)]
    if what == "admin" and whom:
        return [Deed(name, conversation, "taken", whom, when)]
    if not whom or what == "nobody_admin":
        return [Deed(name, conversation, "released", actor, when)]
    return [Ignored("conversation.admin.assigned: it does not say by which agent, or to whom")]


def _tagged(item: Any, name: str, conversation: str, when: int) -> list[Told]:
    tagged = ident(item, "conversation_parts", "conversation_parts", -1, "id") or ident(item, "source", "id")
    words: list[Told] = []
    for tag in many(item, "tags_added", "tags")[:64]:
        by, label = ident(tag, "applied_by", "id"), text(tag, "name")
        if label and by and text(tag, "applied_by", "type") in ("admin", ""):
            one = f"intercom:{tagged}" if tagged else None
            words.append(Word(f"{name}:{label}", conversation, "tag", label, by, when, one))
    return words or [Ignored("conversation_part.tag.created: it does not say which agent did it")]
