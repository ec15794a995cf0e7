"""Builds the package. With SEGUE_COMPILED=1 mypyc compiles the modules in which a worker spends its time.

The same source serves both ways; see ops/decisions/0107.
"""

from __future__ import annotations

import os

from setuptools import Extension, setup

COMPILED = [
    "schemas/instants.py",
    "schemas/records.py",
    "schemas/topics.py",
    "streams/pipeline/admission.py",
    "streams/pipeline/draft.py",
    "streams/pipeline/folding.py",
    "streams/pipeline/workspace.py",
    "streams/segmentation/conditions/counting.py",
    "streams/segmentation/contact.py",
    "streams/segmentation/contact_forms.py",
    "streams/segmentation/core.py",
    "streams/segmentation/corrections.py",
    "streams/segmentation/courses.py",
    "streams/segmentation/decay.py",
    "streams/segmentation/expressions.py",
    "streams/segmentation/fold.py",
    "streams/segmentation/forecast.py",
    "streams/segmentation/identity.py",
    "streams/segmentation/matching.py",
    "streams/segmentation/points.py",
    "streams/segmentation/program.py",
    "streams/segmentation/readings.py",
    "streams/segmentation/rehearsal.py",
    "streams/segmentation/steps.py",
    "streams/segmentation/succession.py",
    "streams/segmentation/taking.py",
    "streams/segmentation/units.py",
    "streams/segmentation/windows.py",
]


def _modules() -> list[Extension]:
    if os.environ.get("SEGUE_COMPILED") != "1":
        return []
    from mypyc.build import mypycify  # noqa: PLC0415 - only who compiles needs it

    found: list[Extension] = mypycify(COMPILED, opt_level="3", debug_level="1")
    return found


if __name__ == "__main__":
    setup(ext_modules=_modules())
