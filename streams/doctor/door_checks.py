"""Checks of what the collector goes by, as it is set where the doctor runs: signs of machines, keys of links, hooks."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from schemas.instants import DAY_MS, format_instant
from streams.doctor.facts import DoorFacts, Facts
from streams.doctor.findings import Finding, error, ok, warning

SIGNS_AGE_MAX_MS = 180 * DAY_MS
"""Scanners take other names and networks within months; a new one that is not known counts as a person."""
_RENEW = "look at its sources again, and set SEGUE_MACHINE_SIGNS to a copy with a new as_of (segue link signs shows it)"


def door_settings(facts: Facts) -> Iterable[Finding]:
    """What is set for the collector can be read."""
    door = facts.door
    about = "settings of the collector"
    for problem in door.problems:
        yield error(about, problem, "settings that a collector starts with", "mend what it names")
    if not door.problems:
        yield ok(about, f"{door.link_keys} keys of links, {door.hooks} hooks")


def machine_signs(facts: Facts) -> Iterable[Finding]:
    """The signs by which machines are told from people are of these months."""
    as_of_ms = facts.door.signs_as_of_ms
    if as_of_ms is None:  # what is wrong is said of the settings
        return
    about, told = "signs of machines", f"{facts.door.signs_file}, as of {format_instant(as_of_ms)[:10]}"
    if as_of_ms > facts.now_ms + DAY_MS:  # a date has no zone
        yield warning(about, told, "a day that has been", _RENEW)
    elif facts.now_ms - as_of_ms > SIGNS_AGE_MAX_MS:
        yield warning(about, told, f"not older than {SIGNS_AGE_MAX_MS // DAY_MS} days", _RENEW)
    else:
        yield ok(about, told)


def links(facts: Facts) -> Iterable[Finding]:
    """Links of e-mails lead to the collector, and their keys are of use."""
    door, about = facts.door, "links of e-mails"
    if not door.link_keys:
        if door.link_base_url_set:
            expected = "keys, without which none are made or read"
            yield warning(about, "SEGUE_LINK_BASE_URL is set, SEGUE_LINK_KEYS is not", expected, "SEGUE_LINK_KEYS")
        return
    if door.twin_keys:
        fix = "give each its own secret in SEGUE_LINK_KEYS"
        yield warning(about, f"keys {', '.join(door.twin_keys)} have the same secret", "a secret for each", fix)
    told, fix = f"they begin with {door.link_base_url}", "SEGUE_LINK_BASE_URL=https://…"
    if _is_loopback(door):
        yield warning(about, told, "an address that readers of e-mails reach", fix)
    elif not door.link_base_url.startswith("https://"):
        yield warning(about, told, "https, else mail programs show no button to unsubscribe", fix)
    elif not door.twin_keys:
        yield ok(about, told)


def _is_loopback(door: DoorFacts) -> bool:
    host = urlsplit(door.link_base_url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
