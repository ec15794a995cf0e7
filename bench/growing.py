"""What growth is measured on: definitions of any number of segments, and a log of contacts that exist already."""

from __future__ import annotations

import random

import yaml

from bench.stand import DAY_MS, START_MS, Place
from bench.traffic import Traffic

TOUCHED = 10
"""Segments that look at one name of event, where not all look at the same."""
_WINDOWS_DAYS = (1, 3, 7, 14, 30)
_COUNTS = 50
_SEED = 11


def definitions(segments: int, *, all_touched: bool) -> str:
    """Counts in windows and absences, ten over each name of event, or all over the same one."""
    found = {}
    for number in range(segments):
        event = event_name(0 if all_touched else number // TOUCHED)
        days = _WINDOWS_DAYS[number % len(_WINDOWS_DAYS)]
        count = {"performed": {"event": event, "within": f"{days}d", "at_least": 2 + number % _COUNTS}}
        absence = {"not_performed": {"event": event, "within": f"{1 + number % 6}h"}}
        found[f"segment_{number}"] = {"when": {"all": [count, absence]} if number % 5 == 4 else count}
    return yaml.safe_dump({"version": 1, "segments": found}, sort_keys=False)


def event_name(number: int) -> str:
    """The name of an event that ten segments look at."""
    return f"event_{number}"


def names_of(segments: int, *, all_touched: bool) -> list[str]:
    """Names of events in the traffic."""
    return [event_name(0)] if all_touched else [event_name(number) for number in range(-(-segments // TOUCHED))]


def write_log(place: Place, events: list[str] | None, loaded: int, drawn: int, *, hot_share: float = 0.0) -> int:
    """One event of each of `loaded` contacts, then `drawn` of contacts drawn evenly, over a month of event time.

    `events` are names that are drawn evenly, None the mix of the shop. `hot_share` of the drawn events are of one
    contact. Returns the records that lie in the log when all contacts have their first.
    """
    random_numbers = random.Random(_SEED)
    traffic = Traffic(place.servers, place.names.tracking, place.partitions, loaded)
    step_ms = max(1, 30 * DAY_MS // (loaded + drawn))
    records_before = 0
    for number in range(loaded + drawn):
        if number == loaded:
            traffic.flush()
            records_before = place.ends()
        hot = number >= loaded and random_numbers.random() < hot_share
        contact = number if number < loaded else 0 if hot else None
        name = None if events is None else random_numbers.choice(events)
        traffic.write(START_MS + number * step_ms, stamp=True, contact=contact, event=name)
    traffic.flush()
    return records_before
