"""Being let in by a real Kafka, in every way that settings know, and being told why not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import history
from tests.support.processes import Commands, base_environment
from tests.support.redis_servers import LocalRedis
from tests.support.run_directory import RunDirectory
from tests.support.secure_kafka import TLS, SecureKafka

pytestmark = pytest.mark.usefixtures("secure_kafka")


@pytest.fixture
def commands(run_directory: RunDirectory) -> Iterator[Commands]:
    """Commands that are told nothing of Kafka but by each test."""
    started = Commands(run_directory, base_environment())
    yield started
    started.end()


WAYS = {
    "a password over TLS": {"protocol": "sasl_ssl", "mechanism": "PLAIN"},
    "SCRAM-SHA-256 over TLS": {"protocol": "sasl_ssl", "mechanism": "SCRAM-SHA-256"},
    "SCRAM-SHA-512 over TLS": {"protocol": "sasl_ssl", "mechanism": "SCRAM-SHA-512"},
    "SCRAM-SHA-512 in plain text": {"protocol": "sasl_plaintext", "mechanism": "SCRAM-SHA-512"},
    "a certificate": {"protocol": "ssl"},
    "a certificate whose key is apart and has a password": {
        "protocol": "ssl",
        "kafka_ssl_certificate_file": str(TLS / "client_certificate.pem"),
        "kafka_ssl_key_file": str(TLS / "client_encrypted_key.pem"),
        "kafka_ssl_key_password": "key-secret",
    },
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_who_shows_what_kafka_asks_for_is_let_in(
    commands: Commands, secure_kafka: SecureKafka, own_redis: LocalRedis, way: dict[str, str], tmp_path: Path
) -> None:
    """Commands and the worker's producers by librdkafka, its consumer by aiokafka."""
    commands.environment |= secure_kafka.environment(**way) | {
        "SEGUE_NAMESPACE": f"w{list(WAYS.values()).index(way)}",
        "SEGUE_REDIS_URL": own_redis.url,
    }
    definitions = tmp_path / "definitions.yaml"
    definitions.write_text(history.DEFINITIONS)
    for step in (("topics", "create", "--partitions", "1"), ("apply", str(definitions))):
        done = commands.run(*step)
        assert done.returncode == 0, done.stderr
    worker = commands.start("worker")
    worker.wait_for_output("partition 0: serving from offset 0")
    tracked = commands.run("track", "c1", "purchase", "--wait", "30", "--json")
    assert '"outcome":"applied"' in tracked.stdout, tracked.tail()
    assert worker.terminate() == 0


REFUSALS = {
    "wrong password of SCRAM": ({"kafka_sasl_password": "s3cret-but-wrong"}, "invalid credentials"),
    "wrong password": (
        {"mechanism": "PLAIN", "kafka_sasl_password": "s3cret-but-wrong"},
        "Invalid username or password",
    ),
    "unknown user": ({"user": "somebody"}, "invalid credentials"),
    "foreign authority": ({"kafka_ssl_ca_file": str(TLS / "other_authority.pem")}, "certificate verify failed"),
    "no certificate": ({"protocol": "ssl", "kafka_ssl_certificate_file": ""}, "certificate"),
}
PROGRAMS = {
    "status": ("status",),
    "worker": ("worker",),
    "collector": ("collector", "--port", "0"),
    "consumer": ("consumer", "log"),
    "detector": ("detect",),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.parametrize(("changes", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_who_is_refused_ends_at_once_with_one_sentence_and_no_secret(
    commands: Commands,
    secure_kafka: SecureKafka,
    redis_url: str,
    program: tuple[str, ...],
    changes: dict[str, str],
    reason: str,
) -> None:
    environment = secure_kafka.environment(**changes) | {
        "SEGUE_REDIS_URL": redis_url,
        "SEGUE_WRITE_KEYS": '{"website": "a-secret-write-key"}',
    }
    began = time.monotonic()
    refused = commands.run(*program, environment=environment, timeout_s=30)
    assert refused.returncode == 1, refused.stderr
    assert time.monotonic() - began < 25
    last = refused.stderr.strip().splitlines()[-1]
    assert last.startswith("segue: Kafka at 127.0.0.1:")
    assert reason in last
    assert "check SEGUE_KAFKA_SECURITY_PROTOCOL" in last
    assert "Traceback" not in refused.stderr
    for secret in ("s3cret", "key-secret"):
        assert secret not in refused.stderr


def test_a_broker_whose_certificate_is_for_another_name_is_refused_unless_names_do_not_count(
    commands: Commands, secure_kafka: SecureKafka
) -> None:
    by_another_name = secure_kafka.servers("sasl_ssl").replace("127.0.0.1", "localhost")
    environment = secure_kafka.environment(kafka_bootstrap_servers=by_another_name)
    refused = commands.run("topics", "create", environment=environment)
    assert (refused.returncode, "certificate verify failed" in refused.stderr) == (1, True), refused.stderr
    taken = commands.run("topics", "create", environment=environment | {"SEGUE_KAFKA_SSL_CHECK_HOSTNAME": "false"})
    assert taken.returncode == 0, taken.stderr
