"""Condition trees: reading them from data, and compiling them to tests on a contact's bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from streams.segmentation.conditions import LEAVES
from streams.segmentation.names import nearest, told
from streams.segmentation.problems import Findings, join
from streams.segmentation.refusals import ABSENT
from streams.segmentation.units import LeafKind, Scope, Test

MAX_DEPTH = 31


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf condition."""

    kind: LeafKind
    spec: Any
    written: dict[str, Any] = field(default_factory=dict, compare=False)
    """The condition as the file has it: one key and its body."""


@dataclass(frozen=True, slots=True)
class All:
    """True if every part is."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Any_:  # noqa: N801 - `Any` is taken
    """True if some part is."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True if its part is not."""

    part: Node


@dataclass(frozen=True, slots=True)
class InSegment:
    """True if the contact is in that segment at the same step."""

    segment: str


Node: TypeAlias = Leaf | All | Any_ | Not | InSegment
_ELSEWHERE = {
    "and": "all", "or": "any", "none": "not", "event": "performed", "did": "performed", "has_done": "performed",
    "did_not": "not_performed", "has_not_done": "not_performed", "property": "trait", "attribute": "trait",
    "user": "trait", "segment": "in_segment", "member_of": "in_segment", "list": "listed", "in_list": "listed",
    "sum": "aggregate", "count": "performed", "birthday": "anniversary", "funnel": "sequence",
}  # fmt: skip
"""What other tools call conditions of ours."""
JOINED = {
    "all": "All of these conditions hold.",
    "any": "At least one of these conditions holds.",
    "not": "This condition does not hold.",
}
IN_SEGMENT = "The contact is in the segment of this name."
KEYS = (*JOINED, "in_segment", *LEAVES)


def parse_condition(value: Any, path: str, scope: Scope, findings: Findings, depth: int = 0) -> Node | None:
    """The condition in `value`, or None with everything wrong noted in `findings`."""
    if isinstance(value, dict) and len(value) == 1:
        ((key, body),) = value.items()
        return _parse_as(key, body, join(path, key), scope, findings, depth)
    if isinstance(value, list):
        findings.add(path, value, "expected one condition, not a list; put `all:` or `any:` before the list")
    elif not isinstance(value, dict) or not any(key in KEYS for key in value):
        findings.add(path, value, f"expected one condition: a mapping with one key of {', '.join(KEYS)}")
    else:
        expected = "expected one condition; put several into a list under `all:` or `any:`, one with each dash"
        findings.add(path, list(value), expected)
        for key, body in value.items():
            if key in KEYS:
                _parse_as(key, body, join(path, key), scope, findings, depth)
    return None


def _parse_as(key: str, body: Any, where: str, scope: Scope, findings: Findings, depth: int) -> Node | None:
    """The condition `key` with a body that stands at the path `where`."""
    if key not in KEYS:
        expected = f"unknown condition; expected one of {', '.join(KEYS)}"
        meant = nearest(key, KEYS, _ELSEWHERE)
        findings.add(where, ABSENT, expected, meant, on_key=True)
        if meant and meant == nearest(key, KEYS):
            _parse_as(meant, body, where, scope, findings, depth)  # for what else is wrong with it
        return None
    if key == "in_segment":
        return _parse_reference(body, where, scope, findings)
    if key not in JOINED:
        return _parse_leaf(key, body, where, scope, findings)
    if depth >= MAX_DEPTH:
        findings.add(where, ABSENT, f"expected all, any and not nested to a depth of at most {MAX_DEPTH}")
    elif key == "not":
        part = parse_condition(body, where, scope, findings, depth + 1)
        return None if part is None else Not(part)
    elif not isinstance(body, list) or not body:
        findings.add(where, body, f"expected a list of at least one condition, like `{key}: [{{known_for: 7d}}]`")
    else:
        nodes = [
            parse_condition(item, join(where, place), scope, findings, depth + 1) for place, item in enumerate(body)
        ]
        parts = tuple(part for part in nodes if part is not None)
        return All(parts) if key == "all" else Any_(parts)
    return None


def _parse_reference(body: Any, path: str, scope: Scope, findings: Findings) -> InSegment | None:
    if not isinstance(body, str) or body not in scope.segments:
        expected = f"expected the name of a segment: {told(sorted(scope.segments))}"
        findings.add(path, body, expected, nearest(body, scope.segments))
        return None
    return InSegment(body)


def _parse_leaf(key: Any, body: Any, path: str, scope: Scope, findings: Findings) -> Leaf | None:
    kind = LEAVES[key]
    spec = findings.read_sound(kind.spec, body, path)
    if spec is None:
        return None
    if kind.check is not None:
        kind.check(spec, scope, path, findings)
    return Leaf(kind, spec, {key: body})


def written(node: Node) -> dict[str, Any]:
    """The condition as the file has it."""
    if isinstance(node, Leaf):
        return node.written
    if isinstance(node, InSegment):
        return {"in_segment": node.segment}
    if isinstance(node, Not):
        return {"not": written(node.part)}
    return {"all" if isinstance(node, All) else "any": [written(part) for part in node.parts]}


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, depth-first."""
    yield node
    if isinstance(node, All | Any_):
        for part in node.parts:
            yield from walk(part)
    elif isinstance(node, Not):
        yield from walk(node.part)


def compile_test(node: Node, bit_of: Callable[[Leaf | InSegment], int]) -> tuple[Test, int]:
    """The node as a test on bits, and the mask of the bits that it reads."""
    if isinstance(node, Leaf | InSegment):
        bit = bit_of(node)
        return (lambda bits: bits & bit != 0), bit
    if isinstance(node, Not):
        inner, mask = compile_test(node.part, bit_of)
        return (lambda bits: not inner(bits)), mask
    wanted, unwanted, rest = _literals(node, bit_of)
    compiled = [compile_test(part, bit_of) for part in rest]
    tests = tuple(test for test, _ in compiled)
    mask = wanted | unwanted
    for _, part_mask in compiled:
        mask |= part_mask
    return (_every if isinstance(node, All) else _some)(wanted, unwanted, tests), mask


def _literals(node: All | Any_, bit_of: Callable[[Leaf | InSegment], int]) -> tuple[int, int, list[Node]]:
    """Bits that stand in the node as they are, bits that stand in it negated, and its other parts.

    Most conditions are a handful of bits, and one comparison answers for all of these.
    """
    wanted = unwanted = 0
    rest: list[Node] = []
    for part in node.parts:
        if isinstance(part, Leaf | InSegment):
            wanted |= bit_of(part)
        elif isinstance(part, Not) and isinstance(part.part, Leaf | InSegment):
            unwanted |= bit_of(part.part)
        else:
            rest.append(part)
    return wanted, unwanted, rest


def _every(wanted: int, unwanted: int, tests: tuple[Test, ...]) -> Test:
    if not tests:
        return lambda bits: bits & wanted == wanted and not bits & unwanted
    return lambda bits: bits & wanted == wanted and not bits & unwanted and all(test(bits) for test in tests)


def _some(wanted: int, unwanted: int, tests: tuple[Test, ...]) -> Test:
    if not tests:
        return lambda bits: bits & wanted != 0 or ~bits & unwanted != 0
    return lambda bits: bits & wanted != 0 or ~bits & unwanted != 0 or any(test(bits) for test in tests)
