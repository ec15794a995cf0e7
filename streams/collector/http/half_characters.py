"""JSON as JavaScript and Python write it of a text that was cut in the middle of a character."""

from __future__ import annotations

import re

# An escape at a time, so that an escaped backslash before a `u` is passed over: a whole pair, a half, any other.
_ESCAPES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def replace_halves(raw: bytes) -> bytes:
    """The same JSON with U+FFFD for each half of a surrogate pair that stands alone, and nothing else changed.

    `JSON.stringify` and `json.dumps` write such halves where an emoji was cut in two, as by `title.slice(0, 80)`. They
    are no characters and cannot be encoded; refused, one of them would cost all events of its batch, since SDKs give
    up what is answered 400.
    """
    if b"\\ud" not in raw and b"\\uD" not in raw:
        return raw
    return _ESCAPES.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], raw)
