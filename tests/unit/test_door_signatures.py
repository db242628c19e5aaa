"""Whether a request comes from its tool: right, changed, copied, signed with another secret, not signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.door.adapters import TOOLS
from agents.door.signatures import WINDOW_SECONDS, Forged, verify
from schemas.base import timestamp

SECRET = "a-secret-of-the-tests"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw().hex()
NOW = 1_772_450_000
BODY = b'{"say": "hello"}'


def digest(message: bytes) -> bytes:
    return hmac.new(SECRET.encode(), message, hashlib.sha256).digest()


def zendesk(at: int, body: bytes) -> dict[str, str]:
    stamp = timestamp(at * 1000)
    signature = base64.b64encode(digest(stamp.encode() + body)).decode()
    return {"X-Zendesk-Webhook-Signature": signature, "X-Zendesk-Webhook-Signature-Timestamp": stamp}


def intercom(at: int, body: bytes) -> dict[str, str]:
    return {"X-Hub-Signature": "sha1=" + hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()}


def discourse(at: int, body: bytes) -> dict[str, str]:
    return {"X-Discourse-Event-Signature": "sha256=" + digest(body).hex()}


def chatwoot(at: int, body: bytes) -> dict[str, str]:
    signature = "sha256=" + digest(f"{at}.".encode() + body).hex()
    return {"X-Chatwoot-Signature": signature, "X-Chatwoot-Timestamp": str(at)}


def slack(at: int, body: bytes) -> dict[str, str]:
    signature = "v0=" + digest(f"v0:{at}:".encode() + body).hex()
    return {"X-Slack-Signature": signature, "X-Slack-Request-Timestamp": str(at)}


def discord(at: int, body: bytes) -> dict[str, str]:
    signature = KEY.sign(str(at).encode() + body).hex()
    return {"X-Signature-Ed25519": signature, "X-Signature-Timestamp": str(at)}


SIGN: dict[str, Callable[[int, bytes], dict[str, str]]] = {
    "zendesk": zendesk,
    "intercom": intercom,
    "discourse": discourse,
    "chatwoot": chatwoot,
    "slack": slack,
    "discord": discord,
}
TIMED = ("zendesk", "chatwoot", "slack", "discord")


def secret(tool: str) -> str:
    return PUBLIC if tool == "discord" else SECRET


@pytest.mark.parametrize("tool", TOOLS)
def test_a_signed_request_comes_in_and_a_changed_one_does_not(tool: str) -> None:
    headers = SIGN[tool](NOW, BODY)
    verify(tool, headers, BODY, secret(tool), NOW)
    other = "f" * 64 if tool == "discord" else SECRET + "x"
    for changed, body, key in (({}, BODY, secret(tool)), (headers, BODY + b" ", secret(tool)), (headers, BODY, other)):
        with pytest.raises(Forged):
            verify(tool, changed, body, key, NOW)


@pytest.mark.parametrize("tool", TIMED)
def test_an_old_copy_does_not_come_in(tool: str) -> None:
    headers = SIGN[tool](NOW, BODY)
    verify(tool, headers, BODY, secret(tool), NOW + WINDOW_SECONDS)
    for later in (WINDOW_SECONDS + 1, -WINDOW_SECONDS - 1):
        with pytest.raises(Forged, match="old copy"):
            verify(tool, headers, BODY, secret(tool), NOW + later)


@pytest.mark.parametrize("tool", TIMED)
@pytest.mark.parametrize("stamp", ["", "x", "nan", "inf", "é", "2026-13-01", "1" * 400])
def test_a_time_that_is_none_is_refused(tool: str, stamp: str) -> None:
    headers = {name: stamp if "Timestamp" in name else value for name, value in SIGN[tool](NOW, BODY).items()}
    with pytest.raises(Forged):
        verify(tool, headers, BODY, secret(tool), NOW)
    if tool == "discord":
        return
    # Also where the time is signed: an attacker with the secret is none, but a clock may be broken.
    signed = {
        "zendesk": stamp.encode() + BODY,
        "chatwoot": stamp.encode() + b"." + BODY,
        "slack": b"v0:" + stamp.encode() + b":" + BODY,
    }
    value = digest(signed[tool])
    right = {
        "zendesk": base64.b64encode(value).decode(),
        "chatwoot": "sha256=" + value.hex(),
        "slack": "v0=" + value.hex(),
    }
    headers |= {name: right[tool] for name in headers if "Timestamp" not in name}
    with pytest.raises(Forged):
        verify(tool, headers, BODY, SECRET, NOW)
