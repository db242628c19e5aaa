"""The command `tocsin`: what there is to call.

Owns: the list. Must never: hold a command's logic.
"""

from __future__ import annotations

import click

from streams import cli

COMMANDS = {
    "demo": ("agents.commands.demo:demo", "everything on this machine, with messages and reviewers that play along"),
    "up": ("agents.commands.up:up", "the same stack, waiting for your messages"),
    "broker": ("streams.local.command:broker", "the local Apache Kafka alone"),
    "init": ("agents.commands.init:init", "creates topics, ClickHouse tables and the default policy"),
    "worker": (
        "agents.commands.worker:worker",
        "runs agents: triage, learn, follow, crowd, shadow, notify, record, console",
    ),
    "policy": ("agents.commands.policy:policy", "checks, publishes and shows policies"),
    "replay": ("agents.commands.replay:replay", "produces messages from a file"),
    "score": ("agents.commands.score:score", "decides on messages from a file, without a broker"),
    "try": ("agents.commands.trial:trial", "shows what would have rung on a CSV export, without a broker"),
    "evaluate": ("agents.evaluate:evaluate", "tests, then trains, over labelled messages, without a broker"),
    "teach": ("agents.commands.teach:teach", "sends labels that you have already as feedback"),
    "train": ("agents.training.train:train", "trains the base model from the open sets"),
    "tail": ("agents.commands.tail:tail", "follows a topic, readable"),
    "notify": (
        "agents.commands.notify:notify",
        "webhooks, notifications, tags: checks their file, tries one, delivers again",
    ),
    "drill": ("agents.commands.drill:drill", "sends a message that must ring, and says whether its alert arrived"),
    "explain": ("agents.commands.explain:explain", "recomputes a decision and says whether it is identical"),
    "fairness": ("agents.commands.fairness:fairness", "how scores shift between groups of people, as a page"),
    "doctor": ("agents.commands.doctor:doctor", "looks a set-up over, and says what to mend"),
    "settings": ("agents.commands.settings:settings", "lists all settings with their values"),
}


@click.group(cls=cli.LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tocsin")
def tocsin() -> None:
    """Tocsin reads every message that customers write, in English and French, and rings when a human is needed.

    Settings are environment variables TOCSIN_* (see `tocsin settings`).
    """


def main() -> None:
    """The entry point."""
    cli.run(tocsin)


if __name__ == "__main__":
    main()
