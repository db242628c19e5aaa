"""Slack: the Events API's messages and reactions in channels that the app is in.

A message's id is its channel and its `ts`; a thread's, that of the message that began it. Slack does not know agents from
customers: the map file names the agents.
https://docs.slack.dev/reference/events/message
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from agents.door.adapters import Ignored, Known, Said, Told, Word
from agents.door.adapters.shape import at, attachments, ident, many, message, millis, needed, revision, text

_LINK = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")
_SAID = ("", "thread_broadcast", "file_share", "me_message", "bot_message")


def told(payload: Mapping[str, Any], kind: str, arrived: int, known: Known) -> list[Told]:
    """See `agents.door.adapters.Adapter`."""
    if text(payload, "type") != "event_callback":
        return [Ignored(f"nothing is made of Slack's {text(payload, 'type')[:80]!r}")]
    event = at(payload, "event")
    what = text(event, "type")
    if what == "reaction_added":
        return [_reacted(payload, event, arrived, known)]
    if what != "message":
        return [Ignored(f"nothing is made of Slack's event {what[:80]!r}")]
    subtype = text(event, "subtype")
    if subtype in _SAID:
        return [_said(event, event, arrived, known, "posted")]
    if subtype == "message_changed":
        now, before = at(event, "message"), at(event, "previous_message")
        if text(now, "subtype") == "tombstone":
            return [_said(event, before, arrived, known, "deleted")]
        if text(now, "text") == text(before, "text"):
            return [Ignored("message_changed: a preview was added, the words are the same")]
        return [_said(event, now, arrived, known, "edited")]
    if subtype == "message_deleted":
        return [_said(event, at(event, "previous_message"), arrived, known, "deleted")]
    return [Ignored(f"a message of the subtype {subtype[:80]!r} is nobody's words")]


def _said(event: Any, one: Any, arrived: int, known: Known, what: str) -> Told:
    channel, stamp = needed(event, "channel"), needed(one, "ts")
    bot = bool(ident(one, "bot_id")) or text(one, "subtype") == "bot_message"
    author = ident(one, "bot_id") if bot else ident(one, "user")
    if not author:
        return Ignored("a message without an author")
    words = "" if what == "deleted" else _plain(text(one, "text"))
    files = [] if what == "deleted" else attachments(many(one, "files"), "mimetype", "permalink")
    if not words and not files and what != "deleted":
        return Ignored("a message without words")
    role = "bot" if bot else "agent" if author in known.agents else "customer"
    thread, parent = ident(one, "thread_ts"), ident(one, "parent_user_id")
    whose = author if role == "customer" else "" if parent in known.agents else parent
    changed = millis(text(one, "edited", "ts") if what == "edited" else text(event, "event_ts"), arrived)
    direct = text(event, "channel_type") in ("im", "mpim", "group")
    return Said(
        message(
            id=f"slack:{channel}:{stamp}",
            customer_id=f"slack:{whose}" if whose else "",
            conversation_id=f"slack:{channel}:{thread or stamp}",
            text=words,
            channel="slack",
            author_role=role,
            visibility="private" if direct else "public",
            sent_at=millis(stamp, arrived),
            reply_to=f"slack:{channel}:{thread}" if thread and thread != stamp else "",
            event=what,
            revision=0 if what == "posted" else revision(changed),
            attachments=files,
        ),
        author,
    )


def _plain(words: str) -> str:
    """Slack's marks for links and mentions, as they are read; it escapes &, < and > only."""
    return html.unescape(_LINK.sub(_read, words)).strip()


def _read(link: re.Match[str]) -> str:
    target, shown = link[1], link[2]
    if target[0] in "@#!":
        return ("#" if target[0] == "#" else "@") + (shown or target[1:]).lstrip("@#")
    return shown or target


def _reacted(payload: Any, event: Any, arrived: int, known: Known) -> Told:
    by, item = ident(event, "user"), at(event, "item")
    if by not in known.agents:
        return Ignored("reaction_added: by somebody whom the map file does not name as an agent")
    if text(item, "type") != "message":
        return Ignored("reaction_added: not to a message")
    name = f"slack:{needed(item, 'channel')}:{needed(item, 'ts')}"
    tag = text(event, "reaction").partition("::")[0]
    if not tag:
        return Ignored("reaction_added: without the reaction's name")
    when = millis(text(event, "event_ts"), arrived)
    return Word(f"slack:{needed(payload, 'event_id')}", name, "tag", tag, by, when, name)
