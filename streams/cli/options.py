"""Kinds of values that options of several subcommands take."""

from __future__ import annotations

import click

from schemas.instants import parse_instant


class InstantType(click.ParamType):
    """An RFC 3339 time after 1970 began, as milliseconds since then."""

    name = "rfc3339"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The instant, or click's usage error."""
        if isinstance(value, int):
            return value
        try:
            instant_ms = parse_instant(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if instant_ms == 0:
            self.fail("expected a later time: a Kafka timestamp of 0 means none", param, ctx)
        return instant_ms


INSTANT = InstantType()
