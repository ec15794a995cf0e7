"""Writes `ops/settings.md` from the settings classes: `python -m tests.support.settings_page`."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from schemas.settings import CommonSettings
from tests.support.run_directory import CHECKOUT

PAGE = CHECKOUT / "ops" / "settings.md"
UNITS = {
    "ms": "milliseconds",
    "s": "seconds",
    "bytes": "bytes",
    "records": "records",
    "entries": "entries",
    "ratio": "share, 0 to 1",
}
_INTRODUCTION = """\
# Settings

Every program takes its settings from environment variables and checks all of them when it starts; everything wrong is
named at once, and the exit code is 1. No setting changes a result: what matters is in the log. Lists are written as the
description says. Secrets are never printed.

This page is generated from the settings classes (`make generate`), and a test keeps it current.
"""
_BOUNDS = {"ge": "≥ ", "gt": "> ", "le": "≤ ", "lt": "< ", "min_length": "length ≥ ", "max_length": "length ≤ "}


def settings_classes() -> list[type[CommonSettings]]:
    """Every settings class of the project, the common one first."""
    for package in ("schemas", "streams", "consumers"):
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith(".__main__"):
                importlib.import_module(module.name)
    others = sorted(set(_subclasses(CommonSettings)), key=lambda kind: (kind.__module__, kind.__name__))
    own = [kind for kind in others if kind.__module__.split(".")[0] in ("streams", "consumers")]
    return [CommonSettings, *own]


def _subclasses(kind: type[CommonSettings]) -> Iterator[type[CommonSettings]]:
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)


def own_fields(kind: type[CommonSettings]) -> dict[str, FieldInfo]:
    """The fields that a class adds to those of its bases."""
    bases = [base for base in kind.__mro__[1:] if issubclass(base, CommonSettings)]
    inherited = {name for base in bases for name in base.model_fields}
    return {name: field for name, field in kind.model_fields.items() if name not in inherited}


def bounds(field: FieldInfo) -> dict[str, object]:
    """The bounds of a field by the name of the constraint: `ge`, `le`, `max_length`, `pattern`…"""
    found: dict[str, object] = {}
    for constraint in field.metadata:
        for name in (*_BOUNDS, "pattern"):
            value = getattr(constraint, name, None)
            if value is not None:
                found[name] = value
    return found


def is_number(field: FieldInfo) -> bool:
    """Whether the setting is a number, and so must have bounds."""
    return field.annotation in (int, float)


def unit(name: str) -> str:
    """The unit that a setting's name ends in (before `_max` and `_min`), or nothing."""
    words = [word for word in name.split("_") if word not in ("max", "min")]
    return "a second" if words[-2:] == ["per", "s"] else UNITS.get(words[-1], "")


def _bounds_text(field: FieldInfo) -> str:
    choices = _choices(field.annotation)
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    parts = [f"{_BOUNDS[name]}{value:g}" if isinstance(value, float) else f"{_BOUNDS[name]}{value}"
             for name, value in bounds(field).items() if name in _BOUNDS]  # fmt: skip
    pattern = bounds(field).get("pattern")
    if pattern is not None:
        parts.append(f"`{pattern}`".replace("|", "\\|"))
    if field.annotation is bool:
        parts.append("`true`, `false`")
    return ", ".join(parts)


def _choices(annotation: Any) -> tuple[object, ...]:
    if get_origin(annotation) in (Union, UnionType):
        return next((found for part in get_args(annotation) if (found := _choices(part))), ())
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _default_text(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value in (None, "", (), {}, []):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | list):
        return f"`{','.join(str(item) for item in value)}`"
    return f"`{json.dumps(value)}`" if isinstance(value, dict) else f"`{value}`"


def _row(name: str, field: FieldInfo) -> str:
    optional = NoneType in get_args(field.annotation)
    cells = [
        f"`SEGUE_{name.upper()}`",
        "none" if optional and field.default is None else _default_text(field),
        unit(name),
        _bounds_text(field),
        (field.description or "").replace("|", "\\|"),
    ]
    return "| " + " | ".join(cells) + " |"


def render() -> str:
    """The page as it should be."""
    parts = [_INTRODUCTION]
    for kind in settings_classes():
        fields = own_fields(kind)
        if not fields:
            continue
        module = f"`{kind.__module__.replace('.', '/')}.py`"
        title = (kind.__doc__ or "").strip().splitlines()[0]
        rows = "\n".join(_row(name, field) for name, field in fields.items())
        parts.append(
            f"## {kind.__name__}\n\n{title} Declared in {module}.\n\n"
            f"| variable | default | unit | bounds | meaning |\n|---|---|---|---|---|\n{rows}\n"
        )
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render())
