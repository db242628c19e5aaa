"""Tocsin itself: `tocsin worker triage`, with whichever scorer the environment asks for."""

from __future__ import annotations

import sys

import agents.triage
from agents.cli import main
from tests.bench.contenders import scorers

if __name__ == "__main__":
    setattr(agents.triage, "Judge", scorers.kind())  # noqa: B010  # the same class, unless it shall remember
    sys.argv = ["tocsin", "worker", "triage"]
    main()
