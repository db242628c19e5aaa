"""What a worker has in hand of one partition number: its customers, what they wrote lately, and what is due.

Owns: that memory and its bounds. Must never: be asked about a partition that is not owned.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import OrderedDict

from agents.history.standing import standings
from agents.history.store import Store
from agents.history.waiting import expires, next_due
from agents.scoring.policy_history import History
from schemas.history import Customer, decode_customer, encode_customer
from schemas.message import Message

_SPARE = 1_000
"""Moments that are not theirs any more, at least, before those of all customers are listed anew."""
MOST_CHARACTERS = 8_000_000
"""Of messages that are remembered, in a partition; older ones are read again from `messages` where they are needed."""


class Place:
    """One partition number.

    Attributes:
        lock: held while its state is changed, with the transaction that carries the change.
        restored: set once all that is kept of its customers was read.
        reached: the offset in `messages` that was read up to.
        moved: set whenever that grows.
    """

    def __init__(self, number: int, store: Store) -> None:
        self.number = number
        self.store = store
        self.lock = asyncio.Lock()
        self.restored = asyncio.Event()
        self.reached = 0
        self.moved = asyncio.Event()
        self._due: list[tuple[int, str]] = []
        self._when: dict[str, int] = {}
        self._messages: OrderedDict[str, Message] = OrderedDict()
        self._characters = 0

    # --- customers

    def customer(self, key: str) -> Customer:
        """What is kept of a customer."""
        return decode_customer(self.store.get(key.encode()))

    def schedule(self, key: str, at: int | None) -> None:
        """When to look at a customer again (ms); None: never."""
        if at is None:
            self._when.pop(key, None)
        elif self._when.get(key) != at:
            self._when[key] = at
            heapq.heappush(self._due, (at, key))
            if len(self._due) > 2 * len(self._when) + _SPARE:
                # Each message moves a moment, and the old one stays behind: for weeks, some of them.
                self._due = [(when, each) for each, when in self._when.items()]
                heapq.heapify(self._due)

    def due(self, now: int, most: int) -> list[str]:
        """Customers to look at, the longest due first; at most so many. They must be scheduled anew."""
        found: list[str] = []
        while self._due and self._due[0][0] <= now and len(found) < most:
            at, key = heapq.heappop(self._due)
            if self._when.get(key) == at:
                del self._when[key]
                found.append(key)
        return found

    # --- messages

    def remember(self, message: Message) -> None:
        """Keeps a message for a while."""
        before = self._messages.pop(message.id, None)
        self._characters += len(message.text) - (len(before.text) if before is not None else 0)
        self._messages[message.id] = message
        while self._characters > MOST_CHARACTERS and self._messages:
            _, gone = self._messages.popitem(last=False)
            self._characters -= len(gone.text)

    def message(self, identity: str) -> Message | None:
        """A message that is still remembered."""
        return self._messages.get(identity)

    def read_to(self, offset: int) -> None:
        """`messages` was read up to an offset."""
        self.reached = max(self.reached, offset)
        self.moved.set()
        self.moved = asyncio.Event()


class Changes:
    """Customers changed in one transaction; they stand in the store once that is committed.

    Args:
        rules: the policy's.
    """

    def __init__(self, place: Place, rules: History) -> None:
        self._place = place
        self._rules = rules
        self._customers: dict[str, Customer] = {}

    def of(self, key: str) -> Customer:
        """A customer, to be changed."""
        customer = self._customers.get(key)
        if customer is None:
            customer = self._customers[key] = self._place.customer(key)
        return customer

    def records(self, now: int) -> list[tuple[str, bytes | None, int]]:
        """(key, bytes, when to look again) of each; no bytes for one of whom nothing is kept (any more)."""
        found: list[tuple[str, bytes | None, int]] = []
        for key, customer in self._customers.items():
            if key in self._rules.switched_off or expires(customer, self._rules) <= now:
                found.append((key, None, 0))
            else:
                before, customer.standing = customer.standing, standings(customer, self._rules)
                customer.cleared = bool(before) and not customer.standing
                found.append((key, encode_customer(customer), next_due(customer, self._rules)))
        return found

    def commit(self, records: list[tuple[str, bytes | None, int]]) -> None:
        """Keeps them."""
        self._place.store.put([(key.encode(), value) for key, value, _ in records])
        for key, value, at in records:
            self._place.schedule(key, None if value is None else at)
