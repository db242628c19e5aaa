"""`tocsin teach`: labels of an export become feedback, and what is no label is said."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.commands.teach import teach
from streams.errors import TocsinError

GOOD = ["lovely, works like a charm", "thank you, quick and kind", "best purchase this year", "so happy with it"]
BAD = ["broken again and nobody answers", "awful, it stinks", "never buying this rubbish again", "refund me, it leaks"]


def export(path: Path) -> str:
    """Twenty of each, by stars; two say nothing that is a label."""
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["Review", "Stars", "Group"])
        for number in range(20):
            writer.writerow([f"{GOOD[number % 4]}, number {number}", 5, "Zoll"])
            writer.writerow([f"{BAD[number % 4]}, number {number}", 1, "Garten"])
        writer.writerow(["neither here nor there", 3, ""])
        writer.writerow(["no stars at all, only words", "", ""])
    return str(path)


def told(*arguments: str) -> str:
    done = CliRunner().invoke(teach, [*arguments, "--dry-run"], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_ratings_are_read_as_what_they_mean_and_the_rest_is_said(tmp_path: Path) -> None:
    file = export(tmp_path / "out.csv")
    text = told(
        file, "--label", "sentiment=Stars", "--value", "sentiment:5=positive", "--value", "sentiment:1=negative"
    )
    assert "40 messages with a label." in text
    assert "sentiment: 40 labels. On the last fifth (8): right " in text
    assert 'Left out, being no label (--value says what one means): sentiment: "3" 1.' in text


def test_a_taxonomy_of_ones_own_is_learned_from_nothing(tmp_path: Path) -> None:
    text = told(export(tmp_path / "out.csv"), "--label", "category=Group")
    assert "category: 40 labels. On the last fifth (8): right 0.000 before, 1.000 after;" in text


def test_rows_that_are_no_message_are_said_and_the_others_taught(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    file.write_text("Review,Group\nfine,a\n,a\nx,y,z\nlong," + "g" * 65 + "\n")
    text = told(str(file), "--label", "category=Group")
    assert "1 messages with a label." in text
    (line,) = [line for line in text.splitlines() if line.startswith("Rows not read: ")]
    assert "no text 1" in line
    assert "another number of columns than the 2 of the first line 1" in line
    assert "labels.category" in line


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--label", "mood=Stars"], "--label mood=Stars: must be one of sentiment, urgency"),
        (["--label", "sentiment=Star"], 'has no column "Star"; it has "Review", "Stars", "Group"'),
        (["--label", "sentiment=Stars", "--value", "sentiment:5=great"], '"great" is no label of sentiment'),
        (["--label", "sentiment=Stars", "--value", "category:5=x"], "with a HEAD that has its --label"),
        (["--label", "sentiment=Stars"], "has no message with a label"),
    ],
)
def test_what_cannot_be_taught_says_why(tmp_path: Path, arguments: list[str], error: str) -> None:
    with pytest.raises(TocsinError) as raised:
        CliRunner().invoke(teach, [export(tmp_path / "out.csv"), *arguments, "--dry-run"], catch_exceptions=False)
    assert error in str(raised.value)
