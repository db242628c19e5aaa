"""The jar list and the cache folder: complete, checked, safe to share, of use without network."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from streams.errors import TocsinError
from streams.local import jars
from streams.local.jars import Jar

CONTENT = {"kafka_2.13": b"the broker", "log4j-core": b"its log", "zstd-jni": b"its squeezer"}


def a_jar(artifact: str, content: bytes) -> Jar:
    group = "org.apache.kafka" if artifact.startswith("kafka") else "org.example"
    return Jar(group, artifact, "4.2.0", "", hashlib.sha256(content).hexdigest(), len(content))


LIST = tuple(a_jar(artifact, content) for artifact, content in CONTENT.items())


def fetched(jar: Jar, folder: Path) -> Path:
    path = folder / "some.jar"
    path.write_bytes(CONTENT[jar.artifact])
    return path


def refused(jar: Jar, folder: Path) -> Path:
    raise AssertionError(f"the network was asked for {jar.name}")


def test_the_checked_in_list_is_one_release_of_kafka_with_a_log_binding() -> None:
    listed = jars.listed()
    assert len({jar.filename for jar in listed}) == len(listed) > 40
    versions = {jar.version for jar in listed if jar.group == "org.apache.kafka"}
    assert versions == {jars.kafka_version()}
    # The binding must be of log4j's own version, and for the SLF4J that Kafka brings.
    log4j = {jar.artifact: jar.version for jar in listed if jar.group == "org.apache.logging.log4j"}
    slf4j = next(jar.version for jar in listed if jar.group == "org.slf4j")
    assert len(set(log4j.values())) == 1 and slf4j.startswith("1.7.") and "log4j-slf4j-impl" in log4j
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in listed)


def test_a_broken_line_is_named() -> None:
    with pytest.raises(TocsinError, match=r"jars\.txt line 2: .org\.example:only-two 00 1. is not"):
        jars.listed("# comment\norg.example:only-two 00 1\n")


def test_what_is_missing_is_fetched_and_the_rest_is_not(tmp_path: Path) -> None:
    asked: list[str] = []
    progress: list[tuple[int, int]] = []

    def fetch(jar: Jar, folder: Path) -> Path:
        asked.append(jar.artifact)
        return fetched(jar, folder)

    first = jars.ensure(
        tmp_path, jars=LIST, fetch=fetch, progress=lambda done, total, _: progress.append((done, total))
    )
    assert [path.read_bytes() for path in first] == list(CONTENT.values())
    total = sum(jar.size for jar in LIST)
    assert progress[0] == (0, total) and progress[-1] == (total, total) and len(progress) == len(LIST) + 1
    first[1].unlink()
    asked.clear()
    assert jars.ensure(tmp_path, jars=LIST, fetch=fetch) == first
    assert asked == ["log4j-core"]
    assert not list(first[0].parent.glob(".fetching-*"))


def test_a_complete_cache_needs_no_network(tmp_path: Path) -> None:
    first = jars.ensure(tmp_path, jars=LIST, fetch=fetched)
    assert jars.ensure(tmp_path, jars=LIST, fetch=refused) == first


def test_a_tampered_jar_in_the_cache_is_refused_and_removed(tmp_path: Path) -> None:
    place = jars.ensure(tmp_path, jars=LIST, fetch=fetched)[0]
    place.write_bytes(b"the brokes")
    found = hashlib.sha256(b"the brokes").hexdigest()
    with pytest.raises(TocsinError) as error:
        jars.ensure(tmp_path, jars=LIST, fetch=refused)
    assert all(part in str(error.value) for part in (str(place), LIST[0].sha256, found))
    assert not place.exists()
    assert jars.ensure(tmp_path, jars=LIST, fetch=fetched)[0] == place


def test_a_download_with_another_sum_never_gets_into_the_cache(tmp_path: Path) -> None:
    def fetch(jar: Jar, folder: Path) -> Path:
        path = folder / "some.jar"
        path.write_bytes(b"something else")
        return path

    with pytest.raises(TocsinError, match="SHA-256 expected"):
        jars.ensure(tmp_path, jars=LIST, fetch=fetch)
    assert not list(tmp_path.rglob("*.jar"))


def test_a_failing_network_is_tried_again_then_named(tmp_path: Path) -> None:
    failures = iter([OSError("reset"), RuntimeError("404")])

    def shaky(jar: Jar, folder: Path) -> Path:
        if error := next(failures, None):
            raise error
        return fetched(jar, folder)

    assert len(jars.ensure(tmp_path / "shaky", jars=LIST[:1], fetch=shaky)) == 1

    def dead(jar: Jar, folder: Path) -> Path:
        raise OSError("no route")

    with pytest.raises(TocsinError, match=r"org\.apache\.kafka:kafka_2\.13:4\.2\.0 could not be fetched \(OSError\)"):
        jars.ensure(tmp_path / "dead", jars=LIST[:1], fetch=dead)


def test_two_at_the_same_time_both_get_whole_files(tmp_path: Path) -> None:
    together = threading.Barrier(2, timeout=10)
    results: list[tuple[Path, ...]] = []

    def fetch(jar: Jar, folder: Path) -> Path:
        if jar is LIST[0]:
            together.wait()  # both have found it missing, and put it into place after one another
        return fetched(jar, folder)

    threads = [
        threading.Thread(target=lambda: results.append(jars.ensure(tmp_path, jars=LIST, fetch=fetch))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(results) == 2 and results[0] == results[1]
    assert [path.read_bytes() for path in results[0]] == list(CONTENT.values())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TocsinError, match="TOCSIN_CACHE"):
        jars.ensure(tmp_path / "file", jars=LIST, fetch=fetched)
