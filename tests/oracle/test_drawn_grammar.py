"""The draws leave nothing out: every key of the definition language and of every record is among them.

This is the one place in which the brute force's side looks at what the core takes for the language.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

from hypothesis import HealthCheck, Phase, given, seed, settings
from pydantic import BaseModel, RootModel

from schemas.record_models import RECORD_TYPES
from streams.segmentation.conditions import LEAVES
from streams.segmentation.file_parts import FileSpec, SegmentSpec
from streams.segmentation.scores import ScoreSpec, WhileSpec
from tests.oracle.drawn_conditions import LEAF_WRITERS
from tests.oracle.drawn_records import Case, cases
from tests.oracle.writer import Taste

EVERYTHING = Taste(tuple(LEAF_WRITERS), max_segments=4, rich=True)
TREES = {"all", "any", "not", "in_segment"}
CONDITIONS = {"when", "exit_when", "while"}


@lru_cache
def drawn() -> list[Case]:
    """The same cases every time."""
    found: list[Case] = []

    @seed(1)
    @settings(max_examples=1_500, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck))
    @given(cases(EVERYTHING))
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return found


def _types(annotation: Any) -> Iterator[Any]:
    """All types that an annotation is made of."""
    yield annotation
    for part in get_args(annotation) if get_origin(annotation) is not Literal else ():
        yield from _types(part)


def _models(annotation: Any) -> list[type[BaseModel]]:
    return [each for each in _types(annotation) if isinstance(each, type) and issubclass(each, BaseModel)]


def _options(annotation: Any) -> list[Any]:
    return [option for each in _types(annotation) if get_origin(each) is Literal for option in get_args(each)]


def _keys(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def sayable(model: type[BaseModel]) -> set[str]:
    """Every key of a model and of those within it, and every option of a key that has some."""
    if issubclass(model, RootModel):
        return set()
    found = set()
    for key, annotation in _keys(model).items():
        found |= {f"{model.__name__}.{key}", *(f"{model.__name__}.{key}={option}" for option in _options(annotation))}
        for inner in _models(annotation):
            found |= sayable(inner)
    return found


def said(model: type[BaseModel], body: Any) -> set[str]:
    """Of these, what a body says."""
    if issubclass(model, RootModel):
        return set()
    found = set()
    keys = _keys(model)
    for key, value in body.items():
        if key in CONDITIONS:
            found |= condition_said(value)
        if key not in keys:
            continue
        found.add(f"{model.__name__}.{key}")
        found |= {f"{model.__name__}.{key}={value}"} if _options(keys[key]) else set()
        for inner in _models(keys[key]):
            for part in value if isinstance(value, list) else [value]:
                found |= said(WhileSpec if "while" in part else inner, part)
    return found


def condition_said(condition: dict[str, Any]) -> set[str]:
    """What a condition says, with all that it nests."""
    ((kind, body),) = condition.items()
    if kind in ("all", "any"):
        return {kind}.union(*(condition_said(part) for part in body))
    if kind == "not":
        return {kind} | condition_said(body)
    return {kind} | (set() if kind == "in_segment" else said(LEAVES[kind].spec, body))


def test_every_key_and_every_option_of_the_language_is_drawn() -> None:
    leaves = [kind.spec for kind in LEAVES.values()]
    specs: list[type[BaseModel]] = [FileSpec, SegmentSpec, ScoreSpec, WhileSpec, *leaves]
    wanted = TREES.union(LEAVES, *(sayable(spec) for spec in specs))
    found: set[str] = set()
    for case in drawn():
        found |= said(FileSpec, case.file)
        for segment in case.file["segments"].values():
            found |= said(SegmentSpec, segment)
        for score in case.file.get("scores", {}).values():
            found |= said(ScoreSpec, score)
    assert wanted - found == set()


def test_every_field_of_every_record_is_drawn() -> None:
    # Links are drawn by `drawn_links.py`, and forwards come of them.
    kinds = {name: model for name, model in RECORD_TYPES.items() if name not in {"definitions", "link", "forward"}}
    wanted = set().union(*(sayable(model) for model in kinds.values()))
    found: set[str] = set()
    for case in drawn():
        for body in case.bodies:
            found |= said(kinds[body["type"]], body)
    # A tick has no content, so what all records may have says nothing on it.
    assert {each for each in wanted - found if not each.startswith("Tick.")} == set()


def test_the_draws_have_what_no_key_shows() -> None:
    files = [case.file for case in drawn()]
    assert any(None in score["tiers"].values() for file in files for score in file.get("scores", {}).values())
    assert any("deduplicate" not in file for file in files)
    assert any("zone" not in file for file in files)
    bodies = [body for case in drawn() for body in case.bodies]
    assert any("received_at" not in body for body in bodies)
    assert any(body.get("received_at", "") is None for body in bodies)
    assert any(body.get("occurred_at", "").endswith("999Z") for body in bodies), "fractions of a millisecond"
    assert any("+05:30" in body.get("occurred_at", "") for body in bodies)
    assert any(len(case.file["segments"]) > 3 for case in drawn())
