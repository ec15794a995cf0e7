"""A Kafka broker of one process: the one inside librdkafka, which its makers test their client with.

`python -m streams.embedded.kafka_broker TOPIC…` creates the topics, prints `bootstrap.servers=HOST:PORT` and
serves until it gets a SIGTERM or SIGINT. It is in memory and loses everything with its end; a partition keeps
about 5 MiB, then the oldest goes without a word. It stamps no records (`CreateTime` only) and knows neither
CreateTopics nor DescribeConfigs, so topics are made here, by asking for their metadata.
"""

from __future__ import annotations

import re
import signal
import sys

from confluent_kafka import KafkaException, Producer

from schemas.errors import UnavailableError

PARTITIONS = 4
"""What librdkafka gives every topic; its Python binding has no way to ask for another number."""
_ANNOUNCEMENT = re.compile(r"^bootstrap\.servers=(\S+)$", re.MULTILINE)
_METADATA_TIMEOUT_S = 10.0


def broker_command(topics: tuple[str, ...]) -> list[str]:
    """The command line that serves `topics`."""
    return [sys.executable, "-P", "-m", "streams.embedded.kafka_broker", *topics]


def bootstrap_servers_in(output: str) -> str | None:
    """The address in what a broker has printed so far; None until it serves."""
    announcement = _ANNOUNCEMENT.search(output)
    return None if announcement is None else announcement[1]


def serve(topics: list[str]) -> None:
    """Serve until a SIGTERM or SIGINT. Raises `UnavailableError` where a topic cannot be made."""
    ending = {signal.SIGTERM, signal.SIGINT}
    # Before librdkafka starts its threads, so that they leave these signals to `sigwait`.
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    broker = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "127.0.0.1:1", "log_level": 3})
    try:
        for topic in topics:
            found = len(broker.list_topics(topic, timeout=_METADATA_TIMEOUT_S).topics[topic].partitions)
            if found != PARTITIONS:
                raise UnavailableError(f"embedded Kafka: {topic} has {found} partitions, expected {PARTITIONS}")
        servers = [f"{one.host}:{one.port}" for one in broker.list_topics(timeout=_METADATA_TIMEOUT_S).brokers.values()]
    except KafkaException as error:
        raise UnavailableError(f"embedded Kafka did not start: {error}") from None
    sys.stdout.write(f"bootstrap.servers={','.join(servers)}\n")
    sys.stdout.flush()
    signal.sigwait(ending)


if __name__ == "__main__":
    try:
        serve(sys.argv[1:])
    except UnavailableError as failure:
        sys.stderr.write(f"{failure}\n")
        sys.exit(failure.exit_code)
