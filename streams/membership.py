"""A worker with a name of its own in its group (KIP-345): restarted, it gets back the partitions that it had, and the others
read on.

Owns: what a named worker does when its group disowns it. Must never: take a name back that another worker has taken.
"""

from __future__ import annotations

from typing import Any

from aiokafka.errors import ProducerFenced
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest, SyncGroupRequest

from streams.errors import FencedError

UNKNOWN_MEMBER_ID = 25
FENCED_INSTANCE_ID = 82
"""Kafka's error codes. aiokafka does not know the second, and its heartbeats carry no name, so there the first is the answer."""

_GROUP_REQUESTS = (HeartbeatRequest, JoinGroupRequest, SyncGroupRequest)


def keep_out(coordinator: Any, instance: str) -> None:
    """Ends a named member's part in its group when the group disowns it.

    aiokafka would join again, under the same name, and put out whoever bears it now, who would do the same in turn.

    Args:
        coordinator: aiokafka's; `refused` of the consumer finds there why it ended.
        instance: the member's name.
    """
    send = coordinator._send_req

    async def send_unless_fenced(request: Any) -> Any:
        response = await send(request)
        if isinstance(request, _GROUP_REQUESTS) and response.error_code in (UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID):
            error = fenced(coordinator.group_id, instance)
            coordinator._pending_exception = error  # where aiokafka puts what is for good
            raise error
        return response

    coordinator._send_req = send_unless_fenced


def fenced(group: str, instance: str) -> FencedError:
    """Why a named worker leaves."""
    return FencedError(
        f"the group {group} went on without this worker: either another one uses TOCSIN_INSTANCE={instance} too (give each "
        "its own, or none), or this one was silent for longer than TOCSIN_SESSION_TIMEOUT"
    )


def explained(error: Exception, group: str, instance: str) -> Exception:
    """What ended a chunk; a named worker whose producer was fenced may be told so before its next heartbeat is."""
    return fenced(group, instance) if instance and isinstance(error, ProducerFenced) else error
