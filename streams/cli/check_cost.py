"""How `segue check --cost` shows what definitions cost, as a table and as data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from streams.segmentation.cost import Cost, Kept, PlaceCost
from streams.segmentation.references import Place

_WIDEST = 110
_SHOWN = 4
"""Names of segments and scores that are written out."""


def as_json(cost: Cost) -> dict[str, Any]:
    """The cost as data. `bytes_max` is null where it is as large as it was sent: for traits."""
    return {
        "segments": [_place(place) for place in cost.places if place.place.kind == "segments"],
        "scores": [_place(place) for place in cost.places if place.place.kind == "scores"],
        "contact": {
            "bytes_max": cost.bytes_max,
            "traits": [kept.words[0] for kept in cost.kept if kept.bytes_max is None],
            "kept": [_kept(kept) for kept in (*cost.base, *cost.kept)],
        },
    }


def _place(cost: PlaceCost) -> dict[str, Any]:
    return {
        "name": cost.place.name,
        "bytes_max": cost.bytes_max,
        "events": list(cost.events),
        **{kind: _named(cost.facts, prefix) for kind, prefix in _FACTS.items()},
        "time_alone": cost.timed,
        "keeps": [_kept(kept, cost.place) for kept in cost.kept],
    }


def _kept(kept: Kept, by: Place | None = None) -> dict[str, Any]:
    places = [str(place) for place in kept.places if place != by]
    return {"what": list(kept.words), "bytes_max": kept.bytes_max, "places" if by is None else "shared_with": places}


_FACTS = {"traits": "trait:", "consents": "consent:", "lists": "list:"}


def _named(facts: Iterable[str], prefix: str) -> list[str]:
    return [name.removeprefix(prefix) for name in facts if name.startswith(prefix)]


def show(cost: Cost) -> None:
    """Print the cost for a person: on a terminal as wide as that is useful, else plain."""
    console = Console(highlight=False)
    console.width = min(console.width, _WIDEST)
    with console.capture() as captured:
        console.print(_table(cost))
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def _table(cost: Cost) -> Table:
    rows = Table(box=None, pad_edge=False, padding=(0, 0, 0, 2), show_header=True, header_style="bold")
    rows.add_column("kept for one contact", overflow="fold")
    rows.add_column("bytes, at most", justify="right", no_wrap=True)
    for place in cost.places:
        _add_place(rows, place)
    _add_contact(rows, cost)
    return rows


def _add_place(rows: Table, cost: PlaceCost) -> None:
    rows.add_row("", "")
    rows.add_row(Text(f"{cost.place.kind.removesuffix('s')} {cost.place.name}", "bold"), Text(_sum(cost.kept), "bold"))
    for kept in cost.kept:
        for words in kept.words[:-1]:
            rows.add_row(_indented(words), "")
        rows.add_row(_indented(kept.words[-1]), _bytes(kept.bytes_max))
        others = [place for place in kept.places if place != cost.place]
        if others:
            rows.add_row(_indented(f"shared with {_names(others)}", 4, "dim"), "")
    if not cost.kept:
        rows.add_row(_indented("nothing of its own"), "")
    rows.add_row(_indented(f"touched by {_touched(cost)}", 2, "dim"), "")


def _add_contact(rows: Table, cost: Cost) -> None:
    rows.add_row("", "")
    whole = Text("a contact as a whole, what is shared counted once", "bold")
    rows.add_row(whole, Text(_sum(cost.kept, cost), "bold"))
    rows.add_row(_indented("all of the above"), _sum(cost.kept))
    for kept in cost.base:
        rows.add_row(_indented(kept.words[0]), _bytes(kept.bytes_max))


def _indented(text: str, columns: int = 2, style: str = "") -> Padding:
    return Padding(Text(text, style), (0, 0, 0, columns))


def _sum(kept: Sequence[Kept], whole: Cost | None = None) -> str:
    """Their bytes together, and a word on traits, which are as large as they were sent."""
    total = sum(each.bytes_max or 0 for each in kept) if whole is None else whole.bytes_max
    return f"{total:,}" + " + traits" * any(each.bytes_max is None for each in kept)


def _bytes(most: int | None) -> str:
    return "as sent" if most is None else f"{most:,}"


def _names(places: Sequence[Place]) -> str:
    shown = [place.name if place.kind == "segments" else f"score {place.name}" for place in places[:_SHOWN]]
    more = len(places) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _touched(cost: PlaceCost) -> str:
    facts = [
        f"{kind.removesuffix('s')} {name}" for kind, prefix in _FACTS.items() for name in _named(cost.facts, prefix)
    ]
    what = [*cost.events, *facts, *(["time alone"] if cost.timed else [])]
    return ", ".join(what) or "a contact's first record alone"
