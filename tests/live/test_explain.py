"""`segue explain` on a real log: the same as from a file, as the state in Redis has it, and as time passes."""

from __future__ import annotations

import json
from typing import Any

import yaml
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.errors import EXIT_BAD_INPUT, EXIT_UNAVAILABLE
from schemas.instants import parse_instant
from schemas.topics import partition_of
from tests.engine.stories import definitions_value
from tests.live.workers import PARTITIONS, Place

ADA = "ada@example.com"
UNTIL = "2026-03-05T00:00:00Z"
DEFINITIONS = """
version: 1
scores:
  engagement:
    half_life: 7d
    points:
      - {event: email_open, points: 5}
      - {event: purchase, points: 30, per: amount}
      - {while: {performed: {event: purchase, within: 30d}}, points: 10}
    tiers: {cold: null, warm: 30}
segments:
  abandoned:
    when:
      all:
        - performed: {event: cart_add, within: 7d}
        - not_performed: {event: cart_add, within: 1h}
        - not: {performed: {event: purchase, since: {event: cart_add}}}
  warm: {when: {tier: {name: engagement, is: warm}}, exit_when: {score: {name: engagement, lt: 20}}}
  reachable:
    when: {all: [{in_segment: warm}, {consent: {purpose: news, is: granted}}, {trait: {name: plan, eq: pro}}]}
"""


def _records() -> list[dict[str, Any]]:
    told: list[tuple[str, str, dict[str, Any]]] = [
        ("2026-03-01T10:00:00Z", ADA, {"type": "track", "event": "email_open"}),
        ("2026-03-01T11:00:00Z", "bob", {"type": "track", "event": "cart_add"}),
        ("2026-03-01T12:00:00Z", ADA, {"type": "track", "event": "cart_add"}),
        ("2026-03-01T12:00:00Z", ADA, {"type": "track", "event": "purchase", "properties": {"amount": 1.5}}),
        ("2026-03-01T12:30:00Z", ADA, {"type": "consent", "purpose": "news", "granted": True, "document": "d"}),
        ("2026-03-02T09:00:00Z", ADA, {"type": "identify", "traits": {"plan": "free"}}),
        ("2026-03-03T09:00:00Z", ADA, {"type": "track", "event": "cart_add"}),
        ("2026-03-04T09:00:00Z", "bob", {"type": "track", "event": "email_open"}),
    ]
    return [
        {"event_id": f"e{number}", "contact_id": contact, "occurred_at": at, "method": "form"} | more
        for number, (at, contact, more) in enumerate(told)
    ]


def _explained(place: Place, *arguments: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(place.command("explain", ADA, *arguments, "--json").stdout)
    return body


def _plain(value: Any, *left_out: str) -> Any:
    """Without what names a place in a log, and without the fields that are named."""
    if isinstance(value, dict):
        return {name: _plain(item, *left_out) for name, item in value.items() if name not in {"position", *left_out}}
    return [_plain(item, *left_out) for item in value] if isinstance(value, list) else value


def _segment(body: dict[str, Any], name: str) -> dict[str, Any]:
    return next(segment for segment in body["segments"] if segment["segment"] == name)


def test_the_log_the_state_and_a_file_of_the_same_records_are_explained_alike(place: Place) -> None:
    place.prepare("create", DEFINITIONS)
    events = place.directory / "events.jsonl"
    events.write_text("".join(json.dumps(record) + "\n" for record in _records()))
    place.command("load", str(events), "--timestamps", "received", "--until", UNTIL)

    from_log = _explained(place)
    assert (from_log["source"], from_log["state_in_redis"]) == ("log", "unknown")
    asked = ["--explain", f"{ADA}@{UNTIL}", "--json"]
    from_file = json.loads(place.command("simulate", str(place.definitions), str(events), *asked).stdout)
    assert _plain(from_log["segments"]) == _plain(from_file["segments"])
    assert (from_log["now"], from_log["known_since"]) == (from_file["now"], from_file["known_since"])
    positions = {f"tracking-{partition_of(ADA, PARTITIONS)}"}
    assert {segment["since"]["cause"]["position"].partition("@")[0] for segment in from_log["segments"]} == positions
    blocked = _segment(from_log, "reachable")["why_not"]["leaves"]
    assert [leaf["missing"] for leaf in blocked] == ['trait plan = "pro": is "free" (set 2026-03-02T09:00:00Z)']

    worker = place.worker()
    place.wait_until_folded()
    with_state = _explained(place)
    assert with_state["state_in_redis"] == "same"
    assert with_state["segments"] == from_log["segments"]
    quick = _explained(place, "--quick")
    assert quick["source"] == "state"
    left_out = ("since", "event_id", "evidence", "missing")
    assert _plain(quick["segments"], *left_out) == _plain(from_log["segments"], *left_out)
    for segment in quick["segments"]:
        assert segment["since"]["at"] == _segment(from_log, segment["segment"])["since"]["at"]
    assert worker.terminate() == 0


def test_records_and_time_that_pass_are_seen_at_once(place: Place) -> None:
    place.prepare("create", DEFINITIONS)
    events = place.directory / "events.jsonl"
    events.write_text("".join(json.dumps(record) + "\n" for record in _records()))
    place.command("load", str(events), "--timestamps", "received", "--until", UNTIL)
    abandoned = _segment(_explained(place, "abandoned"), "abandoned")
    assert (abandoned["member"], abandoned["until"]) == (True, "2026-03-10T09:00:00.000Z")
    assert abandoned["since"]["at"] == "2026-03-03T10:00:00.000Z"

    events.write_text(
        json.dumps(_records()[0] | {"event_id": "later", "event": "cart_add", "occurred_at": "2026-03-06T08:00:00Z"})
    )
    place.command("load", str(events), "--timestamps", "received", "--until", "2026-03-06T08:59:59.999Z")
    body = _explained(place, "abandoned")
    abandoned = _segment(body, "abandoned")
    assert (body["now"], abandoned["member"]) == ("2026-03-06T08:59:59.999Z", False)
    assert abandoned["since"]["cause"]["event_id"] == "later"
    assert abandoned["until"] == "2026-03-06T09:00:00.000Z"
    (leaf,) = abandoned["why_not"]["leaves"]
    assert (leaf["must_hold"], leaf["until"]) == (True, "2026-03-06T09:00:00.000Z")

    events.write_text(json.dumps({"type": "tick", "received_at": "2026-03-06T09:00:00Z"}))
    place.command("load", str(events), "--timestamps", "received", "--until", "2026-03-06T09:00:00Z")
    abandoned = _segment(_explained(place, "abandoned"), "abandoned")
    assert (abandoned["member"], abandoned["since"]["cause"]["kind"]) == (True, "timer")


def test_what_cannot_be_explained_is_refused_in_one_sentence(place: Place) -> None:
    def refused(exit_code: int, *arguments: str) -> str:
        outcome = place.commands.run("explain", *arguments, timeout_s=60)
        assert (outcome.returncode, outcome.stdout) == (exit_code, "")
        assert outcome.stderr.startswith("segue: ")
        return outcome.stderr

    assert "create it with `segue topics create`" in refused(EXIT_UNAVAILABLE, ADA)
    place.command("topics", "create", "--partitions", str(PARTITIONS), "--timestamps", "create")
    assert "has no definitions yet: run `segue apply`" in refused(EXIT_UNAVAILABLE, ADA)
    place.prepare("create", DEFINITIONS)
    assert f"the contact {ADA} is not known" in refused(EXIT_BAD_INPUT, ADA)
    assert "there is no segment warn; did you mean warm?" in refused(EXIT_BAD_INPUT, ADA, "warn")
    assert "holds no state of a worker" in refused(EXIT_BAD_INPUT, ADA, "--quick")
    partition = partition_of(ADA, PARTITIONS)
    admin = AdminClient({"bootstrap.servers": place.servers})
    for deleted in admin.delete_records([TopicPartition(place.names.tracking, partition, 1)]).values():
        deleted.result(30)
    assert f"the first 1 records of partition {partition} are deleted" in refused(EXIT_BAD_INPUT, ADA)


def _bring(place: Place, definitions: str, at: str) -> None:
    """Append a record of definitions to every partition."""
    value = definitions_value(yaml.safe_load(definitions), number=2)
    producer = Producer({"bootstrap.servers": place.servers})
    for partition in range(PARTITIONS):
        producer.produce(place.names.tracking, value, partition=partition, timestamp=parse_instant(at))
    assert producer.flush(30) == 0


def test_a_log_in_which_definitions_change_is_explained_under_those_that_hold_now(place: Place) -> None:
    place.prepare("create", DEFINITIONS)
    events = place.directory / "events.jsonl"
    events.write_text("".join(json.dumps(record) + "\n" for record in _records()))
    place.command("load", str(events), "--timestamps", "received", "--until", "2026-03-04T12:00:00Z")
    before = _segment(_explained(place, "abandoned"), "abandoned")
    buyers = "  buyers: {when: {performed: {event: purchase}}}\n"
    _bring(place, DEFINITIONS.replace("within: 1h", "within: 2h") + buyers, UNTIL)

    from_log = _explained(place)
    members = {segment["segment"] for segment in from_log["segments"] if segment["member"]}
    assert members == {"abandoned", "warm", "buyers"}
    abandoned = _segment(from_log, "abandoned")
    assert (abandoned["since"], abandoned["sequence"]) == (before["since"], before["sequence"])
    assert "within: 2h" in abandoned["when"]["parts"][1]["condition"]
    since = _segment(from_log, "buyers")["since"]
    assert (since["at"], since["cause"]["kind"]) == ("2026-03-01T12:00:00.000Z", "definition")
    assert since["told_at"] == "2026-03-05T00:00:00.000Z"

    worker = place.worker()
    place.wait_until_folded()
    with_state = _explained(place)
    assert with_state["state_in_redis"] == "same"
    assert with_state["segments"] == from_log["segments"]
    quick = {segment["segment"]: segment for segment in _explained(place, "--quick")["segments"]}
    for segment in from_log["segments"]:
        told = quick[segment["segment"]]
        assert (told["member"], told["sequence"]) == (segment["member"], segment["sequence"])
        assert told["since"]["at"] == segment["since"]["at"]
    assert worker.terminate() == 0
