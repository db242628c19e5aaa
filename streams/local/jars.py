"""The jars of Apache Kafka: fetched by name, checked by SHA-256, kept in the cache folder.

Owns: the checked-in list (`deploy/kafka/jars.txt`) and the folder that mirrors it. Must never: run or hand out a file
whose sum was not checked in this very call, know an address to download from (`jgo` does), or ask the network when
the folder is complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.resources
import os
import queue
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streams.errors import TocsinError

KAFKA: Final = "org.apache.kafka:kafka_2.13"
THREADS: Final = 6
ATTEMPTS: Final = 3
TIMEOUT_SECONDS: Final = 60
STALE_SECONDS: Final = 3600

Progress = Callable[[int, int, str], None]
"""Called in the caller's thread with (bytes done, bytes in all, the file just done) of what has to be fetched: once
with nothing done, where there is something to fetch, then after each file."""

Fetch = Callable[["Jar", Path], Path]
"""Downloads a jar somewhere under a folder of its own and returns where it is; raises OSError or RuntimeError."""


@dataclass(frozen=True)
class Jar:
    """One line of the list: Maven coordinates, and what the file must be. `size` is in bytes."""

    group: str
    artifact: str
    version: str
    classifier: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        """The coordinates as people write them."""
        return ":".join(part for part in (self.group, self.artifact, self.version, self.classifier) if part)

    @property
    def filename(self) -> str:
        """The file's name; the group is in it because two groups may have an artifact of one name."""
        tail = f"-{self.classifier}" if self.classifier else ""
        return f"{self.group}.{self.artifact}-{self.version}{tail}.jar"


def listed(text: str | None = None) -> tuple[Jar, ...]:
    """The jars of the list: one `group:artifact:version[:classifier] sha256 size` a line, `#` begins a comment."""
    if text is None:
        text = (importlib.resources.files("deploy") / "kafka" / "jars.txt").read_text("utf-8")
    jars = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.partition("#")[0].split()
        if not fields:
            continue
        try:
            coordinates, sha256, size = fields
            group, artifact, version, *rest = coordinates.split(":")
            jars.append(Jar(group, artifact, version, rest[0] if rest else "", sha256, int(size)))
        except ValueError:
            raise TocsinError(
                f'deploy/kafka/jars.txt line {number}: "{line}" is not "group:artifact:version sha256 size"; '
                "write the file anew with `python -m streams.local.pin`"
            ) from None
    return tuple(jars)


def kafka_version(jars: Iterable[Jar] | None = None) -> str:
    """The version of Apache Kafka that the list pins."""
    return next(jar.version for jar in (listed() if jars is None else jars) if jar.name.startswith(KAFKA + ":"))


def ensure(
    cache_folder: Path,
    *,
    jars: tuple[Jar, ...] | None = None,
    fetch: Fetch | None = None,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Every jar of the list as a checked file under `cache_folder`, in the list's order: the class path.

    What is missing is downloaded beside its place and renamed into it when its sum is right, so processes that do this
    at the same time only do the same work twice. Runs in the caller's thread; the downloads in daemon threads, so that
    a signal's exception ends it at once.

    Raises:
        TocsinError: a sum differs (the file is removed), a download failed, or the folder cannot be written.
    """
    jars = listed() if jars is None else jars
    folder = cache_folder / f"kafka-{kafka_version(jars)}"
    places = {jar: folder / jar.filename for jar in jars}
    try:
        missing = [jar for jar, place in places.items() if not _present(place, jar)]
        if missing:
            folder.mkdir(parents=True, exist_ok=True)
            _sweep(folder)
            with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder, ignore_cleanup_errors=True) as staging:
                _fetch_all(missing, places, Path(staging), fetch or _with_jgo(), progress)
    except OSError as error:
        raise TocsinError(
            f"the cache folder {folder} cannot be used: {error.strerror or error}; "
            "make it readable and writable, or name another with TOCSIN_CACHE"
        ) from error
    return tuple(places.values())


def _sweep(folder: Path) -> None:
    """Removes what downloads that were cut short left; a young one may be somebody's who is at it."""
    for left in folder.glob(".fetching-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _present(place: Path, jar: Jar) -> bool:
    """Whether the file is there, and is what the list says."""
    try:
        _check(place, jar)
    except FileNotFoundError:
        return False
    return True


def _check(path: Path, jar: Jar) -> None:
    """Refuses, and removes, a file whose sum is not the list's."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != jar.sha256:
        path.unlink(missing_ok=True)
        raise TocsinError(
            f"{path} is not {jar.name}: SHA-256 expected {jar.sha256}, found {found}; the file was removed, "
            "start again to fetch it anew, and look into who changed it if this comes back"
        )


def _fetch_all(
    missing: list[Jar], places: dict[Jar, Path], staging: Path, fetch: Fetch, progress: Progress | None
) -> None:
    """Downloads a few at a time; the first failure ends it."""
    waiting: queue.SimpleQueue[Jar] = queue.SimpleQueue()
    finished: queue.SimpleQueue[tuple[Jar, Exception | None]] = queue.SimpleQueue()
    over = threading.Event()
    for jar in sorted(missing, key=lambda jar: -jar.size):  # the biggest first, so that none trails alone
        waiting.put(jar)

    def work() -> None:
        while not over.is_set():
            try:
                jar = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                _fetch_one(jar, places[jar], staging, fetch)
            except Exception as error:
                finished.put((jar, error))
            else:
                finished.put((jar, None))

    # Daemon threads of our own, not a pool: a pool's threads are waited for at exit, and a stalled download would
    # hold a stop for a minute.
    for number in range(min(THREADS, len(missing))):
        threading.Thread(target=work, name=f"fetch-{number}", daemon=True).start()
    done, total = 0, sum(jar.size for jar in missing)
    if progress is not None:
        progress(done, total, "")
    try:
        for _ in missing:
            jar, error = finished.get()
            if error is not None:
                raise error
            done += jar.size
            if progress is not None:
                progress(done, total, jar.filename)
    finally:
        over.set()  # also for a signal's exception: nothing more is begun


def _fetch_one(jar: Jar, place: Path, staging: Path, fetch: Fetch) -> None:
    """One jar into its place, all or nothing."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            path = fetch(jar, Path(tempfile.mkdtemp(dir=staging)))
        except (OSError, RuntimeError) as error:
            if attempt == ATTEMPTS:
                raise TocsinError(
                    f"{jar.name} could not be fetched ({type(error).__name__}); check the network, the proxy "
                    "(HTTPS_PROXY) and its certificates (REQUESTS_CA_BUNDLE), then start again: what is there is kept"
                ) from error
        else:
            _check(path, jar)
            with contextlib.suppress(FileNotFoundError):  # the staging folder went away: we are being stopped
                os.replace(path, place)
            return


def _with_jgo() -> Fetch:
    """Downloads through jgo, from where its settings say (`~/.config/jgo.conf`), else from where it knows."""
    try:
        from jgo.config import GlobalSettings
        from jgo.maven import MavenContext, PythonResolver
    except ImportError:
        raise TocsinError(
            "Apache Kafka's jars are not in the cache folder and jgo, which fetches them, is not installed; "
            "run `pip install tocsin[local]`"
        ) from None
    repositories = GlobalSettings.load().repositories or None

    def fetch(jar: Jar, folder: Path) -> Path:
        # A context a jar: its cache is the staging folder, so neither threads nor a ~/.m2 of the user's ever meet.
        context = MavenContext(
            PythonResolver(), repo_cache=folder, local_repos=[], remote_repos=repositories, timeout=TIMEOUT_SECONDS
        )
        component = context.project(jar.group, jar.artifact).at_version(jar.version)
        return Path(component.artifact(jar.classifier).resolve())

    return fetch
