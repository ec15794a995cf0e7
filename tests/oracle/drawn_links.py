"""Random records some of which are of anonymous contacts, with links between them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from tests.oracle.drawn_files import CONTACTS
from tests.oracle.drawn_records import Case, cases
from tests.oracle.driving import Body
from tests.oracle.writer import Taste

DEVICES = ("anon:a", "anon:b")


@st.composite
def linking_cases(draw: st.DrawFn, taste: Taste, max_records: int = 14) -> Case:
    """A case in which about half of the records are of devices, which are linked on the way, some of them again."""
    case = draw(cases(taste, max_records))
    if "lists" in case.file:
        ids = {name: [*ids, *draw(st.sets(st.sampled_from(DEVICES)))] for name, ids in case.file["lists"].items()}
        case = replace(case, file={**case.file, "lists": ids})
    bodies: list[Body] = []
    for place, body in enumerate(case.bodies):
        if "contact_id" in body and (of := draw(st.integers(0, 3))) < len(DEVICES):
            body = {**body, "contact_id": DEVICES[of]}  # noqa: PLW2901 - the same record, of another contact
        bodies.append(body)
        if "contact_id" in body and draw(st.integers(0, 3)) == 3:
            link: Body = {name: body[name] for name in ("occurred_at", "received_at") if name in body}
            device, to = DEVICES[draw(st.integers(0, 1))], CONTACTS[draw(st.integers(0, 1))]
            bodies.append({**link, "type": "link", "event_id": f"link{place}", "contact_id": device, "to": to})
    return replace(case, bodies=bodies)
