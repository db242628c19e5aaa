"""Writes `deploy/kafka/jars.txt` anew: `python -m streams.local.pin 4.2.2 2.25.5 > deploy/kafka/jars.txt`.

Owns: the resolving of Apache Kafka's jars, for whoever raises its version. Must never: run on a user's machine.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

from jgo.maven import Dependency, MavenContext, PythonResolver

from streams.local.jars import KAFKA

LOG4J_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl"
"""The binding for SLF4J 1.7, which Kafka 4.2 brings (`log4j-slf4j2-impl` is the one for SLF4J 2)."""


def main(kafka: str, log4j: str) -> None:
    """Prints the list for these versions of Kafka and of its log4j."""
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(PythonResolver(), repo_cache=Path(folder), local_repos=[], timeout=60)
        # Raw: else jgo lets each root's managed versions rule the others', and log4j's pin an older kafka-clients.
        roots = [
            Dependency(context.project(*name.split(":")).at_version(version).artifact(), raw=True)
            for name, version in ((KAFKA, kafka), (LOG4J_BINDING, log4j))
        ]
        inputs, transitive = context.resolver.resolve(roots)
        print(f"# The jars of Apache Kafka {kafka} and a log4j binding: group:artifact:version sha256 size")
        print(f"# Written by `python -m streams.local.pin {kafka} {log4j}`; do not edit.")
        for artifact in sorted((dependency.artifact for dependency in inputs + transitive), key=str):
            content = artifact.resolve().read_bytes()
            parts = (artifact.groupId, artifact.artifactId, artifact.version, artifact.classifier)
            print(":".join(part for part in parts if part), hashlib.sha256(content).hexdigest(), len(content))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m streams.local.pin KAFKA_VERSION LOG4J_VERSION")
    main(sys.argv[1], sys.argv[2])
