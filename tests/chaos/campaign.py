"""The run: sessions of rounds one after the other, what is said meanwhile, and the verdict.

Owns: the folder of the run, the rounds' order, controls and their verdict. Must never: call a control caught for anything
but what it must be caught for.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from pathlib import Path

from tests.chaos import report
from tests.chaos.nemesis import KINDS, Fault, Nemesis, sessions
from tests.chaos.outcome import Round
from tests.chaos.script import Script, texts
from tests.chaos.session import PARTITIONS, Session
from tests.chaos.stack import Kafka
from tests.chaos.verifier import Failure
from tests.chaos.worker import NotReady

CONTROLS = ("none", "outside", "outside_follow", "unranged", "faultless")
CAUGHT_BY = {
    "outside": {"decided_twice", "undecided", "alert_twice", "no_dead_letter", "letter_twice"},
    "outside_follow": {"customer_differs", "not_raised", "raised_twice", "handoff_twice", "change_twice"},
    "unranged": {"row_twice", "roll_up"},
}
"""What a control must be caught for."""
VARIANTS = {
    "outside": {"triage": "tests.chaos.broken"},
    "outside_follow": {"follow": "tests.chaos.broken"},
    "unranged": {"record": "tests.chaos.broken"},
}
LONG_LEISURE = 10.0
"""How much longer than ClickHouse's minutes away the load goes on."""


class Campaign:
    """A run as the command line says."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._control: str = options.control
        sound = self._control == "none"
        short = options.short
        self._rounds: int = options.rounds or ((10 if short else 100) if sound else 2)
        self._messages: int = options.messages_per_round or (1_500 if short or not sound else 10_000)
        self._rate: float = options.rate or (300.0 if short or not sound else 700.0)
        self._nemesis = Nemesis(options.seed, self._rounds, short=short)
        self._texts, self._source = texts()
        self._kafka = ""
        self.rounds: list[Round] = []

    async def run(self) -> int:
        """The exit status."""
        begun = time.monotonic()
        folder = Path(tempfile.mkdtemp(prefix="tocsin-chaos-"))
        kept = True
        try:
            await self._sessions(folder)
            kept = self._control not in CAUGHT_BY and bool(self.failures)
        except asyncio.CancelledError:
            kept = False
            raise
        finally:
            if kept:
                if not self._options.keep:
                    _keep_logs(folder)
                print(f"logs: {folder}")
            else:
                shutil.rmtree(folder, ignore_errors=True)
        seconds = time.monotonic() - begun
        if self._options.out is not None:
            found = report.figures(self.rounds, seconds, self._options.seed, self._source, self._kafka)
            report.write(self._options.out, found)
        return self._verdict()

    @property
    def failures(self) -> list[Failure]:
        """Of all rounds."""
        return [failure for one in self.rounds for failure in one.failures]

    async def _sessions(self, folder: Path) -> None:
        kafka = Kafka(folder)
        try:
            await kafka.start()
            self._kafka = kafka.version
            for number, (over_http, rounds) in enumerate(self._planned()):
                script = Script(self._options.seed, number, PARTITIONS, self._texts)
                place = folder / f"session-{number}"
                variants = VARIANTS.get(self._control, {})
                session = Session(kafka, place, number, over_http, script, self._rate, variants)
                if self._control != "none":
                    session.patience = 20.0
                try:
                    await self._session(number, session, rounds)
                finally:
                    await session.close()
                if self._caught():
                    return
                if not self.failures:
                    shutil.rmtree(place, ignore_errors=True)
        finally:
            await kafka.stop()

    async def _session(self, number: int, session: Session, rounds: list[int]) -> None:
        try:
            at_birth = self._control == "none" and number % 4 in (1, 2)  # once with each backend, then twice without
            started = await session.start(at_birth=at_birth)
        except NotReady as error:
            self._tell(Round(rounds[0], "start", failures=[Failure("not_ready", f"session {number + 1}", str(error))]))
            return
        for number in rounds:
            plan = self._plan(number)
            leisure = max((fault.what["seconds"] for fault in plan if fault.kind.endswith("minutes")), default=0.0)
            leisure += LONG_LEISURE if leisure else 0.0
            one = await session.round(number, self._messages, plan, last=number == rounds[-1], leisure=leisure)
            one.start_seconds, started = started, None
            self._tell(one)
            if any(failure.check == "not_drained" for failure in one.failures):
                return  # what comes behind would only repeat it

    def _tell(self, one: Round) -> None:
        self.rounds.append(one)
        print(report.line(one), flush=True)
        for failure in one.failures[:5]:
            print(f"  {failure.check} {failure.where}: {failure.evidence[:300]}", flush=True)

    def _planned(self) -> list[tuple[bool, list[int]]]:
        planned = sessions(self._rounds)
        if self._control == "unranged":  # answers are lost on the way from a server
            return [(True, rounds) for _, rounds in planned]
        return planned

    def _plan(self, number: int) -> list[Fault]:
        """The controls' faults are those that find what they break."""
        if self._control == "faultless":
            return []
        if self._control.startswith("outside"):
            role = "follow" if self._control == "outside_follow" else "triage"
            kills = [{"workers": [f"{role}-{1 + place % 2}"]} for place in range(4)]
            return [Fault(0.1 + 0.2 * place, f"kill_{role}", what) for place, what in enumerate(kills)]
        if self._control == "unranged":
            kill = Fault(0.6, "kill", {"workers": ["record"]})
            # The client sends an insert once more by itself, under its token; only what is lost twice in a row tells. So
            # more answers than a dozen inserts at a time use up.
            return [Fault(0.2, "clickhouse_drop_answer", {"requests": 60}), kill]
        return self._nemesis.plan(number)

    def _caught(self) -> bool:
        return any(failure.check in CAUGHT_BY.get(self._control, ()) for failure in self.failures)

    def _verdict(self) -> int:
        failures = self.failures
        if self._control in CAUGHT_BY:
            said = "caught" if self._caught() else "NOT caught"
            checks = sorted({failure.check for failure in failures})
            print(f"control {self._control}: {said} ({', '.join(checks) or 'nothing was found'})")
            return 0 if self._caught() else 1
        kinds = {done.kind for one in self.rounds for done in one.faults}
        print(
            f"{len(self.rounds)} rounds, {sum(one.messages for one in self.rounds):,} messages, {len(kinds)} of "
            f"{len(KINDS)} kinds of fault, {len(failures)} failures"
        )
        return 1 if failures or len(self.rounds) < self._rounds else 0


def _keep_logs(folder: Path) -> None:
    """Logs stay for whoever looks into a failure; data goes."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and not path.name.endswith((".log", ".out")):
            path.unlink(missing_ok=True)
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
