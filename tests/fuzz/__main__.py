"""Fuzzes one target, guided by coverage, or runs kept inputs once.

    python -m tests.fuzz TARGET [--seconds N] [--work FOLDER]     fuzz (needs requirements/fuzz.txt)
    python -m tests.fuzz TARGET --replay FILE...                  run these inputs once, without instrumentation
    python -m tests.fuzz                                          the targets

New inputs that reach something new stay in FOLDER/<target>/ (a temporary folder by default, gone at the end); one that
breaks a promise is written to FOLDER/<target>-findings/, and the run ends with status 77. Once mended, it belongs into
`findings/<target>/`.
Owns: the fuzzer's life. Must never: listen on anything but loopback.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.mutate import mutated
from tests.fuzz.target import Target, TooSlow, files

PACKAGES = ["schemas", "agents", "streams"]
SLACK = 20.0
"""How much slower instrumented code may be before an input is tried without instrumentation."""
HANGS_SECONDS = 900
"""By the clock: a busy machine may stand still for minutes. Time that is used up is seen long before, see `Target`."""
MOST_MEGABYTES = 3_000
_PROGRESS = re.compile(rb"cov: (\d+) ft: (\d+)")
_DONE = re.compile(rb"^Done (\d+) runs|^stat::number_of_executed_units: (\d+)")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("target", nargs="?")
    parser.add_argument("--seconds", type=int, default=60, help="of CPU; default %(default)s")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay", nargs="+", type=Path)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.target is None:
        print("\n".join(_targets()))
        return 0
    if options.replay:
        for path in options.replay:
            _targets()[options.target].checked(path.read_bytes())
            print(f"{path}: nothing broken")
        return 0
    if options.inside:
        _fuzz(options.target, options.seconds, options.work, options.seed)
        return 0
    if options.work is not None:
        return _watched(options.target, options.seconds, options.work, options.seed)
    with tempfile.TemporaryDirectory(prefix="tocsin-fuzz-") as work:
        return _watched(options.target, options.seconds, Path(work), options.seed)


def _targets() -> dict[str, Target]:
    found: dict[str, Target] = import_module("tests.fuzz.registry").targets()
    return found


def _watched(name: str, seconds: int, work: Path, seed: int) -> int:
    """Fuzzes in a process of its own, for the fuzzer ends its process as it likes; prints one line of figures."""
    command = [sys.executable, "-m", "tests.fuzz", name, "--inside", "--seconds", str(seconds), "--seed", str(seed)]
    covered = ran = "0"
    with subprocess.Popen([*command, "--work", str(work)], stderr=subprocess.PIPE) as child:
        for line in child.stderr or ():
            sys.stderr.buffer.write(line)
            sys.stderr.flush()
            if progress := _PROGRESS.search(line):
                covered = f"{int(progress[1])} edges, {int(progress[2])} features"
            if done := _DONE.search(line):
                ran = f"{int(done[1] or done[2]):,}"
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = list(files(work / f"{name}-findings"))
    for path in found:
        print(f"{name}: {path.name}: {path.read_bytes()[:2_000]!r}")
    cpu = used.ru_utime + used.ru_stime
    print(f"{name}: {ran} executions, {cpu:.0f} s of CPU, {covered}, {len(found)} findings, status {child.returncode}")
    return child.returncode


def _fuzz(name: str, seconds: int, work: Path, seed: int) -> None:
    atheris: Any = import_module("atheris")  # Any: it has no types, and is not there in a plain setup
    with atheris.instrument_imports(include=PACKAGES):
        target = _targets()[name]
    corpus, seeds, found = work / name, work / f"{name}-seeds", work / f"{name}-findings"
    for folder in (corpus, seeds, found):
        folder.mkdir(parents=True, exist_ok=True)
    for data in [*target.seeds(), *(path.read_bytes() for path in target.findings())]:
        (seeds / _name(data)).write_bytes(data)

    ran, begun = 0, time.process_time()

    def one(data: bytes) -> None:
        nonlocal ran
        if time.process_time() - begun > seconds:
            # The fuzzer's own limit is the clock's; on a busy machine that says little.
            sys.stderr.write(f"Done {ran} runs\n")
            sys.stderr.flush()
            os._exit(0)
        ran += 1
        try:
            target.checked(data, SLACK)
        except TooSlow:
            path = _kept(found, data)
            again = [sys.executable, "-m", "tests.fuzz", name, "--replay", str(path)]
            if subprocess.run(again, check=False).returncode:
                raise
            path.unlink()
        except BaseException:
            _kept(found, data)
            raise

    def mutator(data: bytes, most: int, number: int) -> bytes:
        random = Random(number)
        if random.random() < 0.3:
            return bytes(atheris.Mutate(data, most))
        return mutated(data, target.kind, random)[:most]

    arguments = [
        sys.argv[0], str(corpus), str(seeds), f"-seed={seed}", f"-max_len={target.largest}",
        "-len_control=0", f"-timeout={HANGS_SECONDS}", f"-report_slow_units={HANGS_SECONDS}",
        f"-rss_limit_mb={MOST_MEGABYTES}", f"-artifact_prefix={found}/", "-print_final_stats=1",
    ]  # fmt: skip
    atheris.Setup(arguments, one, custom_mutator=mutator)
    atheris.Fuzz()


def _kept(folder: Path, data: bytes) -> Path:
    path = folder / _name(data)
    path.write_bytes(data)
    return path


def _name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
