"""Patterns that people write, searched in time linear in the text: RE2, never Python's own engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import re2
from pydantic import AfterValidator, StringConstraints

from streams.segmentation.refusals import wrong

MAX_PATTERN = 1000


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False  # the error is raised, and told with its path
    return options


def compile_pattern(text: str) -> Callable[[str], bool]:
    """Whether RE2 finds the pattern somewhere in a string. Raises `ValueError` where it is no pattern."""
    try:
        compiled = re2.compile(text, _options())
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise wrong(f"expected an RE2 pattern, like ^shoes/: {reason}") from None
    return lambda value: compiled.search(value) is not None


def _checked(text: str) -> str:
    compile_pattern(text)
    return text


Pattern = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PATTERN), AfterValidator(_checked)]
