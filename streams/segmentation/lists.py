"""Static lists: contacts that somebody put there by hand, in the definition file or in a file beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, NamedTuple, TypeAlias

from pydantic import Field, StringConstraints

from streams.segmentation.problems import Findings, Spec, join
from streams.segmentation.refusals import ABSENT

MAX_CONTACT_ID = 256
MAX_LIST_NAME = 128
ListReader: TypeAlias = Callable[[str], tuple[str, ...]]
"""The ids in a list's file, by its name in the definition file. Raises `ListFileError` with what was expected."""


class ListFile(Spec):
    """A list that lies in a file of its own."""

    file: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="A CSV file beside this one; the contact ids stand in its first column.", examples=["lists/vip.csv"]
    )


class ListFileError(ValueError):
    """A list's file cannot be taken. `faults` holds every reason."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(map(str, self.faults)))


class Fault(NamedTuple):
    """One reason, and where in the file it lies; line and column are 0 where the file as a whole is meant."""

    expected: str
    value: object = ABSENT
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.expected}" if self.line else self.expected


def no_list_files(_name: str) -> tuple[str, ...]:
    """A `ListReader` for definitions that came without a folder."""
    raise ListFileError([Fault("expected the contact ids themselves: there is no folder to look for a file in")])


def read_lists(raw: dict[str, Any], read_file: ListReader, findings: Findings) -> dict[str, tuple[str, ...]]:
    """The contact ids on each list, in order and without repeats."""
    lists = {}
    for name, body in raw.items():
        path = join("lists", name)
        if not 0 < len(name) <= MAX_LIST_NAME:
            findings.add(path, name, f"expected a name of 1 to {MAX_LIST_NAME} characters", on_key=True)
        ids: tuple[str, ...] = ()
        if isinstance(body, list):
            ids = tuple(each for place, each in enumerate(body) if _check_id(each, join(path, place), findings))
        elif isinstance(body, dict):
            ids = _read_file(body, path, read_file, findings)
        else:
            findings.add(path, body, "expected a list of contact ids, like [c1, c2], or {file: vip.csv}")
        lists[name] = tuple(dict.fromkeys(ids))
    return lists


def _read_file(body: dict[str, Any], path: str, read_file: ListReader, findings: Findings) -> tuple[str, ...]:
    spec = findings.read(ListFile, body, path)
    if spec is None:
        return ()
    try:
        return read_file(spec.file)
    except ListFileError as error:
        for fault in error.faults:
            value = spec.file if fault.value is ABSENT else fault.value
            findings.add(join(path, "file"), value, fault.expected, place=(fault.file, fault.line, fault.column))
        return ()


def _check_id(value: Any, path: str, findings: Findings) -> bool:
    if isinstance(value, str) and 0 < len(value) <= MAX_CONTACT_ID:
        return True
    if isinstance(value, int | float) and not isinstance(value, bool):
        findings.add(path, value, "expected a contact id, which is a text; put the number in quotes", f'"{value}"')
    else:
        findings.add(path, value, f"expected a contact id: a text of 1 to {MAX_CONTACT_ID} characters")
    return False
