"""A contact as the state in Redis has it, to explain it or to hold it against the log."""

from __future__ import annotations

from typing import Literal

from schemas.errors import InputError
from schemas.topics import partition_of, position_name
from streams.adapters.redis_inspect import StateInspector, StoredContact
from streams.explaining.replay import Replay
from streams.segmentation import Core, contact_key, parse_canonical
from streams.segmentation.explanation import Explainer


def stored_explainer(inspector: StateInspector, contact_id: str) -> Explainer:
    """Explains a contact from its state alone, at the clock of its partition.

    Raises `InputError` for a contact that is not known, and where there is no state.
    """
    partition = partition_of(contact_id, inspector.partitions())
    key = contact_key(contact_id)
    stored = inspector.contact(partition, key)
    if stored.definitions is None:
        raise InputError(f"partition {partition} of the log holds no definitions yet: run `segue apply`, then a worker")
    core = Core(parse_canonical(stored.definitions))
    contact = core.new(contact_id) if stored.raw is None else core.decode(key, stored.raw)
    if not contact.exists:
        raise InputError(f"the contact {contact_id} is not known" + (", it was erased" if contact.erased else ""))
    # A crowd of timers is committed in parts: some of the contact's may be due and not committed yet.
    while contact.next_due is not None and contact.next_due <= stored.clock_ms:
        core.fire(contact, stored.clock_ms, position_name(partition, stored.offset), [])
    return Explainer(core, contact, stored.clock_ms)


def compared(stored: StoredContact, replay: Replay) -> Literal["same", "different", "behind", "ahead", "unknown"]:
    """How the state of a contact stands to its log, replayed up to an offset."""
    if stored.definitions is None:
        return "unknown"
    if stored.offset != replay.next_offset:
        return "behind" if stored.offset < replay.next_offset else "ahead"
    contact = replay.contact
    return "same" if stored.raw == (None if contact is None else replay.core.encode(contact)) else "different"
