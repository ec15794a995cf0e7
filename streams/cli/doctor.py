"""`segue doctor`: what may be wrong with a deployment, and the command or setting that mends it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
import msgspec
from rich.text import Text

from schemas.errors import EXIT_BAD_INPUT, InputError, UnavailableError
from schemas.settings import CommonSettings, load_settings
from streams.adapters.kafka.create import DEAD_LETTER_SURPLUS_BYTES, MESSAGE_MAX_BYTES
from streams.adapters.kafka.facts import kafka_facts
from streams.adapters.kafka.topics import KafkaTopics
from streams.adapters.redis.errors import OLDEST_VERSION
from streams.adapters.redis.facts import redis_facts, state_facts
from streams.adapters.redis.keys import OLDEST_BUILT_FROM, OLDEST_FORMAT, STATE_FORMAT
from streams.adapters.redis.server import errors_of, server_client
from streams.cli.doctor_door import door_facts
from streams.cli.printing import print_shown
from streams.doctor.checks import examine
from streams.doctor.facts import Facts, KafkaFacts, Limits, RedisFacts, StateFacts
from streams.doctor.findings import Finding
from streams.settings import WorkerSettings
from streams.spool.settings import SpoolSettings
from streams.spool.survey import SpoolSurvey, survey

_TIMEOUT_MS = 10_000
_WORKER = "worker"
_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


@click.command("doctor", short_help="Look for what is wrong with a deployment, and say how to mend it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--quiet", "-q", is_flag=True, help="Only what is not well.")
def command(as_json: bool, quiet: bool) -> None:
    """Look at topics, Redis, state, workers, consumers, clocks, snapshots and a spool, and change nothing.

    What is set for the collector is judged as it stands where this runs: its signs of machines, keys of links, hooks.
    Each line says what was found; where it is not well also what was expected, and the command or setting that
    mends it. A collector's spool is looked at where SEGUE_COLLECTOR_SPOOL_DIR is set as for the collector and the
    directory can be reached: run this on its machine, or in its container. The exit code is 0 when nothing is worse
    than a warning, 1 when something is an error, and 75 when Kafka or Redis are away.

    \b
    Examples:
      segue doctor
      segue doctor --json | jq '.findings[] | select(.level != "ok")'
    """
    findings = examine(_gather(load_settings(CommonSettings)))
    worst = [finding for finding in findings if finding.level == "error"]
    shown = [finding for finding in findings if not quiet or finding.level != "ok"]
    if as_json:
        body = {"well": not worst, "findings": [finding._asdict() for finding in shown]}
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(body)) + b"\n")
    else:
        print_shown(*map(_line, shown), Text(_summary(findings)))
    if worst:
        sys.exit(EXIT_BAD_INPUT)


def _gather(settings: CommonSettings) -> Facts:
    """Everything, or all that is away."""
    away: list[str] = []
    redis = state = kafka = None
    try:
        redis, state = _redis(settings)
    except UnavailableError as error:
        away.append(str(error))
    roles = {_WORKER} if state is None else {_WORKER} | {progress.role for progress in state.consumers}
    try:
        kafka = _kafka(settings, roles)
    except UnavailableError as error:
        away.append(str(error))
    if redis is None or state is None or kafka is None:
        raise UnavailableError("; ".join(away))
    now_ms = time.time_ns() // 1_000_000
    return Facts(now_ms, settings.names, kafka, redis, state, _limits(), door_facts(), *_spool())


def _spool() -> tuple[Path | None, SpoolSurvey | None]:
    """Its directory as it is set here, and what is there."""
    place = load_settings(SpoolSettings)
    directory = place.collector_spool_dir
    return directory, None if directory is None else survey(directory, place.collector_spool_bytes)


def _redis(settings: CommonSettings) -> tuple[RedisFacts, StateFacts]:
    client = server_client(settings.redis, timeout_ms=_TIMEOUT_MS)
    try:
        with errors_of(settings.redis):
            found = redis_facts(client, lambda: time.time_ns() / 1e6)
            return found, state_facts(client, settings.names, time.time_ns() // 1_000_000)
    finally:
        client.close()


def _kafka(settings: CommonSettings, roles: set[str]) -> KafkaFacts:
    return kafka_facts(KafkaTopics(settings.kafka, _TIMEOUT_MS), settings.names, sorted(roles))


def _limits() -> Limits:
    try:
        most = load_settings(WorkerSettings).outbox_entries_max
    except InputError:  # of a worker's settings only that one matters here
        most = int(WorkerSettings.model_fields["outbox_entries_max"].default)
    return Limits(
        STATE_FORMAT,
        OLDEST_FORMAT,
        OLDEST_VERSION,
        MESSAGE_MAX_BYTES,
        DEAD_LETTER_SURPLUS_BYTES,
        most,
        OLDEST_BUILT_FROM,
    )


def _line(finding: Finding) -> Text:
    text = Text.assemble((f"{finding.level:<8}", _COLOURS[finding.level]), f" {finding.about}: {finding.found}")
    if finding.expected:
        text.append(f"\n         expected: {finding.expected}")
    if finding.fix:
        text.append(f"\n         fix: {finding.fix}")
    return text


def _summary(findings: list[Finding]) -> str:
    counts = {level: sum(finding.level == level for finding in findings) for level in _COLOURS}
    return f"{counts['ok']} well, {counts['warning']} warnings, {counts['error']} errors"
