"""What `segue plan`, `apply` and `definitions` share: the way to the log and the state, and how progress is shown."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from schemas.settings import CommonSettings
from streams.adapters.kafka.history import KafkaHistory
from streams.adapters.kafka.topics import KafkaTopics
from streams.adapters.redis.builds import RedisBuildStore
from streams.adapters.redis.connection import RedisConnection
from streams.adapters.redis.generation_store import RedisGenerationStore
from streams.adapters.redis.room import read_filled, read_room
from streams.adapters.redis.server import errors_of, server_client
from streams.adapters.redis.state import RedisStateStore
from streams.cli.progress import PLAIN_EVERY_S
from streams.planning.planner import Built, PlanPorts
from streams.planning.room import Room, megabytes
from streams.report.durations import duration_text

DEFAULT_RATE = 10_000
"""Records a second that a build takes at most, so that the workers beside it keep their pace."""


@asynccontextmanager
async def plan_ports(settings: CommonSettings) -> AsyncIterator[PlanPorts]:
    """The way to the log and the state, for as long as a command runs."""
    names, redis = settings.names, RedisConnection(settings.redis)
    topics = KafkaTopics(settings.kafka)
    try:
        await redis.check()
        yield PlanPorts(
            topic=names.tracking,
            builds=RedisBuildStore(redis, names),
            generations=RedisGenerationStore(redis, names, RedisStateStore(redis, names)),
            history=KafkaHistory(settings.kafka, names.tracking),
            bounds=lambda: topics.log_bounds(names.tracking),
            room=lambda partition: read_filled(redis, names, partition),
        )
    finally:
        await redis.close()


async def room_for_builds(settings: CommonSettings, ports: PlanPorts) -> Room | None:
    """The memory that a build would take of Redis; None for a cluster, each of whose servers has its own."""
    if settings.redis.is_cluster:
        return None
    serving = {}
    for partition in ports.bounds():
        meta = await ports.generations.serving(partition)
        if meta is not None:
            serving[partition] = meta.generation
    client = server_client(settings.redis)
    try:
        with errors_of(settings.redis):
            return read_room(client, settings.names, serving)
    finally:
        client.close()


async def check_room(settings: CommonSettings, ports: PlanPorts, *, quiet: bool) -> None:
    """Say how much memory a build takes. Raises `InputError` where Redis does not have it."""
    room = await room_for_builds(settings, ports)
    if room is not None:
        room.check()
        if room.serving and not quiet:
            click.echo(f"a build takes about {megabytes(room.serving)} of Redis' memory until it serves", err=True)


@contextmanager
def building_shown(quiet: bool = False) -> Iterator[Callable[[Built], None]]:
    """Shows how far a build has come, how fast it is and how long it will take: a bar, or a line now and then."""
    if quiet or not sys.stderr.isatty():
        yield _lines(quiet)
        return
    column = TextColumn("{task.fields[words]}")
    with Progress(BarColumn(), column, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None, words="reading the log")
        first: list[int] = []

        def show(built: Built) -> None:
            first[:] = first or [built.records]
            progress.update(task, total=built.of, completed=built.records, words=_words(built, first[0]))

        yield show


def _lines(quiet: bool) -> Callable[[Built], None]:
    shown, first = time.monotonic(), -1

    def show(built: Built) -> None:
        nonlocal shown, first
        first = built.records if first < 0 else first
        if not quiet and time.monotonic() - shown >= PLAIN_EVERY_S:
            shown = time.monotonic()
            click.echo(_words(built, first), err=True)

    return show


def _words(built: Built, first: int) -> str:
    rate = (built.records - first) / built.seconds if built.seconds else 0.0
    left = (
        f", {duration_text(round((built.of - built.records) / rate) * 1000)} left"
        if rate and built.of > built.records
        else ""
    )
    return f"{built.records:,} of {built.of:,} records, {rate:,.0f} a second{left}"
