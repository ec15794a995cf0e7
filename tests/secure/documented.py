"""The rights in `ops/security.md`, as its readers would take them from there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AclBinding

from tests.support.redis_servers import LocalRedis
from tests.support.run_directory import CHECKOUT
from tests.support.secure_kafka import rule

PASSWORD = "redis-s3cret"
_PAGE = CHECKOUT / "ops" / "security.md"
_KAFKA = re.compile(
    r"^(worker|collector|detector|consumer|operator|creator) +(topic|group) +(\S+) +([A-Za-z ]+)$", re.MULTILINE
)
_REDIS = re.compile(r"^ACL SETUSER (segue-\w+) (.*)$", re.MULTILINE)


def kafka_rules(namespace: str, *users: str) -> list[AclBinding]:
    """The rules for Kafka's users, all or some, under a namespace."""
    found = _KAFKA.findall(_PAGE.read_text())
    assert {user for user, *_ in found} >= set(users)
    return [
        rule(user, resource, name if name == "*" else f"{namespace}.{name}", operation.replace("Configs", "_Configs"))
        for user, resource, name, operations in found
        for operation in operations.split()
        if not users or user in users
    ]


def make_redis_users(server: LocalRedis, namespace: str) -> None:
    """Make the users in a Redis that runs."""
    client: Any = server.client()
    for user, rules in _redis_users(namespace).items():
        client.execute_command("ACL", "SETUSER", user, *rules.split())
    client.close()


def write_redis_users(path: Path, namespace: str) -> None:
    """Write the users to a file that Redis reads whenever it starts."""
    path.write_text("".join(f"user {user} {rules}\n" for user, rules in _redis_users(namespace).items()))


def _redis_users(namespace: str) -> dict[str, str]:
    found = _REDIS.findall(_PAGE.read_text())
    return {user: rules.replace("PASSWORD", PASSWORD).replace("NAMESPACE", namespace) for user, rules in found}


def address(user: str, port: int, scheme: str = "rediss") -> str:
    """Where Redis is, as a user."""
    return f"{scheme}://{user}:{PASSWORD}@127.0.0.1:{port}/0"
