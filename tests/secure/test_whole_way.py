"""Everything at once over TLS, every program as the user that `ops/security.md` gives it, while all of it dies once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.faults.auditing import audit
from tests.live import history
from tests.live.workers import Place
from tests.secure.documented import address, kafka_rules, write_redis_users
from tests.support.processes import Commands, StartedCommand, base_environment
from tests.support.redis_servers import LocalRedis
from tests.support.run_directory import RunDirectory
from tests.support.secure_kafka import AUTHORITY, SecureKafka
from tests.support.tls_proxy import TlsProxy
from tests.support.waiting import wait_until

NAMESPACE = "guarded"
USERS = ("worker", "collector", "detector", "consumer", "operator", "creator")
SMALL_STEPS = {"SEGUE_BATCH_RECORDS_MAX": "30", "SEGUE_TIMERS_PER_COMMIT_MAX": "7"}
UNAVAILABLE = 75


@dataclass(frozen=True)
class Guarded:
    """A place whose programs are let in only as the documented users; the test itself comes in by the back door."""

    kafka: SecureKafka
    redis: LocalRedis
    place: Place
    redis_port: int

    def user(self, name: str, **more: str) -> dict[str, str]:
        """The variables of a program that runs as a user."""
        redis_user = name if name in ("worker", "consumer") else "operator"
        return self.kafka.environment(name) | {
            "SEGUE_NAMESPACE": NAMESPACE,
            "SEGUE_REDIS_URL": address(f"segue-{redis_user}", self.redis_port),
            "SEGUE_REDIS_SSL_CA_FILE": str(AUTHORITY),
            **more,
        }

    def worker(self) -> StartedCommand:
        return self.place.worker(**self.user("worker", **SMALL_STEPS))

    def problems(self) -> list[str]:
        place, servers = self.place, self.kafka.admin_servers
        return audit(servers, self.redis.url, place.names, place.partitions, (), zombies=False).problems


@pytest.fixture
def guarded(run_directory: RunDirectory, tmp_path: Path) -> Iterator[Guarded]:
    """All servers started, the users made, no topic yet."""
    users = tmp_path / "users.acl"
    write_redis_users(users, NAMESPACE)
    redis, kafka = LocalRedis(run_directory, aclfile=str(users)), SecureKafka(run_directory)
    redis.start()
    kafka.start()
    kafka.allow(kafka_rules(NAMESPACE))
    proxy = TlsProxy(redis.port)
    commands = Commands(run_directory, base_environment())
    place = Place(commands, kafka.admin_servers, redis.url, NAMESPACE, tmp_path)
    guarded = Guarded(kafka, redis, place, proxy.port)
    commands.environment |= guarded.user("operator")
    yield guarded
    commands.end()
    proxy.close()
    kafka.kill()
    redis.kill()


def test_every_program_as_its_user_while_a_worker_redis_and_the_broker_die(guarded: Guarded, tmp_path: Path) -> None:
    place, kafka = guarded.place, guarded.kafka
    created = place.commands.run(
        "topics", "create", "--partitions", "4", "--timestamps", "create", environment=guarded.user("creator")
    )
    assert created.returncode == 0, created.stderr
    definitions, events = tmp_path / "definitions.yaml", tmp_path / "events.jsonl"
    definitions.write_text(history.DEFINITIONS)
    history.write(events, records=6_000, contacts=200, seed=21)
    place.command("apply", str(definitions), "--at", history.DEFINITIONS_AT)
    place.load_history(events)
    total = sum(place.log_ends().values())
    consumer = place.commands.start("consumer", "log", "--from", "beginning", environment=guarded.user("consumer"))
    detector = place.commands.start("detect", environment=guarded.user("detector"))
    workers = [guarded.worker(), guarded.worker()]

    wait_until(lambda: place.folded() > 0.1 * total, 120, "a tenth of the log folded")
    workers[0].kill()
    workers.append(guarded.worker())
    wait_until(lambda: place.folded() > 0.3 * total, 120, "a third of the log folded")
    guarded.redis.restart()
    wait_until(lambda: place.folded() > 0.5 * total, 120, "half of the log folded")
    kafka.kill()
    assert place.folded() < total, "it died amid the work"
    kafka.start()

    def folded() -> bool:
        # Kafka's client may stall after this; then the watchdog ends the process, and whoever runs it starts it anew.
        for worker in [worker for worker in workers[1:] if worker.returncode is not None]:
            assert worker.returncode == UNAVAILABLE, worker.stderr
            workers.remove(worker)
            workers.append(guarded.worker())
        return place.folded() == total

    wait_until(folded, 150, "the whole log folded")
    _collect(guarded)
    tracked = place.command("track", "contact-1", "purchase", "--at", "2026-06-01T00:00:00Z", "--wait", "60", "--json")
    assert json.loads(tracked.stdout)["outcome"] == "applied", tracked.stdout
    place.wait_until_folded(120)

    assert guarded.problems() == []
    transitions = len({(each.partition, each.seq) for each in place.output()})
    wait_until(lambda: len(consumer.stdout.splitlines()) >= transitions, 60, "all transitions at the consumer")
    assert len(consumer.stdout.splitlines()) == transitions > 100
    status = json.loads(place.command("status", "--json").stdout)
    assert sum(row["lag"] for row in status["partitions"]) == 0
    assert json.loads(place.command("explain", "contact-1", "--json").stdout)["state_in_redis"] == "same"
    assert [running.terminate() for running in (*workers[1:], consumer, detector)] == [0] * (1 + len(workers))


def _collect(guarded: Guarded) -> None:
    """An event by way of the collector, with a key that the operator made."""
    made = json.loads(guarded.place.command("keys", "create", "website", "--json").stdout)
    collector = guarded.place.commands.start("collector", "--port", "0", environment=guarded.user("collector"))
    url = collector.wait_for_output(r"listens on (http://[\d.:]+)").group(1)

    def taken() -> bool:
        body = {"userId": "contact-1", "event": "Order Completed", "properties": {"value": 5}}
        answer = httpx.post(f"{url}/v1/track", json=body, auth=(made["secret"], ""))
        return answer.status_code == 200

    before = sum(guarded.place.log_ends().values())
    wait_until(taken, 30, "an event taken by the collector")
    assert sum(guarded.place.log_ends().values()) == before + 1
    assert collector.terminate() == 0


def test_a_user_without_the_right_ends_at_once_and_says_so(guarded: Guarded) -> None:
    place = guarded.place
    place.commands.environment |= guarded.user("creator")
    place.command("topics", "create", "--partitions", "2", "--timestamps", "create")
    place.commands.environment |= guarded.user("operator")
    place.definitions.write_text(history.DEFINITIONS)
    place.command("apply", str(place.definitions), "--at", history.DEFINITIONS_AT)
    for program, user in ((("worker",), "consumer"), (("consumer", "log"), "collector"), (("load", "-"), "consumer")):
        variables = guarded.user(user) | {"SEGUE_REDIS_URL": address(f"segue-{_role(program)}", guarded.redis_port)}
        ended = place.commands.run(*program, environment=variables)
        assert ended.returncode in (1, UNAVAILABLE), ended.stderr
        assert "Traceback" not in ended.stderr
        assert "authoriz" in ended.stderr.lower() or "no topic" in ended.stderr, ended.stderr


def _role(program: tuple[str, ...]) -> str:
    return {"worker": "worker", "consumer": "consumer"}.get(program[0], "operator")
