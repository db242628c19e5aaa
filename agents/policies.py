"""Publishing and reading policies on the topic `policies`.

Owns: one document a version under `name@sha256`, kept for ever, and the pointer under `name`.
Must never: publish what does not parse.
"""

from __future__ import annotations

import time
from importlib.resources import files
from pathlib import Path

from agents.scoring.policy import Policy, PolicyError, parse
from schemas.base import timestamp
from schemas.decision import encode
from schemas.operations import PolicyRecord
from schemas.reading import read
from streams.errors import TocsinError
from streams.follow import Follower, Record
from streams.kafka import producer, started
from streams.outputs import cloud_event
from streams.settings import Settings


def default_document() -> str:
    """The default policy's file, as it is shipped."""
    return files("deploy").joinpath("policy", "default.yaml").read_text("utf-8")


def of_file(path: Path | None) -> Policy:
    """The policy of a file; the default where None.

    Raises:
        TocsinError: it is none; names file and line.
    """
    try:
        return parse(default_document() if path is None else path.read_bytes())
    except PolicyError as error:
        raise TocsinError(f"{path}: {error}") from None


async def published(settings: Settings) -> tuple[dict[str, PolicyRecord], dict[str, str]]:
    """(records by version, version by name) of everything on the topic."""
    records: dict[str, PolicyRecord] = {}
    pointers: dict[str, str] = {}

    def take(record: Record) -> None:
        if record.value is None:
            return
        entry = read(record.value, PolicyRecord)
        if entry.document is None:
            pointers[entry.name] = entry.version
        else:
            records[entry.version] = entry

    follower = Follower(settings, [settings.topic("policies")], take)
    try:
        await follower.start()
    finally:
        await follower.stop()
    return records, pointers


async def active_document(settings: Settings) -> str:
    """The document of the policy in force (TOCSIN_POLICY).

    Raises:
        TocsinError: it is not published.
    """
    records, pointers = await published(settings)
    wanted = settings.policy if "@" in settings.policy else pointers.get(settings.policy, "")
    if wanted not in records:
        raise TocsinError(f"policy {settings.policy!r} (TOCSIN_POLICY) is not published; run `tocsin init`")
    return records[wanted].document or ""


async def active(settings: Settings) -> Policy:
    """The policy in force; as `active_document`."""
    return parse(await active_document(settings))


async def push(settings: Settings, document: str, changed_by: str, reason: str) -> Policy:
    """Publishes a document, and points its name at it.

    Raises:
        PolicyError: it does not parse; nothing was published.
    """
    policy = parse(document)
    at = timestamp(time.time_ns() // 1_000_000)
    entry = PolicyRecord(
        name=policy.name,
        version=policy.version,
        owner=policy.owner,
        changed_by=changed_by,
        reason=reason,
        at=at,
        document=document,
    )
    pointer = PolicyRecord(
        name=policy.name, version=policy.version, owner=policy.owner, changed_by=changed_by, reason=reason, at=at
    )
    client = await started(producer(settings), settings)
    try:
        for key, record in ((policy.version, entry), (policy.name, pointer)):
            await client.send_and_wait(
                settings.topic("policies"),
                encode(record),
                key=key.encode(),
                headers=cloud_event("tocsin.policy.v1", "tocsin/policy", policy.version, at),
            )
    finally:
        await client.stop()
    return policy


async def ensure_default(settings: Settings, changed_by: str) -> tuple[str, bool]:
    """(version of the active policy, whether the default was published now); pushes only where the name has none.

    Raises:
        TocsinError: a policy other than the default is asked for and not there.
    """
    _, pointers = await published(settings)
    name = settings.policy.partition("@")[0]
    if name in pointers:
        return pointers[name], False
    if name != "default":
        raise TocsinError(f"policy {name!r} (TOCSIN_POLICY) is not published; use `tocsin policy push FILE`")
    policy = await push(settings, default_document(), changed_by, "the default, published by tocsin init")
    return policy.version, True
