"""The keys that are known here, by the digest of their secrets: those of the environment, and those of the topic."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from pydantic import SecretStr

from schemas.write_keys import KEYS_MAX, KeyEntry, KeyRecordType, KeyScope, decode_key_entry, secret_digest

_log = logging.getLogger(__name__)

Scope: TypeAlias = KeyScope
_WRITE: frozenset[Scope] = frozenset({"write"})
_UNBOUND: frozenset[str] = frozenset()


class Key(NamedTuple):
    """What a key stands for. Empty sets bind it to nothing."""

    source: str
    scopes: frozenset[Scope] = _WRITE
    id: str = ""
    origins: frozenset[str] = _UNBOUND
    events: frozenset[str] = _UNBOUND
    types: frozenset[str] = _UNBOUND
    events_per_s: int | None = None
    disabled: bool = False
    """It is known, and turned away for a while."""


class _Taken(NamedTuple):
    key: Key
    until_ms: int | None


class Keyring:
    """Finds a key by the digest of its secret.

    The digest of what a call shows is looked up, not the secret: nobody can choose a secret whose digest comes close
    to another, so the time that a look-up takes tells nothing.
    """

    def __init__(self, write_keys: Mapping[str, SecretStr]) -> None:
        """`write_keys` are those of the environment, by source: they may write, and last as long as the process."""
        self._fixed = {
            secret_digest(secret.get_secret_value().encode()): _Taken(Key(source, id=source), None)
            for source, secret in write_keys.items()
        }
        self._entries: dict[bytes, KeyEntry] = {}
        self._values: dict[bytes, bytes] = {}
        self._taken: dict[bytes, _Taken] = dict(self._fixed)

    def find(self, digest: bytes, now_ms: int) -> Key | None:
        """The key of the secret with this digest, where it is taken at `now_ms`."""
        taken = self._taken.get(digest)
        if taken is None or (taken.until_ms is not None and now_ms >= taken.until_ms):
            return None
        return taken.key

    @property
    def values(self) -> Mapping[bytes, bytes]:
        """The keys of the topic as it has them, by their ids; those that cannot be read are not among them."""
        return self._values

    def replace(self, values: Mapping[bytes, bytes | None]) -> None:
        """All that the topic says, in place of what was known of it. Who calls meanwhile finds either."""
        self._entries = {}
        self._values = {}
        self.put(values)

    def put(self, changes: Mapping[bytes, bytes | None]) -> None:
        """What the topic says last of some keys, by their ids. An entry that cannot be read is taken for none."""
        for key_id, value in changes.items():
            self._entries.pop(key_id, None)
            self._values.pop(key_id, None)
            entry = None if value is None else _read(key_id, value)
            if value is not None and entry is not None and len(self._entries) < KEYS_MAX:
                self._entries[key_id], self._values[key_id] = entry, value
            elif entry is not None:
                _log.error("key %s is passed over: there are %d already", entry.id, KEYS_MAX)
        taken = dict(self._fixed)
        for entry in self._entries.values():
            if entry.revoked_at is None:
                taken |= _secrets_of(entry)
        self._taken = taken  # at once, since another thread may be looking


def _read(key_id: bytes, value: bytes) -> KeyEntry | None:
    try:
        entry = decode_key_entry(value)
    except ValueError as error:
        _log.error("an entry of the topic of keys is passed over: %s", error)
        return None
    if entry.id.encode() != key_id:
        _log.error("an entry of the topic of keys is passed over: id: expected the key of its message")
        return None
    return entry


def _secrets_of(entry: KeyEntry) -> dict[bytes, _Taken]:
    types: frozenset[KeyRecordType] = frozenset(entry.types)
    key = Key(
        entry.source,
        frozenset(entry.scopes),
        entry.id,
        frozenset(entry.origins),
        frozenset(entry.events),
        frozenset(types),
        entry.events_per_s,
        disabled=entry.disabled_at is not None,
    )
    found = {}
    for secret in entry.secrets:
        ends = [end for end in (secret.valid_until, entry.expires_at) if end is not None]
        found[bytes.fromhex(secret.digest)] = _Taken(key, min(ends, default=None))
    return found
