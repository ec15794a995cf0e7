"""Which partitions may go back to a snapshot, and why not."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import InputError
from streams.adapters.redis.keys import OLDEST_FORMAT, STATE_FORMAT
from streams.pipeline.relay import Published
from streams.ports import Cursor, LogBounds
from streams.snapshots.plan import Formats, make_plan
from tests.snapshots.points import LOG, around, point

FORMATS = Formats(OLDEST_FORMAT, STATE_FORMAT)
REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("a newer format", {"state_format": STATE_FORMAT + 1}, {}, "use a newer version"),
    ("an older format", {"state_format": OLDEST_FORMAT - 1}, {}, "use the version that made it"),
    ("another topic", {"log": LOG._replace(topic_id="topic-2")}, {}, "another log"),
    ("another cluster", {"log": LOG._replace(cluster_id="cluster-2")}, {}, "another log"),
    ("another partition count", {"log": LOG._replace(partitions=4)}, {}, "another log"),
    ("a start that is gone", {}, {"bounds": LogBounds(101, 200)}, "the records between are gone"),
    ("an end that is gone", {}, {"bounds": LogBounds(0, 99)}, "the log ends at 99"),
    ("an epoch raised in Redis", {}, {"serving": point(epoch=2)}, "begun anew since, in epoch 2"),
    (
        "an epoch raised in the output",
        {},
        {"published": Published(2, 1, (0, 0), "t"), "serving": None},
        "begun anew since, in epoch 2",
    ),
    ("output that was lost", {}, {"published": Published(1, 9, (90, 0), "t")}, "those between are lost"),
    ("a newer state that serves", {}, {"serving": point(state_format=STATE_FORMAT + 1)}, "use a newer version"),
]


@pytest.mark.parametrize(("point_", "around_", "words"), [each[1:] for each in REFUSED], ids=[e[0] for e in REFUSED])
def test_a_partition_that_cannot_go_back_is_named_with_the_reason(
    point_: dict[str, Any], around_: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=r"^nothing was restored: partition 0: ") as refused:
        make_plan({0: point(**point_)}, {0: around(**around_)}, FORMATS)
    assert words in str(refused.value)
    assert str(refused.value).count("partition 0: ") == 1


@pytest.mark.parametrize(
    "around_",
    [
        {},
        {"serving": None},
        {"published": None},
        {"bounds": LogBounds(100, 100)},
        {"published": Published(1, 10, (99, 0), "t")},
        {"published": Published(1, 6, (60, 0), "t"), "first_waiting_seq": 7},
        {"log": LOG._replace(cluster_id="", topic_id="")},
    ],
)
def test_a_partition_that_fits_goes_back(around_: dict[str, Any]) -> None:
    plan = make_plan({0: point()}, {0: around(**around_)}, FORMATS)
    assert (list(plan.points), plan.further) == ([0], {})


def test_every_partition_that_cannot_go_back_is_named_at_once() -> None:
    surroundings = {0: around(), 1: around(bounds=LogBounds(150, 200)), 2: around(bounds=LogBounds(0, 50))}
    points = {number: point(number) for number in range(4)}
    with pytest.raises(InputError) as refused:
        make_plan(points, surroundings, FORMATS)
    for words in ("no partition 3", "partition 1: ", "partition 2: "):
        assert words in str(refused.value)
    assert "partition 0: " not in str(refused.value)


def test_what_has_come_further_is_told_by_records_and_by_steps() -> None:
    surroundings = {
        0: around(serving=point(offset=130)),
        1: around(serving=point(cursor=Cursor(100, 2))),
        2: around(serving=point(offset=100)),
    }
    plan = make_plan({number: point(number) for number in range(3)}, surroundings, FORMATS)
    assert plan.further == {0: 30, 1: 0}
    assert "0 (by 30 records)" in plan.replayed


def test_partitions_without_a_fold_or_without_a_snapshot_are_left_as_they_are() -> None:
    points = {0: point(), 1: point(1, offset=0)}
    plan = make_plan(points, {0: around(), 1: around(), 2: around()}, FORMATS)
    assert (list(plan.points), plan.untouched, plan.missing) == ([0], [1], [2])


def test_a_state_of_the_format_before_goes_back_also_where_a_newer_one_serves() -> None:
    surroundings = {0: around(serving=point(offset=80, state_format=STATE_FORMAT))}
    plan = make_plan({0: point(state_format=OLDEST_FORMAT)}, surroundings, FORMATS)
    assert list(plan.points) == [0]
