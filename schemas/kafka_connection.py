"""How every client reaches Kafka: where the brokers are, over what, and as whom.

Adapters take this value and add what they want of their client; none builds configuration of connections itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pydantic import SecretStr

from schemas.errors import AccessError, SegueError, UnavailableError
from schemas.tls import TlsFiles

SecurityProtocol: TypeAlias = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
SaslMechanism: TypeAlias = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

# Numbers of Kafka's protocol, and below zero of librdkafka; the drivers' names for them cannot be imported here.
_REFUSALS = {
    29,  # TOPIC_AUTHORIZATION_FAILED
    30,  # GROUP_AUTHORIZATION_FAILED
    31,  # CLUSTER_AUTHORIZATION_FAILED
    33,  # UNSUPPORTED_SASL_MECHANISM
    58,  # SASL_AUTHENTICATION_FAILED
    -169,  # _AUTHENTICATION
}
_TLS = -181  # _SSL
_TRANSPORT = -195
_REFUSED_CERTIFICATE = re.compile(r"tls alert .*(certificate|unknown ca)")


@dataclass(frozen=True, slots=True)
class Sasl:
    """A user of Kafka."""

    mechanism: SaslMechanism
    username: str
    password: SecretStr


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """The brokers (`host:port,…`), and how to be let in; by default in plain text as nobody."""

    bootstrap_servers: str
    tls: TlsFiles | None = None
    sasl: Sasl | None = None

    def client(self) -> dict[str, Any]:
        """Configuration of a client of librdkafka."""
        settings: dict[str, Any] = {"bootstrap.servers": self.bootstrap_servers}
        if self.sasl is not None:
            settings |= {
                "security.protocol": "sasl_plaintext",
                "sasl.mechanism": self.sasl.mechanism,
                "sasl.username": self.sasl.username,
                "sasl.password": self.sasl.password.get_secret_value(),
            }
        if self.tls is not None:
            settings["security.protocol"] = "ssl" if self.sasl is None else "sasl_ssl"
            settings |= _tls_settings(self.tls)
        return settings

    def failure(self, what: str, code: int, said: str) -> SegueError:
        """The error for what a client was told: `AccessError` where trying again is no use, else `UnavailableError`.

        `what` goes on after "Kafka at …".
        """
        if self.is_refusal(code, said):
            return AccessError(
                f"Kafka at {self.bootstrap_servers} {what}: {said}; check SEGUE_KAFKA_SECURITY_PROTOCOL, the settings "
                "that go with it, and the rights of the user (ops/security.md)"
            )
        return UnavailableError(f"Kafka at {self.bootstrap_servers} {what}: {said}")

    @staticmethod
    def is_refusal(code: int, said: str) -> bool:
        """Whether Kafka, or a check of a certificate, says no and will say so again.

        That our certificate is refused comes with the code of a broken line; a line that breaks in the middle of a
        handshake, with the code of a certificate that is refused.
        """
        if code == _TRANSPORT:
            return _REFUSED_CERTIFICATE.search(said) is not None
        return code in _REFUSALS or (code == _TLS and "disconnect" not in said.lower())


def _tls_settings(tls: TlsFiles) -> dict[str, Any]:
    settings = {
        "ssl.ca.location": tls.authority,
        "ssl.certificate.location": tls.certificate,
        "ssl.key.location": tls.key_file,
        "ssl.key.password": tls.password,
        "ssl.endpoint.identification.algorithm": "https" if tls.check_hostname else "none",
    }
    return {name: str(value) for name, value in settings.items() if value is not None}
