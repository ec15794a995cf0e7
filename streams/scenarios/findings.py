"""What is wrong with a scenarios file: all of it at once, each with its line and column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from schemas.errors import InputError
from streams.scenarios.checks import Place
from streams.segmentation.problems import join

ModelT = TypeVar("ModelT", bound=BaseModel)
Path = tuple[str | int, ...]

_EXPECTED = {
    "missing": "expected this key, which is required",
    "int_type": "expected a whole number",
    "bool_type": "expected true or false",
    "string_type": "expected a text",
    "list_type": "expected a list",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
    "string_pattern_mismatch": "expected a name in small letters, digits and _, like cart_add",
}
_SHOWN = 60


class FileProblem(NamedTuple):
    """One finding: in which file, where, what stands there, and what was expected instead."""

    file: str
    place: Place
    value: object
    expected: str

    def __str__(self) -> str:
        shown = repr(self.value)
        shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."
        where = f"{self.file}:{self.place.line}:{self.place.column}: {self.place.path}"
        return f"{where}: {self.expected}" + ("" if self.value is None else f" (found {shown})")


class ScenariosError(InputError):
    """A scenarios file is refused. `problems` holds every finding."""

    def __init__(self, problems: Iterable[FileProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(slots=True)
class Findings:
    """Collects problems while a file is read, so that a person sees all of them in one run."""

    file: str
    positions: Mapping[Path, tuple[int, int]]
    """Lines and columns, from 1, of what stands at each path."""
    problems: list[FileProblem] = field(default_factory=list)

    def place(self, path: Path) -> Place:
        """Where something stands; for what is not there, where it should have been."""
        known = path
        while known and known not in self.positions:
            known = known[:-1]
        return Place(join("", *path), *self.positions.get(known, (1, 1)))

    def add(self, path: Path, value: object, expected: str) -> None:
        """Note a reason to refuse the file."""
        self.problems.append(FileProblem(self.file, self.place(path), value, expected))

    def unknown(self, path: Path, name: object, known: Iterable[str], what: str) -> None:
        """Note a name that nobody knows, with the one that may have been meant."""
        names = list(known)
        near = get_close_matches(str(name), names, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        self.add(path, name, f"{meant}expected {what}: {', '.join(names) or 'none is defined'}")

    def read(self, kind: type[ModelT], value: object, path: Path) -> ModelT | None:
        """`value` as a `kind`, or None with its problems noted."""
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                where = (*path, *(step for step in item["loc"] if step != "[key]"))
                if item["type"] == "extra_forbidden":
                    known = [each.alias or name for name, each in kind.model_fields.items()]
                    self.unknown(where, item["loc"][-1], known, "one of these keys")
                else:
                    self.add(where, _input_of(item), _expected(item))
            return None


def _input_of(item: Any) -> object:
    return None if item["type"] == "missing" else item.get("input")


def _expected(item: Any) -> str:
    text: str = _EXPECTED.get(item["type"], item["msg"].removeprefix("Value error, "))
    return text[0].lower() + text[1:]
