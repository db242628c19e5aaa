"""`tocsin fairness`: how scores shift between sentences that differ only in who they speak of."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from agents import policies
from agents.fairness import page
from agents.fairness.pairs import measure, read
from agents.handout import learned_model, load_base
from agents.scoring.heads import Model
from agents.scoring.judge import Judge
from schemas.base import Invalid
from streams import cli
from streams.errors import TocsinError

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--pairs", type=_FILE, help="Your own sentences, in the shape of agents/fairness/pairs.json.")
@click.option("--policy", "policy_file", type=_FILE, help="Another policy than the default in the package.")
@click.option(
    "--learned", is_flag=True, help="The model as it has learned so far, from Kafka; default: the base alone."
)
@click.option("--page", "out", type=click.Path(dir_okay=False, path_type=Path), help="Write the page (Markdown) here.")
def fairness(pairs: Path | None, policy_file: Path | None, learned: bool, out: Path | None) -> None:
    """Scores the same sentences for each name, gender, religion and dialect, and prints how much each group differs."""
    settings = cli.settings(log_level="error")
    try:
        asking = read(pairs)
    except Invalid as fault:
        raise TocsinError(fault.detail) from None
    policy = policies.of_file(policy_file)
    model = asyncio.run(learned_model(settings)) if learned else Model(load_base(settings))
    text = "\n".join(page.lines(measure(Judge(policy, model), asking), model.version, policy.version)) + "\n"
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
        click.echo(f"{out}: model {model.version}, policy {policy.version}")
