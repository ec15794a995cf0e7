"""Contacts of a fold that has no store: those used lately as the core works on them, all others encoded.

An encoded contact takes about a tenth of the memory. Encoding one and decoding it again changes nothing of what it
will do, so the bound shows in memory and in speed, never in a result.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, MutableMapping, ValuesView
from itertools import chain

from streams.segmentation import Contact, Core
from streams.segmentation.stored import decode_stored


class PackedContacts(MutableMapping[str, Contact]):
    """Contacts by key. A contact that was taken out may be changed until the next one is taken out or put in."""

    def __init__(self, core: Core, decoded_max: int) -> None:
        """At most `decoded_max` contacts, at least 1, are kept decoded."""
        self._core = core
        self._decoded_max = max(1, decoded_max)
        self._decoded: OrderedDict[str, Contact] = OrderedDict()  # least recently used first
        self._encoded: dict[str, bytes] = {}

    def __getitem__(self, key: str) -> Contact:
        contact = self._decoded.get(key)
        if contact is not None:
            self._decoded.move_to_end(key)
            return contact
        contact = self._core.decode(key, self._encoded.pop(key))
        self[key] = contact
        return contact

    def __setitem__(self, key: str, contact: Contact) -> None:
        self._encoded.pop(key, None)
        self._decoded[key] = contact
        self._decoded.move_to_end(key)
        if len(self._decoded) > self._decoded_max:
            self._pack()

    def _pack(self) -> None:
        key, contact = self._decoded.popitem(last=False)
        raw = self._core.encode(contact)
        if raw is not None:
            self._encoded[key] = raw

    def __delitem__(self, key: str) -> None:
        if self._decoded.pop(key, None) is None:
            del self._encoded[key]

    def __contains__(self, key: object) -> bool:
        return key in self._decoded or key in self._encoded

    def __iter__(self) -> Iterator[str]:
        return chain(self._decoded, self._encoded)

    def __len__(self) -> int:
        return len(self._decoded) + len(self._encoded)

    def ids(self) -> Iterator[tuple[str, str | None]]:
        """Key and contact id of every contact; None for an id of which only an erasure's remains are left."""
        for key, contact in self._decoded.items():
            yield key, contact.contact_id
        for key, raw in self._encoded.items():
            yield key, decode_stored(raw).contact_id

    def put_encoded(self, key: str, raw: bytes) -> None:
        """Put a contact in by its stored form."""
        self._decoded.pop(key, None)
        self._encoded[key] = raw

    def pop_encoded(self, key: str) -> bytes | None:
        """Take a contact out in its stored form; None for one of which nothing is stored."""
        contact = self._decoded.pop(key, None)
        return self._encoded.pop(key, None) if contact is None else self._core.encode(contact)

    def values(self) -> ValuesView[Contact]:
        """All contacts, to be read one by one: of those that are encoded, a copy each."""
        return _Values(self, self._core, self._decoded, self._encoded)


class _Values(ValuesView[Contact]):
    """Goes over all contacts without turning out those that were used lately."""

    def __init__(
        self, contacts: PackedContacts, core: Core, decoded: OrderedDict[str, Contact], encoded: dict[str, bytes]
    ) -> None:
        super().__init__(contacts)
        self._core = core
        self._decoded = decoded
        self._encoded = encoded

    def __iter__(self) -> Iterator[Contact]:
        yield from self._decoded.values()
        for key, raw in self._encoded.items():
            yield self._core.decode(key, raw)
