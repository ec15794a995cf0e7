"""`anniversary`: the local date is one of the days around an anniversary of a trait's date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from typing import Annotated, Any

from pydantic import Field

from streams.segmentation.calendars import Zone, first_instant, later, local, local_date
from streams.segmentation.conditions.trait import instant_of
from streams.segmentation.contact import Contact
from streams.segmentation.evidence import Evidence, Occurrence, Past
from streams.segmentation.patterns import Path
from streams.segmentation.problems import Spec
from streams.segmentation.quantities import NEVER
from streams.segmentation.units import LeafKind, Unit
from streams.segmentation.values import found
from streams.segmentation.wording import plural

_NEAR_YEARS = 2
_FAR_YEARS = 10
"""Leap years lie 8 years apart around 2100, and what surrounds an anniversary may begin in the year before."""
_FIRST_YEAR = 1000


class AnniversarySpec(Spec):
    """Today is one of the days around an anniversary of a trait's date."""

    trait: Path = Field(description="The trait that holds a date, by its dotted path.", examples=["birthday"])
    days_before: Annotated[int, Field(ge=0, le=365)] = Field(
        default=0, description="How many days before the anniversary it begins to hold.", examples=[7]
    )
    days: Annotated[int, Field(ge=1, le=365)] = Field(default=1, description="How many days it holds.", examples=[14])
    zone: Zone | None = Field(
        default=None,
        description="The time zone of the dates; that of the file if none is given.",
        examples=["Europe/Paris"],
    )


@dataclass(frozen=True, slots=True)
class AnniversaryEvidence(Evidence):
    """The date, and the days around its present or next anniversary."""

    kind = "anniversary"
    dates: tuple[str, ...]
    set_at: Occurrence | None
    today: str
    first_day: str | None
    last_day: str | None

    def found(self) -> str:
        if not self.dates:
            return "has no date"
        days = "no more days" if self.first_day is None else f"days {self.first_day} to {self.last_day}"
        return f"is {', '.join(self.dates)}: {days}; today is {self.today}"


class AnniversaryUnit(Unit):
    """Reads the trait; keeps nothing of its own."""

    def __init__(self, spec: AnniversarySpec, zone: tzinfo) -> None:
        super().__init__()
        self.timed = True
        self._steps = tuple(spec.trait.split("."))
        self._fact = f"trait:{self._steps[0]}"
        self._lead = timedelta(days=spec.days_before)
        self._length = timedelta(days=spec.days)
        self._zone = spec.zone or zone
        self.facts = frozenset({self._fact})

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:
        fact = contact.facts.get(self._fact)
        dates = [] if fact is None else self._dates({self._steps[0]: fact[1]})
        today = local(now_ms, self._zone).date()
        holds = any(self._around(today, born) for born in dates)
        # Where the days around one anniversary reach to the next, only leap years leave a gap: it may lie far ahead.
        for years in (_NEAR_YEARS, _FAR_YEARS):
            for edge in sorted({edge for born in dates for edge in self._edges(today, born, years)}):
                if any(self._around(edge, born) for born in dates) != holds:
                    return (self.mask if holds else 0), first_instant(edge, self._zone)
        return (self.mask if holds else 0), NEVER

    def evidence(self, contact: Contact, now_ms: int, past: Past, asked: Any) -> AnniversaryEvidence:  # noqa: ARG002 - one unit, one question
        fact = contact.facts.get(self._fact)
        dates = [] if fact is None else self._dates({self._steps[0]: fact[1]})
        today = local(now_ms, self._zone).date()
        begins = [begin for born in dates for begin in self._begins(self._from(today, born), born)]
        first = min((begin for begin in begins if later(begin, self._length) > today), default=None)
        return AnniversaryEvidence(
            tuple(born.isoformat() for born in dates),
            None if fact is None else past.fact(self._fact, fact[0]),
            today.isoformat(),
            None if first is None else first.isoformat(),
            None if first is None else later(first, self._length - timedelta(days=1)).isoformat(),
        )

    def _dates(self, root: dict[str, Any]) -> list[date]:
        dates = [_date_of(value, self._zone) for value in found(root, self._steps)]
        return [day for day in dates if day is not None]

    def _around(self, day: date, born: date) -> bool:
        """Whether `day` is one of the days around some anniversary of `born`."""
        return any(timedelta(0) <= day - begin < self._length for begin in self._begins(day, born))

    def _begins(self, day: date, born: date, years_ahead: int = _NEAR_YEARS) -> list[date]:
        """First days of what lies around the anniversaries near `day`."""
        years = range(max(born.year, day.year - _NEAR_YEARS), min(day.year + years_ahead, date.max.year) + 1)
        return [_anniversary(born, year) - self._lead for year in years]

    def _edges(self, today: date, born: date, years_ahead: int) -> list[date]:
        """Local dates after today at which the days around an anniversary begin or end."""
        begins = self._begins(self._from(today, born), born, years_ahead)
        return [edge for begin in begins for edge in (begin, later(begin, self._length)) if edge > today]

    def _from(self, today: date, born: date) -> date:
        """The day near which to look for what is to come: today, or later where the date itself is still to come."""
        # Years near the first one lie before every clock, and there is no date before them to count from.
        return max(today, born - self._lead - timedelta(days=1)) if born.year > _FIRST_YEAR else today


def _anniversary(born: date, year: int) -> date:
    """29 February is kept on the 28th in other years."""
    if (born.month, born.day) == (2, 29) and not (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)):
        return date(year, 2, 28)
    return born.replace(year=year)


def _date_of(value: Any, zone: tzinfo) -> date | None:
    """The date that a trait stands for, as written or the local date of a time; None where it stands for none."""
    instant_ms = instant_of(value)
    if instant_ms is None:
        return None
    return date.fromisoformat(value) if len(value) == len("2026-11-21") else local_date(instant_ms, zone)


def _wording(body: Any) -> str:
    before = body.get("days_before") or 0
    start = "on" if not before else f"from {plural(before, 'day')} before"
    length = "" if body.get("days", 1) == 1 else f", for {body['days']} days"
    return f"{start} an anniversary of {body['trait']}{length}"


ANNIVERSARY = LeafKind(AnniversarySpec, AnniversaryUnit, wording=_wording)
