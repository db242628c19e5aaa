"""What rings at once, and what is counted and told as one: so that an incident is one notification, and not a thousand.

Owns: that choice, by group and by how many are told a minute. p0 is never held, nor what is higher than what its group rang with.
Must never: lose one; whoever holds an alert tells of it later, or has it read again.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from aiokafka import TopicPartition

from agents.notify.sending import Parcel
from schemas.decision import Alert

REST = ""
"""The group of all that is beyond what may be told in a minute."""
MOST_GROUPS = 20_000
MOST_HELD = 1_000
"""Of one group: then it is told before its time."""
_MINUTE = 60.0


@dataclass(slots=True)
class Held:
    """A group whose first alert rang: until when more of it are counted, and these."""

    until: float
    priority: str
    alert: Alert
    places: list[tuple[TopicPartition, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Due:
    """An update to be told, and where the alerts stand that it tells of."""

    parcel: Parcel
    places: list[tuple[TopicPartition, int]]


class Gather:
    """One destination's.

    Args:
        window: seconds in which further alerts of a group are counted; 0: none is.
        most: alerts that ring a minute; p0 does not count.
    """

    def __init__(self, window: float, most: int) -> None:
        self._window = window
        self._most = most
        self._groups: OrderedDict[str, Held] = OrderedDict()
        self._rang: deque[float] = deque()

    def rings(self, alert: Alert, group: str, place: tuple[TopicPartition, int], now: float) -> bool:
        """Whether an alert rings at once; else it is held, and `due` tells of it.

        Args:
            group: of the conversation or of the incident, never empty.
            place: where it stands: partition and offset.
            now: seconds, of any clock that only goes forward.
        """
        priority = alert.decision.priority
        if self._window == 0:
            return True
        held = self._groups.get(group)
        if priority == "p0" or (held is not None and priority < held.priority):
            self._open(group, alert, now)
            return True
        if held is None:
            while self._rang and now - self._rang[0] >= _MINUTE:
                self._rang.popleft()
            if len(self._rang) < self._most:
                self._rang.append(now)
                self._open(group, alert, now)
                return True
            held = self._groups.setdefault(REST, Held(now + self._window, priority, alert))
        held.places.append(place)
        held.alert = alert
        if len(held.places) >= MOST_HELD:
            held.until = now
        return False

    def _open(self, group: str, alert: Alert, now: float) -> None:
        held = self._groups.get(group)
        if held is not None:
            held.priority = min(held.priority, alert.decision.priority)
            return
        self._groups[group] = Held(now + self._window, alert.decision.priority, alert)
        if len(self._groups) > MOST_GROUPS:
            # The oldest of which nothing is held: it would ring anew, that is all.
            empty = next((name for name, one in self._groups.items() if not one.places), None)
            if empty is not None:
                del self._groups[empty]

    def due(self, now: float, *, all_of_it: bool = False) -> list[Due]:
        """The updates to tell now; each group then counts anew for as long. Groups with nothing to tell are over."""
        found = []
        for name, held in list(self._groups.items()):
            if now < held.until and not all_of_it:
                continue
            if not held.places:
                del self._groups[name]
                continue
            parcel = Parcel(held.alert, len(held.places), name.startswith("incident:"), name == REST)
            found.append(Due(parcel, held.places))
            held.places, held.until = [], now + self._window
            if name == REST:
                del self._groups[name]
        return found

    def forget(self) -> None:
        """Drops what is held: it is read again, by whoever has the partitions next."""
        for held in self._groups.values():
            held.places = []
        self._groups.pop(REST, None)


class Marks:
    """How far a partition is done: all before `reached` but what is held."""

    def __init__(self) -> None:
        self._held: set[int] = set()

    def hold(self, offset: int) -> None:
        """This one is not done yet."""
        self._held.add(offset)

    def release(self, offset: int) -> None:
        """It is done."""
        self._held.discard(offset)

    def below(self, reached: int) -> int:
        """The offset that may be committed."""
        return min(self._held, default=reached)
