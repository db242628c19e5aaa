"""Who may come into the console: tokens, sessions, a believed proxy; and what is refused at start."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from agents.console.doors import COOKIE, SESSION_SECONDS, TRIES, Doors
from streams.errors import TocsinError
from streams.http import HealthServer, bears, loopback
from streams.settings import Settings, load

TOKEN = "correct-horse-battery"
PROXY = {"console_proxy_header": "X-Forwarded-User", "console_proxy_addresses": "10.1.0.0/16, 2001:db8::7"}


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def settings(**given: Any) -> Settings:
    return load(_env_file=None, **given)


def asked(
    *headers: tuple[str, str], peer: str = "127.0.0.1", cookies: dict[str, str] | None = None, path: str = "/api/alerts"
) -> web.Request:
    transport = Mock()
    transport.get_extra_info.side_effect = lambda name, default=None: (peer, 1) if name == "peername" else default
    told = CIMultiDict([*headers, *(("Cookie", f"{name}={value}") for name, value in (cookies or {}).items())])
    return make_mocked_request("GET", path, headers=told, transport=transport)


def bearer(token: str) -> tuple[str, str]:
    return ("Authorization", f"Bearer {token}")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"console_host": "0.0.0.0"}, "TOCSIN_CONSOLE_TOKEN or TOCSIN_CONSOLE_PROXY_HEADER"),
        ({"console_host": "::"}, "TOCSIN_CONSOLE_HOST"),
        ({"console_host": ""}, "TOCSIN_CONSOLE_HOST"),
        ({"console_host": "192.0.2.1"}, "TOCSIN_CONSOLE_HOST"),
        ({"console_host": "example.com"}, "TOCSIN_CONSOLE_HOST"),
        ({"console_proxy_header": "X-Forwarded-User"}, "TOCSIN_CONSOLE_PROXY_ADDRESSES"),
        ({**PROXY, "console_proxy_header": "X Y"}, "TOCSIN_CONSOLE_PROXY_HEADER"),
        ({**PROXY, "console_proxy_addresses": "the-proxy"}, "TOCSIN_CONSOLE_PROXY_ADDRESSES"),
        ({"console_public": "tocsin.example"}, "TOCSIN_CONSOLE_PUBLIC"),
        ({"console_public": "https://tocsin.example/console"}, "TOCSIN_CONSOLE_PUBLIC"),
        ({"console_public": "https://me:hush@tocsin.example"}, "TOCSIN_CONSOLE_PUBLIC"),
    ],
)
def test_settings_that_would_leave_it_open_or_make_no_sense_are_refused_with_one_sentence(
    given: dict[str, str], named: str
) -> None:
    with pytest.raises(TocsinError, match=named) as caught:
        Doors(settings(**given))
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_loopback_no_door_is_needed(host: str) -> None:
    assert loopback(host)
    visitor = Doors(settings(console_host=host)).visitor(asked())
    assert visitor is not None
    assert (visitor.name, visitor.by) == (None, "open")


@pytest.mark.parametrize("token", ["short", "x" * 15, "with some spaces in it", "jeton-très-secret-et-long"])
def test_a_token_that_is_short_or_cannot_travel_is_refused_without_being_shown(token: str) -> None:
    for name in ("console_token", "http_token"):
        with pytest.raises(TocsinError, match=f"TOCSIN_{name.upper()}") as caught:
            settings(**{name: token})
        assert token not in str(caught.value)


def test_a_token_is_borne_or_not() -> None:
    doors = Doors(settings(console_token=TOKEN, console_host="0.0.0.0"))
    visitor = doors.visitor(asked(bearer(TOKEN)))
    assert visitor is not None
    assert visitor.by == "bearer"
    for wrong in (TOKEN + "x", TOKEN[:-1], "", TOKEN.upper(), "\udcff"):
        assert not bears(f"Bearer {wrong}", TOKEN)
    assert doors.visitor(asked(("Authorization", f"Basic {TOKEN}"))) is None
    assert doors.visitor(asked()) is None
    assert bears(f"bearer {TOKEN} ", TOKEN)


def test_a_session_begins_outlives_a_restart_and_ends() -> None:
    clock = Clock()
    doors = Doors(settings(console_token=TOKEN), clock)
    cookie = doors.begin()
    request = asked(cookies={COOKIE: cookie})
    visitor = doors.visitor(request)
    assert visitor is not None
    assert visitor.by == "session"
    assert Doors(settings(console_token=TOKEN), clock).visitor(request) is not None
    assert (
        Doors(settings(console_token=TOKEN + "-new"), clock).visitor(request) is None
    )  # another token, other sessions
    doors.end(request)
    assert doors.visitor(request) is None
    other = asked(cookies={COOKIE: doors.begin()})
    assert doors.visitor(other) is not None
    clock.now += SESSION_SECONDS
    assert doors.visitor(other) is None


def test_a_cookie_that_was_tampered_with_or_made_for_a_form_is_no_session() -> None:
    clock = Clock()
    doors = Doors(settings(console_token=TOKEN), clock)
    until, number, mac = doors.begin().split(".")
    later = str(int(until) + 1)
    for cookie in (
        f"{later}.{number}.{mac}",
        f"{until}.{number}.",
        "",
        ".",
        "..",
        "x",
        f"{until}.{number}",
        doors.form(),
    ):
        assert doors.visitor(asked(cookies={COOKIE: cookie})) is None
    form = doors.form()
    assert doors.is_form(form, form)
    assert not doors.is_form(form, doors.form())
    assert not doors.is_form("", "")
    assert not doors.is_form(doors.begin(), doors.begin())
    clock.now += 3600
    assert not doors.is_form(form, form)


def test_wrong_tries_make_their_address_wait_and_nobody_else() -> None:
    clock = Clock()
    doors = Doors(settings(console_token=TOKEN), clock)
    for _ in range(TRIES):
        assert doors.visitor(asked(bearer("wrong"), peer="192.0.2.1")) is None
    locked, free = asked(bearer(TOKEN), peer="192.0.2.1"), asked(bearer(TOKEN), peer="192.0.2.2")
    assert doors.visitor(locked) is None  # a guess that is right is not told apart now
    assert 0 < doors.must_wait(locked) <= 60
    assert doors.visitor(free) is not None
    clock.now += 60
    assert doors.visitor(locked) is not None
    for number in range(TRIES):
        doors.visitor(asked(bearer("wrong"), peer=f"2001:db8::{number:x}"))
    assert doors.must_wait(asked(peer="2001:db8::ffff"))  # one household, one provider's customer: one /64
    assert not doors.must_wait(asked(peer="2001:db8:1::1"))


def test_only_so_many_addresses_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.console.doors.ADDRESSES", 20)
    doors = Doors(settings(console_token=TOKEN))
    for number in range(30):
        doors.signs(asked(peer=f"192.0.2.{number}"), "wrong")
    assert len(doors._wrong) == 20


def test_the_proxys_header_is_believed_from_the_proxy_alone() -> None:
    doors = Doors(settings(**PROXY, console_host="0.0.0.0"))
    header = ("X-Forwarded-User", "Ana López")
    for peer in ("10.1.2.3", "2001:db8::7", "::ffff:10.1.2.3"):
        visitor = doors.visitor(asked(header, peer=peer))
        assert visitor is not None
        assert (visitor.name, visitor.by) == ("Ana López", "proxy")
    for peer in ("10.2.0.1", "127.0.0.1", "2001:db8::8", ""):
        assert doors.visitor(asked(header, peer=peer)) is None
    # Another header that names the proxy does not make a stranger one.
    assert doors.visitor(asked(header, ("X-Forwarded-For", "10.1.2.3"), peer="192.0.2.1")) is None


@pytest.mark.parametrize("values", [[], [""], ["  "], ["Ana", "Root"], ["A" * 101], ["a\x00b"], ["a\u202eb"]])
def test_a_name_that_is_none_or_two_is_nobodys(values: list[str]) -> None:
    doors = Doors(settings(**PROXY))
    assert doors.visitor(asked(*(("X-Forwarded-User", value) for value in values), peer="10.1.0.1")) is None


def test_behind_a_proxy_tries_are_counted_by_the_address_it_tells() -> None:
    doors = Doors(settings(**PROXY, console_token=TOKEN))
    for number in range(TRIES):  # what a client wrote itself stands before what the proxy added
        forwarded = ("X-Forwarded-For", f"203.0.113.{number}, 198.51.100.9")
        assert doors.visitor(asked(bearer("wrong"), forwarded, peer="10.1.0.1")) is None
    assert doors.must_wait(asked(("X-Forwarded-For", "198.51.100.9"), peer="10.1.0.1"))
    assert not doors.must_wait(asked(("X-Forwarded-For", "198.51.100.10"), peer="10.1.0.1"))
    assert not doors.must_wait(asked(("X-Forwarded-For", "198.51.100.9"), peer="192.0.2.1"))


def test_metrics_beyond_loopback_need_a_token() -> None:
    with pytest.raises(TocsinError, match="TOCSIN_HTTP_TOKEN"):
        HealthServer(settings(http_host="0.0.0.0", http_port=0), lambda: {"ok": True}, lambda: {"ok": True})
