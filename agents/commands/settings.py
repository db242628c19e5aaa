"""`tocsin settings`: every setting, its value, its meaning."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from streams import cli
from streams.settings import shown


@click.command()
@click.option("--plain", is_flag=True, help="NAME=value lines, for a .env file (secrets stay masked)")
def settings(plain: bool) -> None:
    """Lists all settings with the values in force; secrets are never printed."""
    rows = shown(cli.settings())
    if plain:
        for name, value, _ in rows:
            click.echo(f"{name}={value}")
        return
    table = Table("setting", "value", "meaning", box=None)
    for name, value, meaning in rows:
        table.add_row(name, value, meaning)
    Console().print(table)
