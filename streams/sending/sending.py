"""Single records into the log, as a person sends them: checked as the worker will check them, told where they lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from pydantic import ValidationError

from schemas.errors import InputError, UnavailableError
from schemas.expectations import expectation
from schemas.record_models import RECORD_TYPES
from schemas.record_models import Track as TrackModel
from schemas.records import (
    Consent,
    ContactRecord,
    Erase,
    Identify,
    InvalidRecordError,
    ListMembership,
    Track,
    decode_record,
    encode_record,
)
from schemas.topics import partition_of, position_name
from streams.ports import LogWriter
from streams.sending.ports import Acknowledgement

PROGRESS_RECORDS = 1_000
RECORD_BYTES_MAX = 1_000_000
"""A topic takes records up to 1 MiB, the key and what Kafka adds included."""
_SHOWN_MAX = 80


class Outgoing(NamedTuple):
    """A record that is valid, and its bytes."""

    record: ContactRecord
    value: bytes


class Sent(NamedTuple):
    """A record that the broker has acknowledged."""

    record: ContactRecord
    partition: int
    offset: int | None  # None where the broker did not say
    timestamp_ms: int

    @property
    def position(self) -> str | None:
        """`tracking-3@1042`, as a transition's cause names it."""
        return None if self.offset is None else position_name(self.partition, self.offset)


def compose(fields: Mapping[str, Any]) -> Outgoing:
    """The record with these fields, as JSON has them.

    It has passed the way that it will pass in the worker, so it can be no dead letter. Raises `InputError` that names
    each wrong field with its value and with what was expected.
    """
    try:
        msgspec.json.encode(dict(fields))  # refuses what a terminal in another encoding makes of a letter
        model = RECORD_TYPES[fields["type"]].model_validate(fields)
        assert isinstance(model, TrackModel | Identify | Consent | Erase | ListMembership), "a record of a contact"
        value = encode_record(model)
        record = decode_record(value)
        assert isinstance(record, Track | Identify | Consent | Erase | ListMembership)
    except ValidationError as error:
        raise InputError("; ".join(_wrong(problem) for problem in error.errors(include_url=False))) from None
    except UnicodeEncodeError as error:
        raise InputError(f"expected text in UTF-8, found {error.object!r}") from None
    except InvalidRecordError as error:
        raise InputError(f"{fields['type']}: {error.detail}") from None
    if len(value) > RECORD_BYTES_MAX:
        raise InputError(f"{fields['type']}: expected at most {RECORD_BYTES_MAX} bytes as a record, found {len(value)}")
    return Outgoing(record, value)


def _wrong(problem: Mapping[str, Any]) -> str:
    path = ".".join(str(step) for step in problem["loc"])
    value = repr(problem["input"])
    shown = value if len(value) <= _SHOWN_MAX else value[:_SHOWN_MAX] + "…"
    return f"{path}: {expectation(problem)}, found {shown}"


class Acknowledgements:
    """Counts what the broker has acknowledged, and keeps where it lies; the `on_acknowledged` of a writer."""

    def __init__(self) -> None:
        self.count = 0
        self._places: defaultdict[int, list[Acknowledgement]] = defaultdict(list)

    def __call__(self, acknowledged: Acknowledgement) -> None:
        self.count += 1
        self._places[acknowledged.partition].append(acknowledged)

    def place(self, items: Sequence[Outgoing], partitions: int) -> list[Sent]:
        """Where each record lies, once all are acknowledged: within a partition in the order of sending."""
        places = {partition: iter(found) for partition, found in self._places.items()}
        sent = []
        for record, _ in items:
            partition, offset, timestamp_ms = next(places[partition_of(record.contact_id, partitions)])
            sent.append(Sent(record, partition, offset, timestamp_ms))
        return sent


def send(
    items: Sequence[Outgoing],
    writer: LogWriter,
    acknowledgements: Acknowledgements,
    partitions: int,
    timestamp_ms: int | None,
    on_progress: Callable[[int], None],
) -> list[Sent]:
    """Append records, wait until all are acknowledged, and say where they lie.

    Without `timestamp_ms` each is stamped with when it occurred; 0 leaves that to the broker.
    `on_progress` is called with the number handed over. Several are not one: when the broker fails, some are in
    the log and some are not, and the error says how many are for sure. Raises `InputError`, `UnavailableError`.
    """
    try:
        for number, (record, value) in enumerate(items, start=1):
            stamp_ms = record.occurred_at if timestamp_ms is None else timestamp_ms
            writer.append(value, contact_id=record.contact_id, timestamp_ms=stamp_ms)
            if number % PROGRESS_RECORDS == 0:
                on_progress(number)
        writer.flush()
    except (InputError, UnavailableError) as error:
        raise type(error)(
            f"{error}; {acknowledgements.count:,} of {len(items):,} records are in the log for sure, others may be; "
            "sending all of them again does no harm"
        ) from error
    return acknowledgements.place(items, partitions)
