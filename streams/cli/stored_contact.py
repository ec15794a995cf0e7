"""A contact as the state in Redis has it, to show it, to explain it or to hold it against the log."""

from __future__ import annotations

from typing import Literal, NamedTuple

from schemas.errors import InputError, SegueError, UnavailableError
from schemas.settings import CommonSettings
from schemas.topics import partition_of
from streams.adapters.redis.inspect import StateInspector, StoredContact
from streams.explaining.replay import Replay
from streams.segmentation import Contact, Core, Definitions, Succession, contact_key, core_of, parse_canonical
from streams.segmentation.explanation import Explainer
from streams.segmentation.wording import printable

_TIMEOUT_MS = 1_000


class Known(NamedTuple):
    """What the state in Redis holds of a contact, read by the definitions that its partition has taken."""

    partition: int
    core: Core
    contact: Contact
    stored: StoredContact


def look_up(inspector: StateInspector, contact_id: str) -> Known:
    """The contact as it is stored; a new one where nothing is.

    Raises `InputError` where there is no state at all, and `UnavailableError` where there is none of its partition yet.
    """
    partition = partition_of(contact_id, inspector.partitions())
    key = contact_key(contact_id)
    stored = inspector.contact(partition, key)
    if stored.definitions is None:
        raise UnavailableError(
            f"no worker has folded partition {partition} into this Redis yet: start `segue worker`, or wait until it "
            "has come that far; see `segue status`"
        )
    core = core_of(parse_canonical(stored.definitions, stored.semantics))
    raw = stored.raw
    if stored.former is not None:
        # The change is made, and its steps are being committed: of this contact maybe not yet.
        succession = Succession(parse_canonical(stored.former.definitions, stored.former.semantics), core)
        raw = succession.settle(raw, stored.former.raw, stored.clock_ms).raw
    contact = core.new(contact_id) if raw is None else core.decode(key, raw)
    return Known(partition, core, contact, stored)


def active_definitions(settings: CommonSettings, partition: int) -> Definitions | None:
    """Those that hold in a partition, where its worker has come to some and Redis is there to say it."""
    inspector = StateInspector(settings.redis, settings.names, timeout_ms=_TIMEOUT_MS)
    try:
        held = inspector.definitions(partition)
    except SegueError:
        return None
    finally:
        inspector.close()
    return None if held is None else parse_canonical(*held)


def stored_explainer(inspector: StateInspector, contact_id: str) -> Explainer:
    """Explains a contact from its state alone, at the clock of its partition.

    Raises `InputError` for a contact that is not known, and what `look_up` raises.
    """
    partition, core, contact, stored = look_up(inspector, contact_id)
    if not contact.exists:
        if contact.linked_to is not None:
            raise InputError(
                f"the contact {printable(contact_id)} turned out to be {printable(contact.linked_to)}: ask for that one"
            )
        erased = ", it was erased" if contact.erased else ""
        raise InputError(f"the contact {printable(contact_id)} is not known{erased}")
    # A crowd of timers is committed in parts: some of the contact's may be due and not committed yet.
    while contact.next_due is not None and contact.next_due <= stored.clock_ms:
        core.fire(contact, stored.clock_ms, (partition, stored.offset), [])
    return Explainer(core, contact, stored.clock_ms)


def compared(stored: StoredContact, replay: Replay) -> Literal["same", "different", "behind", "ahead", "unknown"]:
    """How the state of a contact stands to its log, replayed up to an offset."""
    if stored.definitions is None:
        return "unknown"
    if stored.offset != replay.next_offset:
        return "behind" if stored.offset < replay.next_offset else "ahead"
    held = replay.core.definitions
    if (stored.definitions, stored.semantics) != (held.canonical, held.semantics):
        return "different"
    contact = replay.contact
    return "same" if stored.raw == (None if contact is None else replay.core.encode(contact)) else "different"
