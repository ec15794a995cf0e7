"""The life of a key: made, rotated, disabled and enabled, revoked.

Plain functions of its entry; `segue keys` keeps what they return.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from pydantic import ValidationError

from schemas.errors import InputError
from schemas.expectations import expectation
from schemas.instants import format_instant
from schemas.write_keys import KEY_SECRET_PREFIX, KEY_SECRETS_MAX, KeyEntry, KeySecret, secret_digest

SECRET_BYTES = 24
_ID_BYTES = 5

KeyState: TypeAlias = Literal["valid", "disabled", "expired", "revoked"]


class Issued(NamedTuple):
    """A key, and the secret of it that nobody can read again."""

    entry: KeyEntry
    secret: str


def issue(source: str, now_ms: int, **bounds: object) -> Issued:
    """A new key of a source; `bounds` are the fields of `KeyEntry` that bind it. Raises `InputError`."""
    secret = _draw_secret()
    fields: Mapping[str, object] = {
        "id": "k_" + base64.b32encode(secrets.token_bytes(_ID_BYTES)).decode().lower(),
        "source": source,
        "created_at": format_instant(now_ms),
        "secrets": [_kept(secret)],
        **bounds,
    }
    try:
        return Issued(KeyEntry.model_validate(fields), secret)
    except ValidationError as error:
        problems = (
            f"{'.'.join(str(step) for step in problem['loc'])}: {expectation(problem)}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise InputError("; ".join(problems)) from None


def rotate(entry: KeyEntry, now_ms: int, old_until_ms: int) -> Issued:
    """The key with a new secret; those that it has are taken until `old_until_ms` at most. Raises `InputError`."""
    state = state_of(entry, now_ms)
    if state == "disabled":
        raise InputError(f"key {entry.id} is disabled: enable it first")
    _check_lasting(entry, state)
    kept = [
        each.model_copy(update={"valid_until": min(old_until_ms, each.valid_until or old_until_ms)})
        for each in entry.secrets
        if each.valid_until is None or each.valid_until > now_ms
    ]
    if len(kept) >= KEY_SECRETS_MAX:
        raise InputError(f"key {entry.id} has {len(kept)} secrets that are still taken: wait until one is not any more")
    secret = _draw_secret()
    return Issued(entry.model_copy(update={"secrets": [*kept, _kept(secret)]}), secret)


def revoke(entry: KeyEntry, now_ms: int) -> KeyEntry:
    """The key, of no more use. One that was revoked before stays as it was."""
    return entry if entry.revoked_at is not None else entry.model_copy(update={"revoked_at": now_ms})


def disable(entry: KeyEntry, now_ms: int) -> KeyEntry:
    """The key, turned away until it is enabled; one that was disabled before stays as it was.

    Raises `InputError` for one that is over.
    """
    _check_lasting(entry, state_of(entry, now_ms))
    return entry if entry.disabled_at is not None else entry.model_copy(update={"disabled_at": now_ms})


def enable(entry: KeyEntry, now_ms: int) -> KeyEntry:
    """The key, taken again. Raises `InputError` for one that is over."""
    _check_lasting(entry, state_of(entry, now_ms))
    return entry.model_copy(update={"disabled_at": None})


def state_of(entry: KeyEntry, now_ms: int) -> KeyState:
    """Whether the key is taken at `now_ms`, and why not; what is for good goes before what is not."""
    if entry.revoked_at is not None:
        return "revoked"
    if entry.expires_at is not None and now_ms >= entry.expires_at:
        return "expired"
    return "valid" if entry.disabled_at is None else "disabled"


def _check_lasting(entry: KeyEntry, state: KeyState) -> None:
    if state in ("expired", "revoked"):
        raise InputError(f"key {entry.id} is {state}: create another one")


def _draw_secret() -> str:
    return KEY_SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def _kept(secret: str) -> KeySecret:
    return KeySecret(digest=secret_digest(secret.encode()).hex())
