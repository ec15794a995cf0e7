"""From the event names of tracking SDKs to those of records. Every name that says anything leads to one."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from schemas.event_names import STANDARD_NAMES
from schemas.expectations import EVENT_NAME_PATTERN

_OWN_NAME = re.compile(EVENT_NAME_PATTERN.replace("$", r"\Z"))
_WORD_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[^a-z0-9]+")
_NAME_CHARACTERS_MAX = 64
_DIGEST_CHARACTERS = 8

_IN_LATIN = {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i", "ß": "ss"}
# Unicode takes none of these apart into an ASCII letter and a mark.
_LETTERS = str.maketrans(
    _IN_LATIN | {letter.upper(): text.title() for letter, text in _IN_LATIN.items() if len(letter.upper()) == 1}
)
_CACHED_CHARACTERS_MAX = 64


class EventName(NamedTuple):
    """The name of a record, and whether more was changed than case, separators and a standard name."""

    text: str
    altered: bool = False


def event_name(given: str) -> EventName | None:
    """The record's name of an event: `Product Added` is `cart_add`, `Loyalty Card Scanned` `loyalty_card_scanned`.

    A name that a record may have is kept as it is. Accents are taken off; a name that would begin with a digit gets
    `event_` in front. Where letters of other scripts had to be left out, or the name is cut to 64 characters, it ends
    in the first digits of the whole name's SHA-256, so that two such names stay two. None where there is only white
    space.
    """
    return _cached_name(given) if len(given) <= _CACHED_CHARACTERS_MAX else _made_name(given)


def _made_name(given: str) -> EventName | None:
    if _OWN_NAME.match(given):
        return EventName(given)
    if not given.strip():
        return None
    if given.isascii():
        snake, altered, lost = _snake_case(given), False, False
    else:
        plain = _without_accents(given)
        snake, altered, lost = _snake_case(plain), True, any(letter.isalnum() and letter > "\x7f" for letter in plain)
    if not lost:
        snake = STANDARD_NAMES.get(snake, snake)
    if not snake[:1].isalpha():
        snake, altered, lost = f"event_{snake}".strip("_"), True, lost or not snake
    if lost or len(snake) > _NAME_CHARACTERS_MAX:
        digest = hashlib.sha256(unicodedata.normalize("NFC", given).encode()).hexdigest()[:_DIGEST_CHARACTERS]
        kept = snake[: _NAME_CHARACTERS_MAX - 1 - _DIGEST_CHARACTERS].rstrip("_")
        snake, altered = f"{kept}_{digest}", True
    return EventName(snake, altered)


def _snake_case(name: str) -> str:
    return _SEPARATORS.sub("_", _WORD_BOUNDARY.sub("_", name).lower()).strip("_")


def _without_accents(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.translate(_LETTERS))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


_cached_name = lru_cache(maxsize=1_024)(_made_name)  # a source sends few names, and each many times
