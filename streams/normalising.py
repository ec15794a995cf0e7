"""One spelling for what people write in several: addresses, phone numbers, names, countries, numbers and dates.

Forms and imports go through here, so that the same person is the same contact whichever way they came. Each function
raises `ValueError` that says what was expected, and gives back unchanged what it gave before.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from functools import lru_cache

import idna
import phonenumbers
import pycountry

from schemas.record_models import ANONYMOUS_PREFIX, CONTACT_CHARACTERS_MAX

EMAIL_BYTES_MAX = 254
LOCAL_PART_BYTES_MAX = 64
NAME_CHARACTERS_MAX = 256
INTEGER_MAX = 2**53
"""Past it, readers of JSON in other languages round."""

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010FFFF-]+"
_LOCAL_PART = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_SPACES = re.compile(r"\s+")
_YES = {"on", "yes", "true", "1"}
_NO = {"", "off", "no", "false", "0"}
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_COUNTRIES_BY_HABIT = {"UK": "GB", "EL": "GR"}
"""Codes in wide use that ISO 3166 keeps free for just these countries."""


def email_address(text: str) -> str:
    """The address in lower case, its domain in ASCII (`Ann@Bücher.Example` is `ann@xn--bcher-kva.example`).

    By the letter of RFC 5321 the part before the @ may tell cases apart; no provider of note does, and people write
    both, and in Japan also `ａｎｎ`. Dots and `+tags` in it are kept: whether they matter is the provider's to say.
    """
    local, at, domain = unicodedata.normalize("NFKC", text.strip()).rpartition("@")
    local = unicodedata.normalize("NFKC", local.lower())
    if not at or not _LOCAL_PART.fullmatch(local) or not local.isprintable():
        raise ValueError("expected an e-mail address like name@example.org")
    if len(local.encode()) > LOCAL_PART_BYTES_MAX:
        raise ValueError(f"expected at most {LOCAL_PART_BYTES_MAX} bytes in front of the @")
    address = f"{local}@{_domain(domain)}"
    if len(address.encode()) > EMAIL_BYTES_MAX:
        raise ValueError(f"expected an e-mail address of at most {EMAIL_BYTES_MAX} bytes")
    return address


@lru_cache(maxsize=4_096)  # many people share few domains, and a file of contacts has many people
def _domain(text: str) -> str:
    try:
        domain = idna.encode(text, uts46=True, std3_rules=True).decode().removesuffix(".").lower()
    except (idna.IDNAError, UnicodeError):
        domain = ""
    labels = domain.split(".")
    # An address in digits is a host's, which nobody has their mail at.
    if len(labels) < 2 or labels[-1].isdecimal():
        raise ValueError("expected a domain like example.org after the @")
    return domain


def known_contact(text: str) -> str:
    """The id of a contact that is known, as it is written: it must not pass for an anonymous one."""
    if len(text) > CONTACT_CHARACTERS_MAX or text.startswith(ANONYMOUS_PREFIX):
        raise ValueError(
            f"expected at most {CONTACT_CHARACTERS_MAX} characters that do not begin with {ANONYMOUS_PREFIX}"
        )
    return text


def phone_number(text: str, country: str | None = None) -> str:
    """The number in E.164 (`+33123456789`). `country` (ISO 3166, two letters) is meant where it does not begin with +.

    Whether it is of a right length is checked, and not whether its range is in use: new ranges come into use, and the
    list of them is only as new as the library.
    """
    try:
        number = phonenumbers.parse(unicodedata.normalize("NFKC", text), country)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        hint = "" if country else " that begins with + and the country's code"
        raise ValueError(f"expected a phone number{hint}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def plain_text(text: str, characters_max: int = NAME_CHARACTERS_MAX) -> str:
    """A name or another line of text: one space between words and none around them, in NFC, nothing invisible."""
    line = unicodedata.normalize("NFC", _SPACES.sub(" ", text).strip())
    if not 1 <= len(line) <= characters_max:
        raise ValueError(f"expected 1 to {characters_max} characters")
    # What is printable is none of these; to look at each character takes much longer.
    if not line.isprintable() and any(unicodedata.category(one) in ("Cc", "Cs", "Co", "Cn") for one in line):
        raise ValueError("expected text without control characters")
    return line


def country_code(text: str) -> str:
    """The two letters of ISO 3166-1: `FR` of `fr`, `FRA`, `France` and `French Republic`, all in any case."""
    line = _SPACES.sub(" ", unicodedata.normalize("NFKC", text)).strip()
    habit = _COUNTRIES_BY_HABIT.get(line.upper())
    if habit is not None:
        return habit
    try:
        country = pycountry.countries.lookup(line)
    except LookupError:
        raise ValueError("expected a country: its code in ISO 3166, or its English name") from None
    return str(country.alpha_2)


def truth(text: str) -> bool:
    """What a box that is ticked, or a column of yes and no, says; nothing is no."""
    word = text.strip().lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ValueError("expected on, yes, true or 1, or nothing, off, no, false or 0")


def decimal_number(text: str) -> float | int:
    """A number in digits, without an exponent; whole ones without a fraction."""
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError("expected a number like 12.5")
    number = float(text)
    return int(number) if number.is_integer() and abs(number) <= INTEGER_MAX else number


def calendar_date(text: str) -> str:
    """A day that exists, as `2026-11-21`."""
    try:
        if not _DATE.fullmatch(text.strip()):
            raise ValueError
        return datetime.date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        raise ValueError("expected a date like 2026-11-21") from None
