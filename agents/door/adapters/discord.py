"""Discord: a gateway's dispatches, forwarded by a bot of yours; and, signed by Discord itself, an app's webhook events.

Discord's webhook events hold no messages of a server's channels, only those of a game's lobbies: whoever wants the former
runs a bot on the gateway, and lets it forward `{"t": "MESSAGE_CREATE", "d": {...}}` with our token.
https://docs.discord.com/developers/events/gateway-events
https://docs.discord.com/developers/events/webhook-events
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.door.adapters import Ignored, Known, Said, Told, Word
from agents.door.adapters.shape import at, attachments, ident, many, message, millis, needed, revision, text

_EPOCH_MS = 1_420_070_400_000
_SAID = (0, 19, None)
"""Kinds of message that are somebody's words: a message, a reply."""
_EVENTS = {"CREATE": "posted", "UPDATE": "edited", "DELETE": "deleted"}


def told(payload: Mapping[str, Any], kind: str, arrived: int, known: Known) -> list[Told]:
    """See `agents.door.adapters.Adapter`."""
    if at(payload, "event") is not None:  # a webhook event
        name, data = text(payload, "event", "type"), at(payload, "event", "data")
        if not name.startswith("LOBBY_MESSAGE_"):
            return [Ignored(f"nothing is made of Discord's webhook event {name[:80]!r}")]
        place = "lobby_id"
    else:
        name, data, place = text(payload, "t"), at(payload, "d"), "channel_id"
        if name == "MESSAGE_REACTION_ADD":
            return [_reacted(data, arrived, known)]
        if not name.startswith("MESSAGE_"):
            return [Ignored(f"nothing is made of Discord's {name[:80]!r}")]
    what = _EVENTS.get(name.rpartition("_")[2])
    if what is None:
        return [Ignored(f"nothing is made of Discord's {name[:80]!r}")]
    return [_said(data, place, what, arrived, known)]


def _said(data: Any, place: str, what: str, arrived: int, known: Known) -> Told:
    name, channel = needed(data, "id"), needed(data, place)
    if at(data, "type") not in _SAID:
        return Ignored("a line that Discord wrote of what happened, not of what somebody said")
    author = ident(data, "author", "id")
    if not author and what != "deleted":
        return Ignored("a change that does not say who wrote it, as Discord makes where it adds a preview")
    if what == "edited" and not text(data, "edited_timestamp"):
        return Ignored("MESSAGE_UPDATE: a preview was added, the words are the same")
    words = "" if what == "deleted" else text(data, "content").strip()
    files = [] if what == "deleted" else attachments(many(data, "attachments"), "content_type", "url")
    if not words and not files and what != "deleted":
        return Ignored("a message without words; without the intent MESSAGE_CONTENT Discord leaves them out")
    bot = at(data, "author", "bot") is True or bool(ident(data, "webhook_id"))
    role = "bot" if bot else "agent" if author in known.agents else "customer"
    answered = ident(data, "referenced_message", "author", "id")
    whose = author if role == "customer" else "" if answered in known.agents else answered
    guild, origin = ident(data, "guild_id"), ident(data, "message_reference", "message_id")
    changed = millis(text(data, "edited_timestamp"), arrived) if what == "edited" else arrived
    return Said(
        message(
            id=f"discord:{name}",
            customer_id=f"discord:{whose}" if whose else "",
            # A thread is a channel of its own.
            conversation_id=f"discord:{channel}",
            text=words,
            channel="discord",
            author_role=role,
            author_name=text(data, "author", "global_name") or text(data, "author", "username"),
            visibility="public" if guild else "private",
            sent_at=millis(text(data, "timestamp"), _made(name, arrived)),
            reply_to=f"discord:{origin}" if origin else "",
            url=f"https://discord.com/channels/{guild}/{channel}/{name}" if guild else "",
            event=what,
            revision=0 if what == "posted" else revision(changed),
            attachments=files,
            attributes={} if place == "channel_id" else {"discord_lobby": True},
        ),
        author,
    )


def _made(name: str, arrived: int) -> int:
    """When an id was made: it counts milliseconds since 2015 in its upper bits."""
    return min((int(name) >> 22) + _EPOCH_MS, arrived) if name.isdecimal() and len(name) < 20 else arrived


def _reacted(data: Any, arrived: int, known: Known) -> Told:
    by, name, channel = ident(data, "user_id"), needed(data, "message_id"), needed(data, "channel_id")
    if by not in known.agents:
        return Ignored("MESSAGE_REACTION_ADD: by somebody whom the map file does not name as an agent")
    tag = text(data, "emoji", "name")
    if not tag:
        return Ignored("MESSAGE_REACTION_ADD: without the emoji's name")
    one = f"discord:{name}"
    return Word(f"{one}:{by}:{tag}"[:256], f"discord:{channel}", "tag", tag, by, arrived, one)
