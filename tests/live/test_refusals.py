"""What a worker refuses, each in one clear sentence and with the exit code that it stands for."""

from __future__ import annotations

from confluent_kafka.admin import AdminClient

from schemas.errors import EXIT_BAD_INPUT, EXIT_DONE, EXIT_UNAVAILABLE
from tests.live.workers import PARTITIONS, Place
from tests.support.brokers import Broker
from tests.support.processes import Commands, StartedCommand
from tests.support.redis_servers import LocalRedis
from tests.worker.topics import append, create_topics


def _sentence(worker: StartedCommand, exit_code: int) -> str:
    assert worker.wait(30) == exit_code, worker.tail()
    last = worker.stderr.strip().splitlines()[-1]
    assert last.startswith("segue: ")
    assert "Traceback" not in worker.stderr
    return last


def test_a_missing_topic(place: Place) -> None:
    sentence = _sentence(place.worker(), EXIT_UNAVAILABLE)
    assert place.names.tracking in sentence
    assert "segue topics create" in sentence


def test_partition_counts_that_differ(place: Place) -> None:
    create_topics(place.servers, place.names.namespace, partitions=4, transitions=3)
    sentence = _sentence(place.worker(), EXIT_BAD_INPUT)
    assert f"{place.names.transitions} has 3" in sentence


def test_a_log_without_definitions(place: Place) -> None:
    create_topics(place.servers, place.names.namespace, partitions=4)
    sentence = _sentence(place.worker(), EXIT_UNAVAILABLE)
    assert "partition 0, 1, 2, 3 has no definitions yet" in sentence
    assert "segue apply" in sentence


def test_a_log_that_begins_with_another_record(place: Place) -> None:
    create_topics(place.servers, place.names.namespace, partitions=1)
    append(place.servers, place.names.tracking, 0, b'{"type":"tick"}')
    assert "begins with another record than definitions" in _sentence(place.worker(), EXIT_BAD_INPUT)


def test_a_redis_that_may_evict_keys(place: Place, own_redis: LocalRedis) -> None:
    place.prepare("create")
    own_redis.client().config_set("maxmemory-policy", "allkeys-lru")
    sentence = _sentence(place.worker(SEGUE_REDIS_URL=own_redis.url), EXIT_BAD_INPUT)
    assert "maxmemory-policy allkeys-lru: expected noeviction" in sentence


def test_a_second_broker_with_another_log(place: Place, own_kafka: Broker) -> None:
    place.prepare("create")
    worker = place.worker()
    place.wait_until_folded()
    assert worker.terminate() == EXIT_DONE
    elsewhere = {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": own_kafka.bootstrap_servers}
    for command in (
        ["topics", "create", "--partitions", str(PARTITIONS), "--timestamps", "create"],
        ["apply", str(place.definitions), "--at", "2026-02-28T00:00:00Z"],
    ):
        assert place.commands.run(*command, environment=elsewhere).returncode == 0
    before = place.state()
    sentence = _sentence(place.worker(**elsewhere), EXIT_BAD_INPUT)
    assert "log" in sentence
    assert place.state() == before, "the state of the first log is left alone"


def test_a_topic_that_was_deleted_and_made_again(place: Place) -> None:
    place.prepare("create")
    worker = place.worker()
    place.wait_until_folded()
    assert worker.terminate() == EXIT_DONE
    admin = AdminClient({"bootstrap.servers": place.servers})
    for deleted in admin.delete_topics([place.names.tracking]).values():
        deleted.result(30)
    place.command("topics", "create", "--partitions", str(PARTITIONS), "--timestamps", "create")
    place.command("apply", str(place.definitions), "--at", "2026-02-28T00:00:00Z")
    assert "log" in _sentence(place.worker(), EXIT_BAD_INPUT)


def test_kafka_or_redis_that_is_down(commands: Commands) -> None:
    nowhere = commands.start("worker", environment={"SEGUE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"})
    assert "Kafka at 127.0.0.1:9" in _sentence(nowhere, EXIT_UNAVAILABLE)
    nowhere = commands.start("worker", environment={"SEGUE_REDIS_URL": "redis://:secret@127.0.0.1:9/0"})
    sentence = _sentence(nowhere, EXIT_UNAVAILABLE)
    assert "Redis at 127.0.0.1:9" in sentence
    assert "secret" not in nowhere.stderr


def test_settings_that_make_no_sense_all_at_once(commands: Commands) -> None:
    worker = commands.start("worker", environment={"SEGUE_TICKS": "maybe", "SEGUE_BATCH_RECORDS_MAX": "0"})
    sentence = _sentence(worker, EXIT_BAD_INPUT)
    assert "SEGUE_TICKS" in sentence
    assert "SEGUE_BATCH_RECORDS_MAX" in sentence
