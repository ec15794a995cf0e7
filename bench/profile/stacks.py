"""Sampled stacks, one a line, summed by function."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

_LINE = re.compile(r":\d+\)$")


@dataclass
class Stacks:
    """Samples by function: those in which it was at the top, and those in which it was anywhere."""

    samples: int = 0
    own: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)


def read_stacks(text: str) -> Stacks:
    """Of lines `OUTER (FILE:LINE);…;INNER (FILE:LINE) COUNT`, lines of one function taken together."""
    stacks = Stacks()
    for line in text.splitlines():
        path, _, count_text = line.rpartition(" ")
        frames, count = [_function(frame) for frame in path.split(";")], int(count_text)
        stacks.samples += count
        stacks.own[frames[-1]] += count
        for name in set(frames):
            stacks.total[name] += count
    return stacks


def _function(frame: str) -> str:
    return _LINE.sub(")", frame)
