"""Whether a request comes from the tool that it says it comes from.

Owns: each tool's way of signing. Must never: tell by its time how much of a signature was right, or log a secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime

WINDOW_SECONDS = 300
"""How far a signed time may be from ours: what was signed longer ago is somebody's copy."""

Headers = Mapping[str, str]


class Forged(Exception):
    """Not signed as this tool signs; the text is one sentence."""


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.strip().encode("utf-8", "replace"), wanted.encode())


def _fresh(stamp: float, now: float) -> None:
    if not abs(now - stamp) <= WINDOW_SECONDS:
        raise Forged(f"signed more than {WINDOW_SECONDS} s away from our clock: an old copy, or a clock that is wrong")


def _seconds(value: str, header: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise Forged(f"the header {header} is missing, or no time in seconds") from None


def _check(given: str | None, wanted: str, header: str) -> None:
    if given is None:
        raise Forged(f"the header {header} is missing: set the tool's secret on both sides")
    if not _same(given, wanted):
        raise Forged(f"the signature in {header} is not of this body with our secret")


def _zendesk(headers: Headers, body: bytes, secret: str, now: float) -> None:
    """base64 of HMAC-SHA256 over timestamp and body. https://developer.zendesk.com/documentation/webhooks/verifying/"""
    stamp = headers.get("X-Zendesk-Webhook-Signature-Timestamp", "")
    digest = hmac.digest(secret.encode(), stamp.encode("utf-8", "replace") + body, "sha256")
    _check(headers.get("X-Zendesk-Webhook-Signature"), base64.b64encode(digest).decode(), "X-Zendesk-Webhook-Signature")
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        raise Forged("the header X-Zendesk-Webhook-Signature-Timestamp is no time") from None
    if moment.tzinfo is None:
        raise Forged("the header X-Zendesk-Webhook-Signature-Timestamp has no offset from UTC")
    _fresh(moment.timestamp(), now)


def _intercom(headers: Headers, body: bytes, secret: str, now: float) -> None:
    """sha1= and the HMAC-SHA1 of the body with the app's client secret; no time is signed."""
    _check(
        headers.get("X-Hub-Signature"),
        "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest(),
        "X-Hub-Signature",
    )


def _discourse(headers: Headers, body: bytes, secret: str, now: float) -> None:
    """sha256= and the HMAC-SHA256 of the body; no time is signed."""
    wanted = "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()
    _check(headers.get("X-Discourse-Event-Signature"), wanted, "X-Discourse-Event-Signature")


def _chatwoot(headers: Headers, body: bytes, secret: str, now: float) -> None:
    """sha256= and the HMAC-SHA256 of timestamp, a dot and the body."""
    stamp = headers.get("X-Chatwoot-Timestamp", "")
    wanted = "sha256=" + hmac.digest(secret.encode(), stamp.encode("utf-8", "replace") + b"." + body, "sha256").hex()
    _check(headers.get("X-Chatwoot-Signature"), wanted, "X-Chatwoot-Signature")
    _fresh(_seconds(stamp, "X-Chatwoot-Timestamp"), now)


def _slack(headers: Headers, body: bytes, secret: str, now: float) -> None:
    """v0= and the HMAC-SHA256 of v0:timestamp:body. https://docs.slack.dev/authentication/verifying-requests-from-slack"""
    stamp = headers.get("X-Slack-Request-Timestamp", "")
    signed = b"v0:" + stamp.encode("utf-8", "replace") + b":" + body
    _check(
        headers.get("X-Slack-Signature"),
        "v0=" + hmac.digest(secret.encode(), signed, "sha256").hex(),
        "X-Slack-Signature",
    )
    _fresh(_seconds(stamp, "X-Slack-Request-Timestamp"), now)


def _discord(headers: Headers, body: bytes, secret: str, now: float) -> None:
    """Ed25519 over timestamp and body, with the app's public key in hex."""
    # Imported here: only who takes Discord's own events needs it.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    stamp = headers.get("X-Signature-Timestamp", "")
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(secret))
        key.verify(bytes.fromhex(headers.get("X-Signature-Ed25519", "")), stamp.encode("utf-8", "replace") + body)
    except (InvalidSignature, ValueError):
        raise Forged("the signature in X-Signature-Ed25519 is not of this body with the app's key") from None
    _fresh(_seconds(stamp, "X-Signature-Timestamp"), now)


_WAYS: dict[str, Callable[[Headers, bytes, str, float], None]] = {
    "zendesk": _zendesk,
    "intercom": _intercom,
    "discourse": _discourse,
    "chatwoot": _chatwoot,
    "slack": _slack,
    "discord": _discord,
}


def verify(tool: str, headers: Headers, body: bytes, secret: str, now: float) -> None:
    """Checks a request of one of the tools.

    Args:
        headers: without regard to case.
        body: as it came.
        now: seconds since 1970.

    Raises:
        Forged: it is not signed with this secret, or not now.
    """
    _WAYS[tool](headers, body, secret, now)
