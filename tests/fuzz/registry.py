"""Every target by name.

Owns: the list of modules that hold them. Must never: import one before it is asked for: the fuzzer instruments imports.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from tests.fuzz.target import Target

MODULES = ("records", "judging", "models", "documents", "files", "web", "door", "probes", "incoming")


@cache
def targets() -> dict[str, Target]:
    """Every target."""
    found: list[Target] = []
    for module in MODULES:
        found += import_module(f"tests.fuzz.{module}").TARGETS
    return {target.name: target for target in found}
