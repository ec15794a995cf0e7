"""Command-line options that every consumer has."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}", re.ASCII)


def _check_name(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and _NAME.fullmatch(value) is None:
        raise click.BadParameter("expected a letter a-z, then at most 39 letters, digits, '-' or '_'")
    return value


def name_option(function: AnyFunction) -> AnyFunction:
    """`--name`."""
    return click.option(
        "--name",
        callback=_check_name,
        metavar="NAME",
        help="Tells several consumers of one kind apart; each has progress of its own. Consumers of the same name "
        "share the work.",
    )(function)


def common_options(function: AnyFunction) -> AnyFunction:
    """`--name`, `--from` and `--accept-gap`, as arguments `name`, `start` and `accept_gap`."""
    start = click.option(
        "--from",
        "start",
        type=click.Choice(["beginning", "end"]),
        help="Where to begin a partition of which neither Redis nor the consumer group knows any progress. Where "
        "progress is known, this is passed over.",
    )
    accept_gap = click.option(
        "--accept-gap",
        is_flag=True,
        help="Go on past a gap where a partition was stopped, without the missing transitions. A gap found later "
        "stops it again.",
    )
    return name_option(start(accept_gap(function)))


def role_of(kind: str, name: str | None) -> str:
    """The name of a consumer's group and keys: `webhook`, or `webhook-NAME`."""
    return kind if name is None else f"{kind}-{name}"
