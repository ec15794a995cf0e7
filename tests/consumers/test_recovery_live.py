"""What survives what, on a real Kafka and a real Redis."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

import pytest
import redis
from confluent_kafka.admin import AdminClient

from tests.conftest import Kafka
from tests.consumers.conftest import StartWebhooks
from tests.consumers.monitoring import Monitoring
from tests.consumers.receiver import Receiver, Reply, Request
from tests.consumers.transitions import Made, TransitionLog, make
from tests.support.brokers import Broker
from tests.support.processes import Commands
from tests.support.redis_servers import LocalRedis
from tests.support.run_directory import free_port
from tests.support.waiting import wait_until


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def ids(made: list[Made]) -> list[str]:
    return [each.id for each in made]


class Held:
    """Answers all but some contacts' deliveries, which wait until they are let go."""

    def __init__(self, *contacts: str) -> None:
        self._contacts = contacts
        self._let_go = threading.Event()

    def __call__(self, request: Request) -> Reply:
        if request.data["contact_id"] in self._contacts:
            assert self._let_go.wait(60)
        return Reply()

    def let_go(self) -> None:
        self._let_go.set()


def forget_redis(client: redis.Redis, namespace: str) -> None:
    for key in client.scan_iter(f"{namespace}:*"):
        client.delete(key)


def forget_group(kafka: Kafka, namespace: str, role: str = "webhook") -> None:
    group = f"{namespace}.segue-{role}"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    admin.delete_consumer_groups([group])[group].result(20)


def test_after_kill_9_only_what_was_under_way_is_sent_again(
    start_webhooks: StartWebhooks,
    receiver: Receiver,
    transitions: TransitionLog,
    redis_client: redis.Redis,
    namespace: str,
) -> None:
    held = Held("slow")
    receiver.answer = held
    made = [make(1, "a"), make(2, "slow"), *(make(seq, f"c{seq}") for seq in range(3, 31)), make(31, "slow")]
    transitions.append(made)
    first = start_webhooks("--from", "beginning")
    key = f"{namespace}:{{tracking-0}}:consumer:webhook"
    # 28 of them are beyond the one that is held, and all of that is known in Redis.
    wait_until(lambda: redis_client.zcard(f"{key}:ahead") == 28, 30, "all but the held one to be settled")
    assert redis_client.hget(key, "seq") == "1"
    first.kill()
    held.let_go()
    second = start_webhooks()
    wait_until(lambda: "p0e1s31" in [request.id for request in receiver.answered], 30, "the rest")
    assert second.terminate() == 0
    assert Counter(receiver.ids) == Counter([*ids(made), "p0e1s2"])
    assert redis_client.hgetall(key) == {"epoch": "1", "seq": "31", "offset": "31"}
    assert not redis_client.exists(f"{key}:ahead")


def wait_for_attempts(receiver: Receiver, count: int) -> None:
    wait_until(lambda: len(receiver.requests) >= count, 30, f"{count} attempts")


def test_kill_9_at_any_moment_skips_nothing_and_keeps_each_contacts_order(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog
) -> None:
    made = [make(seq, f"c{seq % 23}") for seq in range(1, 601)]
    transitions.append(made)
    start = ["--from", "beginning"]
    for target in (150, 350):
        consumer = start_webhooks(*start)
        wait_for_attempts(receiver, target)
        consumer.kill()
        start = []
    last = start_webhooks()
    wait_until(lambda: set(receiver.ids) == set(ids(made)), 30, "every delivery")
    assert last.terminate() == 0
    firsts = list(dict.fromkeys(request.id for request in receiver.requests))
    for number in range(23):
        wanted = [each.id for each in made if each.transition.contact_id == f"c{number}"]
        assert [each for each in firsts if each in wanted] == wanted
    # Twice at most four were under way, and as many may have been answered in the last moment.
    assert len(receiver.requests) - len(made) <= 2 * 8


def test_a_lost_redis_sends_nothing_again_and_a_lost_group_neither(
    start_webhooks: StartWebhooks,
    receiver: Receiver,
    transitions: TransitionLog,
    redis_client: redis.Redis,
    kafka: Kafka,
    namespace: str,
) -> None:
    transitions.append([make(seq, f"c{seq}") for seq in range(1, 21)])
    first = start_webhooks("--from", "beginning")
    wait_until(lambda: len(receiver.answered) == 20, 30, "20 deliveries")
    assert first.terminate() == 0

    forget_redis(redis_client, namespace)
    transitions.append([make(21, "c")])
    second = start_webhooks()
    wait_until(lambda: len(receiver.answered) >= 21, 30, "the new one")
    assert second.terminate() == 0

    forget_group(kafka, namespace)
    transitions.append([make(22, "c")])
    third = start_webhooks()
    wait_until(lambda: len(receiver.answered) >= 22, 30, "the new one")
    assert third.terminate() == 0
    assert sorted(receiver.ids) == sorted(f"p0e1s{seq}" for seq in range(1, 23))

    forget_redis(redis_client, namespace)
    forget_group(kafka, namespace)
    fourth = start_webhooks()
    assert fourth.wait() == 1
    assert "--from beginning" in fourth.stderr
    transitions.append([make(23, "c")])
    fifth = start_webhooks("--from", "end")
    fifth.wait_for_output("go on from offset 23, after transition 23 of epoch 1")
    transitions.append([make(24, "c")])
    wait_until(lambda: len(receiver.answered) >= 23, 30, "the one after the end")
    assert fifth.terminate() == 0
    assert receiver.ids[22:] == ["p0e1s24"]


def test_a_consumer_that_began_before_the_first_transition_remembers_that_it_did(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog
) -> None:
    first = start_webhooks()
    first.wait_for_output("go on from offset 0, after transition 0")
    assert first.terminate() == 0
    transitions.append([make(1)])
    second = start_webhooks()
    wait_until(lambda: len(receiver.answered) == 1, 30, "the first transition")
    assert second.terminate() == 0


def test_a_topic_that_was_replaced_is_refused_until_told_where_to_begin(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog
) -> None:
    transitions.append([make(seq) for seq in range(1, 6)])
    first = start_webhooks("--from", "beginning")
    wait_until(lambda: len(receiver.answered) == 5, 30, "five deliveries")
    assert first.terminate() == 0
    transitions.delete()
    transitions.create()
    transitions.append([make(seq) for seq in range(1, 3)])
    refused = start_webhooks()
    assert refused.wait() == 1
    assert "ends at offset 2, but progress is at 5" in refused.stderr
    second = start_webhooks("--from", "beginning")
    wait_until(lambda: len(receiver.answered) == 7, 30, "the new topic's two")
    assert second.terminate() == 0
    third = start_webhooks()
    third.wait_for_output("go on from offset 2, after transition 2 of epoch 1")
    assert third.terminate() == 0


def test_a_gap_stops_its_partition_alone_until_it_is_accepted(
    kafka: Kafka, namespace: str, start_webhooks: StartWebhooks, receiver: Receiver
) -> None:
    transitions = TransitionLog(kafka.bootstrap_servers, namespace, partitions=2)
    lost = [make(1, "a"), make(3, "a"), make(4, "a")]
    whole = [make(seq, "b", partition=1) for seq in range(1, 5)]
    transitions.append([*lost, *whole])
    consumer = start_webhooks("--from", "beginning")
    wait_until(lambda: len(receiver.answered) == 5, 30, "all that may be delivered")
    monitoring = Monitoring(consumer)
    wait_until(lambda: monitoring.metric("segue_consumer_gaps_total") == 1, 10, "the alarm")
    assert monitoring.metric("segue_consumer_partitions_stopped") == 1
    status, body = monitoring.probe("/readyz")
    assert status == 503
    assert body["problems"] == [
        "partition 0 stopped at offset 1: expected transition 2 of epoch 1, found 3. Find out where the missing ones "
        "are; to go on without them, start once with --accept-gap"
    ]
    assert monitoring.probe("/healthz")[0] == 200
    assert consumer.terminate() == 1
    assert body["problems"][0] in consumer.stderr
    again = start_webhooks()
    again.wait_for_output("partition 0 stopped")
    assert again.terminate() == 1
    assert sorted(receiver.ids) == ["p0e1s1", *ids(whole)]
    accepting = start_webhooks("--accept-gap")
    wait_until(lambda: len(receiver.answered) == 7, 30, "what comes after the gap")
    assert accepting.terminate() == 0
    assert receiver.ids[5:] == ["p0e1s3", "p0e1s4"]


def test_a_raised_epoch_is_followed(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog
) -> None:
    transitions.append([make(1), make(2), make(1, epoch=2), make(3), make(2, epoch=2)])
    consumer = start_webhooks("--from", "beginning")
    wait_until(lambda: len(receiver.answered) == 4, 30, "both epochs")
    assert consumer.terminate() == 0
    assert receiver.ids == ["p0e1s1", "p0e1s2", "p0e2s1", "p0e2s2"]


def test_two_consumers_share_the_partitions_and_one_takes_over_from_the_other(
    kafka: Kafka, namespace: str, start_webhooks: StartWebhooks, receiver: Receiver
) -> None:
    transitions = TransitionLog(kafka.bootstrap_servers, namespace, partitions=2)
    made = [make(seq, f"c{seq % 5}", partition=partition) for seq in range(1, 41) for partition in (0, 1)]
    transitions.append(made[:20])
    first = start_webhooks("--from", "beginning")
    wait_until(lambda: len(receiver.answered) == 20, 30, "the first ones")
    second = start_webhooks()
    second.wait_for_output(r"partition \d: go on")
    transitions.append(made[20:50])
    wait_until(lambda: len(receiver.answered) == 50, 30, "those of both consumers")
    for consumer in (first, second):
        monitoring = Monitoring(consumer)
        series = [monitoring.metric("segue_consumer_lag_records", partition=str(number)) for number in (0, 1)]
        assert series.count(None) == 1
    first.kill()
    transitions.append(made[50:])
    wait_until(lambda: len(receiver.answered) == 80, 30, "the rest, by the one that is left")
    assert second.terminate() == 0
    assert sorted(receiver.ids) == sorted(ids(made))


def test_a_consumer_that_was_stopped_for_too_long_sends_nothing_more_than_was_under_way(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog
) -> None:
    held = Held("a", "b", "c", "d")
    receiver.answer = held
    made = [make(seq, contact) for seq, contact in enumerate("abcd" * 10, start=1)]
    transitions.append(made)
    zombie = start_webhooks("--from", "beginning")
    wait_until(lambda: len(receiver.requests) == 4, 30, "four attempts")
    zombie.pause()
    successor = start_webhooks()
    successor.wait_for_output("partition 0: go on from offset 0")
    held.let_go()
    wait_until(lambda: len(receiver.answered) >= 44, 30, "everything, by the successor")
    zombie.resume()
    zombie.wait_for_output("have another owner")
    transitions.append([make(41, "a")])
    wait_until(lambda: "p0e1s41" in receiver.ids, 30, "one more")
    assert zombie.terminate() == 0
    assert successor.terminate() == 0
    assert Counter(receiver.ids) == Counter([*ids(made), *ids(made[:4]), "p0e1s41"])


def test_a_rebalance_waits_for_what_is_under_way(
    kafka: Kafka, namespace: str, start_webhooks: StartWebhooks, receiver: Receiver
) -> None:
    transitions = TransitionLog(kafka.bootstrap_servers, namespace, partitions=2)
    held = Held("a", "b")
    receiver.answer = held
    made = [make(seq, contact, partition=number) for number, contact in enumerate("ab") for seq in (1, 2, 3)]
    transitions.append(made)
    first = start_webhooks("--from", "beginning")
    wait_until(lambda: len(receiver.requests) == 2, 30, "one attempt a contact")
    second = start_webhooks()
    # The one that leaves its partition is asked to while its delivery is under way.
    Monitoring(second)
    held.let_go()
    second.wait_for_output(r"partition \d: go on from offset \d")
    wait_until(lambda: len(receiver.answered) == 6, 30, "everything")
    assert first.terminate() == 0
    assert second.terminate() == 0
    assert sorted(receiver.ids) == sorted(ids(made))


def test_redis_may_go_and_come_back(
    start_webhooks: StartWebhooks, receiver: Receiver, transitions: TransitionLog, own_redis: LocalRedis
) -> None:
    consumer = start_webhooks("--from", "beginning", SEGUE_REDIS_URL=own_redis.url)
    monitoring = Monitoring(consumer)
    transitions.append([make(1)])
    wait_until(lambda: len(receiver.answered) == 1, 30, "a delivery")
    own_redis.kill()
    transitions.append([make(seq) for seq in range(2, 6)])
    wait_until(lambda: len(receiver.answered) == 5, 30, "deliveries without Redis")
    wait_until(lambda: "Redis does not answer" in monitoring.probe("/readyz")[1]["problems"], 30, "to be told")
    own_redis.start()
    wait_until(lambda: monitoring.probe("/readyz")[0] == 200, 30, "to be ready again")
    with redis.Redis.from_url(own_redis.url, decode_responses=True) as client:
        [key] = client.scan_iter("*:consumer:webhook")
        wait_until(lambda: client.hget(key, "seq") == "5", 10, "progress in Redis")
    assert consumer.terminate() == 0
    assert receiver.ids == [f"p0e1s{seq}" for seq in range(1, 6)]


def test_kafka_may_go_and_come_back(
    start_webhooks: StartWebhooks, receiver: Receiver, own_kafka: Broker, namespace: str
) -> None:
    transitions = TransitionLog(own_kafka.bootstrap_servers, namespace)
    consumer = start_webhooks("--from", "beginning", SEGUE_KAFKA_BOOTSTRAP_SERVERS=own_kafka.bootstrap_servers)
    monitoring = Monitoring(consumer)
    transitions.append([make(1)])
    wait_until(lambda: len(receiver.answered) == 1, 30, "a delivery")
    own_kafka.kill()
    wait_until(lambda: monitoring.probe("/readyz")[0] == 503, 30, "to be told")
    assert monitoring.probe("/healthz")[0] == 200
    own_kafka.start()
    transitions.append([make(2)])
    wait_until(lambda: len(receiver.answered) == 2, 60, "the next delivery")
    assert consumer.terminate() == 0
    assert receiver.ids == ["p0e1s1", "p0e1s2"]


def test_without_kafka_or_redis_or_the_topic_there_is_one_clear_sentence(
    start_webhooks: StartWebhooks, commands: Commands, namespace: str
) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    no_kafka = start_webhooks(SEGUE_KAFKA_BOOTSTRAP_SERVERS=nowhere, SEGUE_CONSUMER_KAFKA_TIMEOUT_MS="1000")
    no_redis = start_webhooks(SEGUE_REDIS_URL=f"redis://:hunter2@{nowhere}")
    no_topic = start_webhooks()
    no_secret = start_webhooks(SEGUE_WEBHOOK_SECRETS="")
    no_url = commands.start("consumer", "webhook")
    assert (no_kafka.wait(), "does not answer" in no_kafka.stderr) == (75, True)
    assert (no_redis.wait(), "Redis does not answer" in no_redis.stderr) == (75, True)
    assert "hunter2" not in no_redis.stderr
    assert no_topic.wait() == 1
    assert f"topic {namespace}.transitions does not exist" in no_topic.stderr
    assert (no_secret.wait(), "segue consumer webhook secret" in no_secret.stderr) == (1, True)
    assert (no_url.wait(), "give --url" in no_url.stderr) == (1, True)
    for ended in (no_kafka, no_redis, no_topic, no_secret, no_url):
        assert "Traceback" not in ended.stderr
