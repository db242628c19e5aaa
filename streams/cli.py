"""The frame of the command line: commands that are imported when called, settings, logs, one sentence an error.

Owns: exit statuses (0 done, 1 a fault a person can mend, 2 wrong usage, 70 start me again). Must never: show a traceback
for what a person can mend.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from streams import logs
from streams.errors import TocsinError
from streams.settings import Settings, load


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called: `--help` of one does not load the others.

    Args:
        lazy: command name -> ("module:attribute", one line of help).
    """

    def __init__(self, *args: Any, lazy: dict[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order they are given."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command."""
        if cmd_name not in self._lazy:
            return None
        module, _, attribute = self._lazy[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._lazy.items()])


def settings(**overrides: Any) -> Settings:
    """The settings of this command, with its logs set up.

    Raises:
        TocsinError: a setting is wrong.
    """
    found = load(**{name: value for name, value in overrides.items() if value is not None})
    logs.configure(found)
    return found


def run(group: click.Group) -> None:
    """Runs the command line and ends the process."""
    try:
        status = group.main(standalone_mode=False)
    except click.exceptions.Abort:
        status = 130
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except TocsinError as error:
        click.echo(f"tocsin: {error}", err=True)
        status = 1
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:  # the reader of our output went away, e.g. `| head`
        sys.stderr.close()
        status = 0
    sys.exit(status if isinstance(status, int) else 0)
