"""What the active definitions do not ask for: a record about that is kept in the log and changes nothing yet."""

from __future__ import annotations

import difflib

from schemas.records import ContactRecord
from streams.segmentation.definitions import Definitions
from streams.segmentation.program import Program
from streams.segmentation.steps import facts_of

_KINDS = {"trait": "trait", "consent": "consent purpose", "list": "list"}


def unasked(record: ContactRecord, definitions: Definitions) -> list[str]:
    """One sentence for each thing in `record` that no condition and no score asks for, with the nearest name."""
    program = Program(definitions)
    if record.type == "erase" or record.type == "link" or record.type == "forward":  # noqa: PLR1714 - narrows the type
        return []
    if record.type == "track":
        known = {name for name in program.by_event if name}
        return [] if record.event in known else [_sentence("event", record.event, known)]
    sentences = []
    for fact, _ in facts_of(record):
        kind, _, name = fact.partition(":")
        if fact not in program.by_fact:
            known = {other.partition(":")[2] for other in program.by_fact if other.startswith(f"{kind}:")}
            sentences.append(_sentence(_KINDS[kind], name, known))
    return sentences


def _sentence(kind: str, name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return f"the active definitions ask for no {kind} {name!r}{meant}"
