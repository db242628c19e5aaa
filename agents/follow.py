"""Follow: conversations, clocks, handoffs. It may raise what triage decided, later; it never delays it, and never lowers.

Reads `decisions`, `messages` and `actions`, the same partition number of each; keeps what history needs in `customers`, by the
same transaction that carries a chunk's outputs and its offset. Owns: that transaction, and what is written; what history makes of
a decision is `agents.history`'s. Must never: keep what a customer wrote, lower a priority, or change a person's decision.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from hashlib import blake2b
from pathlib import Path

import msgspec
from aiokafka import TopicPartition

from agents import alerts
from agents.handout import PolicyHandout
from agents.history.asking import expects_answer
from agents.history.conversation import Conversation
from agents.history.joining import joined_hits, turns_before
from agents.history.places import Changes, Place
from agents.history.recall import Recall, text_of
from agents.history.rules import Rise, rise, takeovers
from agents.history.standing import standings
from agents.history.state import add_action, add_decision, add_message, tell
from agents.history.store import Store, own_folder
from agents.history.waiting import DAY_MS, Due, dues
from agents.scoring.floors import FloorMatcher
from agents.scoring.policy import Policy
from schemas.base import FLAGGED, Invalid, Priority, timestamp
from schemas.decision import Change, Decision, Reason, Why, decision_id, encode
from schemas.history import Customer, Handoff, Judged
from schemas.message import Message, read_message
from schemas.people import Action
from schemas.reading import read
from streams import metrics, topics
from streams.app import ChunkApp
from streams.chunks import Chunk
from streams.follow import Record
from streams.health import HealthReporter
from streams.kafka import end_offsets, reader, started
from streams.outputs import Outputs, cloud_event, trace_of
from streams.roles import GroupRole
from streams.settings import Settings
from streams.transactions import Transactions

log = logging.getLogger("tocsin.follow")

SOURCE = "tocsin/follow"
CHUNK_RECORDS = 500
TICK_SECONDS = 0.5
MOST_DUE = 200
"""Customers looked at in one transaction of the clock."""
BEHIND_SECONDS = 5.0
"""How long a decision waits for its message to be read; triage read it, so it is there."""
HIGHER: dict[Priority, Priority] = {"p3": "p2", "p2": "p1", "p1": "p1", "p0": "p0"}
"""What a breach that is near makes of a priority: danger is not the clock's to say."""


class Follow(GroupRole):
    """The role `follow`."""

    name = "follow"

    def __init__(self, settings: Settings, health: HealthReporter) -> None:
        super().__init__(settings, health)
        self._transactions = Transactions(settings, settings.group(self.name))
        self._policies = PolicyHandout(settings, health, self._on_policy)
        self._policy: Policy | None = None
        self._matcher: FloorMatcher | None = None
        self._recall = Recall(settings)
        self._places: dict[int, Place] = {}
        self._folder = own_folder(settings.data)
        self._stores = 0
        self._clock: asyncio.Task[None] | None = None
        self.app = ChunkApp(
            settings,
            self.name,
            [settings.topic(name) for name in ("messages", "decisions", "actions")],
            self.handle,
            self,
            max_records=min(settings.chunk_records, CHUNK_RECORDS),
            max_bytes=settings.chunk_bytes,
            concurrency=3 * settings.partitions,  # a decision may wait for its message, which must not wait for it
            by_number=True,
        )

    # --- lifecycle

    async def start(self) -> None:
        """Policy first, then the group."""
        await topics.check(self.settings)
        self._on_policy(await self._policies.start())
        self._clock = asyncio.create_task(self._tick())
        await super().start()

    async def stop(self) -> None:
        """Finishes what is in hand."""
        if self._clock is not None:
            self._clock.cancel()
        await super().stop()
        await self._transactions.close()
        await self._policies.stop()
        await self._recall.stop()
        await self._let_go()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def failed(self) -> BaseException | None:
        """Why it cannot go on, if so."""
        clock = self._clock
        ended = clock.exception() if clock is not None and clock.done() and not clock.cancelled() else None
        return super().failed or self._policies.failed or ended

    async def assigned(self, partitions: set[TopicPartition], generation: int) -> None:
        """Fences the previous owners, then reads what they kept."""
        await self._transactions.assign(partitions)
        await self._let_go()
        numbers = sorted({tp.partition for tp in partitions})
        places = {number: Place(number, Store(self._fresh_folder(number))) for number in numbers}
        await self._restore(places)
        for number, place in places.items():
            offset, _ = await self.app.consumer.committed(TopicPartition(self.settings.topic("messages"), number))
            place.read_to(offset or 0)
        self._places = places

    async def revoked(self, partitions: set[TopicPartition]) -> None:
        """Lets the producers and the customers go."""
        await self._transactions.revoke()
        await self._let_go()

    async def _let_go(self) -> None:
        places, self._places = self._places, {}
        for place in places.values():
            await asyncio.to_thread(place.store.close)

    def _fresh_folder(self, number: int) -> Path:
        self._stores += 1
        return self._folder / f"{number}-{self._stores}"

    async def _restore(self, places: dict[int, Place]) -> None:
        """Reads `customers` from its begin to its end."""
        if not places:
            return
        topic = self.settings.topic("customers")
        consumer = await started(reader(self.settings, max_poll_records=20_000), self.settings)
        begun, count = time.monotonic(), 0
        try:
            tps = [TopicPartition(topic, number) for number in places]
            consumer.assign(tps)
            await consumer.seek_to_beginning(*tps)
            ends = await end_offsets(consumer, tps)
            left = {tp for tp in tps if ends[tp] > 0}
            while left:
                for tp, records in (await consumer.getmany(*left, timeout_ms=200)).items():
                    count += len(records)
                    _restored(places[tp.partition], records)
                left = {tp for tp in left if await consumer.position(tp) < ends[tp]}
        finally:
            await consumer.stop()
        if count:
            log.info("%d records of customers read in %.1f s", count, time.monotonic() - begun)

    def _on_policy(self, policy: Policy) -> None:
        self._policy, self._matcher = policy, FloorMatcher(policy.floors)

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        assert self._policy is not None  # set before the group is joined
        return self._policy

    # --- chunks

    async def handle(self, chunk: Chunk) -> None:
        """One chunk of one of the three topics: its changes, outputs and offset in one transaction."""
        place = self._places.get(chunk.tp.partition)
        if place is None:
            return  # a rebalance came between
        kind = chunk.tp.topic.removeprefix(self.settings.topic(""))
        if kind == "decisions" and not await self._messages_read(chunk, place):
            return
        async with place.lock:
            if chunk.generation != self.app.consumer.generation:
                return
            outputs, changes = Outputs(), Changes(place, self.policy.history)
            for record in chunk.records:
                try:
                    if kind == "messages":
                        self._message(record, place, changes)
                    elif kind == "decisions":
                        await self._decision(record, place, changes, outputs)
                    else:
                        self._action(record, changes)
                except Invalid:
                    continue  # triage and record make its dead letter
            await self._write(place, changes, outputs, chunk.tp, chunk.next_offset)
        if kind == "messages":
            place.read_to(chunk.next_offset)
        self.finished(chunk)
        self.count(messages=len(chunk.records))

    async def _messages_read(self, chunk: Chunk, place: Place) -> bool:
        """Waits until the messages of a chunk's decisions were read; False where a rebalance came between."""
        furthest = -1
        for record in chunk.records:
            try:
                furthest = max(furthest, read(record.value, Decision).source.offset)
            except Invalid:
                continue
        deadline = time.monotonic() + BEHIND_SECONDS
        while place.reached <= furthest and time.monotonic() < deadline:
            if chunk.generation != self.app.consumer.generation:
                return False
            try:
                await asyncio.wait_for(place.moved.wait(), 0.2)
            except TimeoutError:
                self.app.consumer.progressed(chunk.tp)
        return chunk.generation == self.app.consumer.generation

    async def _write(
        self, place: Place, changes: Changes, outputs: Outputs, tp: TopicPartition, next_offset: int | None
    ) -> None:
        now = time.time_ns() // 1_000_000
        records = changes.records(now)
        topic, at = self.settings.topic("customers"), timestamp(now)
        for key, value, due in records:
            identity = blake2b(value or b"", digest_size=16).hexdigest()
            headers = cloud_event("tocsin.customer.v1", SOURCE, identity, at)
            outputs.add(topic, place.number, key.encode(), value, [*headers, ("due", str(due).encode())])
        async with self._transactions.transaction(tp, next_offset) as producer:
            await outputs.send(producer)
        changes.commit(records)

    # --- records

    def _message(self, record: Record, place: Place, changes: Changes) -> None:
        message = read_message(record.value, record.timestamp).message
        if message.customer_id in self.policy.history.switched_off:
            return
        asks = message.author_role == "customer" and expects_answer(message.text)
        add_message(changes.of(message.customer_id), message, record.offset, asks=asks)
        if message.author_role == "customer":
            place.remember(message)

    def _action(self, record: Record, changes: Changes) -> None:
        action = read(record.value, Action)
        if action.customer_id not in self.policy.history.switched_off:
            add_action(changes.of(action.customer_id), action, record.timestamp)

    async def _decision(self, record: Record, place: Place, changes: Changes, outputs: Outputs) -> None:
        decision = read(record.value, Decision)
        rules = self.policy.history
        if decision.customer_id in rules.switched_off:
            return
        customer = changes.of(decision.customer_id)
        before = _in_force(customer, decision.message_id)
        turn = add_decision(customer, decision, record.offset)
        if turn is None or turn.decision is None or turn.decision.id != decision.id:
            return  # older than what is kept, or not in force
        trace = trace_of(record.headers)
        # As it stood when this was written: what came later has decisions of its own.
        conversation = Conversation(customer, decision.conversation_id, turn.at)
        if before is not None and before.revision < decision.revision:
            self._replaced(decision, before, customer, place, outputs, trace)
        joined = turns_before(conversation, decision.message_id, rules)
        texts = await self._texts(conversation, joined, place) if len(joined) > 1 else {}
        assert self._matcher is not None
        hits = joined_hits(self._matcher, joined, texts, decision.language if decision.status == "scored" else None)
        higher = rise(conversation, customer, decision, before, hits, joined, rules)
        if higher is not None:
            message = place.message(decision.message_id) or await self._recall.message(
                place.number, turn.offset, decision.message_id
            )
            decision = self._raise(decision, higher, message, customer, place, outputs, trace)
            # Known at once: what comes next in this chunk must see it. Its own place is known when it is read.
            add_decision(customer, decision, record.offset)
            if higher.history == "again":
                tell(customer, f"again:{decision.message_id}", turn.at)
        self._take_over(customer, conversation, decision, place, outputs, trace)

    async def _texts(self, conversation: Conversation, ids: list[str], place: Place) -> dict[str, str]:
        """What floors read of some turns."""
        offsets = {turn.id: turn.offset for turn in conversation.turns}
        found = {}
        for identity in ids:
            message = place.message(identity) or await self._recall.message(
                place.number, offsets.get(identity), identity
            )
            if message is not None:
                found[identity] = text_of(message)
        return found

    # --- what is written

    def _raise(
        self,
        decision: Decision,
        higher: Rise,
        message: Message | None,
        customer: Customer,
        place: Place,
        outputs: Outputs,
        trace: bytes | None,
    ) -> Decision:
        """The decision that supersedes a lower one, and its alert."""
        now = time.time_ns() // 1_000_000
        policy = self.policy
        floors = [Reason(floor=hit.floor, phrase=hit.phrase, start=hit.start, end=hit.end) for hit in higher.hits]
        route = policy.floors[higher.hits[0].floor].route if higher.hits else decision.route
        raised = msgspec.structs.replace(
            decision,
            id=decision_id(
                decision.message_id,
                decision.revision,
                decision.source,
                decision.model_version,
                policy.version,
                supersedes=f"{decision.id} {higher.history}",
            ),
            priority=higher.priority,
            decided_by="history",
            reasons=[Reason(history=higher.history, messages=higher.messages), *floors, *decision.reasons],
            route=route,
            automation_allowed=False,
            policy_version=policy.version,
            decided_at=timestamp(now),
            supersedes=decision.id,
        )
        alerts.add_decision(outputs, self.settings, raised, place.number, SOURCE, trace)
        names = [f"priority.{one}" for one in dict.fromkeys((decision.priority, raised.priority)) if one in FLAGGED]
        self._ring(raised, message, "raised", names, customer, place, outputs, trace, now)
        metrics.DECISIONS.labels(raised.priority, raised.status, "history").inc()
        return raised

    def _replaced(
        self,
        decision: Decision,
        before: Judged,
        customer: Customer,
        place: Place,
        outputs: Outputs,
        trace: bytes | None,
    ) -> None:
        """An edited or deleted message takes its alert with it, on the topic where that rang; a p0 by a person only."""
        if before.priority not in FLAGGED or before.priority == decision.priority:
            return
        change: Change = "withdrawn" if decision.status == "deleted" or decision.priority == "p3" else "lowered"
        if decision.priority < before.priority:
            change = "raised"
        elif before.priority == "p0" and decision.status != "deleted":
            return  # it rises again at once
        message = place.message(decision.message_id)
        names = [f"priority.{before.priority}"]
        self._ring(decision, message, change, names, customer, place, outputs, trace, time.time_ns() // 1_000_000)

    def _ring(
        self,
        decision: Decision,
        message: Message | None,
        change: Change,
        names: list[str],
        customer: Customer,
        place: Place,
        outputs: Outputs,
        trace: bytes | None,
        now: int,
    ) -> None:
        known = message or Message(
            id=decision.message_id,
            customer_id=decision.customer_id,
            text="",
            conversation_id=decision.conversation_id,
            channel=decision.channel,
            sent_at=decision.sent_at,
            revision=decision.revision,
        )
        rung = alerts.alert(decision, known, self.policy, now, change)
        if standing := standings(customer, self.policy.history):
            rung.standing = standing
        for name in alerts.ring(outputs, self.settings, rung, place.number, SOURCE, trace, names):
            metrics.ALERTS.labels(name).inc()

    def _take_over(
        self,
        customer: Customer,
        conversation: Conversation,
        decision: Decision,
        place: Place,
        outputs: Outputs,
        trace: bytes | None,
    ) -> None:
        now = time.time_ns() // 1_000_000
        for one in takeovers(conversation, decision, self.policy.history):
            if tell(customer, one.key, now):
                self._hand_off(one.trigger, decision, decision.route, conversation, place, outputs, trace, now)

    def _hand_off(
        self,
        trigger: str,
        decision: Decision,
        route: str,
        conversation: Conversation,
        place: Place,
        outputs: Outputs,
        trace: bytes | None,
        now: int,
    ) -> None:
        sentence = self.policy.why.get(trigger)
        handoff = Handoff(
            id=blake2b(f"{decision.id}\0{trigger}\0{route}".encode(), digest_size=16).hexdigest(),
            customer_id=decision.customer_id,
            conversation_id=decision.conversation_id,
            message_id=decision.message_id,
            decision_id=decision.id,
            trigger=trigger,
            why=Why(sentence.en, sentence.fr) if sentence else alerts.why(decision, self.policy),
            priority=decision.priority,
            route=route,
            transcript=[turn.id for turn in conversation.turns],
            journey=conversation.journey,
            at=timestamp(now),
        )
        headers = cloud_event("tocsin.handoff.v1", SOURCE, handoff.id, handoff.at, trace)
        key = decision.customer_id.encode()
        outputs.add(self.settings.topic("handoffs"), place.number, key, encode(handoff), headers)

    # --- the clock

    async def _tick(self) -> None:
        """Looks at who is due, for ever."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for place in list(self._places.values()):
                await self._look(place)

    async def _look(self, place: Place) -> None:
        async with place.lock:
            now = time.time_ns() // 1_000_000
            keys = place.due(now, MOST_DUE) if self._places.get(place.number) is place else []
            if not keys:
                return
            generation = self.app.consumer.generation
            outputs, changes = Outputs(), Changes(place, self.policy.history)
            for key in keys:
                customer = changes.of(key)
                for one in [one for one in dues(customer, self.policy.history) if one.at <= now]:
                    if tell(customer, one.key, now) and now - one.at < DAY_MS:
                        await self._say(one, customer, place, outputs, now)
            if generation != self.app.consumer.generation:
                return
            tp = TopicPartition(self.settings.topic("decisions"), place.number)
            await self._write(place, changes, outputs, tp, None)

    async def _say(self, one: Due, customer: Customer, place: Place, outputs: Outputs, now: int) -> None:
        """A breach that is near, or a danger that nobody took."""
        turn = one.turn
        assert turn.decision is not None  # nothing is due of what was not decided
        decision = await self._recall.decision(place.number, turn.decision.offset, turn.decision.id)
        if decision is None:
            return  # beyond the topic's four weeks
        message = place.message(turn.id) or await self._recall.message(place.number, turn.offset, turn.id)
        conversation = Conversation(customer, turn.conversation)
        if one.kind == "not_taken":
            contacts = self.policy.history.contacts
            route = contacts[min(one.round, len(contacts) - 1)]
            self._hand_off("not_taken", decision, route, conversation, place, outputs, None, now)
            self._ring(
                decision, message, "raised", [f"priority.{decision.priority}"], customer, place, outputs, None, now
            )
            return
        if decision.decided_by == "human":
            self._ring(decision, message, "raised", [*alerts.topics_of(decision)], customer, place, outputs, None, now)
            return
        higher = Rise(HIGHER[decision.priority], "breach_near", [turn.id], [])
        self._raise(decision, higher, message, customer, place, outputs, None)


def _in_force(customer: Customer, message_id: str) -> Judged | None:
    """A copy of the decision in force on a message."""
    for turn in customer.turns:
        if turn.id == message_id:
            return None if turn.decision is None else msgspec.structs.replace(turn.decision)
    return None


def _restored(place: Place, records: list[Record]) -> None:
    place.store.put([(record.key, record.value) for record in records])
    for record in records:
        due = next((int(value) for name, value in record.headers if name == "due"), 0)
        place.schedule(record.key.decode(), due if record.value is not None else None)
