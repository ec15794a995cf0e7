"""A Kafka that lets nobody in without a certificate or a password, and nobody do what no rule allows.

It has a listener for each protocol that is not plain text, and one in plain text whose client may do everything, for
the test itself. Users, passwords and certificates are of tests alone (`tests/support/tls`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.support.brokers import QUICK_RETURN, JavaBroker
from tests.support.kafka_jars import kafka_jars
from tests.support.run_directory import RunDirectory, free_port
from tests.support.waiting import wait_until

TLS = Path(__file__).with_name("tls")
AUTHORITY = TLS / "authority.pem"
PASSWORD = "kafka-s3cret"
_LISTENERS = ("SSL", "SASL_PLAINTEXT", "SASL_SSL")
_USERS = ("worker", "collector", "detector", "consumer", "operator", "creator")
"""Users that `ops/security.md` gives rights to; here all have the same password, and none has a right at first."""
_SETTLED_TIMEOUT_S = 20


class SecureKafka:
    """A broker of one's own, which a test may stop, kill and start again."""

    def __init__(self, run: RunDirectory) -> None:
        self._ports = {name: free_port() for name in _LISTENERS}
        scram = [f"{mechanism}=[name={user},password={PASSWORD}]" for mechanism in _SCRAM for user in _USERS]
        self._broker = JavaBroker(
            run, kafka_jars(), {**QUICK_RETURN, **_settings()}, listeners=self._ports, scram_users=scram
        )
        self.admin_servers = self._broker.bootstrap_servers

    def start(self) -> None:
        """Start, or start again, and return when it answers."""
        self._broker.start()

    def stop(self) -> None:
        """End it in order (SIGTERM)."""
        self._broker.stop()

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._broker.kill()

    def servers(self, protocol: str) -> str:
        """The address at which a protocol is spoken."""
        return f"127.0.0.1:{self._ports[protocol.upper()]}"

    def environment(
        self, user: str = "operator", protocol: str = "sasl_ssl", mechanism: str = "SCRAM-SHA-256", **changes: str
    ) -> dict[str, str]:
        """The variables of a program that is let in as `user`; `changes` are by the names of settings."""
        found = {"kafka_bootstrap_servers": self.servers(protocol), "kafka_security_protocol": protocol}
        if protocol.startswith("sasl"):
            found |= {"kafka_sasl_mechanism": mechanism, "kafka_sasl_username": user, "kafka_sasl_password": PASSWORD}
        if protocol.endswith("ssl"):
            found["kafka_ssl_ca_file"] = str(AUTHORITY)
        if protocol == "ssl":
            found["kafka_ssl_certificate_file"] = str(TLS / "client.pem")
        return {f"SEGUE_{name.upper()}": value for name, value in (found | changes).items()}

    def allow(self, rules: list[AclBinding]) -> None:
        """Let users do things, and return when the broker knows."""
        admin = AdminClient({"bootstrap.servers": self.admin_servers, "log_level": 0})
        for future in admin.create_acls(rules).values():
            future.result(10)
        wait_until(lambda: _known(admin, rules), _SETTLED_TIMEOUT_S, "the broker's knowledge of the rules")


_SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")


def _settings() -> Mapping[str, str]:
    server, authority = str(TLS / "server.pem"), str(AUTHORITY)
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    users = " ".join(f'user_{user}="{PASSWORD}"' for user in _USERS)
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    settings = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": server,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": authority,
        "listener.name.ssl.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": "RULE:^CN=(.*)$/$1/",
        "sasl.enabled.mechanisms": ",".join(("PLAIN", *_SCRAM)),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    for listener in ("sasl_plaintext", "sasl_ssl"):
        settings[f"listener.name.{listener}.plain.sasl.jaas.config"] = f"{plain} {users};"
        for mechanism in _SCRAM:
            settings[f"listener.name.{listener}.{mechanism.lower()}.sasl.jaas.config"] = scram
    return settings


def rule(user: str, resource: str, name: str, operation: str) -> AclBinding:
    """Let `user` do `operation` on the resource of this name, from anywhere; a name that ends in * is a prefix."""
    prefixed = name.endswith("*") and name != "*"
    return AclBinding(
        ResourceType[resource.upper()],
        name[:-1] if prefixed else name,
        ResourcePatternType.PREFIXED if prefixed else ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation[operation.upper()],
        AclPermissionType.ALLOW,
    )


_ANYTHING: Any = None  # the library's types want a text, the library takes this for any


def _known(admin: AdminClient, rules: list[AclBinding]) -> bool:
    anything = AclBindingFilter(
        ResourceType.ANY,
        _ANYTHING,
        ResourcePatternType.ANY,
        _ANYTHING,
        _ANYTHING,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    try:
        found = admin.describe_acls(anything).result(10)
    except KafkaException:
        return False
    return set(rules) <= set(found)
