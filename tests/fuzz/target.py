"""What a target is, and the limits of time and memory that hold for every one of them.

Owns: these limits, and the way to a target's seeds and kept findings. Must never: know what a target checks.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
EXAMPLES = FOLDER.parents[1] / "schemas" / "examples"
SECONDS = 1.0
"""CPU that one input of at most 1 MB may take; some targets do more with it and say so."""
MEGABYTES = 512
"""What the highest memory of the process may grow by, for one input."""


_WARM: set[str] = set()


class TooSlow(AssertionError):
    """An input that takes more CPU than it may."""


class TooLarge(AssertionError):
    """An input that takes more memory than it may."""


@dataclass(frozen=True, slots=True)
class Target:
    """One door.

    Attributes:
        run: raises where a promise is broken.
        kind: how its inputs are mutated: `json`, `lines`, `packed` or `bytes`; see `mutate`.
        examples: folders under `schemas/examples/` whose files are seeds, beside those in `corpus/<name>/`.
        made: seeds that are made, not kept.
        seconds: CPU that one input may take.
        largest: bytes of an input that the fuzzer makes; what is read as choices needs few.
    """

    name: str
    run: Callable[[bytes], None]
    kind: str = "bytes"
    examples: tuple[str, ...] = ()
    made: Callable[[], list[bytes]] = list
    seconds: float = SECONDS
    largest: int = 1 << 20

    def seeds(self) -> list[bytes]:
        """Every seed, always in the same order."""
        folders = [FOLDER / "corpus" / self.name, *(EXAMPLES / "valid" / name for name in self.examples)]
        folders += [EXAMPLES / "invalid" / name for name in self.examples]
        return [*(path.read_bytes() for folder in folders for path in files(folder)), *self.made()]

    def findings(self) -> list[Path]:
        """The inputs that broke a promise once."""
        return list(files(FOLDER / "findings" / self.name))

    def checked(self, data: bytes, slack: float = 1.0) -> None:
        """Runs one input; raises what `run` raises, TooSlow or TooLarge. `slack` multiplies the seconds."""
        if self.name not in _WARM:
            _WARM.add(self.name)
            self.run(next(iter(self.seeds()), b""))  # what is made once, and kept, is nobody's input
        memory, begun = _highest_megabytes(), time.thread_time()
        self.run(data)
        took, grown = time.thread_time() - begun, _highest_megabytes() - memory
        if took > self.seconds * slack:
            raise TooSlow(f"{self.name}: {took:.2f} s of CPU for {len(data):,} bytes, at most {self.seconds * slack:g}")
        if grown > MEGABYTES:
            raise TooLarge(f"{self.name}: {grown:,.0f} MB for {len(data):,} bytes, at most {MEGABYTES}")


def files(folder: Path) -> Iterator[Path]:
    """The files of a folder in the order of their names; none where there is no such folder."""
    return iter(sorted(path for path in folder.glob("*") if path.is_file()))


def _highest_megabytes() -> float:
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest / (1 << 20 if sys.platform == "darwin" else 1 << 10)
