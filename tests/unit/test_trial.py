"""`tocsin try`: an export as other tools write it becomes a page, and what cannot be read is said with its line."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.commands.trial import trial
from agents.exports import layout, moment, rows
from streams.errors import TocsinError

HEADER = ["Ticket ID", "Created at", "Requester", "Message", "Author role"]
ROWS = [
    ["1", "2026-03-01T10:00:00Z", "ana", "my dad is unresponsive on the kitchen floor, please help", "customer"],
    ["2", "2026-03-01T11:00:00Z", "ben", "what time do you open on sundays, and is there parking?", "customer"],
    ["3", "2026-03-02T09:00:00Z", "ben", "Thank you so much, the new kettle is lovely", "end-user"],
    ["4", "2026-03-02T09:01:00Z", "you", "Glad to hear that you want to kill yourself less", "agent"],
    ["5", "2026-03-03T09:00:00Z", "cyd", "ok", "customer"],
]


def export(
    path: Path, rows: list[list[str]], header: list[str] = HEADER, delimiter: str = ",", coding: str = "utf-8"
) -> str:
    with path.open("w", encoding=coding, newline="") as out:
        csv.writer(out, delimiter=delimiter).writerows([header, *rows])
    return str(path)


def page(*arguments: str) -> str:
    done = CliRunner().invoke(trial, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def section(text: str, title: str) -> list[str]:
    """The lines under a heading."""
    lines = text.splitlines()
    begin = next(at for at, line in enumerate(lines) if line.startswith(f"## {title}"))
    end = next((at for at in range(begin + 1, len(lines)) if lines[at].startswith("## ")), len(lines))
    return [line for line in lines[begin + 1 : end] if line]


def test_the_page_says_what_would_have_rung_and_why(tmp_path: Path) -> None:
    text = page(export(tmp_path / "out.csv", ROWS))
    assert "4 messages of 3 customers, 2026-03-01 to 2026-03-03." in text
    assert 'text: "Message", customer_id: "Requester", conversation_id: "Ticket ID", sent_at: "Created at"' in text
    (rung,) = section(text, "p0, now: 1")
    assert rung.startswith('- line 2: "my dad is unresponsive')
    assert rung.endswith("Somebody may be in danger right now.")
    assert any('"dad is unresponsive"' in line and "person_in_danger" in line for line in section(text, "By phrase"))
    assert "kill yourself" not in text  # an agent's turn
    assert section(text, "What was not read") == [
        "Every row with a message was read.",
        "Languages: en 3, other 1.",
        "Read by phrases only, not by the model: too short 1.",
    ]


def test_phrases_are_useful_or_noisy_by_what_the_model_reads(tmp_path: Path) -> None:
    useful = ["this is awful, they charged me twice and i am furious, i am taking you to court", "c"]
    noisy = ["what a lovely film about a man who said see you in court, we loved it", "d"]
    text = page(export(tmp_path / "out.csv", [useful, useful, noisy], ["text", "customer"]))
    phrases = section(text, "By phrase")
    assert any(line.startswith('Most useful: "taking you to court"') and "brought up 2 " in line for line in phrases)
    assert any(line.startswith("Noisiest: ") and "brought up 1 " in line for line in phrases)


@pytest.mark.parametrize(
    ("delimiter", "coding", "text"),
    [
        (";", "cp1252", "Ma fille a avalé une pile, elle bave"),
        ("\t", "utf-16", "Ma fille a avalé une pile, elle bave"),
        ("|", "utf-8-sig", "Ma fille a avalé une pile; elle bave"),
    ],
)
def test_exports_are_read_as_other_tools_write_them(tmp_path: Path, delimiter: str, coding: str, text: str) -> None:
    file = export(tmp_path / "out.csv", [[text, "léa"]], ["Corps du message", "Expéditeur"], delimiter, coding)
    (row,) = rows(file, layout(file, {}))
    assert (row.fields["text"], row.fields["customer_id"], row.fault) == (text, "léa", "")


def test_rows_that_are_no_message_are_counted_with_their_line_and_hold_nothing_up(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    file.write_text(
        'text,customer\n"two\nlines are one row here",a\n,b\nx,y,z\n\nthe last one is read as well,' + "c" * 300
    )
    found = list(rows(str(file), layout(str(file), {})))
    assert [(row.line, row.fault) for row in found] == [
        (3, ""),
        (4, "no text"),
        (5, "another number of columns than the 2 of the first line"),
        (7, ""),
    ]
    unread = section(page(str(file)), "What was not read")
    assert any("customer_id" in line and "300 characters" in line for line in unread)


def test_however_many_reasons_there_are_the_page_stays_one(tmp_path: Path) -> None:
    rows = [["fine so far", "c" * (300 + number)] for number in range(40)]
    unread = section(page(export(tmp_path / "out.csv", rows, ["text", "customer"])), "What was not read")
    assert len(unread) < 30
    assert "And 20 reasons more." in unread


def test_a_column_with_a_name_of_its_own_may_be_named(tmp_path: Path) -> None:
    file = export(tmp_path / "out.csv", [["water is coming through my ceiling", "x"]], ["Wortlaut", "Text"])
    assert layout(file, {}).columns == {"text": 1}
    assert layout(file, {"text": "wortlaut"}).columns == {"text": 0}


@pytest.mark.parametrize(
    ("content", "given", "error"),
    [
        ("", {}, "is empty"),
        ("a,b\n1,2\n", {}, 'it has "a", "b": name it with --column text=NAME'),
        ("text\nhello\n", {"customer_id": "who"}, 'has no column "who"; it has "text"'),
    ],
)
def test_a_file_that_cannot_be_tried_says_what_to_do(
    tmp_path: Path, content: str, given: dict[str, str], error: str
) -> None:
    file = tmp_path / "out.csv"
    file.write_text(content)
    with pytest.raises(TocsinError) as raised:
        layout(str(file), given)
    assert error in str(raised.value)


def test_a_message_breaks_no_table_and_obeys_no_terminal(tmp_path: Path) -> None:
    text = page(export(tmp_path / "out.csv", [["I want to die | \x1b[2J\nnow | # x", "c"]], ["text", "customer"]))
    (rung,) = section(text, "p0, now: 1")
    assert "\x1b" not in text
    assert '"I want to die ¦ \\x1b[2J now ¦ # x"' in rung


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-03-01 10:00:00", "2026-03-01T10:00:00+00:00"),
        ("2026-03-01T10:00:00+01:00", "2026-03-01T10:00:00+01:00"),
        ("Sun, 01 Mar 2026 10:00:00 +0000", "2026-03-01T10:00:00+00:00"),
        ("Sun Mar 01 10:00:00 +0000 2026", "2026-03-01T10:00:00+00:00"),
        ("yesterday", None),
    ],
)
def test_times_are_read_as_exports_write_them(written: str, utc: str | None) -> None:
    found = moment(written)
    assert (None if found is None else found.isoformat()) == utc
