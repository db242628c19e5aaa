"""Target: a console with a token, as a stranger meets it.

Promises: those of `web`; and whoever shows neither the token nor a session of ours is told nothing of what rings.
Owns: these checks. Must never: know how a request is handled.
"""

from __future__ import annotations

import re
from functools import cache

from tests.fuzz.dice import Dice
from tests.fuzz.target import Target
from tests.fuzz.web import HEADERS, Console, checked, choices, request, whole

TOKEN = "opens-the-door-of-a-fuzzed-console"
SESSION = b"Cookie: tocsin_session="
MORE = (
    b"Authorization: Bearer opens-the-door-of-a-fuzzed-consol", b"Authorization: bearer  x", b"Authorization: Bearer \xc3\xa9",
    SESSION, SESSION + b"..", SESSION + b"99999999999.00." + b"0" * 64, SESSION + b"x.y.\xff", SESSION + b"-1.\xe9.\xe9",
    b'Cookie: tocsin_form="\\377"; tocsin_form=a; tocsin_session', b"Cookie: tocsin_form=1.2.3", b"Sec-Fetch-Site: same-origin",
    b"Content-Type: application/x-www-form-urlencoded", b"Content-Type: multipart/form-data; boundary=x",
    b"X-Forwarded-User: ana", b"Authorization: Bearer " + TOKEN.encode(),
)  # fmt: skip
SECRET = b"Smoke comes out of it"


@cache
def _console() -> Console:
    return Console(console_token=TOKEN)


def door(data: bytes) -> None:
    desk, dice = _console(), Dice(data)
    raw = request(dice, desk.port, (*MORE, *MORE, *HEADERS))
    if dice.flag():
        path = b" /sign-in" + dice.pick((b"", b"?lang=fr", b"?lang=%ff", b"?lang=en&lang=fr", b"/"))
        raw = re.sub(rb" /\S*", path, raw, count=1)
    answer = desk.ask(raw, whole(raw))
    checked(answer, raw)
    if TOKEN.encode() not in raw:
        assert SECRET not in answer, f"a stranger was told what rings: {raw[:400]!r}"
        assert not desk.sent, f"a stranger wrote: {raw[:400]!r}"
    desk.sent.clear()
    good = b"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % desk.port
    assert desk.ask(good, True).startswith(b"HTTP/1.1 200 "), "the console does not answer any more"


TARGETS = [Target("console-door", door, made=choices, largest=800)]
