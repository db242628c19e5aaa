"""The local Apache Kafka: one java process in one data folder.

Owns: the folder's layout (`lock`, `server.properties`, `records/`, `tmp/`, `kafka.log`, `java.out`), the format, the
process. Must never: listen beyond loopback, leave java behind, or touch a folder that another broker holds.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import importlib.resources
import os
import shutil
import signal
import string
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from streams.errors import TocsinError
from streams.local.claims import HOST, claim_folder, free_port, refuse_taken, taken
from streams.local.java import Java, find_java
from streams.local.logs import Tail
from streams.local.probe import NotReadyError, serving
from streams.local.tether import tethered

STOP_SECONDS: Final = 6.5


class Broker:
    """Start, wait until it serves, stop. Start it from the main thread (see `streams.local.tether`).

    `data` is made if need be; a formatted one is used as it is, also after a kill -9. `classpath` is what `jars.ensure`
    returned. `port` 0 takes any free one, and `port` says which from `start` on. `template` stands in for
    deploy/kafka/server.properties (its `$` names too), and `format_with` are more arguments of Kafka's own format: for a
    broker that is closed, whose users are made with it. `wait_ready` asks in plain text, so it is not for these.
    """

    def __init__(
        self,
        data: Path,
        classpath: Sequence[Path],
        *,
        port: int = 0,
        heap_mb: int = 512,
        template: str | None = None,
        format_with: Sequence[str] = (),
    ) -> None:
        self.data = data.absolute()
        self.port = port
        self.log = self.data / "kafka.log"
        self._classpath = os.pathsep.join(str(path) for path in classpath)
        self._heap_mb = heap_mb
        self._template = template
        self._format_with = tuple(format_with)
        self._records = self.data / "records"
        self._out = self.data / "java.out"
        self._scratch = self.data / "tmp"
        self._cluster_id = ""
        self._lock: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._tail = Tail(self.log, self._out)

    @property
    def address(self) -> str:
        """What a client calls its bootstrap server."""
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The java process, once there is one."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Java has been started when this returns; it serves when `wait_ready` returns.

        Raises:
            TocsinError: the port or the folder is in use or unusable, or there is no Java.
        """
        if self.port:
            refuse_taken(self.port)
        java = find_java()
        try:
            self.data.mkdir(parents=True, exist_ok=True)
            self._lock = await claim_folder(self.data)
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch.mkdir(exist_ok=True)
            self.port = self.port or free_port()
            if not (self._records / "meta.properties").exists():
                await self._format(java)
            self._cluster_id = self._read_cluster_id()
            properties = self._write_properties("server.properties", self._records)
            self._tail.mark()
            self._process = await self._java(java, self._flags(), "kafka.Kafka", str(properties))
        except OSError as error:
            self._release()
            raise TocsinError(
                f"data folder {self.data}: {error.strerror or error}; name another with --data"
            ) from error
        except BaseException:
            self._release()
            raise

    async def wait_ready(self, timeout: float = 60.0) -> None:
        """Returns when groups and transactions are served; asks for it, at most `timeout` seconds long.

        Raises:
            TocsinError: java ended, or did not get there in time; with the last lines of its log.
        """
        assert self._process is not None, "start first"
        deadline = time.monotonic() + timeout
        while True:
            if self._process.returncode is not None:
                raise self.ended()
            try:
                async with asyncio.timeout(2):
                    return await serving(HOST, self.port, self._cluster_id)
            except (NotReadyError, TimeoutError) as error:
                if time.monotonic() > deadline:
                    raise TocsinError(
                        f"Apache Kafka on {self.address} does not serve after {timeout:g} s ({error or 'no answer'})"
                        f"; see {self.log}{self._tail.text()}"
                    ) from error
            await asyncio.sleep(0.05)

    async def wait(self) -> int:
        """Waits for the end of java; its exit status, negative for a signal."""
        assert self._process is not None, "start first"
        return await self._process.wait()

    def ended(self) -> TocsinError:
        """What to say when java ended by itself."""
        status = self._process.returncode if self._process else None
        if self._tail.has("Address already in use"):
            return taken(self.port)
        how = f"was killed by signal {-status}" if status is not None and status < 0 else f"ended with status {status}"
        return TocsinError(f"Apache Kafka {how}; see {self.log} and {self._out}{self._tail.text()}")

    async def stop(self) -> None:
        """Within 8 seconds java is gone and the folder is free, whatever state they were in."""
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        self._release()

    def _flags(self) -> list[str]:
        log4j = importlib.resources.files("deploy") / "kafka" / "log4j2.properties"
        return [
            f"-Xmx{self._heap_mb}m",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:-UsePerfData",
            # Native libraries are unpacked there, and stay after a kill -9.
            f"-Djava.io.tmpdir={self._scratch}",
            f"-XX:ErrorFile={self.data / 'java-crash-%p.log'}",
            f"-Dlog4j2.configurationFile={log4j}",
            f"-Dkafka.log={self.log}",
        ]

    async def _java(self, java: Java, flags: Sequence[str], *what: str) -> asyncio.subprocess.Process:
        """Output to `java.out`, which holds one start only."""
        argv = [str(java.path), "-Djava.awt.headless=true", *java.flags, *flags, "-cp", self._classpath, *what]
        # A session of its own, so that Ctrl-C reaches us alone and we stop it in order; but not where we lead one
        # without a terminal ourselves, as under a supervisor, who then reaches both through one process group.
        alone = os.getsid(0) == os.getpid()
        assert self._lock is not None
        with self._out.open("wb") as out:
            return await asyncio.create_subprocess_exec(
                *tethered(argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.data,
                env={**os.environ, "LC_ALL": "C.UTF-8"},  # else paths with accents cannot be opened where LANG=C
                start_new_session=not alone,
                # The lock is java's as well: the folder is held until both of us are gone.
                pass_fds=(self._lock,),
            )

    async def _format(self, java: Java) -> None:
        """Into a folder beside it, then renamed: a format that was cut short leaves nothing to trip over."""
        fresh = self.data / "records.new"
        shutil.rmtree(fresh, ignore_errors=True)
        if self._records.exists() and any(self._records.iterdir()):
            raise TocsinError(
                f"{self._records} is not empty and holds no meta.properties of Kafka; name another --data"
            )
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        properties = self._write_properties("format.properties", fresh)
        self._tail.mark()
        # A cluster id that begins with a dash would read as an option.
        what = ("kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", str(properties))
        flags = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *self._flags()[-2:]]
        process = await self._java(java, flags, *what, *self._format_with)
        try:
            status = await process.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            raise
        if status != 0:
            raise TocsinError(f"the data folder {self.data} could not be formatted; see {self._out}{self._tail.text()}")
        properties.unlink()
        with contextlib.suppress(FileNotFoundError):
            self._records.rmdir()
        fresh.rename(self._records)

    def _write_properties(self, name: str, records: Path) -> Path:
        shipped = importlib.resources.files("deploy") / "kafka" / "server.properties"
        text = string.Template(self._template or shipped.read_text("utf-8")).substitute(
            # The folder is relative to java's: a comma or an accent on the way to it would break the property.
            port=self.port,
            controller_port=free_port(but=self.port),
            log_dir=records.name,
        )
        path = self.data / name
        path.write_text(text, "utf-8")
        return path

    def _read_cluster_id(self) -> str:
        """From `meta.properties`, which must be of the one node that server.properties describes."""
        path = self._records / "meta.properties"
        meta = dict(line.split("=", 1) for line in path.read_text("utf-8").splitlines() if "=" in line)
        if meta.get("version") != "1" or meta.get("node.id") != "1" or not meta.get("cluster.id"):
            raise TocsinError(f"{path} was not written by a local broker of tocsin; name another folder with --data")
        return meta["cluster.id"].replace("\\", "")

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
