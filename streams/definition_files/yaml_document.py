"""A YAML document read to plain data, with the place of everything in it.

YAML by the 1.2 core schema: no implicit dates, no yes and no. What leaves the document readable (a key given twice,
a tag of one's own, a number that is none) is noted among other findings; a syntax error is told alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import yaml

from streams.definition_files.yaml_scalars import NotPlainError, scalar_of
from streams.definition_files.yaml_syntax import place_of, words_of
from streams.segmentation.problems import DefinitionsError, Problem, above, join
from streams.segmentation.refusals import ABSENT

MAX_DEPTH = 100
MAX_NODES = 1_000_000

_STANDARD_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq", "null", "bool", "int", "float", "timestamp", "merge")
)


class Place(NamedTuple):
    """A place in a text, from 1."""

    line: int
    column: int


def _place(node: yaml.Node | yaml.Event) -> Place:
    mark: Any = node.start_mark
    return Place(mark.line + 1, mark.column + 1)


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data, and where each of its parts stands in the text."""

    name: str
    text: str
    data: Any
    problems: tuple[Problem, ...]
    """What is wrong with the YAML itself, with its places."""
    _root: yaml.Node
    _uses: dict[tuple[int, int], Place]
    _settled: frozenset[str]

    def placed(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems with file, line and column, in the order of the file; one that is told already is left out."""
        waiting = [problem for problem in problems if problem.path not in self._settled or problem.line]
        marks = self._marks({problem.path for problem in waiting if not problem.line})
        found: dict[tuple[object, ...], Problem] = {}
        for problem in waiting:
            if problem.line:
                each = problem
            else:
                line, column = _mark_of(problem, marks)
                each = replace(problem, file=self.name, line=line, column=column)
            # Through an alias the same place is read by several paths.
            found.setdefault((each.file, each.line, each.column, each.expected), each)
        return sorted(found.values(), key=lambda each: (each.file != self.name, each.file, each.line, each.column))

    def _marks(self, paths: set[str]) -> dict[str, _Marks]:
        wanted = {"", *paths, *(outer for path in paths for outer in above(path))}
        found: dict[str, _Marks] = {}
        waiting = [("", self._root, _Marks(None, _place(self._root)))]
        while waiting:
            path, node, marks = waiting.pop()
            found.setdefault(path, marks)
            waiting += [
                (where, child, _Marks(key_mark, self._uses.get((id(node), use), _place(child))))
                for where, child, key_mark, use in _children(path, node)
                if where in wanted
            ]
        return found


@dataclass(frozen=True, slots=True)
class _Marks:
    key: Place | None
    value: Place


def _mark_of(problem: Problem, marks: dict[str, _Marks]) -> Place:
    """Where to point: at the key, at the value, or, for what is not there, at what it should stand in."""
    exact = marks.get(problem.path)
    if exact is not None and not (problem.on_key or problem.value is ABSENT):
        return exact.value
    outer = [*above(problem.path), problem.path]
    nearest = next((marks[path] for path in reversed(outer) if path in marks), marks[""])
    return nearest.key or nearest.value


def _children(path: str, node: yaml.Node) -> Iterator[tuple[str, yaml.Node, Place | None, int]]:
    if isinstance(node, yaml.SequenceNode):
        for place, child in enumerate(node.value):
            yield join(path, place), child, None, place
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for key_node, child in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                where = join(path, str(_key(key_node)))
                if where not in seen:
                    seen.add(where)
                    yield where, child, _place(key_node), id(key_node)


def _key(node: yaml.ScalarNode) -> Any:
    try:
        return scalar_of(node)
    except NotPlainError:
        return node.value.encode(errors="backslashreplace").decode()


class _Loader(yaml.SafeLoader):
    """Composes nodes, and remembers where aliases stand: the nodes themselves know only their anchor's place."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.uses: dict[tuple[int, int], Place] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs give it no types
        node = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent):
            self.uses[id(parent), index if isinstance(index, int) else id(index)] = _place(event)
        return node


def read_document(text: str, name: str) -> Document:
    """The one YAML document in a text; `name` is how errors call it. Raises `DefinitionsError` for a syntax error."""
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise _refused(name, words_of(error), *place_of(error, text)) from None
    except RecursionError:
        raise _refused(name, f"expected at most {MAX_DEPTH} levels of nesting", 1, 1) from None
    if root is None:
        raise _refused(name, "expected keys and values, found an empty file", 1, 1)
    reader = _Reader(name)
    data = reader.plain(root)
    return Document(name, text, data, tuple(reader.problems), root, loader.uses, frozenset(reader.settled))


def _refused(name: str, expected: str, line: int, column: int) -> DefinitionsError:
    return DefinitionsError([Problem("", ABSENT, expected, file=name, line=line, column=column)], name)


@dataclass(slots=True)
class _Reader:
    """Turns nodes into plain data. Aliases are followed, within a bound on all that they stand for."""

    name: str
    problems: list[Problem] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)
    left: int = MAX_NODES

    def plain(self, node: yaml.Node, steps: tuple[str | int, ...] = ()) -> Any:
        self.left -= 1
        if self.left < 0:
            raise _refused(self.name, f"expected at most {MAX_NODES} values, aliases written out", *_place(node))
        if len(steps) > MAX_DEPTH:
            raise _refused(self.name, f"expected at most {MAX_DEPTH} levels of nesting", *_place(node))
        if node.tag not in _STANDARD_TAGS:
            self._note(node, steps, node.tag, "expected no tag; take it away")
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*steps, place)) for place, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, steps)
        assert isinstance(node, yaml.ScalarNode), "YAML has three kinds of nodes"
        try:
            return scalar_of(node)
        except NotPlainError as error:
            self._note(node, steps, _key(node), str(error), error.suggestion)
            self.settled.add(join("", *steps))
            return None

    def _mapping(self, node: yaml.MappingNode, steps: tuple[str | int, ...]) -> dict[Any, Any]:
        mapping: dict[Any, Any] = {}
        lines: dict[Any, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._note(key_node, steps, ABSENT, "expected a plain text as key")
                continue
            key = _key(key_node)
            where = (*steps, str(key))
            self.plain(key_node, where)  # notes what is wrong with it
            if key in mapping:
                self._note(key_node, where, ABSENT, f"expected this key once; it is given in line {lines[key]} already")
                continue
            lines[key] = _place(key_node).line
            mapping[key] = self.plain(value_node, where)
        return mapping

    def _note(
        self, node: yaml.Node, steps: tuple[str | int, ...], value: object, expected: str, suggestion: str = ""
    ) -> None:
        line, column = _place(node)
        path = join("", *steps)
        self.problems.append(Problem(path, value, expected, suggestion, file=self.name, line=line, column=column))
