"""Follow: conversations, clocks, handoffs. It may raise what triage decided, later; it never delays it, and never lowers.

Reads `decisions`, `messages` and `actions`, the same partition number of each; keeps what history needs in `customers`, by the
same transaction that carries a chunk's outputs and its offset. Owns: that transaction, and what is written; what history makes of
a decision is `agents.history`'s. Must never: keep what a customer wrote, lower a priority, or change a person's decision.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Coroutine
from hashlib import blake2b
from pathlib import Path

import msgspec
from aiokafka import TopicPartition

from agents import alerts
from agents.handout import PolicyHandout
from agents.history.asking import expects_answer
from agents.history.clock import DAY_MS
from agents.history.conversation import Conversation
from agents.history.joining import joined_hits, text_of, turns_before
from agents.history.likeness import says_again
from agents.history.places import Changes, Place
from agents.history.resolved import resolved
from agents.history.rules import Rise, rise, takeovers
from agents.history.state import add_action, add_decision, add_message, hear, tell
from agents.history.store import Store, own_folder
from agents.history.waiting import Due, dues
from agents.recall import Recall, restore
from agents.saying import SOURCE, Saying
from agents.scoring.floors import FloorMatcher
from agents.scoring.policy import Policy
from schemas.base import Invalid, Priority, timestamp
from schemas.decision import Decision
from schemas.history import Customer, Judged, Turn
from schemas.message import Message, read_message
from schemas.people import Action
from schemas.reading import read
from streams import topics
from streams.app import ChunkApp
from streams.chunks import Chunk
from streams.follow import Record
from streams.health import HealthReporter
from streams.outputs import Outputs, cloud_event, trace_of
from streams.roles import GroupRole
from streams.settings import Settings
from streams.transactions import Transactions

CHUNK_RECORDS = 500
TICK_SECONDS = 0.5
MOST_DUE = 200
"""Customers looked at in one transaction of the clock."""
MOST_EARLIER = 10
"""Turns that a turn is compared with, to see whether it says the same again."""
RINGING = ("breach_near", "not_taken")
"""What the clock rings for; the rest is noted."""
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
        self._restoring: asyncio.Task[None] | None = None
        self.app = ChunkApp(
            settings,
            self.name,
            [settings.topic(name) for name in ("messages", "decisions", "actions")],
            self.handle,
            self,
            max_records=min(settings.chunk_records, CHUNK_RECORDS),
            max_bytes=settings.chunk_bytes,
            concurrency=3 * settings.partitions,  # a decision may wait for its message, which must not wait for it
            shared="by number",
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
        ended = [
            one for one in (self._clock, self._restoring) if one is not None and one.done() and not one.cancelled()
        ]
        return (
            super().failed or self._policies.failed or next((one.exception() for one in ended if one.exception()), None)
        )

    @property
    def ready(self) -> bool:
        """Whether it has partitions, and knows their customers."""
        return super().ready and all(place.restored.is_set() for place in self._places.values())

    async def assigned(self, partitions: set[TopicPartition], generation: int) -> None:
        """Fences the previous owners, then begins to read what they kept.

        Not here: the group waits for nobody longer than its rebalance lasts, and who is put out for it, comes back and puts out
        the next. Chunks wait for it instead.
        """
        await self._let_go()
        await self._transactions.assign(partitions)
        self._places = {
            number: Place(number, Store(self._fresh_folder(number))) for number in {tp.partition for tp in partitions}
        }
        self._restoring = asyncio.create_task(self._restore(dict(self._places)))

    async def _restore(self, places: dict[int, Place]) -> None:
        await restore(self.settings, places)
        for number, place in places.items():
            offset, _ = await self.app.consumer.committed(TopicPartition(self.settings.topic("messages"), number))
            place.read_to(offset or 0)
            self._forget(place)
            place.restored.set()

    async def revoked(self, partitions: set[TopicPartition]) -> None:
        """Lets the customers and the producers go."""
        await self._let_go()
        await self._transactions.revoke()

    async def _let_go(self) -> None:
        if self._restoring is not None:
            self._restoring.cancel()
            await asyncio.gather(self._restoring, return_exceptions=True)
            self._restoring = None
        places, self._places = self._places, {}
        for place in places.values():
            async with place.lock:  # the clock may be within a transaction
                await asyncio.to_thread(place.store.close)

    def _fresh_folder(self, number: int) -> Path:
        self._stores += 1
        return self._folder / f"{number}-{self._stores}"

    def _on_policy(self, policy: Policy) -> None:
        self._policy, self._matcher = policy, FloorMatcher(policy.floors)
        for place in self._places.values():
            if place.restored.is_set():
                self._forget(place)

    def _forget(self, place: Place) -> None:
        """Customers whose past is not used any more are looked at now: what is kept of them goes."""
        for key in self.policy.history.switched_off:
            if place.store.get(key.encode()) is not None:
                place.schedule(key, 0)

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        assert self._policy is not None  # set before the group is joined
        return self._policy

    # --- chunks

    async def handle(self, chunk: Chunk) -> None:
        """One chunk of one of the three topics: its changes, outputs and offset in one transaction."""
        place = self._places.get(chunk.tp.partition)
        if place is None or not await self._meanwhile(chunk, place.restored.is_set, place.restored.wait):
            return  # a rebalance came between
        kind = chunk.tp.topic.removeprefix(self.settings.topic(""))
        decided = _decided(chunk) if kind == "decisions" else []
        if decided and not await self._messages_read(chunk, decided, place):
            return
        async with place.lock:
            if chunk.generation != self.app.consumer.generation:
                return
            outputs, changes = Outputs(), Changes(place, self.policy.history)
            saying = Saying(self.settings, self.policy, place.number, outputs)
            for record, decision in decided:
                await self._decision(record, decision, place, changes, saying)
            for record in chunk.records if kind != "decisions" else ():
                try:
                    if kind == "messages":
                        await self._message(record, place, changes, saying)
                    else:
                        await self._action(record, place, changes, saying)
                except Invalid:
                    continue  # triage and record make its dead letter
            await self._write(place, changes, outputs, chunk.tp, chunk.next_offset)
        if kind == "messages":
            place.read_to(chunk.next_offset)
        self.finished(chunk)
        self.count(messages=len(chunk.records))

    async def _messages_read(self, chunk: Chunk, decided: list[tuple[Record, Decision]], place: Place) -> bool:
        """Waits until the messages of a chunk's decisions were read; False where a rebalance came between."""
        furthest = max(decision.source.offset for _, decision in decided)
        deadline = time.monotonic() + BEHIND_SECONDS
        return await self._meanwhile(
            chunk, lambda: place.reached > furthest or time.monotonic() >= deadline, lambda: place.moved.wait()
        )

    async def _meanwhile(
        self, chunk: Chunk, done: Callable[[], bool], moved: Callable[[], Coroutine[None, None, object]]
    ) -> bool:
        """Waits until something is done, looking whenever it may have `moved`; False where a rebalance came between."""
        while not done():
            if chunk.generation != self.app.consumer.generation:
                return False
            try:
                await asyncio.wait_for(moved(), 0.2)
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

    def _passes_by(self, customer: str) -> bool:
        """Of whom nothing is kept: a drill's customer is nobody."""
        return customer in self.policy.history.switched_off or customer == alerts.DRILL_CUSTOMER

    async def _message(self, record: Record, place: Place, changes: Changes, saying: Saying) -> None:
        message = read_message(record.value, record.timestamp).message
        if self._passes_by(message.customer_id):
            return
        asks = message.author_role == "customer" and expects_answer(message.text)
        customer = changes.of(message.customer_id)
        hear(customer, record.timestamp)
        add_message(customer, message, record.offset, asks=asks)
        if message.author_role == "customer":
            place.remember(message)
        elif message.conversation_id is not None:
            # What people did may be read before what they wrote.
            await self._answered(Conversation(customer, message.conversation_id), place, saying)

    async def _action(self, record: Record, place: Place, changes: Changes, saying: Saying) -> None:
        action = read(record.value, Action)
        if self._passes_by(action.customer_id):
            return
        customer = changes.of(action.customer_id)
        fresh = add_action(customer, action, record.timestamp)
        hear(customer, record.timestamp)
        turn = next((turn for turn in customer.turns if turn.id == action.message_id), None)
        if not fresh or turn is None:
            return
        conversation = Conversation(customer, turn.conversation)
        if action.kind == "rated" and action.rating is not None:
            saying.outcome(action, conversation)
        elif action.kind == "resolved":
            await self._answered(conversation, place, saying)
        elif action.kind == "reopened":
            saying.unanswered([one.id for one in conversation.customers if one.asks])

    async def _answered(self, conversation: Conversation, place: Place, saying: Saying) -> None:
        """Tells what a conversation resolved, each time that it is known anew: the newest counts."""
        found = resolved(conversation)
        message = None if found is None else await self._written(found.question, place)
        if found is not None and message is not None:
            saying.answered(found, message)

    async def _decision(
        self, record: Record, decision: Decision, place: Place, changes: Changes, saying: Saying
    ) -> None:
        rules = self.policy.history
        if self._passes_by(decision.customer_id):
            return
        customer = changes.of(decision.customer_id)
        hear(customer, record.timestamp)
        before = _in_force(customer, decision.message_id)
        turn = add_decision(customer, decision, record.offset)
        if turn is None or turn.decision is None or turn.decision.id != decision.id:
            return  # older than what is kept, or not in force
        if decision.status == "deleted":
            saying.unanswered([decision.message_id])
        trace = trace_of(record.headers)
        # As it stood when this was written: what came later has decisions of its own.
        conversation = Conversation(customer, decision.conversation_id, turn.at)
        if before is not None and before.revision < decision.revision:
            saying.replaced(decision, before, place.message(turn.id), customer, trace)
        joined = turns_before(conversation, decision.message_id, rules)
        texts = await self._texts(conversation, joined, place) if len(joined) > 1 else {}
        assert self._matcher is not None
        hits = joined_hits(self._matcher, joined, texts, decision.language if decision.status == "scored" else None)
        turn.repeats = self._said_before(conversation, turn, place)
        if not turn.asks and turn.role == "customer":
            await self._answered(conversation, place, saying)
        higher = rise(conversation, customer, decision, before, hits, joined, rules)
        if higher is not None:
            decision = saying.raised(decision, higher, await self._written(turn, place), customer, trace)
            # Known at once: what comes next in this chunk must see it. Its own place is known when it is read.
            add_decision(customer, decision, record.offset)
            if higher.history == "again":
                tell(customer, f"again:{decision.message_id}", turn.at)
        now = time.time_ns() // 1_000_000
        message = place.message(turn.id)
        for one in takeovers(conversation, decision, message.attributes if message is not None else {}, rules):
            if tell(customer, one.key, now):
                saying.hand_off(one.trigger, decision, decision.route, conversation, trace)

    def _said_before(self, conversation: Conversation, turn: Turn, place: Place) -> str | None:
        """The earlier turn that says the same, of those that are still in memory."""
        message = place.message(turn.id)
        if message is None:
            return turn.repeats
        before = [one for one in conversation.customers if one.id != turn.id and one.at <= turn.at][-MOST_EARLIER:]
        if not turn.asks:
            before = [one for one in before if one.asks]  # small talk is alike, too
        known = [(one.id, place.message(one.id)) for one in before]
        return says_again(message.text, {identity: one.text for identity, one in known if one is not None})

    async def _texts(self, conversation: Conversation, ids: list[str], place: Place) -> dict[str, str]:
        """What floors read of some turns."""
        turns = [turn for turn in conversation.turns if turn.id in ids]
        messages = [(turn.id, await self._written(turn, place)) for turn in turns]
        return {identity: text_of(message) for identity, message in messages if message is not None}

    async def _written(self, turn: Turn, place: Place) -> Message | None:
        """The message of a turn, from memory or from its topic; None where it is gone."""
        return place.message(turn.id) or await self._recall.message(place.number, turn.offset, turn.id)

    # --- the clock

    async def _tick(self) -> None:
        """Looks at who is due, for ever."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for place in list(self._places.values()):
                if place.restored.is_set():
                    await self._look(place)

    async def _look(self, place: Place) -> None:
        async with place.lock:
            now = time.time_ns() // 1_000_000
            keys = place.due(now, MOST_DUE) if self._places.get(place.number) is place else []
            if not keys:
                return
            generation = self.app.consumer.generation
            outputs, changes = Outputs(), Changes(place, self.policy.history)
            saying = Saying(self.settings, self.policy, place.number, outputs)
            for key in keys:
                customer = changes.of(key)
                if self._passes_by(key):
                    continue
                for one in [one for one in dues(customer, self.policy.history) if one.at <= now]:
                    if tell(customer, one.key, now) and one.kind in RINGING and now - one.at < DAY_MS:
                        await self._say(one, customer, place, saying)
            if generation != self.app.consumer.generation:
                return
            tp = TopicPartition(self.settings.topic("decisions"), place.number)
            await self._write(place, changes, outputs, tp, None)

    async def _say(self, one: Due, customer: Customer, place: Place, saying: Saying) -> None:
        """A breach that is near, or a danger that nobody took."""
        turn = one.turn
        assert turn.decision is not None  # nothing is due of what was not decided
        decision = await self._recall.decision(place.number, turn.decision.offset, turn.decision.id)
        if decision is None:
            return  # beyond the topic's four weeks
        message = await self._written(turn, place)
        if one.kind == "not_taken":
            contacts = self.policy.history.contacts
            route = contacts[min(one.round, len(contacts) - 1)]
            self.health.alarm(
                "p0_not_taken",
                f"nobody has taken message {decision.message_id} (p0): contact {one.round + 1}, {route}, is asked",
                severity="critical",
                where=decision.message_id,
            )
            saying.hand_off("not_taken", decision, route, Conversation(customer, turn.conversation), None)
            saying.ring(decision, message, "raised", [f"priority.{decision.priority}"], customer, None)
        elif decision.decided_by == "human":
            saying.ring(decision, message, "raised", [*alerts.topics_of(decision)], customer, None)
        else:
            higher = Rise(HIGHER[decision.priority], "breach_near", [turn.id], [])
            saying.raised(decision, higher, message, customer, None)


def _decided(chunk: Chunk) -> list[tuple[Record, Decision]]:
    """The decisions of a chunk, without what cannot be read: record makes the dead letter of that."""
    found = []
    for record in chunk.records:
        try:
            found.append((record, read(record.value, Decision)))
        except Invalid:
            continue
    return found


def _in_force(customer: Customer, message_id: str) -> Judged | None:
    """A copy of the decision in force on a message."""
    for turn in customer.turns:
        if turn.id == message_id:
            return None if turn.decision is None else msgspec.structs.replace(turn.decision)
    return None
