"""A compacted topic of one partition, read whole and then followed, also when it is made anew."""

from __future__ import annotations

import time
from contextlib import ExitStack

from schemas.errors import UnavailableError
from schemas.kafka_connection import KafkaConnection
from streams.adapters.kafka.follower import KafkaFollower
from streams.adapters.kafka.topics import KafkaTopics
from streams.ports import LogIdentity

_READ_MS = 250


class KafkaCompactedFeed:
    """Gives what changes in the topic. Calls block; one thread calls at a time."""

    def __init__(
        self, connection: KafkaConnection, topic: str, *, timeout_ms: int = 5_000, identity_interval_ms: int = 5_000
    ) -> None:
        """`timeout_ms` bounds a question to Kafka, which is asked every `identity_interval_ms` if the topic is new."""
        self._connection = connection
        self._topic = topic
        self._timeout_s = timeout_ms / 1000
        self._identity_interval_s = identity_interval_ms / 1000
        self._topics = KafkaTopics(connection, timeout_ms)
        self._follower: KafkaFollower | None = None
        self._identity: LogIdentity | None = None
        self._identity_due = 0.0
        self.begun_anew = False
        self.answered = False

    @property
    def position(self) -> int:
        """The offset up to which the topic was read, 0 before the first time."""
        return 0 if self._follower is None else self._follower.positions[0]

    def read(self, timeout_ms: int) -> dict[bytes, bytes | None] | None:
        """What changed since the last call.

        The first one, and the first after the topic was made anew, gives all of it and sets `begun_anew`. None where
        the topic does not exist. Raises `UnavailableError`. `answered` is set where Kafka was asked, and not only
        listened to: it says nothing also while it is away.
        """
        self.begun_anew = self.answered = False
        if self._follower is None or self._is_another():
            return self._read_whole()
        return self._taken(self._follower, timeout_ms)

    def close(self) -> None:
        """Let go of the connection; the next `read` begins anew."""
        if self._follower is not None:
            self._follower.close()
            self._follower = None

    def _is_another(self) -> bool:
        if time.monotonic() < self._identity_due:
            return False
        if not self._topics.partition_counts([self._topic]):
            return True
        self._identity_due = time.monotonic() + self._identity_interval_s
        self.answered = self._topics.log_identity(self._topic) == self._identity
        return not self.answered

    def _read_whole(self) -> dict[bytes, bytes | None] | None:
        self.close()
        bounds = self._topics.log_bounds(self._topic)
        if not bounds:
            return None
        self._identity = self._topics.log_identity(self._topic)
        self._identity_due = time.monotonic() + self._identity_interval_s
        start, end = bounds[0]
        values: dict[bytes, bytes | None] = {}
        deadline = time.monotonic() + self._timeout_s
        with ExitStack() as unless_done:
            follower = KafkaFollower(self._connection, self._topic, {0: start})
            unless_done.callback(follower.close)
            while follower.positions[0] < end:
                values |= self._taken(follower, _READ_MS)
                if time.monotonic() > deadline:
                    raise UnavailableError(
                        f"Kafka at {self._connection.bootstrap_servers} did not send {self._topic} in time"
                    )
            unless_done.pop_all()
        self._follower = follower
        self.begun_anew = self.answered = True
        return values

    @staticmethod
    def _taken(follower: KafkaFollower, timeout_ms: int) -> dict[bytes, bytes | None]:
        return {message.key or b"": message.value for message in follower.read(timeout_ms)}
