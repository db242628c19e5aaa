"""Why Kafka does not let us in: one connection is asked, and its answer becomes one sentence with the mend.

Owns: the words for certificates, passwords and rights. Must never: hold a password, or call for ever what may pass.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from streams.errors import TocsinError
from streams.settings import Settings

ASK_MS = 5_000


@dataclass(frozen=True, slots=True)
class Fault:
    """What one connection met.

    Attributes:
        sentence: a fault of the settings, which no waiting mends; None where waiting may help.
        hint: what to look at should waiting not help; may be empty.
    """

    sentence: TocsinError | None = None
    hint: str = ""


def denied(settings: Settings, right: str, kind: str, *names: str) -> TocsinError:
    """The sentence for a right that is missing on a topic, a group or a transactional id."""
    return lacking(settings, [f"{right} on {kind} {', '.join(map(str, names))}"])


def lacking(settings: Settings, rights: Sequence[str]) -> TocsinError:
    """The sentence for all rights that are missing, each as "Read on topic x"."""
    if settings.kafka_security.startswith("SASL"):
        subject = f"Kafka's user {settings.kafka_user!r} (TOCSIN_KAFKA_USER)"
    elif settings.kafka_certificate is not None:
        subject = f"Kafka's user with the certificate {settings.kafka_certificate} (TOCSIN_KAFKA_CERTIFICATE)"
    else:
        subject = "Kafka's user without a name (TOCSIN_KAFKA_SECURITY)"
    return TocsinError(
        f"{subject} lacks the right {'; '.join(rights)}: grant it with kafka-acls, docs/security.md lists what each role "
        "needs"
    )


async def fault(settings: Settings, options: dict[str, Any]) -> Fault:
    """What the bootstrap servers say to one connection each.

    Args:
        options: what every client of ours is given, see `streams.kafka.client_options`.
    """
    options = {**options, "request_timeout_ms": ASK_MS}
    found = Fault()
    for host, port, _ in collect_hosts(options.pop("bootstrap_servers")):
        try:
            connection = await create_conn(host, port, **options)
            try:
                # A listener that wants a password hangs up at the first question that needs one.
                await connection.send(MetadataRequest([]))
            finally:
                connection.close()
        except (KafkaError, OSError, TimeoutError) as error:
            found = _told(settings, f"{host}:{port}", error)
        else:
            return Fault()
        if found.sentence is not None:
            return found
    return found


def _told(settings: Settings, server: str, error: BaseException) -> Fault:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Fault(TocsinError(_distrusted(settings, server, error)))
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    names = " ".join(str(getattr(cause, "reason", "") or "") for cause in causes if isinstance(cause, ssl.SSLError))
    if "ALERT" in names:
        return Fault(TocsinError(_refused_certificate(settings, server, names)))
    if isinstance(error, ssl.SSLError):
        return Fault(hint=f"{server} does not speak TLS, but TOCSIN_KAFKA_SECURITY is {settings.kafka_security}")
    if isinstance(error, SaslAuthenticationFailed | AuthenticationFailedError):
        return Fault(
            TocsinError(
                f"Kafka at {server} refuses user {settings.kafka_user!r} (TOCSIN_KAFKA_USER) with that password "
                f"(TOCSIN_KAFKA_PASSWORD) by {settings.kafka_sasl_mechanism} (TOCSIN_KAFKA_SASL_MECHANISM): set what "
                "kafka-configs made there"
            )
        )
    if isinstance(error, UnsupportedSaslMechanismError):
        return Fault(
            TocsinError(
                f"Kafka at {server} does not take {settings.kafka_sasl_mechanism}: set TOCSIN_KAFKA_SASL_MECHANISM to one "
                "that its listener has enabled"
            )
        )
    if isinstance(error, IllegalSaslStateError):
        return Fault(
            TocsinError(
                f"Kafka at {server} takes no passwords, but TOCSIN_KAFKA_SECURITY is {settings.kafka_security}: set it to "
                f"{'SSL' if settings.kafka_security == 'SASL_SSL' else 'PLAINTEXT'}, or name the listener that does"
            )
        )
    if isinstance(error, KafkaError | ConnectionResetError | TimeoutError):
        # A connection was made, and no answer came: also what a broker that starts, or a proxy before it, does.
        return Fault(hint=f"is TOCSIN_KAFKA_SECURITY ({settings.kafka_security}) what the listener {server} speaks?")
    return Fault()


def _distrusted(settings: Settings, server: str, error: ssl.SSLCertVerificationError) -> str:
    if "mismatch" in error.verify_message:
        return (
            f"the certificate of Kafka at {server} is of another name ({error.verify_message.rstrip('.')}): put a name "
            "that it holds into TOCSIN_KAFKA and into the brokers' advertised.listeners"
        )
    ours = "" if settings.kafka_ca is None else f", now {settings.kafka_ca}"
    return (
        f"the certificate of Kafka at {server} is not trusted ({error.verify_message}): set TOCSIN_KAFKA_CA to the PEM "
        f"file of the authority that signed it{ours}"
    )


def _refused_certificate(settings: Settings, server: str, reason: str) -> str:
    ours = "none" if settings.kafka_certificate is None else str(settings.kafka_certificate)
    return (
        f"Kafka at {server} refuses our certificate ({reason.strip().replace('_', ' ').lower()}): set "
        f"TOCSIN_KAFKA_CERTIFICATE, now {ours}, to one that its authority signed"
    )
