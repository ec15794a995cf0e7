"""Kinds of values that options of several subcommands take."""

from __future__ import annotations

import click
from pydantic import TypeAdapter, ValidationError

from schemas.errors import InputError
from schemas.instants import parse_instant
from schemas.record_models import ContactId
from streams.segmentation.quantities import parse_duration


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


class DurationType(click.ParamType):
    """A duration as definition files have it, like 90d, in milliseconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The duration, or click's usage error."""
        if isinstance(value, int):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = DurationType()


class ContactIdType(click.ParamType):
    """A contact id as records have it, for commands that look one up. Raises `InputError` for what is none."""

    name = "contact id"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,  # noqa: ARG002 - click's signature
        ctx: click.Context | None,  # noqa: ARG002 - same
    ) -> str:
        """The id."""
        contact_id = str(value)
        try:
            return _CONTACT_ID.validate_python(contact_id)
        except ValidationError:
            raise InputError(
                f"contact id: expected 1 to 256 characters in UTF-8, found {contact_id[:_SHOWN_MAX]!r}"
            ) from None


CONTACT_ID = ContactIdType()
_SHOWN_MAX = 80
_CONTACT_ID: TypeAdapter[str] = TypeAdapter(ContactId)
