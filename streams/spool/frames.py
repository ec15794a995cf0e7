"""The file format of the spool: frames behind one another, each of them whole or none.

A frame is a head, the contact's id and the record. The head holds a marker, the bytes of both, when the record came in,
and a checksum (BLAKE2b, 64 bits) over everything but itself. The marker has bytes that UTF-8 never has, and ids and
records are UTF-8: nothing that somebody sends can be taken for the beginning of a frame.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from typing import NamedTuple

from streams.ports import Entry

MARKER = b"\xf5\xff\xf5\xfe"
_HEAD = struct.Struct(">4sHIQ")
_SUM_BYTES = 8
HEAD_BYTES = _HEAD.size + _SUM_BYTES


class Frame(NamedTuple):
    """A record of the spool, and when the collector took it in (milliseconds since the epoch)."""

    arrived_ms: int
    entry: Entry


class Found(NamedTuple):
    """What a stretch of a file holds."""

    frames: list[Frame]
    damaged: int
    """Stretches that are no frames: bytes changed, or some are missing."""
    damaged_bytes: int
    unfinished_bytes: int
    """At the end, of a frame that was never written to its end, and so never acknowledged."""


def encode(entries: Iterable[Entry], arrived_ms: int) -> bytes:
    """The frames of some records."""
    pieces: list[bytes] = []
    for entry in entries:
        contact = entry.contact_id.encode()
        head = _HEAD.pack(MARKER, len(contact), len(entry.value), arrived_ms)
        pieces += (head, _checksum(head, contact, entry.value), contact, entry.value)
    return b"".join(pieces)


def find(content: bytes) -> Found:
    """Every whole frame, in order. What is damaged is passed over up to the next whole frame."""
    frames: list[Frame] = []
    at = damaged = damaged_bytes = 0
    while at < len(content):
        read = _read(content, at)
        if read is not None:
            frame, at = read
            frames.append(frame)
            continue
        following = _next_whole(content, at)
        if following is None:
            unfinished = _is_unfinished(content, at)
            rest = len(content) - at
            return Found(frames, damaged + (not unfinished), damaged_bytes + rest * (not unfinished), rest * unfinished)
        damaged += 1
        damaged_bytes += following - at
        at = following
    return Found(frames, damaged, damaged_bytes, 0)


def _checksum(head: bytes, contact: bytes, value: bytes) -> bytes:
    sum_ = hashlib.blake2b(head, digest_size=_SUM_BYTES)
    sum_.update(contact)
    sum_.update(value)
    return sum_.digest()


def _read(content: bytes, at: int) -> tuple[Frame, int] | None:
    """The frame at a place and where it ends; None where there is no whole one."""
    body = at + HEAD_BYTES
    if body > len(content):
        return None
    marker, contact_bytes, value_bytes, arrived_ms = _HEAD.unpack_from(content, at)
    end = body + contact_bytes + value_bytes
    if marker != MARKER or end > len(content):
        return None
    head, expected = content[at : at + _HEAD.size], content[at + _HEAD.size : body]
    contact, value = content[body : body + contact_bytes], content[body + contact_bytes : end]
    if _checksum(head, contact, value) != expected:
        return None
    return Frame(arrived_ms, Entry(contact.decode(), value)), end


def _next_whole(content: bytes, at: int) -> int | None:
    place = content.find(MARKER, at + 1)
    while place >= 0:
        if _read(content, place) is not None:
            return place
        place = content.find(MARKER, place + 1)
    return None


def _is_unfinished(content: bytes, at: int) -> bool:
    """Whether what lies at the end is the beginning of a frame, or what a file that grew without content holds."""
    rest = content[at:]
    if not rest.strip(b"\0"):
        return True
    if len(rest) < HEAD_BYTES:
        return rest[: len(MARKER)] == MARKER[: len(rest)]
    marker, contact_bytes, value_bytes, _ = _HEAD.unpack_from(rest)
    return bool(marker == MARKER and HEAD_BYTES + contact_bytes + value_bytes > len(rest))
