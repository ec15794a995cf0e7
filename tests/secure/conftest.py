"""A Kafka that wants certificates and passwords, started once for each module that asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.run_directory import RunDirectory
from tests.support.secure_kafka import SecureKafka, rule


@pytest.fixture(scope="module")
def secure_kafka(run_directory: RunDirectory) -> Iterator[SecureKafka]:
    """Started; its user `operator` may do everything, and so may the client `segue` of the certificate."""
    kafka = SecureKafka(run_directory)
    kafka.start()
    kafka.allow([rule(user, kind, "*", "all") for user in ("operator", "segue") for kind in ("topic", "group")])
    yield kafka
    kafka.kill()
