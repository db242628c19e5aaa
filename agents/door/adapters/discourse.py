"""Discourse: webhooks of posts, of accepted solutions, of assignments and of a topic's status.

The event's name stands in the header X-Discourse-Event; a post's HTML in `cooked`. Discourse does not say who changed a
topic's tags or category, nor what they were: nobody's word can be made of that.
https://meta.discourse.org/t/configure-webhooks-that-trigger-on-discourse-events-to-integrate-with-external-services/49045
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.door.adapters import NOTE, Deed, Ignored, Known, Said, Told
from agents.door.adapters.html import plain
from agents.door.adapters.shape import at, ident, message, millis, needed, revision, text

_REGULAR, _WHISPER = 1, 4
_EVENTS = {"post_created": "posted", "post_edited": "edited", "post_recovered": "edited", "post_destroyed": "deleted"}


def told(payload: Mapping[str, Any], kind: str, arrived: int, known: Known) -> list[Told]:
    """See `agents.door.adapters.Adapter`."""
    if kind in _EVENTS:
        return [_post(at(payload, "post"), kind, arrived)]
    if kind == "accepted_solution":
        # Discourse names the post that solves it, not who accepted it.
        post = at(payload, "solved")
        name = f"discourse:solved-{needed(post, 'id')}"
        by = ident(post, "user_id")
        return [
            Deed(
                name,
                _topic(post),
                "resolved" if _staff(post) else "answered",
                by,
                millis(text(post, "created_at"), arrived),
            )
        ]
    if kind in ("assigned", "unassigned"):
        return [_assigned(at(payload, "assign"), kind, arrived)]
    if kind == "topic_closed_status_updated":
        topic = at(payload, "topic")
        conversation, done = f"discourse:{needed(topic, 'id')}", at(topic, "closed") is True
        name = f"{conversation}:{'closed' if done else 'opened'}:{arrived // 60_000}"
        return [Deed(name, conversation, "resolved" if done else "reopened", "", arrived)]
    if kind in ("topic_edited", "topic_created", "topic_tags_changed"):
        return [Ignored(f"{kind}: Discourse does not say who changed which tag or category")]
    return [Ignored(f"nothing is made of Discourse's {kind[:80]!r}")]


def _topic(post: Any) -> str:
    return f"discourse:{needed(post, 'topic_id')}"


def _staff(post: Any) -> bool:
    return any(at(post, name) is True for name in ("staff", "admin", "moderator"))


def _post(post: Any, kind: str, arrived: int) -> Told:
    name = needed(post, "id")
    sort = at(post, "post_type")
    if sort not in (_REGULAR, _WHISPER, None):
        return Ignored("a post that Discourse wrote of what happened, not of what somebody said")
    if sort == _WHISPER:
        return NOTE
    author = needed(post, "user_id")
    changed = max(millis(text(post, "updated_at"), 0), millis(text(post, "deleted_at"), 0)) or arrived
    if kind == "post_recovered":  # its time of change is that of before it was deleted
        changed = arrived
    gone = kind == "post_destroyed"
    words = "" if gone else plain(text(post, "cooked")) or text(post, "raw").strip()
    if not words and not gone:
        return Ignored("a post without words")
    staff = _staff(post)
    role = "bot" if author.startswith("-") else "moderator" if staff else "customer"
    number = at(post, "post_number")
    reply = at(post, "reply_to_post_number")
    hidden = text(post, "topic_archetype") == "private_message"
    slug = text(post, "topic_slug") or "-"
    return Said(
        message(
            id=f"discourse:{name}",
            # Of somebody on the staff it does not say whom they answer: the topic's own customer.
            customer_id=f"discourse:{author}" if role == "customer" else "",
            conversation_id=_topic(post),
            text=words,
            subject=text(post, "topic_title"),
            channel="discourse",
            author_role=role,
            author_name=text(post, "name") or text(post, "username"),
            visibility="private" if hidden else "public",
            sent_at=millis(text(post, "created_at"), arrived),
            event=_EVENTS[kind],
            revision=0 if kind == "post_created" else revision(changed),
            attributes=_numbers(discourse_post_number=number, discourse_reply_to_post_number=reply)
            | ({"discourse_category": text(post, "category_slug")[:256]} if text(post, "category_slug") else {})
            | {"discourse_topic_slug": slug[:256]},
        ),
        author,
    )


def _numbers(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if type(value) is int and abs(value) < 2**53}


def _assigned(assign: Any, kind: str, arrived: int) -> Told:
    conversation = _topic(assign)
    whom, by = ident(assign, "assigned_to_id"), ident(assign, "assigned_by_id")
    minute = arrived // 60_000  # the hook has no time and no id: a retry within the minute is the same
    if kind == "unassigned":
        return Deed(f"{conversation}:unassigned:{minute}", conversation, "released", by, arrived)
    return Deed(f"{conversation}:assigned:{whom}:{minute}", conversation, "taken", whom, arrived)
