"""Destinations: their file, what is told and what is not, signatures, gathering, and tags."""

from __future__ import annotations

import base64
import io
import itertools
import logging
import random
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from click.testing import CliRunner

from agents import policies
from agents.commands.notify import moment, notify
from agents.notify import signing
from agents.notify.destinations import Apprise, Destination, Retry, Tags, Wanted, Webhook
from agents.notify.file import of_file, parse
from agents.notify.gather import Gather, Marks
from agents.notify.messenger import Messenger
from agents.notify.role import destinations
from agents.notify.sending import Circuit, Parcel, of_status
from agents.notify.tags import TagSender
from agents.notify.tickets import ticket_of
from agents.notify.webhook import WebhookSender
from agents.notify.words import defused, notification
from agents.scoring.policy import Policy, PolicyError
from agents.scoring.policy import parse as parse_policy
from schemas.decision import Alert
from streams import logs
from streams.errors import TocsinError
from streams.settings import load
from tests.notify_world import AT, KEY, Receiver, Tool, alert
from tests.unit.test_policy import SMALL

SECRET = {
    "KEY": KEY,
    "OTHER": signing.new_secret(),
    "SLACK": "json://127.0.0.1:1",
    "TOKEN": "hush-token",
    "SHORT": "whsec_aaaa",
}
CONSOLE = "https://tocsin.example"
GOOD = """\
destinations:
  - name: desk
    kind: webhook
    url: https://desk.example/tocsin
    secrets: ["${KEY}", "${OTHER}"]
    text: flagged
    review: true
    routes: [care, legal]
    timeout_seconds: 5
  - name: slack
    kind: apprise
    url: ${SLACK}
    language: fr
    priorities: [p0, p1]
  - name: tickets
    kind: tags
    tool: zendesk
    url: https://example.zendesk.com/
    user: bot@example.com
    token: ${TOKEN}
"""


@pytest.fixture(scope="module")
def policy() -> Policy:
    return policies.of_file(None)


def given(document: str, console: str = CONSOLE) -> list[Destination]:
    return parse(document.encode(), console, SECRET.get)


# --- the file


def test_a_file_of_destinations_is_read() -> None:
    desk, slack, tickets = given(GOOD)
    assert desk.target == Webhook(
        "https://desk.example/tocsin", tuple(base64.b64decode(SECRET[one][6:]) for one in ("KEY", "OTHER")), "flagged"
    )
    assert desk.wanted.topics() == ["priority.p0", "priority.p1", "priority.p2", "review"]
    assert desk.wanted.routes == frozenset({"care", "legal"})
    assert desk.wanted.samples
    assert desk.retry == Retry(timeout=5)
    assert isinstance(slack.target, Apprise)
    assert slack.target.language == "fr"
    assert slack.wanted.changes == {"new", "raised"}
    assert tickets.target == Tags("zendesk", "https://example.zendesk.com", "hush-token", "bot@example.com")
    assert tickets.secrets == ("hush-token",)


def test_what_is_secret_is_not_shown() -> None:
    for one in given(GOOD):
        assert not any(secret in repr(one) for secret in SECRET.values())


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (("kind: webhook", "kind: post"), 3, 'kind is "post", must be webhook, apprise or tags'),
        (("    text: flagged", "    texts: flagged"), 6, 'unknown key "texts"'),
        (("https://desk", "http://desk"), 4, "must begin with https://"),
        (("https://desk", "https://me:you@desk"), 4, "must have no user, password"),
        (("https://desk.example/tocsin", "file:///etc/passwd"), 4, "must be an address"),
        (('["${KEY}", "${OTHER}"]', "[whsec_hush]"), 5, "is a secret, so it must be the name of a variable"),
        (('"${OTHER}"', '"${MISSING}"'), 5, "names ${MISSING}, which is not set"),
        (('"${OTHER}"', '"${SHORT}"'), 5, "must be whsec_ and 24 to 64 random bytes"),
        (("    url: ${SLACK}", "    url: slack://hush/hush/hush"), 12, "is a secret"),
        (("name: slack", "name: desk"), 10, 'is called "desk", as one before it'),
        (("name: slack", "name: Slack!"), 10, "must be small letters"),
        (("priorities: [p0, p1]", "priorities: [p3]"), 14, 'is "p3", must be p0, p1 or p2'),
        (("priorities: [p0, p1]", "routes: []"), 14, "is empty"),
        (("    user: bot@example.com\n", ""), 15, 'has no "user", which zendesk needs'),
        (("tool: zendesk", "tool: discourse"), 15, "only staff may see"),
        (("timeout_seconds: 5", "timeout_seconds: 0"), 9, "must be from 0.1 to 120"),
        (("destinations:", "others:"), 1, 'the file has the unknown key "others"'),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_with_its_line(change: tuple[str, str], line: int, says: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(PolicyError) as caught:
        given(GOOD.replace(*change, 1))
    assert caught.value.line == line
    assert says in caught.value.problem
    assert "hush" not in str(caught.value)
    assert "policy" not in str(caught.value)


def test_notifications_need_the_address_of_the_console() -> None:
    with pytest.raises(PolicyError, match="TOCSIN_CONSOLE_URL"):
        given(GOOD, console="")


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(TocsinError, match=r"notify\.yaml \(TOCSIN_NOTIFY\) cannot be read"):
        of_file(tmp_path / "notify.yaml")


def test_the_example_in_the_documentation_is_good() -> None:
    page = (Path(__file__).parents[2] / "docs/notify.md").read_text("utf-8")
    document = page.split("```yaml\n")[1].split("```")[0]
    names = {
        "DESK_SECRET": KEY, "SLACK_URL": "slack://a/b/c", "MAIL_URL": "mailtos://a:b@c.example", "ZENDESK_USER": "a",
        "ZENDESK_TOKEN": "token",
    }  # fmt: skip
    assert [one.kind for one in parse(document.encode(), CONSOLE, names.get)] == [
        "webhook",
        "apprise",
        "apprise",
        "tags",
    ]


@pytest.mark.parametrize(
    ("wanted", "told", "topic", "takes"),
    [
        (Wanted(), {}, "priority.p1", True),
        (Wanted(review=True), {"decision": {"status": "abstained"}}, "review", False),
        (Wanted(frozenset({"p0"}), review=True), {"decision": {"status": "abstained"}}, "review", True),
        (Wanted(), {"sample": True}, "review", False),
        (Wanted(samples=True, review=True), {"sample": True, "decision": {"priority": "p3"}}, "review", True),
        (Wanted(routes=frozenset({"legal"})), {}, "priority.p1", False),
        (Wanted(categories=frozenset({"billing"})), {}, "priority.p1", False),
        (Wanted(languages=frozenset({"fr"})), {"decision": {"language": "fr-CA"}}, "priority.p1", True),
        (Wanted(changes=frozenset({"new"})), {"change": "lowered"}, "priority.p1", False),
    ],
)
def test_a_destination_gets_what_it_wants_and_no_second_copy(
    wanted: Wanted, told: dict[str, Any], topic: str, takes: bool
) -> None:
    assert wanted.takes(alert(**told), topic) is takes


# --- webhooks


def test_the_signature_is_that_of_the_specification() -> None:
    key, body = base64.b64decode(KEY.removeprefix("whsec_")), b'{"test": 2432232314}'
    signed = signing.sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    both = signing.headers([key, b"x" * 32], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    first, second = both["webhook-signature"].split(" ")
    assert first == signed
    assert second != signed


@pytest.mark.parametrize(
    ("text", "priority", "written"),
    [
        ("full", "p0", True),
        ("full", "p3", True),
        ("flagged", "p1", True),
        ("flagged", "p3", False),
        ("none", "p0", False),
    ],
)
async def test_a_webhook_carries_the_alert_and_as_much_text_as_it_may(text: Any, priority: str, written: bool) -> None:
    one = alert(
        message={"text": "my secret words", "subject": "secret", "attributes": {"note": "secret"}},
        decision={"priority": priority, "reasons": [{"floor": "fire", "phrase": "secret", "start": 3, "end": 9}]},
    )
    async with Receiver() as receiver:
        sender = WebhookSender(Webhook(receiver.url, (b"k" * 32,), text), Retry(), lambda: 1614265330.5)
        await sender.start()
        outcome = await sender.send(Parcel(one))
        await sender.stop()
    assert outcome.kind == "delivered"
    ((headers, body),) = receiver.got
    assert headers["webhook-id"] == one.decision.id
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["content-type"] == "application/json"
    told = msgspec.json.decode(body, type=Alert)
    assert (told.message.text == "my secret words") is written
    assert (b"secret" in body) is written
    assert (b"Ines" in body) is written
    assert (told.decision.reasons[0].floor, told.decision.reasons[0].start) == ("fire", 3)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, "delivered"), (204, "delivered"), (301, "away"), (400, "refused"), (401, "away"), (404, "away"), (410, "refused"),
     (413, "refused"), (422, "refused"), (429, "away"), (500, "away"), (503, "away")],
)  # fmt: skip
def test_what_an_answer_means(status: int, kind: str) -> None:
    assert of_status(status).kind == kind


async def test_a_redirect_is_not_followed_and_retry_after_is_heard() -> None:
    async with Receiver() as receiver:
        receiver.answers["m1"] = [(307, {"location": receiver.url + "/elsewhere"}), (429, {"retry-after": "17"})]
        sender = WebhookSender(Webhook(receiver.url, (b"k" * 32,)), Retry())
        await sender.start()
        assert (await sender.send(Parcel(alert()))).kind == "away"
        assert len(receiver.got) == 1
        assert (await sender.send(Parcel(alert()))).after == 17
        await sender.stop()


async def test_nobody_there_is_away_and_no_address_is_told() -> None:
    sender = WebhookSender(Webhook("http://127.0.0.1:1/hush", (b"k" * 32,)), Retry(timeout=2))
    await sender.start()
    outcome = await sender.send(Parcel(alert()))
    await sender.stop()
    assert outcome.kind == "away"
    assert "hush" not in outcome.said


def test_a_destination_that_is_away_is_asked_less_and_less_and_not_for_ever() -> None:
    circuit = Circuit(Retry(first=1, most=8, give_up=100), random.Random(1))
    waits = []
    for number in range(6):
        circuit.failed(1000.0 + number)
        waits.append(circuit.next_at - 1000 - number)
    for wait, usual in zip(waits, (1, 2, 4, 8, 8, 8), strict=True):
        assert usual / 2 <= wait <= usual
    circuit.failed(1010, after=50)
    assert circuit.next_at >= 1060
    assert not circuit.gives_up(1099, arrived=0)
    assert circuit.gives_up(1100, arrived=0)
    assert not circuit.gives_up(1100, arrived=1050)  # each alert has its time
    circuit.answered()
    assert not circuit.away


# --- words

HOSTILE = (
    "@channel @everyone <!here> <@U123> <https://evil.example|click> https://evil.example/x [a](http://evil.example) "
    "www.evil.example **bold** _it_ `code` ~~no~~ ||spoiler|| # head > quote &lt;b&gt; <b>x</b> $(rm) \\n :boom: tel:123 "
    "\u202eevil\u200b \x1b[31m ＠everyone ＜!here＞ javascript:alert(1) mailto:a@b.example !subteam^S1"
)


def test_text_of_a_customer_is_text_wherever_it_is_shown() -> None:
    said = defused(HOSTILE, 2_000)
    for sign in "@<>&#*_~`|[]{}\\/\u202e\u200b\x1b\n":
        assert sign not in said, sign
        assert sign not in unicodedata.normalize("NFKC", said), sign
    for link in ("evil.example", "://", "tel:1", "javascript:a", ":boom:", "mailto:a"):
        assert link not in said, link
    assert "everyone" in said  # readable all the same
    assert len(defused("word " * 1_000)) <= 200
    assert defused("It costs 3.50, e.g. now. Really?") == "It costs 3.50, e(.)g. now. Really?"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ({}, True),
        ({"decision": {"priority": "p0", "automation_allowed": False}}, False),
        ({"decision": {"automation_allowed": False}}, False),
        ({"decision": {"reasons": [{"floor": "bereavement", "phrase": "x", "start": 0, "end": 1}]}}, False),
        ({"decision": {"reasons": [{"floor": "fire", "phrase": "x", "start": 0, "end": 1}]}}, False),
        ({"decision": {"reasons": [{"floor": "of_a_later_policy", "phrase": "x", "start": 0, "end": 1}]}}, False),
        ({"change": "lowered", "decision": {"priority": "p2", "decided_by": "human"}}, False),
    ],
)
def test_sensitive_text_stays_at_the_console(policy: Policy, told: dict[str, Any], shown: bool) -> None:
    for language in ("en", "fr"):
        target = Apprise("", language)
        said = notification(Parcel(alert(**told)), target, policy, CONSOLE, AT)
        whole = said.title + said.body
        assert ("where is my parcel" in whole) is shown
        assert "Ines" not in whole
        assert "c1" not in whole
        assert f"{CONSOLE}/?message=m1" in whole


def test_the_policy_may_say_otherwise(policy: Policy) -> None:
    fire = [{"floor": "fire", "phrase": "x", "start": 0, "end": 1}]
    danger = alert(decision={"priority": "p0", "automation_allowed": False, "reasons": fire})
    grief = alert(decision={"priority": "p2", "automation_allowed": False})

    def shows(section: str, one: Alert) -> bool:
        rules = replace(policy, notifications=parse_policy(SMALL + section).notifications)
        return "parcel" in notification(Parcel(one), Apprise(""), rules, CONSOLE, AT).body

    assert not shows("", danger)
    assert shows("notifications: {text: [p0, p1]}\n", danger)
    assert not shows("notifications: {text: [p0, p1, p2]}\n", grief)
    assert shows("notifications: {sensitive: true}\n", grief)
    assert not shows("notifications: {sensitive: true}\n", danger)
    assert not shows("notifications: {text: [p2]}\n", alert())
    last = SMALL.count("\n") + 1
    for wrong, says in (
        ("{text: [p4]}", 'is "p4"'),
        ("{sensitive: perhaps}", 'is "perhaps"'),
        ("{texts: []}", '"texts"'),
    ):
        with pytest.raises(PolicyError, match=says) as caught:
            parse_policy(f"{SMALL}notifications: {wrong}\n")
        assert caught.value.line == last


def test_a_notification_reads_well_in_both_languages(policy: Policy) -> None:
    one = alert("zendesk:1 &#<x>", decision={"channel": "e-mail", "priority": "p2"}, change="raised")
    english = notification(Parcel(one), Apprise(""), policy, CONSOLE, AT + 3 * 60_000)
    assert english.title == "Raised: Needs a person"
    assert english.body.splitlines() == [
        "This cannot wait.",
        "e-mail, 3 min ago",
        "“where is my parcel”",
        "Take or correct: https://tocsin.example/?message=zendesk%3A1%20%26%23%3Cx%3E",
    ]
    drill = alert(decision={"priority": "p0", "automation_allowed": False}, drill=True)
    french = notification(Parcel(drill), Apprise("", "fr"), policy, CONSOLE, AT + 3 * 3_600_000)
    assert french.title == "[Exercice] Danger"
    assert french.body.splitlines()[:3] == [
        "Cela ne peut pas attendre.",
        "chat, il y a 3 h",
        "Le texte reste dans la console.",
    ]
    more = notification(Parcel(one, 37, incident=True), Apprise(""), policy, CONSOLE, AT)
    assert more.title == "+37 more about the same thing"
    assert "parcel" not in more.body
    assert notification(Parcel(one, 2, rest=True), Apprise("", "fr"), policy, CONSOLE, AT).title == "+2 alertes de plus"
    unsure = alert(decision={"status": "abstained"})
    assert notification(Parcel(unsure), Apprise(""), policy, CONSOLE, AT).title == "Urgent (not sure, you decide)"


async def test_apprise_sends_plain_text_and_a_refusal_is_told_from_an_absence(policy: Policy) -> None:
    got: list[Any] = []
    answers = itertools.chain([200, 400, 503], itertools.repeat(200))

    class Service(Receiver):
        async def _take(self, request: Any) -> Any:
            got.append(await request.json())
            return self.response(next(answers))

        @staticmethod
        def response(status: int) -> Any:
            from aiohttp import web

            return web.Response(status=status)

    async with Service() as service:
        target = Apprise(service.url.replace("http", "json"))
        one = Destination("chat", target, retry=Retry(timeout=60), secrets=(target.url,), console=CONSOLE)
        sender = Messenger(one, target, lambda: policy)
        hostile = alert(message={"text": "<b>x</b> @here & https://evil.example"})
        kinds = [(await sender.send(Parcel(hostile))).kind for _ in range(3)]
    assert kinds == ["delivered", "refused", "away"]
    assert "‹b›x‹⁄b› (a)here +" in got[0]["message"]
    gone = Messenger(one, target, lambda: policy)
    outcome = await gone.send(Parcel(hostile))
    assert outcome.kind == "away"
    assert target.url not in outcome.said


def test_an_address_that_apprise_does_not_know_is_refused_without_it(policy: Policy) -> None:
    target = Apprise("nonsense://hush")
    with pytest.raises(TocsinError, match="apprise does not know") as caught:
        Messenger(Destination("chat", target), target, lambda: policy)
    assert "hush" not in str(caught.value)


# --- gathering

PLACE = TopicPartition("t", 0)


def test_the_first_of_a_group_rings_and_the_others_are_told_as_one() -> None:
    gather = Gather(60, 20)
    rang = [gather.rings(alert(f"m{number}"), "incident:i", (PLACE, number), number) for number in range(38)]
    assert rang == [True] + [False] * 37
    assert gather.due(59) == []
    (due,) = gather.due(60)
    assert (due.parcel.more, due.parcel.incident, due.parcel.alert.message.id) == (37, True, "m37")
    assert [offset for _, offset in due.places] == list(range(1, 38))
    assert not gather.rings(alert("m38"), "incident:i", (PLACE, 38), 61)
    assert gather.due(119) == []
    assert len(gather.due(120)) == 1
    assert gather.due(180) == []  # nothing more came: it is over
    assert gather.rings(alert("m39"), "incident:i", (PLACE, 39), 181)


def test_danger_is_never_held_nor_what_is_higher_than_what_rang() -> None:
    gather = Gather(60, 1)
    danger = alert(decision={"priority": "p0"})
    low, high = alert(decision={"priority": "p2"}), alert(decision={"priority": "p1"})
    assert gather.rings(low, "g", (PLACE, 0), 0)
    assert gather.rings(high, "g", (PLACE, 1), 1)
    assert not gather.rings(high, "g", (PLACE, 2), 2)
    assert all(gather.rings(danger, "g", (PLACE, number), 3) for number in range(3, 50))


def test_beyond_what_may_be_told_a_minute_alerts_are_one_update_too() -> None:
    gather = Gather(30, 5)
    rang = [gather.rings(alert(f"m{number}"), f"group:{number}", (PLACE, number), 0) for number in range(12)]
    assert rang == [True] * 5 + [False] * 7
    (due,) = gather.due(30)
    assert (due.parcel.more, due.parcel.rest) == (7, True)
    assert gather.rings(alert("later"), "group:later", (PLACE, 99), 61)


def test_what_is_held_is_not_passed_by_a_commit() -> None:
    marks = Marks()
    marks.hold(5)
    marks.hold(7)
    assert marks.below(9) == 5
    marks.release(5)
    assert marks.below(9) == 7
    marks.release(7)
    assert marks.below(9) == 9


# --- tags


@pytest.mark.parametrize("tool", ["zendesk", "intercom", "discourse", "chatwoot"])
async def test_a_tickets_tags_follow_its_priority_and_others_stay(tool: Any) -> None:
    def said(priority: str, change: str, at: int) -> Parcel:
        decision = {
            "conversation_id": f"{tool}:42",
            "priority": priority,
            "category": {"label": "Billing & more", "probabilities": {}},
            "decided_at": f"2026-01-01T00:00:{at:02}.000Z",
        }
        return Parcel(alert(f"{tool}:7", decision=decision, change=change))

    async with Tool() as server:
        server.objects = tool == "discourse"
        server.tags["42"] = {"vip", "tocsinlike"}
        others = set(server.tags["42"])
        sender = TagSender(Tags(tool, server.url, "hush-token", "9", "1"), Retry())
        await sender.start()
        found = []
        steps = [
            ("p2", "new", 1),
            ("p1", "raised", 2),
            ("p2", "new", 1),
            ("p2", "lowered", 3),
            ("p1", "raised", 2),
            ("p3", "withdrawn", 4),
        ]
        for priority, change, at in steps:
            await sender.send(said(priority, change, at))
            found.append(server.tags["42"] - others)
        await sender.stop()
    both = {"tocsin_billing_more"}
    assert found == [
        both | {"tocsin_p2"},
        both | {"tocsin_p1"},
        both | {"tocsin_p1"},
        both | {"tocsin_p2"},
        both | {"tocsin_p2"},
        set(),
    ]
    assert others <= server.tags["42"]
    token = {
        "zendesk": "authorization",
        "intercom": "authorization",
        "discourse": "api-key",
        "chatwoot": "api_access_token",
    }
    told = server.headers[token[tool]].removeprefix("Basic ")
    assert "hush-token" in (base64.b64decode(told).decode() if tool == "zendesk" else told)
    # Never a comment, a reply, a status: guarantee 8.
    words = {"tags", "tags.json", "labels", "42.json", "42"}
    assert {path.rstrip("/").split("/")[-1] for _, path in server.calls} - set(server.known.values()) <= words


async def test_a_ticket_keeps_the_tag_of_its_highest_message() -> None:
    async with Tool() as server:
        sender = TagSender(Tags("zendesk", server.url, "t", "u"), Retry())
        await sender.start()

        async def said(identity: str, priority: str, change: str = "new", at: int = 0) -> set[str]:
            decision = {
                "conversation_id": "zendesk:1",
                "priority": priority,
                "decided_at": f"2026-01-01T00:00:{at:02}.000Z",
            }
            await sender.send(Parcel(alert(identity, decision=decision, change=change)))
            return set(server.tags["1"])

        assert await said("a", "p0") == {"tocsin_p0"}
        assert await said("b", "p2") == {"tocsin_p0"}
        assert await said("a", "p3", "withdrawn", 9) == {"tocsin_p2"}
        await sender.stop()
        later = TagSender(Tags("zendesk", server.url, "t", "u"), Retry())  # another worker, which knows nothing
        await later.start()
        server.tags["1"] = {"tocsin_p1"}
        sender = later
        assert await said("c", "p2") == {"tocsin_p1"}
        await later.stop()


async def test_what_is_another_tools_or_no_id_at_all_is_left_alone() -> None:
    assert ticket_of("zendesk", "zendesk:42") == "42"
    for wrong in (
        "intercom:42",
        "zendesk:../../users/1",
        "zendesk:42/comments",
        "zendesk:",
        "42",
        "zendesk:4 2",
        "zendesk:٤",
    ):
        assert ticket_of("zendesk", wrong) is None
    async with Tool() as server:
        sender = TagSender(Tags("zendesk", server.url, "t", "u"), Retry())
        await sender.start()
        assert (await sender.send(Parcel(alert()))).kind == "nothing"
        assert server.calls == []
        mine = alert(decision={"conversation_id": "zendesk:1"})
        for status, kind in ((404, "refused"), (422, "refused"), (401, "away"), (429, "away"), (500, "away")):
            server.status = status
            assert (await sender.send(Parcel(mine))).kind == kind
        await sender.stop()


# --- the command


def test_since_is_a_time_or_how_long_ago() -> None:
    assert moment("2026-01-01T00:00:00Z", 0) == AT
    assert moment("2h", AT / 1000) == AT - 7_200_000
    with pytest.raises(TocsinError, match="is no time"):
        moment("yesterday", 0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "FILE"], None),
        (["test", "nobody"], 'has no destination "nobody"; it has desk, slack, tickets'),
        (["test", "tickets"], "a drill has no ticket"),
        (["test", "tickets", "--ticket", "../users"], "is no id of zendesk"),
        (["replay", "desk", "--since", "soon"], "is no time"),
    ],
)
def test_a_command_says_what_is_wrong(
    arguments: list[str], says: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "notify.yaml"
    file.write_text(GOOD)
    for name, value in {**SECRET, "TOCSIN_NOTIFY": str(file), "TOCSIN_CONSOLE_URL": CONSOLE}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("streams.logs.configure", lambda settings: None)
    done = CliRunner().invoke(notify, [str(file) if one == "FILE" else one for one in arguments])
    if says is None:
        assert done.exit_code == 0, done.output
        assert "desk: webhook, reads priority.p0, priority.p1, priority.p2, review\n" in done.output
        assert "hush" not in done.output
    else:
        assert isinstance(done.exception, TocsinError)
        assert says in str(done.exception)


def test_a_worker_without_a_file_says_what_to_set() -> None:
    with pytest.raises(TocsinError, match="set TOCSIN_NOTIFY to a file"):
        destinations(load(_env_file=None, notify=""))
    with pytest.raises(TocsinError, match="TOCSIN_CONSOLE_URL: must be an address"):
        load(_env_file=None, console_url="javascript:alert(1)")


def test_what_the_file_takes_from_the_environment_is_kept_out_of_the_logs() -> None:
    root = logging.getLogger()
    before = list(root.handlers)
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logs.Discreet(logging.Formatter("%(message)s"), []))
    root.handlers[:] = [handler]
    try:
        logs.hide(["hush/token"])
        logging.getLogger("some.library").error("POST https://x/hush%2Ftoken and hush/token")
    finally:
        root.handlers[:] = before
    assert "hush" not in handler.stream.getvalue()
