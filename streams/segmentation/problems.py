"""What is wrong with a definition file: all of it at once, each with its path and what was expected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import InputError
from streams.segmentation.refusals import ABSENT, shown, worded

MOST_TOLD = 100
"""Problems that one text tells; it says how many more there are."""
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: where, what stands there, what was expected instead, and what may have been meant.

    `line` and `column` count from 1; they are 0 where no file is known, as for definitions from the log.
    """

    path: str
    value: object
    expected: str
    suggestion: str = ""
    on_key: bool = False
    """Whether it is the key that is wrong, and not what stands under it."""
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: " if self.file else ""
        return f"{place}{self.path}{': ' if self.path else ''}{self.sentence}"

    @property
    def sentence(self) -> str:
        """What was expected, what was found, and what may have been meant."""
        found = "" if self.value is ABSENT else f" (found {shown(self.value)})"
        return f"{self.expected}{found}" + (f"; did you mean {self.suggestion}?" if self.suggestion else "")


class DefinitionsError(InputError):
    """A definition file is refused. `problems` holds every finding, `warnings` what was seen beside."""

    def __init__(self, problems: Iterable[Problem], name: str = "", warnings: Iterable[Problem] = ()) -> None:
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        count = len(self.problems)
        head = [f"{name} is refused, {count} problem{'s' if count > 1 else ''}:"] if name else []
        told = [str(problem) for problem in self.problems[:MOST_TOLD]]
        more = [f"and {count - MOST_TOLD} more"] if count > MOST_TOLD else []
        super().__init__("\n".join([*head, *told, *more]))


class Spec(BaseModel):
    """A mapping of the definition file: typed strictly, unknown keys refused."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, arbitrary_types_allowed=True
    )


def join(path: str, *steps: str | int) -> str:
    """`join("segments.vip.when", "any", 1)` is `segments.vip.when.any[1]`."""
    for step in steps:
        path = f"{path}[{step}]" if isinstance(step, int) else f"{path}.{step}" if path else step
    return path


def above(path: str) -> list[str]:
    """The paths that a path lies in, the outermost first: `a.b[1]` lies in `a` and `a.b`."""
    return [path[:place] for place, character in enumerate(path) if character in ".[" and place]


@dataclass(slots=True)
class Findings:
    """Collects problems while a file is read, so that a person sees all of them in one run."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    _at: set[str] = field(default_factory=set)
    _settled: set[str] = field(default_factory=set)

    def add(
        self,
        path: str,
        value: object,
        expected: str,
        suggestion: str = "",
        *,
        on_key: bool = False,
        place: tuple[str, int, int] = ("", 0, 0),
    ) -> None:
        """Note a reason to refuse the file. `place` is where it lies, if that is another file: name, line, column."""
        if path not in self._settled:
            self.problems.append(Problem(path, value, expected, suggestion, on_key, *place))
            self._at.update((path, *above(path)))

    def settle(self, path: str, value: object, expected: str, suggestion: str = "") -> None:
        """Note a reason after which nothing more is to be said of the value."""
        self.add(path, value, expected, suggestion)
        self._settled.add(path)

    def add_whole(self, path: str, value: object, expected: str) -> None:
        """Note what is wrong with a mapping as a whole, unless something in it is: that comes first."""
        if path not in self._at:
            self.add(path, value, expected)

    def clean(self, path: str) -> bool:
        """Whether nothing is noted of what stands under the path."""
        return path not in self._at

    def warn(self, path: str, value: object, advice: str, suggestion: str = "") -> None:
        """Note something legal that is seldom meant."""
        self.warnings.append(Problem(path, value, advice, suggestion))

    def read(self, kind: type[ModelT], value: object, path: str) -> ModelT | None:
        """`value` as a `kind`, or None with its problems noted."""
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            for each in worded(kind, error):
                where = join(path, *each.loc)
                if not each.whole or self.clean(where):
                    self.add(where, each.value, each.expected, each.suggestion, on_key=each.on_key)
            return None

    def read_sound(self, kind: type[ModelT], value: object, path: str) -> ModelT | None:
        """As `read`, but what is wrong is left out where the rest is a `kind`, so that the rest is checked too."""
        found = self.read(kind, value, path)
        if found is not None or not isinstance(value, dict):
            return found
        try:
            return kind.model_validate({key: each for key, each in value.items() if self.clean(join(path, str(key)))})
        except ValidationError:
            return None

    def mapping(self, value: object, path: str) -> dict[str, Any]:
        """`value` as a mapping; an empty one, with the problem noted, if it is none."""
        if isinstance(value, dict):
            return value
        self.add(path, value, "expected a mapping of keys to values")
        return {}
