"""How workers get models and policies: from compacted topics, whole before the first message, then as they change.

Owns: which snapshot and which updates make the model in use; which document is the active policy.
Must never: hold up a chunk; a broken policy or a gap leaves the running one in place and raises an alarm.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from agents.scoring.base import Base, shipped
from agents.scoring.heads import Model
from agents.scoring.policy import Policy, PolicyError, parse
from schemas.arrays import unpack
from schemas.base import Invalid
from schemas.learning import ModelUpdate
from schemas.operations import PolicyRecord
from schemas.reading import read
from streams import metrics
from streams.errors import TocsinError
from streams.follow import Follower, read_to_end
from streams.health import HealthReporter
from streams.settings import Settings

log = logging.getLogger("tocsin.handout")

_PENDING = 10_000
"""Updates kept while a snapshot is waited for; a snapshot comes at least every thousand lessons."""


def load_base(settings: Settings) -> Base:
    """The base model of the settings, or the one in the package.

    Raises:
        TocsinError: the file is missing or not a base.
    """
    path = settings.model
    try:
        return Base.load(shipped() if path is None else path.read_bytes())
    except OSError as error:
        raise TocsinError(f"TOCSIN_MODEL: {path} cannot be read: {error.strerror}") from None
    except Invalid as error:
        named = "the base model in the package" if path is None else f"TOCSIN_MODEL: {path}"
        raise TocsinError(f"{named}: {error.detail}; make one with `tocsin train`") from None


async def last_snapshot(settings: Settings, base: Base) -> bytes | None:
    """The last snapshot of what was learned on a base; None before the first."""
    latest: bytes | None = None
    async for record in read_to_end(settings, settings.topic("models")):
        if record.key == base.id.encode() and record.value is not None:
            latest = record.value
    return latest


async def learned_model(settings: Settings) -> Model:
    """The model as it has learned up to now: the last snapshot, and the updates after it.

    Raises:
        TocsinError: Kafka cannot be reached, or what is there is damaged.
    """
    base = load_base(settings)
    model = Model(base)
    snapshot = await last_snapshot(settings, base)
    try:
        if snapshot is not None:
            model.restore(snapshot)
        async for record in read_to_end(settings, settings.topic("model-updates")):
            if record.key == base.id.encode():
                model.apply(read(record.value, ModelUpdate))
    except Invalid as fault:
        raise TocsinError(f"the learned model cannot be read: {fault.detail}") from None
    return model


class ModelHandout:
    """Keeps one Model up to date from `models` and `model-updates`."""

    def __init__(self, settings: Settings, health: HealthReporter, base: Base, role: str) -> None:
        self.model = Model(base)
        self._base = base
        self._health = health
        self._role = role
        self._pending: dict[int, ModelUpdate] = {}
        self._models = settings.topic("models")
        self._others: set[str] = set()
        self._follower = Follower(settings, [self._models, settings.topic("model-updates")], self._on_record)

    async def start(self) -> None:
        """Reads everything there is."""
        await self._follower.start()
        if self._others and self.model.offset == 0:
            self._health.alarm(
                "model_other_base",
                f"the topic {self._models} holds models of {', '.join(sorted(self._others))} only; scoring with "
                f"{self.model.version}",
            )
        log.info("model %s", self.model.version)

    async def stop(self) -> None:
        """Stops following."""
        await self._follower.stop()

    @property
    def failed(self) -> BaseException | None:
        """Why following ended, if it did."""
        return self._follower.failed

    def _on_record(self, record: Any) -> None:
        base = (record.key or b"").decode("utf-8", "replace")
        if base != self._base.id:
            self._others.add(base)
            return
        try:
            if record.topic == self._models:
                if record.value is not None:
                    self._restore(record.value)
            else:
                self._update(read(record.value, ModelUpdate))
        except Invalid as fault:
            self._health.alarm(
                "model_refused", f"{record.topic} offset {record.offset}: {fault.detail}", where=record.topic
            )
            return
        metrics.MODEL_OFFSET.labels(self._role).set(self.model.offset)
        metrics.MODEL_STALENESS_SECONDS.labels(self._role).set(max(time.time() - record.timestamp / 1000, 0.0))

    def _restore(self, snapshot: bytes) -> None:
        header, _ = unpack(snapshot)
        if int(header.get("offset", 0)) > self.model.offset:
            self.model.restore(snapshot)
            self._catch_up()

    def _update(self, update: ModelUpdate) -> None:
        if update.to_offset <= self.model.offset:
            return
        self._pending[update.from_offset] = update
        self._catch_up()
        if self._pending:
            if len(self._pending) > _PENDING:
                self._pending.pop(next(iter(self._pending)))
            self._health.alarm(
                "model_gap",
                f"the model stands at {self.model.version}, the next update begins at {min(self._pending)}; "
                "waiting for a snapshot",
            )

    def _catch_up(self) -> None:
        while (update := self._pending.pop(self.model.offset, None)) is not None:
            self.model.apply(update)
        for start in [start for start in self._pending if start < self.model.offset]:
            del self._pending[start]


class PolicyHandout:
    """Keeps the active policy up to date from `policies`.

    Args:
        on_change: called with each policy that comes into force after the first.
    """

    def __init__(self, settings: Settings, health: HealthReporter, on_change: Callable[[Policy], None]) -> None:
        self._wanted = settings.policy
        self._health = health
        self._on_change = on_change
        self._documents: dict[str, str] = {}
        self._pointers: dict[str, str] = {}
        self._policy: Policy | None = None
        self._started = False
        self._follower = Follower(settings, [settings.topic("policies")], self._on_record)

    async def start(self) -> Policy:
        """The policy in force now.

        Raises:
            TocsinError: none is published under the wanted name, or it is broken.
        """
        await self._follower.start()
        self._started = True
        version = self._version()
        document = self._documents.get(version or "")
        if document is None:
            raise TocsinError(
                f"policy {self._wanted!r} (TOCSIN_POLICY) is not published; run `tocsin init`, or `tocsin policy push`"
            )
        try:
            self._policy = parse(document)
        except PolicyError as error:
            raise TocsinError(f"policy {version}: {error}; publish a mended one with `tocsin policy push`") from None
        log.info("policy %s", self._policy.version)
        return self._policy

    async def stop(self) -> None:
        """Stops following."""
        await self._follower.stop()

    @property
    def failed(self) -> BaseException | None:
        """Why following ended, if it did."""
        return self._follower.failed

    def document(self, version: str) -> str | None:
        """The text of one version, if it was published."""
        return self._documents.get(version)

    def _version(self) -> str | None:
        return self._wanted if "@" in self._wanted else self._pointers.get(self._wanted)

    def _on_record(self, record: Any) -> None:
        if record.value is None or record.key is None:
            return
        try:
            entry = read(record.value, PolicyRecord)
        except Invalid as fault:
            self._health.alarm("policy_refused", f"policies offset {record.offset}: {fault.detail}")
            return
        if entry.document is not None:
            self._documents[entry.version] = entry.document
        else:
            self._pointers[entry.name] = entry.version
        if self._started:
            self._change()

    def _change(self) -> None:
        version = self._version()
        document = self._documents.get(version or "")
        if document is None or (self._policy is not None and self._policy.version == version):
            return
        try:
            self._policy = parse(document)
        except PolicyError as error:
            self._health.alarm("policy_refused", f"policy {version}: {error}; the running one stays")
            return
        log.info("policy %s", self._policy.version)
        self._on_change(self._policy)
