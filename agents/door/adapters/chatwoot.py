"""Chatwoot: an account's webhooks of messages and conversations.

A message carries its conversation; a conversation's ids are those that agents see. `message_updated` mostly says that
something was delivered or read: only a deletion changes what was said.
https://www.chatwoot.com/hc/user-guide/articles/1677693021-how-to-use-webhooks
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.door.adapters import NOTE, Deed, Ignored, Known, Said, Told, Word
from agents.door.adapters.html import plain
from agents.door.adapters.shape import at, attachments, ident, many, message, millis, needed, text

UNNAMED = "unnamed"
"""Who changed a conversation: Chatwoot does not say."""
_ROLES = {"agent_bot": "bot", "captain_assistant": "bot"}


def told(payload: Mapping[str, Any], kind: str, arrived: int, known: Known) -> list[Told]:
    """See `agents.door.adapters.Adapter`."""
    event = text(payload, "event")
    if event == "message_created":
        return [_said(payload, arrived, gone=False)]
    if event == "message_updated":
        if at(payload, "content_attributes", "deleted") is True:
            return [_said(payload, arrived, gone=True)]
        return [Ignored("message_updated: delivered, read or rated, but not deleted")]
    if event == "conversation_status_changed":
        return [_status(payload, arrived)]
    if event == "conversation_updated":
        return _updated(payload, arrived)
    return [Ignored(f"nothing is made of Chatwoot's {event[:80]!r}")]


def _said(payload: Mapping[str, Any], arrived: int, *, gone: bool) -> Told:
    way, conversation = text(payload, "message_type"), at(payload, "conversation")
    if way == "activity":
        return Ignored("a line that Chatwoot wrote of what happened, not of what somebody said")
    if at(payload, "private") is True:
        return NOTE
    words = text(payload, "content")
    if text(payload, "content_type") == "incoming_email":
        # The mail's own words, without the thread that is quoted below them.
        mail = at(payload, "content_attributes", "email")
        words = text(mail, "text_content", "reply") or plain(text(mail, "html_content", "reply")) or words
    files = attachments(many(payload, "attachments"), "file_type", "data_url")
    if not words.strip() and not files and not gone:
        return Ignored("a message without words")
    role = "customer" if way == "incoming" else "bot" if way == "template" else "agent"
    role = _ROLES.get(text(payload, "sender", "type"), role) if role != "customer" else role
    author = ident(payload, "sender", "id")
    contact = ident(conversation, "contact_inbox", "contact_id") or ident(conversation, "meta", "sender", "id")
    contact = contact or (author if role == "customer" else ident(payload, "contact", "id"))
    sent = millis(at(payload, "created_at"), arrived)
    return Said(
        message(
            id=f"chatwoot:{needed(payload, 'id')}",
            customer_id=f"chatwoot:{contact}" if contact else "",
            conversation_id=f"chatwoot:{_number(conversation)}",
            text="" if gone else words.strip(),
            subject=text(conversation, "additional_attributes", "mail_subject"),
            channel=text(conversation, "channel").removeprefix("Channel::").lower() or "chatwoot",
            author_role=role,
            author_name=text(payload, "sender", "name"),
            visibility="private",
            sent_at=sent,
            event="deleted" if gone else "posted",
            revision=1 if gone else 0,
            attachments=[] if gone else files,
        ),
        author,
    )


def _number(conversation: Any) -> str:
    return ident(conversation, "display_id") or needed(conversation, "id")


def _status(payload: Mapping[str, Any], arrived: int) -> Told:
    conversation = f"chatwoot:{_number(payload)}"
    status, when = text(payload, "status"), _changed(payload, arrived)
    name = f"{conversation}:{status[:20]}:{when}"
    by = ""  # Chatwoot does not tell
    if status == "resolved":
        return Deed(name, conversation, "resolved", by, when)
    if status == "snoozed":
        until = millis(at(payload, "snoozed_until"), 0) or None
        return Deed(name, conversation, "snoozed", by, when, until)
    if status == "open":
        return Deed(name, conversation, "reopened", by, when)
    return Ignored(f"conversation_status_changed: {status[:40]!r} is nobody's deed")


def _changed(payload: Mapping[str, Any], arrived: int) -> int:
    return millis(at(payload, "updated_at"), 0) or millis(at(payload, "timestamp"), arrived)


def _updated(payload: Mapping[str, Any], arrived: int) -> list[Told]:
    conversation, when = f"chatwoot:{_number(payload)}", _changed(payload, arrived)
    found: list[Told] = []
    for change in many(payload, "changed_attributes")[:64]:
        if not isinstance(change, dict):
            continue
        for what, values in change.items():
            found += _change(conversation, what, values, when)
    return found or [Ignored("conversation_updated: neither priority, label, team nor assignee was set")]


def _change(conversation: str, what: str, values: Any, when: int) -> list[Told]:
    value, name = at(values, "current_value"), f"{conversation}:{what[:40]}:{when}"
    if what == "assignee_id":
        whom = ident(value)
        return [Deed(name, conversation, "taken" if whom else "released", whom, when)]
    if what == "priority" and isinstance(value, str) and value:
        return [Word(name, conversation, "priority", value, UNNAMED, when)]
    if what == "team_id" and ident(value):
        return [Word(name, conversation, "group", ident(value), UNNAMED, when)]
    if what in ("label_list", "cached_label_list"):
        new = set(_labels(value)) - set(_labels(at(values, "previous_value")))
        return [Word(f"{name}:{tag}", conversation, "tag", tag, UNNAMED, when) for tag in sorted(new)[:64]]
    return []


def _labels(value: Any) -> list[str]:
    if isinstance(value, str):
        return [tag.strip() for tag in value.split(",") if tag.strip()]
    return [tag for tag in value if isinstance(tag, str) and tag] if isinstance(value, list) else []
