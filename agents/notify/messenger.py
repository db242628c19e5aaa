"""Notifications through apprise: Slack, Teams, e-mail and whatever else it knows.

Owns: how apprise is set up: plain text, nothing on disk, no redirects, in a thread. Must never: show one of its addresses, which
hold secrets.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from agents.notify.destinations import Apprise, Destination
from agents.notify.sending import DELIVERED, Outcome, Parcel, of_status
from agents.notify.words import notification
from agents.scoring.policy import Policy
from schemas.base import FLAGGED
from streams.errors import TocsinError

if TYPE_CHECKING:
    import apprise

_STATUS = re.compile(r"\berror=(\d{3})\b")
"""How apprise's services tell an HTTP status: in words only."""
_MOST_SAID = 200
_KINDS = {"p0": "failure", "p1": "warning", "p2": "info"}
"""Colours and icons, where a service has some."""


class Messenger:
    """The way to one notification service.

    Args:
        policy: the one in force.

    Raises:
        TocsinError: apprise is missing, or does not know the address.
    """

    def __init__(
        self,
        destination: Destination,
        target: Apprise,
        policy: Callable[[], Policy],
        clock: Callable[[], float] = time.time,
    ) -> None:
        try:
            import apprise
        except ImportError:
            raise TocsinError(
                f'destination "{destination.name}" is of the kind apprise, which is not installed: pip install "tocsin[notify]"'
            ) from None
        self._destination = destination
        self._target = target
        self._policy = policy
        self._clock = clock
        asset = apprise.AppriseAsset(
            app_id="Tocsin",
            app_desc="Tocsin",
            app_url=destination.console,
            image_url_mask="",  # else services fetch its pictures from elsewhere
            image_url_logo="",
            http_redirects=False,
            secure_logging=True,
            storage_mode="memory",
            pgp_autogen=False,
            pem_autogen=False,
            service_timeout=destination.retry.timeout,
        )
        self._apprise: apprise.Apprise = apprise.Apprise(asset=asset)
        if not self._apprise.add(target.url):
            raise TocsinError(
                f'destination "{destination.name}": apprise does not know the address that its url names; its wiki has the form '
                "for each service, e.g. slack://..., mailtos://..."
            )

        for service in self._apprise:
            # Of a connection, and of each answer; the whole is bounded above. An address may ask for others: ours count.
            service.socket_connect_timeout = service.socket_read_timeout = destination.retry.timeout

    async def start(self) -> None:
        """Nothing: each notification connects anew."""

    async def stop(self) -> None:
        """Nothing."""

    async def send(self, parcel: Parcel) -> Outcome:
        """One attempt, in a thread: apprise waits."""
        told = notification(
            parcel, self._target, self._policy(), self._destination.console, round(self._clock() * 1000)
        )
        kind = _KINDS[parcel.alert.decision.priority] if parcel.alert.decision.priority in FLAGGED else "info"
        return await self._in_thread(lambda: self._send(told.title, told.body, kind))

    @staticmethod
    async def _in_thread(work: Callable[[], Outcome]) -> Outcome:
        """Not in asyncio's own threads: the process would wait for them at its end."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Outcome] = loop.create_future()

        def finish(outcome: Outcome) -> None:
            if not done.done():
                done.set_result(outcome)

        def run() -> None:
            outcome = work()
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(finish, outcome)

        threading.Thread(target=run, name="notify", daemon=True).start()
        return await done

    def _send(self, title: str, body: str, kind: str) -> Outcome:
        import apprise

        try:
            result = self._apprise.notify(
                title=title,
                body=body,
                notify_type=kind,
                body_format=apprise.NotifyFormat.TEXT,
                interpret_escapes=False,
                timeout=self._destination.retry.timeout,
                log_level=30,
            )
        except Exception as error:  # a hundred services by a hundred hands: what one of them raises must not end us
            return Outcome("away", f"failed with {type(error).__name__}")
        if result:
            return DELIVERED
        lines = [entry.message for entry in result.logs()]
        statuses = [int(found) for line in lines for found in _STATUS.findall(line)]
        said = " ".join(lines[0].split())[:_MOST_SAID] if lines else result.status.name.lower()
        for secret in (self._target.url, *self._destination.secrets):
            said = said.replace(secret, "*****")
        found = of_status(statuses[-1]) if statuses else Outcome("away")
        return Outcome("away" if found.kind == "delivered" else found.kind, said)
