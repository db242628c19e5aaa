"""The runbook names every alarm that Tocsin can raise, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def raised() -> set[str]:
    """The codes that are given to `alarm` in the code, and `drill`, which is reported."""
    found = {"drill"}
    for package in ("agents", "streams"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "alarm":
                    first = node.args[0]
                    assert isinstance(first, ast.Constant), (
                        f"{file.name}:{node.lineno}: a code that cannot be looked up"
                    )
                    found.add(str(first.value))
    return found


def test_the_runbook_has_every_alarm_and_no_other() -> None:
    told = re.findall(r"^\| `([a-z0-9_]+)` \|", (ROOT / "docs/runbook.md").read_text("utf-8"), re.MULTILINE)
    assert len(told) == len(set(told))
    assert set(told) == raised()


def test_every_alarm_that_a_rule_names_exists() -> None:
    rules = (ROOT / "deploy/prometheus/rules.yml").read_text("utf-8")
    named = set(re.findall(r'tocsin_alarms_total\{code="([a-z0-9_]+)"\}', rules))
    assert named
    (others,) = {
        tuple(found.split("|")) for found in re.findall(r'tocsin_alarms_total\{code!~"([a-z0-9_|]+)"\}', rules)
    }
    assert named < set(others) <= raised(), "the rule for all others leaves out those that have one"
