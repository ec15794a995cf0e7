"""What is wrong with a definition file: all of it at once, each with its path and what was expected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import InputError

ModelT = TypeVar("ModelT", bound=BaseModel)

_EXPECTED = {
    "missing": "expected this key, which is required",
    "extra_forbidden": "unknown key",
    "int_type": "expected a whole number",
    "bool_type": "expected true or false",
    "string_type": "expected a string",
    "list_type": "expected a list",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
}


class Problem(NamedTuple):
    """One finding: where, what stands there, and what was expected instead."""

    path: str
    value: object
    expected: str

    def __str__(self) -> str:
        shown = repr(self.value)
        return f"{self.path}: {self.expected} (found {shown if len(shown) <= 60 else shown[:57] + '...'})"


class DefinitionsError(InputError):
    """A definition file is refused. `problems` holds every finding."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


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


@dataclass(slots=True)
class Findings:
    """Collects problems while a file is read, so that a person sees all of them in one run."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def add(self, path: str, value: object, expected: str) -> None:
        """Note a reason to refuse the file."""
        self.problems.append(Problem(path, value, expected))

    def warn(self, path: str, value: object, advice: str) -> None:
        """Note something legal that is seldom meant."""
        self.warnings.append(Problem(path, value, advice))

    def read(self, kind: type[ModelT], value: object, path: str) -> ModelT | None:
        """`value` as a `kind`, or None with its problems noted."""
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                self.add(join(path, *item["loc"]), item.get("input"), _expected(kind, item))
            return None

    def mapping(self, value: object, path: str) -> dict[str, Any]:
        """`value` as a mapping with string keys; an empty one, with the problem noted, if it is none."""
        if not isinstance(value, dict):
            self.add(path, value, "expected a mapping")
            return {}
        for key in value:
            if not isinstance(key, str):
                self.add(path, key, "expected a string as key; quote it")
        return {key: item for key, item in value.items() if isinstance(key, str)}


def _expected(kind: type[BaseModel], item: Any) -> str:
    text: str = _EXPECTED.get(item["type"], item["msg"].removeprefix("Value error, "))
    if item["type"] == "extra_forbidden" and len(item["loc"]) == 1:
        known = ", ".join(field.alias or name for name, field in kind.model_fields.items())
        return f"{text}; expected one of: {known}"
    return text[0].lower() + text[1:]
