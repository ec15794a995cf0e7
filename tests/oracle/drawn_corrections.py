"""Random events of few contacts that are corrected over and over: in time, at the last instant and too late."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.oracle.correcting import looked_at
from tests.oracle.drawn_conditions import EVENTS
from tests.oracle.drawn_files import CONTACTS, files
from tests.oracle.drawn_records import START_MS, Case, drawn_track, text_of, widths_of
from tests.oracle.driving import Body
from tests.oracle.notation import duration_ms
from tests.oracle.writer import Taste

_KINDS = ("track", "track", "correction", "track", "correction", "early", "tick")
_DRAWN = st.tuples(st.sampled_from(_KINDS), st.integers(0, 999), st.integers(0, 999), st.integers(0, 15))


def _correction(number: int, style: int, event: Body) -> Body:
    return {
        "type": "correction",
        "event_id": f"correction-{number}",
        "contact_id": event["contact_id"],
        "corrects": event["event_id"],
        "machine": {"suspected": style % 3 != 1, "reasons": ["burst"]},
    }


def _track(number: int, style: int, place: int, names: list[str]) -> Body:
    body = drawn_track(number) | {"event_id": f"e{place}", "contact_id": CONTACTS[style // 14]}
    return body | {"event": names[number % len(names)]} if style % 8 else body


@st.composite
def corrected_cases(draw: st.DrawFn, taste: Taste, max_records: int = 16) -> Case:
    """A file under which most events can be corrected, events that it looks at, and corrections of these."""
    file = draw(files(taste))
    file.pop("deduplicate", None)
    widths = widths_of(file)
    texts = ("1s", "90s", "5m", "1h", "2h", "48h")
    file["correct"] = {"within": texts[draw(st.integers(0, 5))], "events": list(EVENTS[: draw(st.integers(1, 3))])}
    horizon = duration_ms(file["correct"]["within"])
    advances = (0, 0, 1, 999, horizon // 2, horizon // 3, horizon, horizon + 1, *widths, *(each - 1 for each in widths))
    names = sorted(looked_at(file)) or list(EVENTS)
    clock, bodies = START_MS, list[Body]()
    early: list[tuple[Body, int]] = []
    for place, (kind, number, step, style) in enumerate(draw(st.lists(_DRAWN, min_size=6, max_size=max_records))):
        clock += advances[step % len(advances)]
        events = [body for body in bodies if body["type"] == "track"]
        if kind == "tick":
            bodies.append({"type": "tick", "received_at": text_of(clock)})
            continue
        if kind == "early" or not events:
            body = _track(number, style, place, names)
            if kind == "early":
                early.append((body, len(bodies) + 1 + style % 3))
                body = _correction(place, style, body)
        else:
            event = events[-1 - number % min(5, len(events))]
            body = _track(number, style, place, names) if kind == "track" else _correction(place, style, event)
        late = advances[number % len(advances)] if style % 4 == 3 else 0
        bodies.append(body | {"occurred_at": text_of(clock - late), "received_at": text_of(clock)})
        for told, due in early:
            if due == len(bodies):
                bodies.append(told | {"occurred_at": text_of(clock), "received_at": text_of(clock)})
    return Case(file, bodies, None if step % 2 else clock + horizon + 1)
