"""The page on the definition language: its files are valid, and it leaves out no key, condition or operator."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streams.definition_files.reading import read_definitions
from streams.segmentation.conditions import LEAVES
from streams.segmentation.file_parts import FileSpec, SegmentSpec
from streams.segmentation.matching import CLOCK_PROPERTIES
from streams.segmentation.problems import Spec
from streams.segmentation.scores import MixPart, PointsRule, ScoreSpec
from streams.segmentation.values import Operators
from tests.support.run_directory import CHECKOUT

PAGE = (CHECKOUT / "ops/language.md").read_text()
FILES: list[str] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def keys(spec: type[Spec]) -> set[str]:
    return {field.alias or name for name, field in spec.model_fields.items()}


@pytest.mark.parametrize("number", range(len(FILES)))
def test_every_file_on_the_page_is_valid_and_without_warnings(number: int, tmp_path: Path) -> None:
    (tmp_path / "definitions.yaml").write_text(FILES[number])
    assert read_definitions(tmp_path / "definitions.yaml").warnings == ()


def test_the_page_names_every_condition_key_operator_and_clock_property() -> None:
    named = set(re.findall(r"[@\w]+", PAGE))
    known = {*LEAVES, "in_segment", "all", "any", "not", "while", *CLOCK_PROPERTIES}
    for spec in (FileSpec, SegmentSpec, ScoreSpec, PointsRule, MixPart, Operators):
        known |= keys(spec)
    for kind in LEAVES.values():
        if issubclass(kind.spec, Spec):
            known |= keys(kind.spec)
    assert known - named == set()
