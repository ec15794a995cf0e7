"""Why a contact is in a segment, or is not, in as few lines as tell it."""

from __future__ import annotations

from collections.abc import Iterator

from streams.planning.plan import Reasons
from streams.segmentation import Contact, Core
from streams.segmentation.explanation import ExplainedNode, ExplainedSegment, Explainer

_LINES_MAX = 6


def reasons(core: Core, contact: Contact | None, segment: str, now_ms: int) -> Reasons | None:
    """How a contact stands with a segment at `now_ms`; None where the one or the other is not there."""
    if contact is None or not contact.exists or segment not in core.program.names:
        return None
    explained = Explainer(core, contact, now_ms).segment(segment)
    return Reasons(explained.member, tuple(_lines(explained))[:_LINES_MAX])


def _lines(explained: ExplainedSegment) -> Iterator[str]:
    """Of a member what it is in for, of others what keeps them out."""
    why_not = explained.why_not
    if why_not is not None and why_not.leaves:
        yield from (leaf.missing() for leaf in why_not.leaves)
    elif explained.exit_when is not None and explained.member and not explained.when.holds:
        yield from (f"stays until {leaf.missing()}" for leaf in _leaves(explained.exit_when))
    else:
        yield from (leaf.missing() for leaf in _leaves(explained.when))


def _leaves(node: ExplainedNode) -> Iterator[ExplainedNode]:
    if not node.parts:
        yield node
    for part in node.parts:
        yield from _leaves(part)
