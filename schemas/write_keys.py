"""The topic `keys`: who may send, and what, as `segue keys` decided it.

Compacted, one entry a key: the last value counts. It holds no secret, only the SHA-256 of each. Secrets are drawn at
random with 192 bits, so there is nothing to guess or to look up in a list, which a slow hash would be against; and a
fast one is worked out on every call.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from schemas.expectations import EVENT_NAME_PATTERN, ORIGIN_PATTERN, SOURCE_PATTERN
from schemas.record_models import Instant

KEY_SECRET_PREFIX: Final = "segue_"  # noqa: S105 - what all begin with
"""With it, whoever looks for leaked secrets knows one at once."""
KEY_SECRETS_MAX: Final = 4
KEY_NAMES_MAX: Final = 100
"""Origins, and names of events, that one key can be bound to."""
KEYS_MAX: Final = 10_000

KeyScope: TypeAlias = Literal["write", "read", "admin"]
"""What a key may do: send events, ask for what is stored, decide on contacts."""
KeyRecordType: TypeAlias = Literal["track", "identify", "consent"]

KeyId = Annotated[str, StringConstraints(pattern=r"^k_[a-z2-7]{8}$")]
KeySource = Annotated[str, StringConstraints(pattern=SOURCE_PATTERN)]
KeyOrigin = Annotated[str, StringConstraints(pattern=ORIGIN_PATTERN)]
_EventName = Annotated[str, StringConstraints(pattern=EVENT_NAME_PATTERN)]
_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class KeySecret(BaseModel):
    """One secret of a key; a key that is rotated has two for a while."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    digest: _Digest = Field(description="SHA-256 of the secret, in hexadecimal digits.")
    valid_until: Instant | None = Field(default=None, description="When it ceases to be taken; null: with the key.")


class KeyEntry(BaseModel):
    """A key, and what it may do. An empty list of origins, events or types binds it to none of them."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    id: KeyId = Field(description="Names the key in lists and logs; also the Kafka key.")
    source: KeySource = Field(description="The `source` of the records that are sent with it.")
    scopes: Annotated[list[KeyScope], Field(min_length=1, max_length=3)]
    origins: Annotated[list[KeyOrigin], Field(max_length=KEY_NAMES_MAX)] = Field(
        default_factory=list, description="Pages it may be used from, as browsers name them: `https://shop.example`."
    )
    events: Annotated[list[_EventName], Field(max_length=KEY_NAMES_MAX)] = Field(
        default_factory=list, description="Names of the events that may be sent with it."
    )
    types: Annotated[list[KeyRecordType], Field(max_length=3)] = Field(
        default_factory=list, description="Types of the records that may be sent with it."
    )
    events_per_s: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="Events a second that it may send, in place of the collector's setting."
    )
    created_at: Instant
    expires_at: Instant | None = None
    revoked_at: Instant | None = None
    disabled_at: Instant | None = Field(
        default=None, description="Since when it is turned away for a while; null: it is not."
    )
    secrets: Annotated[list[KeySecret], Field(min_length=1, max_length=KEY_SECRETS_MAX)]


def secret_digest(secret: bytes) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret).digest()


def decode_key_entry(raw: bytes) -> KeyEntry:
    """The entry in the value of a Kafka message, whose key is its id. Raises `ValueError` with what was expected."""
    try:
        return KeyEntry.model_validate(msgspec.json.decode(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"expected JSON in UTF-8: {error}") from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(step) for step in problem["loc"])
        raise ValueError(f"{path or 'entry'}: {problem['msg']}") from None


def encode_key_entry(entry: KeyEntry) -> bytes:
    """The bytes that go to Kafka."""
    return msgspec.json.encode(entry.model_dump())
