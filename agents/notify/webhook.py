"""Webhooks: the alert as JSON, signed.

Owns: what is sent, and with how much of what was written. Must never: change a decision.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
from msgspec import UNSET

from agents.notify import signing
from agents.notify.client import Client
from agents.notify.destinations import Retry, Webhook
from agents.notify.sending import Outcome, Parcel
from schemas.base import FLAGGED
from schemas.decision import Alert, encode


class WebhookSender:
    """The way to one webhook."""

    def __init__(self, target: Webhook, retry: Retry, clock: Callable[[], float] = time.time) -> None:
        self._target = target
        self._client = Client(retry.timeout)
        self._clock = clock

    async def start(self) -> None:
        """Makes the client."""
        await self._client.start()

    async def stop(self) -> None:
        """Closes it."""
        await self._client.stop()

    async def send(self, parcel: Parcel) -> Outcome:
        """One attempt. Its id is the decision's, so that whoever gets it twice knows it."""
        alert = parcel.alert
        written = self._target.text == "full" or (self._target.text == "flagged" and alert.decision.priority in FLAGGED)
        body = encode(alert if written else without_text(alert))
        identity = alert.decision.id
        headers = signing.headers(self._target.secrets, identity, int(self._clock()), body)
        return await self._client.post(self._target.url, body, {"content-type": "application/json", **headers})


def without_text(alert: Alert) -> Alert:
    """The alert without what the customer wrote, nor words out of it, nor the name they go by."""
    reasons = [
        msgspec.structs.replace(one, phrase=UNSET, contributions=UNSET, rest=UNSET) for one in alert.decision.reasons
    ]
    return msgspec.structs.replace(
        alert,
        message=msgspec.structs.replace(
            alert.message, text="", subject=None, author_name=None, attachments=[], attributes={}
        ),
        decision=msgspec.structs.replace(alert.decision, reasons=reasons),
    )
