"""The one screen of the local stack: what runs where, and what to try.

Owns: its wording. Must never: be part of what machines read; it goes to standard error where there is JSON on standard
output.
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from agents.stack import Stack


def show(console: Console, stack: Stack, title: str) -> None:
    """Prints it."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for process in stack.processes:
        table.add_row(f"[bold]{process.name}[/bold]", process.url, process.does)
    console.rule(title, align="left")
    console.print(table, crop=False, overflow="ignore", no_wrap=True, soft_wrap=True)
    console.print(f"logs in {stack.processes[0].log.parent}", style="dim", soft_wrap=True, highlight=False)
    kafka = stack.settings.kafka
    console.print(
        f"Look:      [bold]{stack.console_url}[/bold] (the console: what rings, why, and your word on it)\n"
        f"Subscribe: TOCSIN_KAFKA={kafka} tocsin tail priority.p0\n"
        f"Send:      TOCSIN_KAFKA={kafka} tocsin replay messages.jsonl\n"
        "Stop:      Ctrl-C",
        soft_wrap=True,
        highlight=False,
    )
