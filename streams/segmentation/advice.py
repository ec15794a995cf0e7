"""What is seen only once a file is read: conditions that can never hold, or always do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from streams.segmentation.conditions.reading import ScoreLeafSpec
from streams.segmentation.expressions import Any_, Leaf, Node, Not, walk
from streams.segmentation.file_parts import Segment
from streams.segmentation.problems import Findings, join
from streams.segmentation.reachability import World, entering
from streams.segmentation.reachable_states import Readings
from streams.segmentation.references import Place
from streams.segmentation.refusals import ABSENT
from streams.segmentation.scores import ScoreSpec

NEVER_ENTERED = "no contact is ever in this segment: its `when` never lets one in"


def advise(segments: Mapping[str, Segment], order: Iterable[Place], readings: Readings, findings: Findings) -> None:
    """Refuse an `exit_when` that can never hold, and warn of what is legal and seldom meant."""
    sound = {name: spec for name, spec in readings.scores.items() if findings.clean(join("scores", name))}
    world = World(Readings(sound, readings.whiles))
    for name in sound:
        _tiers(name, world.readings, findings)
    for place in order:
        path = str(place)
        if place.kind == "segments" and place.name in segments and _read_well(path, findings):
            _segment(segments[place.name], path, world, findings)
            _flapping(segments[place.name], sound, join(path, "when"), findings)


def _read_well(path: str, findings: Findings) -> bool:
    return findings.clean(join(path, "when")) and findings.clean(join(path, "exit_when"))


def _tiers(name: str, readings: Readings, findings: Findings) -> None:
    """Tiers that the score is never in."""
    possible = readings.span(name)
    for tier, span in readings.scores[name].tier_spans().items():
        if span.high <= possible.low or span.low >= possible.high:
            findings.warn(join("scores", name, "tiers", tier), tier, "no reading of the score lies in this tier")


def _segment(segment: Segment, path: str, world: World, findings: Findings) -> None:
    if segment.exit_when is not None and not world.can_hold(segment.exit_when):
        findings.add(
            join(path, "exit_when"),
            ABSENT,
            "expected a condition that can hold; by this one nobody would ever leave",
        )
    if not world.can_hold(entering(segment.when, segment.exit_when)):
        world.empty.add(segment.name)
        unless = "" if segment.exit_when is None else ", for `exit_when` holds whenever it does"
        findings.warn(join(path, "when"), ABSENT, f"{NEVER_ENTERED}{unless}")
        return
    if segment.exit_when is None and not world.can_hold(Not(segment.when)):
        findings.warn(join(path, "when"), ABSENT, "this always holds: every contact is in the segment")
    for each, where in _options(segment.when, join(path, "when")):
        if not world.can_hold(each):
            findings.warn(where, ABSENT, "this can never hold, so it adds nobody")


def _options(node: Node, path: str) -> Iterator[tuple[Node, str]]:
    """The parts of every `any`, with their paths, but for those in a `not`."""
    if isinstance(node, Leaf) or not hasattr(node, "parts"):
        return
    key = "any" if isinstance(node, Any_) else "all"
    for place, part in enumerate(node.parts):
        where = join(path, key, place)
        if key == "any":
            yield part, where
        yield from _options(part, where)


def _flapping(segment: Segment, scores: Mapping[str, ScoreSpec], path: str, findings: Findings) -> None:
    if segment.exit_when is not None:
        return
    for node in walk(segment.when):
        if not isinstance(node, Leaf) or not isinstance(node.spec, ScoreLeafSpec) or node.spec.name not in scores:
            continue
        rises = node.spec.gte is not None or node.spec.gt is not None
        if rises and scores[node.spec.name].half_life is not None:
            findings.warn(
                path,
                node.spec.name,
                "a decaying score begins to fall in the millisecond in which it arrives at its bound; "
                "give the segment an exit_when with a lower bound",
            )
