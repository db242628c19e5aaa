"""Settings: environment variables `TOCSIN_*` and a `.env`, in one typed place.

Owns: names, defaults, meanings, units. Must never: be read at import time, or print a secret.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.errors import TocsinError

TOKEN_CHARACTERS = 16
"""Least length of a token: short enough to be typed, too long to be guessed."""


class Settings(BaseSettings):
    """Everything that can be set. Durations are seconds, sizes bytes, unless the text says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix="TOCSIN_", env_file=".env", extra="ignore", frozen=True, ignored_types=(cached_property,)
    )

    kafka: str = Field("127.0.0.1:9092", description="Kafka bootstrap servers, host:port, comma separated")
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="security protocol towards Kafka"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism, where the protocol has SASL"
    )
    kafka_user: str | None = Field(None, description="SASL user")
    kafka_password: SecretStr | None = Field(None, description="SASL password")
    kafka_ca: Path | None = Field(None, description="PEM file of the authority that signed the brokers' certificates")
    kafka_certificate: Path | None = Field(
        None, description="PEM file of our own certificate, where brokers ask for one (mutual TLS)"
    )
    kafka_key: Path | None = Field(None, description="PEM file of its private key (default: in the certificate's file)")
    kafka_key_password: SecretStr | None = Field(None, description="password of that private key, where it has one")
    clickhouse_ca: Path | None = Field(
        None, description="PEM file of the authority that signed ClickHouse's certificate, for an https:// URL"
    )
    clickhouse: SecretStr = Field(
        SecretStr("http://127.0.0.1:8123/tocsin"),
        description="ClickHouse: http(s)://[user:password@]host:port/database, or chdb:///folder",
    )
    data: Path = Field(Path(".tocsin"), description="folder of the local stack (broker, ClickHouse engine, logs)")
    cache: Path | None = Field(None, description="folder of downloaded jars (default: the user's cache folder)")
    topic_prefix: str = Field("tocsin.", description="prefix of topics, groups and transactional ids")
    partitions: int = Field(8, ge=1, le=1024, description="partitions of the topics keyed by customer")
    replication: int | None = Field(None, ge=1, description="replication factor of created topics (default: broker's)")
    policy: str = Field("default", description="name, or name@sha256, of the active policy")
    model: Path | None = Field(None, description="another base model file than the one in the package")
    shadow_policy: str | None = Field(
        None, description="name, or name@sha256, of the policy that the role shadow judges by"
    )
    shadow_model: Path | None = Field(None, description="base model file that the role shadow judges with")
    corpus: Path | None = Field(None, description="folder of labelled sets for training, bench and quality")
    http_host: str = Field(
        "127.0.0.1",
        description="address that metrics and health listen on; beyond loopback TOCSIN_HTTP_TOKEN is needed",
    )
    http_token: SecretStr | None = Field(
        None, description="bearer token for /metrics and for the details of the probes; at least 16 characters"
    )
    http_port: int = Field(9108, ge=0, le=65535, description="port of /metrics, /healthz, /readyz; 0: any free one")
    console_host: str = Field(
        "127.0.0.1",
        description="address that the console listens on; beyond loopback it needs TOCSIN_CONSOLE_TOKEN or "
        "TOCSIN_CONSOLE_PROXY_HEADER",
    )
    console_port: int = Field(8765, ge=0, le=65535, description="port of the console; 0: any free one")
    console_token: SecretStr | None = Field(
        None, description="what people sign in with, and programs' bearer token; at least 16 characters"
    )
    console_proxy_header: str | None = Field(
        None, description="header in which a trusted reverse proxy names the signed-in person, e.g. X-Forwarded-User"
    )
    console_proxy_addresses: str = Field(
        "", description="addresses or networks of that proxy, comma separated; from others the header is not believed"
    )
    console_public: str = Field(
        "", description="how browsers reach the console through a proxy, e.g. https://tocsin.example, comma separated"
    )
    console_policy: bool = Field(
        True, description="whether the console may save policies; else that is left to `tocsin policy push`"
    )
    door_host: str = Field(
        "127.0.0.1", description="address that the door listens on; beyond loopback it needs TOCSIN_DOOR_TOKENS"
    )
    door_port: int = Field(8766, ge=0, le=65535, description="port of the door; 0: any free one")
    door_tokens: SecretStr | None = Field(
        None,
        description="bearer tokens that open the door, comma separated, each at least 16 characters; any of them will do",
    )
    door_adapters: str = Field(
        "",
        description="tools that may send to the door: zendesk, intercom, discourse, chatwoot, slack, discord, comma separated",
    )
    door_zendesk_secret: SecretStr | None = Field(None, description="signing secret of the webhook in Zendesk")
    door_intercom_secret: SecretStr | None = Field(None, description="client secret of the app in Intercom")
    door_discourse_secret: SecretStr | None = Field(None, description="secret of the webhook in Discourse")
    door_chatwoot_secret: SecretStr | None = Field(None, description="secret of the webhook in Chatwoot")
    door_slack_secret: SecretStr | None = Field(None, description="signing secret of the app in Slack")
    door_discord_public_key: str | None = Field(
        None,
        description="public key of the app in Discord, for its webhook events; a bot of yours bears our token instead",
    )
    door_map: Path | None = Field(
        None, description="YAML file that says what an agent's priority, tag or group in a tool means here"
    )
    door_pending: int = Field(
        10_000, ge=1_000, le=1_000_000, description="most records that wait for Kafka before the door answers 429"
    )
    door_remembers: int = Field(
        50_000,
        ge=0,
        le=5_000_000,
        description="newest records that the door knows again when they are sent a second time",
    )
    console_url: str = Field(
        "", description="address of the console in the links of notifications, e.g. https://tocsin.example"
    )
    notify: Path | None = Field(
        None, description="file of the destinations that the role notify delivers to (docs/notify.md)"
    )
    chunk_records: int = Field(2000, ge=1, le=50_000, description="most records in a chunk (triage, learn)")
    chunk_bytes: int = Field(8_000_000, ge=1_000, description="bytes of values after which a chunk is closed")
    record_rows: int = Field(20_000, ge=1, le=200_000, description="most rows in one ClickHouse insert")
    record_seconds: float = Field(1.0, gt=0, le=60, description="longest a row waits for its insert to fill")
    instance: str = Field(
        "",
        max_length=200,
        pattern=r"^[A-Za-z0-9._-]*$",
        description="this worker's own name in its consumer groups, the same after a restart: it then gets its partitions back "
        "without a rebalance, if it is back within TOCSIN_SESSION_TIMEOUT; never shared by two workers; empty: none",
    )
    session_timeout: float = Field(
        6.0,
        ge=1,
        description="seconds without heartbeat until Kafka gives a worker up; brokers refuse less than 6 by default",
    )
    rebalance_timeout: float = Field(10.0, ge=1, description="seconds a worker has to join a rebalance")
    transaction_timeout: float = Field(10.0, ge=1, description="seconds until Kafka aborts an abandoned transaction")
    stop_timeout: float = Field(8.0, gt=0, description="seconds a worker has to finish what it began on SIGTERM")
    start_from: Literal["refuse", "decided", "earliest", "latest"] = Field(
        "refuse",
        description="where to start on a partition without a committed offset whose decisions are not empty; decided: behind the "
        "message decided last, whatever offset is committed",
    )
    dead_letters_per_minute: int = Field(
        100, ge=1, description="dead letters a minute from one partition that raise the alarm dead_letter_flood"
    )
    log_format: Literal["auto", "json", "text"] = Field("auto", description="auto: text on a terminal, else JSON")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")

    @field_validator(
        "kafka_user",
        "kafka_password",
        "kafka_ca",
        "kafka_certificate",
        "kafka_key",
        "kafka_key_password",
        "clickhouse_ca",
        "http_token",
        "console_token",
        "console_proxy_header",
        "shadow_policy",
        "shadow_model",
        "door_tokens",
        "door_zendesk_secret",
        "door_intercom_secret",
        "door_discourse_secret",
        "door_chatwoot_secret",
        "door_slack_secret",
        "door_discord_public_key",
        "door_map",
        "notify",
        mode="before",
    )
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        """A variable that is set to nothing, as compose files and shells do."""
        return None if value == "" else value

    @field_validator("http_token", "console_token")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            token = value.get_secret_value()
            if len(token) < TOKEN_CHARACTERS:
                raise ValueError(
                    f"a token needs at least {TOKEN_CHARACTERS} characters; `openssl rand -hex 32` makes one"
                )
            if not token.isascii() or not token.isprintable() or " " in token:
                raise ValueError("a token may hold ASCII characters only, no spaces: it travels in a header")
        return value

    @field_validator("console_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
            raise ValueError("must be an address such as https://tocsin.example")
        return value

    @field_validator("clickhouse")
    @classmethod
    def _with_ca(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        """The URL says all there is to know of the way to ClickHouse: whoever connects is given nothing else."""
        url, ca = value.get_secret_value(), info.data.get("clickhouse_ca")
        if ca is None or not url.startswith("https://"):
            return value
        return SecretStr(f"{url}{'&' if '?' in url else '?'}ca={quote(str(ca.absolute()))}")

    def topic(self, name: str) -> str:
        """The full name of the topic that contract section 2 calls `name`."""
        return self.topic_prefix + name

    def group(self, role: str) -> str:
        """The consumer group of a role; also the stem of its transactional ids."""
        return self.topic_prefix + role

    @cached_property
    def cache_folder(self) -> Path:
        """Where downloaded jars are kept between runs."""
        return self.cache if self.cache is not None else Path.home() / ".cache" / "tocsin"


def load(**overrides: Any) -> Settings:
    """The settings of this process.

    Raises:
        TocsinError: naming the variable, its value's fault and what it may be.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = "TOCSIN_" + "_".join(str(part) for part in first["loc"]).upper()
        fault = first["msg"].removeprefix("Value error, ")
        raise TocsinError(f"setting {name}: {fault}; see `tocsin settings`") from None


def shown(settings: Settings) -> list[tuple[str, str, str]]:
    """(variable, value, meaning) of every setting, secrets masked."""
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            text = _masked(value.get_secret_value())
        else:
            text = "" if value is None else str(value)
        rows.append((f"TOCSIN_{name.upper()}", text, field.description or ""))
    return rows


def secret_values(settings: Settings) -> list[str]:
    """What must never be shown, in every form that it may be written in."""
    found = set()
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if not isinstance(value, SecretStr):
            continue
        text = value.get_secret_value()
        if "://" in text:
            # Whatever stands between the scheme and the last @, even where the URL is none.
            _, _, text = text.partition("://")[2].rpartition("@")[0].partition(":")
        # Several tokens stand in one setting, and each of them opens the door.
        several = text.split(",") if name == "door_tokens" else [text]
        for one in (text, *several):
            found |= {one.strip(), unquote(one.strip()), quote(one.strip(), safe="")}
    # A short value would blot out half a log, and is no secret anyway.
    return sorted((text for text in found if len(text) >= 4), key=len, reverse=True)


def _masked(value: str) -> str:
    """A URL as far as it is certain that it holds no password, anything else as stars."""
    scheme, separator, _ = value.partition("://")
    if scheme == "chdb" and separator:
        return value
    try:
        parts = urlsplit(value)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return "*****"
    # A password with a / or # in it, not escaped, is taken for a path.
    if not separator or not parts.hostname or "@" in parts.path + parts.query + parts.fragment:
        return "*****"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{scheme}://{host}{port}{parts.path}"
