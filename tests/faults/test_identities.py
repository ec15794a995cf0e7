"""Who is who: workers that call themselves alike, a group that forgot its generations."""

from __future__ import annotations

from confluent_kafka.admin import AdminClient

from schemas.errors import EXIT_BAD_INPUT
from tests.faults.stage import Stage
from tests.live.workers import metric
from tests.support.waiting import wait_until


def test_two_workers_that_are_the_same_in_every_respect_are_two_members(stage: Stage) -> None:
    """One machine, one environment, one client id: Kafka names members, and nothing else does."""
    stage.begin(workers=2)
    one, two = (member.process for member in stage.crew.members)
    wait_until(lambda: [metric(worker, "segue_partitions_owned") for worker in (one, two)] == [2, 2], 30, "two each")
    stage.recovered("two of the same name")
    assert [metric(worker, "segue_fence_losses_total") for worker in (one, two)] == [0, 0]
    assert stage.settle().problems == []


def test_a_group_that_was_deleted_is_refused_with_advice_that_mends_it(stage: Stage) -> None:
    stage.begin()
    for member in range(2):
        stage.crew.kill(member)  # so that the generations have grown
        stage.fold_on()
    stage.crew.stop()
    admin = AdminClient({"bootstrap.servers": stage.servers})
    group = stage.names.group("worker")
    admin.delete_consumer_groups([group])[group].result(30)
    refused = stage.place.worker()
    assert refused.wait(60) == EXIT_BAD_INPUT
    last = refused.stderr.strip().splitlines()[-1]
    assert last.startswith("segue: ")
    assert "run `segue fence reset`" in last
    assert "Traceback" not in refused.stderr
    stage.place.command("fence", "reset", "--yes")
    stage.hire()
    stage.recovered("a group deleted, after `segue fence reset`")
    assert stage.settle().problems == []
