"""How explanations are asked for and shown, of the log and of a file of events alike."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import click
import msgspec
from rich.text import Text

from schemas.errors import InputError
from schemas.instants import format_instant, parse_instant
from streams.cli.printing import print_shown
from streams.explaining.line_replay import replay_lines
from streams.explaining.text import overview, tree
from streams.explaining.view import segment_view
from streams.segmentation import Definitions
from streams.segmentation.explanation import Explainer
from streams.segmentation.names import nearest, told
from streams.segmentation.wording import printable
from streams.simulation.changing import History

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class Explaining(NamedTuple):
    """What is to be explained of a simulation, and how it is shown."""

    contact_id: str
    at_ms: int
    segment: str | None
    as_json: bool


class _ContactAtTime(click.ParamType):
    """`CONTACT@TIME`, parted at the last @: a contact's id may be an address."""

    name = "contact@time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        contact_id, _, time = str(value).rpartition("@")
        if not contact_id:
            self.fail("expected CONTACT@TIME, like ada@example.com@2026-11-21T10:00:00Z", param, ctx)
        try:
            return contact_id, parse_instant(time)
        except ValueError as error:
            self.fail(f"{error} after the last @", param, ctx)


def explaining_options(command: CommandT) -> Callable[..., Any]:
    """Options that ask for an explanation, given to the command as `explaining`."""

    @click.option(
        "--explain",
        type=_ContactAtTime(),
        metavar="CONTACT@TIME",
        help="Tell why a contact is where it is at an instant, instead of transitions.",
    )
    @click.option("--segment", help="With --explain: the tree of this segment.")
    @click.option("--json", "as_json", is_flag=True, help="With --explain: one JSON object, as in ops/explain.md.")
    @wraps(command)
    def asked(
        *arguments: Any, explain: tuple[str, int] | None, segment: str | None, as_json: bool, **options: Any
    ) -> Any:
        if explain is None and (segment is not None or as_json):
            raise click.UsageError("--segment and --json go with --explain CONTACT@TIME")
        explaining = None if explain is None else Explaining(*explain, segment, as_json)
        return command(*arguments, explaining=explaining, **options)

    return asked


def explained_lines(
    definitions: Definitions, lines: Iterable[bytes], asked: Explaining, partitions: int, history: History
) -> Explainer:
    """The explanation from the lines of a simulation. Raises `InputError` for an unknown contact."""
    return replay_lines(definitions, lines, asked.contact_id, asked.at_ms, partitions, history).explainer()


def check_segment(definitions: Definitions, name: str) -> None:
    """Raises `InputError` for a segment that the definitions do not have."""
    names = [segment.name for segment in definitions.segments]
    if name not in names:
        near = nearest(name, names)
        hint = f"; did you mean {near}?" if near else f"; there are {told(names)}"
        raise InputError(f"there is no segment {name}{hint}")


def show(
    explainer: Explainer, segment: str | None, as_json: bool, source: str, more: dict[str, Any] | None = None
) -> None:
    """Print what is known of a contact: of one segment its tree, of all a row each, or all of it as JSON."""
    if segment is not None:
        check_segment(explainer.definitions, segment)
    explained = explainer.segments() if segment is None else [explainer.segment(segment)]
    contact = explainer.contact
    if as_json:
        body = {
            "contact_id": contact.contact_id,
            "now": format_instant(explainer.now_ms),
            "known_since": format_instant(contact.known_since_ms),
            "source": source,
            **(more or {}),
            "segments": [segment_view(each) for each in explained],
        }
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(body)) + b"\n")
        return
    print_shown(
        Text(f"{printable(contact.contact_id or '')} at {format_instant(explainer.now_ms)}", "bold"),
        overview(explained) if segment is None else tree(explained[0]),
    )
