"""Signatures by the Standard Webhooks specification (https://www.standardwebhooks.com), version v1: HMAC-SHA256.

Owns: the three headers. Must never: log a key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable


def sign(key: bytes, identity: str, at: int, body: bytes) -> str:
    """One signature, `v1,` and base64, over `identity.at.body`; `at` is in seconds since the epoch."""
    digest = hmac.new(key, f"{identity}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def headers(keys: Iterable[bytes], identity: str, at: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt; a signature for each key, so that a receiver may change its own when it likes."""
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(sign(key, identity, at, body) for key in keys),
    }


def new_secret() -> str:
    """A fresh secret in the form that both sides keep."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
