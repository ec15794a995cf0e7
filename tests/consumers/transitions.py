"""Transitions as the worker's relay writes them, for tests that have no worker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from consumers.arrivals import RawMessage
from schemas import transition_models as models
from schemas.transitions import Transition, encode_transition, known_transition

EFFECTIVE_AT = "2026-11-21T10:00:00.000Z"


@dataclass(frozen=True)
class Made:
    """A transition and its place."""

    partition: int
    seq: int
    epoch: int
    transition: Transition

    @property
    def id(self) -> str:
        return self.transition.transition_id

    @property
    def value(self) -> bytes:
        return encode_transition(self.transition)

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        return [
            ("partition", str(self.partition).encode()),
            ("seq", str(self.seq).encode()),
            ("epoch", str(self.epoch).encode()),
            ("position", f"{self.seq}.0".encode()),
            ("transition_id", self.id.encode()),
        ]

    def message(self, offset: int) -> RawMessage:
        """As it comes out of Kafka at `offset`."""
        return RawMessage(self.partition, offset, self.headers, self.value)


def make(seq: int, contact: str = "c1", *, partition: int = 0, epoch: int = 1) -> Made:
    """Transition `seq` of a partition."""
    body = {
        "transition_id": f"p{partition}e{epoch}s{seq}",
        "type": "segment.entered" if seq % 2 else "segment.exited",
        "contact_id": contact,
        "segment": "vip",
        "tags": ["gold"],
        "definition": "0" * 64,
        "sequence": seq,
        "effective_at": EFFECTIVE_AT,
        "detected_at": "2026-11-21T10:00:00.412Z",
        "cause": {"kind": "timer", "position": f"tracking-{partition}@{seq}"},
        "scores": {"engagement": 41.2},
        "valid_until": None,
    }
    return Made(partition, seq, epoch, known_transition(models.Transition.model_validate(body)))


class TransitionLog:
    """The topic `transitions` of a namespace on a real broker."""

    def __init__(self, bootstrap_servers: str, namespace: str, partitions: int = 1) -> None:
        self.topic = f"{namespace}.transitions"
        connection: dict[str, str | int | float | bool] = {"bootstrap.servers": bootstrap_servers, "log_level": 0}
        self._admin = AdminClient(connection)
        self._producer = Producer(connection | {"enable.idempotence": True, "linger.ms": 0})
        self._partitions = partitions
        self.create()

    def create(self) -> None:
        """Create the topic."""
        self._admin.create_topics([NewTopic(self.topic, self._partitions, 1)])[self.topic].result(30)

    def delete(self) -> None:
        """Delete the topic and all that is in it."""
        self._admin.delete_topics([self.topic])[self.topic].result(30)

    def append(self, made: Iterable[Made]) -> None:
        """Append, and return when the broker has them all."""
        for each in made:
            key = each.transition.contact_id.encode()
            self.append_raw(each.partition, each.value, each.headers, key, wait=False)
        assert self._producer.flush(30) == 0

    def append_raw(
        self,
        partition: int,
        value: bytes,
        headers: list[tuple[str, bytes]],
        key: bytes | None = None,
        *,
        wait: bool = True,
    ) -> None:
        """Append any bytes."""
        self._producer.produce(self.topic, value, key, partition, headers=list(headers))
        if wait:
            assert self._producer.flush(30) == 0
