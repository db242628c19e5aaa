"""The file of destinations: every key, its type, its limits, and the sentence said when one is wrong.

Owns: that reading. Secrets stand in the environment, and the file names them: ${NAME}. Must never: repair a file, or quote a
secret.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from agents.notify.destinations import (
    CHANGES,
    FLAGGED,
    KINDS,
    TEXTS,
    TOOLS,
    Apprise,
    Destination,
    Environment,
    Retry,
    Tags,
    Wanted,
    Webhook,
)
from agents.scoring.policy import PolicyError
from agents.scoring.policy_tree import Node, tree
from streams.errors import TocsinError
from streams.http import loopback

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}$")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_WANTED = ("priorities", "review", "samples", "routes", "categories", "languages", "changes")
_RETRY = ("timeout_seconds", "first_retry_seconds", "most_retry_seconds", "give_up_seconds")
_COMMON = ("name", "kind", *_WANTED, *_RETRY)
_OF_KIND: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "webhook": (("url", "secrets"), ("text", "insecure")),
    "apprise": (("url",), ("language", "excerpt", "gather_seconds", "most_a_minute")),
    "tags": (("tool", "token"), ("url", "user", "account", "hidden", "insecure")),
}
_INTERCOM = "https://api.intercom.io"
_DAY = 86_400
_LEAST_KEY, _MOST_KEY = 24, 64
"""Bytes of a webhook's key, by the Standard Webhooks specification."""


def of_file(path: Path, console: str = "", environment: Environment = os.environ.get) -> list[Destination]:
    """The destinations in a file.

    Args:
        console: address of the console (TOCSIN_CONSOLE_URL), for links.
        environment: where `${NAME}` is looked up.

    Raises:
        TocsinError: naming the file, the line and the mend.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TocsinError(f"{path} (TOCSIN_NOTIFY) cannot be read: {error.strerror}") from None
    try:
        return parse(data, console, environment)
    except PolicyError as error:
        raise TocsinError(f"{path}, {error}") from None


def parse(data: bytes, console: str = "", environment: Environment = os.environ.get) -> list[Destination]:
    """The destinations in a document; raises `PolicyError` with the line that is wrong."""
    top = tree(data, "the file").map(required=("destinations",))
    found: dict[str, Destination] = {}
    for number, node in enumerate(top["destinations"].list(), 1):
        node.name = f"destination {number}"
        one = _Reader(node, console, environment).destination()
        if one.name in found:
            node.fail(f'is called "{one.name}", as one before it')
        found[one.name] = one
    if not found:
        top["destinations"].fail("is empty: name one at least")
    return list(found.values())


class _Reader:
    """Reads one destination, and notes the secrets in it."""

    def __init__(self, node: Node, console: str, environment: Environment) -> None:
        self._node = node
        self._console = console
        self._environment = environment
        self._secrets: list[str] = []

    def destination(self) -> Destination:
        entries = self._node.any_map()
        for key in ("name", "kind"):
            if key not in entries:
                self._node.fail(f'has no "{key}"')
        name = entries["name"].text()
        if not _NAME.match(name):
            entries["name"].name = f"{self._node.name}: name"
            entries["name"].fail(f'is "{name}", must be small letters, digits, - and _, 32 at most, a letter first')
        self._node.name = f'destination "{name}"'
        entries["kind"].name = f"{self._node.name}: kind"
        kind = entries["kind"].choice(KINDS)
        required, optional = _OF_KIND[kind]
        keys = self._node.map(required=("name", "kind", *required), optional=(*_COMMON[2:], *optional))
        insecure = "insecure" in keys and keys["insecure"].flag()
        target: Webhook | Apprise | Tags
        if kind == "webhook":
            target = self._webhook(keys, insecure)
        elif kind == "apprise":
            target = self._apprise(keys)
        else:
            target = self._tags(keys, insecure)
        wanted, retry = _wanted(keys, kind), _retry(keys)
        return Destination(name, target, wanted, retry, insecure, tuple(self._secrets), self._console.rstrip("/"))

    # --- kinds

    def _webhook(self, keys: dict[str, Node], insecure: bool) -> Webhook:
        secrets = keys["secrets"].list()
        if not 1 <= len(secrets) <= 2:
            keys["secrets"].fail(f"has {len(secrets)} entries, must have one, or two while they are changed")
        for node in secrets:
            node.name = keys["secrets"].name
        text = keys["text"].choice(TEXTS) if "text" in keys else "full"
        return Webhook(
            url=self._url(keys["url"], insecure),
            secrets=tuple(self._key(node) for node in secrets),
            text=next(one for one in TEXTS if one == text),
        )

    def _apprise(self, keys: dict[str, Node]) -> Apprise:
        if not self._console:
            self._node.fail("tells people where to look: set TOCSIN_CONSOLE_URL to the address of the console")
        return Apprise(
            url=self._secret(keys["url"]),
            language="fr" if "language" in keys and keys["language"].choice(("en", "fr")) == "fr" else "en",
            excerpt="excerpt" not in keys or keys["excerpt"].flag(),
            gather=keys["gather_seconds"].number(0, 3600) if "gather_seconds" in keys else 60.0,
            most=keys["most_a_minute"].whole(1, 10_000) if "most_a_minute" in keys else 20,
        )

    def _tags(self, keys: dict[str, Node], insecure: bool) -> Tags:
        tool = keys["tool"].choice(TOOLS)
        needs = {
            "zendesk": ("url", "user"),
            "intercom": ("user",),
            "discourse": ("url", "user"),
            "chatwoot": ("url", "account"),
        }
        for key in needs[tool]:
            if key not in keys:
                self._node.fail(f'has no "{key}", which {tool} needs')
        if tool == "discourse" and not ("hidden" in keys and keys["hidden"].flag()):
            self._node.fail(
                "would show tocsin_p0 to everybody who reads a public topic: put the tags tocsin_* in a tag group that only "
                "staff may see, then say hidden: true"
            )
        account = keys["account"].text(64) if "account" in keys else ""
        if account and not account.isdigit():
            keys["account"].fail(f'is "{account}", must be the number of the account')
        return Tags(
            tool=next(one for one in TOOLS if one == tool),
            url=self._url(keys["url"], insecure) if "url" in keys else _INTERCOM,
            token=self._secret(keys["token"]),
            user=self._filled(keys["user"]) if "user" in keys else "",
            account=account,
        )

    # --- values

    def _filled(self, node: Node) -> str:
        """Text with what stands in the environment put in; what comes from there counts as secret."""

        def value(match: re.Match[str]) -> str:
            found = self._environment(match[1])
            if not found:
                node.fail(f"names ${{{match[1]}}}, which is not set in the environment")
            self._secrets.append(found)
            return found

        return _VARIABLE.sub(value, node.text(2_000))

    def _secret(self, node: Node) -> str:
        """A value that stands in the environment, and nowhere else."""
        if not isinstance(node.value, str) or not _VARIABLE.fullmatch(node.value.strip()):
            node.fail(
                "is a secret, so it must be the name of a variable of the environment, as in ${NAME}, and nothing else"
            )
        return self._filled(node)

    def _key(self, node: Node) -> bytes:
        secret = self._secret(node)
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not secret.startswith("whsec_") or not _LEAST_KEY <= len(key) <= _MOST_KEY:
            node.fail(
                f"must be whsec_ and {_LEAST_KEY} to {_MOST_KEY} random bytes in base64; `tocsin notify secret` makes one"
            )
        return key

    def _url(self, node: Node, insecure: bool) -> str:
        url = self._filled(node)
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            parts, host = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not host:
            node.fail("must be an address that begins with https://")
        if parts.username is not None or parts.password is not None or parts.fragment:
            node.fail("must have no user, password or # in it")
        if parts.scheme == "http" and not insecure and not loopback(host):
            node.fail("must begin with https://: over http anybody on the way reads it (insecure: true allows it)")
        return url.rstrip("/") if not parts.query else url


def _wanted(keys: dict[str, Node], kind: str) -> Wanted:
    def some(key: str, options: tuple[str, ...] | None = None) -> frozenset[str] | None:
        if key not in keys:
            return None
        found = frozenset(keys[key].texts(options))
        if not found:
            keys[key].fail("is empty: then nothing would be delivered; leave it out for all")
        return found

    told = ("new", "raised") if kind == "apprise" else CHANGES
    return Wanted(
        priorities=some("priorities", FLAGGED) or frozenset(FLAGGED),
        review="review" in keys and keys["review"].flag(),
        samples=keys["samples"].flag() if "samples" in keys else kind == "webhook",
        routes=some("routes"),
        categories=some("categories"),
        languages=some("languages"),
        changes=some("changes", CHANGES) or frozenset(told),
    )


def _retry(keys: dict[str, Node]) -> Retry:
    usual = Retry()

    def seconds(key: str, low: float, high: float, default: float) -> float:
        return keys[key].number(low, high) if key in keys else default

    found = Retry(
        timeout=seconds("timeout_seconds", 0.1, 120, usual.timeout),
        first=seconds("first_retry_seconds", 0.01, 3600, usual.first),
        most=seconds("most_retry_seconds", 0.01, 3600, usual.most),
        give_up=seconds("give_up_seconds", 1, 7 * _DAY, usual.give_up),
    )
    if found.most < found.first:
        (keys.get("most_retry_seconds") or keys["first_retry_seconds"]).fail(
            f"is less than the first wait: {found.most:g} and {found.first:g} s"
        )
    return found
