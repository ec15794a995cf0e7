"""The Faust app of the worker: what Faust is asked to do, and what it is asked to leave alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from faust.auth import Credentials, SASLCredentials, SSLCredentials

from schemas.kafka_connection import KafkaConnection
from streams.agents.faust_hooks import FaustLog, Tuning, WorkerApp
from streams.agents.fold import register
from streams.agents.lanes import Lanes
from streams.ports import LogBounds
from streams.settings import WorkerSettings

REVOKE_TIMEOUT_S = 2.0
"""How long a rebalance waits for commits under way. What takes longer is refused by the fence."""

METADATA_AGE_MS = 5_000
"""How old the consumer's knowledge of the topic may grow. A leader of the group that could not learn of it in time, as
after a restart of the broker, gives nobody any partition, and sees that only when it asks again: by default after
five minutes in which nothing is folded."""


def build_app(
    settings: WorkerSettings, lanes: Lanes, bounds: Callable[[], Awaitable[Mapping[int, LogBounds]]]
) -> WorkerApp:
    """The app, not started yet. `bounds` says where the log of each partition begins and ends."""
    names = settings.names
    app = WorkerApp(
        names.group("worker"),
        broker=[f"kafka://{server.strip()}" for server in settings.kafka.bootstrap_servers.split(",")],
        broker_credentials=_credentials(settings.kafka),
        autodiscover=False,
        broker_client_id="segue-worker",
        broker_session_timeout=settings.session_timeout_ms / 1000,
        broker_heartbeat_interval=settings.heartbeat_interval_ms / 1000,
        broker_rebalance_timeout=settings.rebalance_timeout_ms / 1000,
        broker_request_timeout=settings.request_timeout_ms / 1000,
        consumer_auto_offset_reset="none",  # Redis says where a partition goes on
        consumer_metadata_max_age_ms=METADATA_AGE_MS,
        consumer_max_fetch_size=settings.fetch_partition_bytes_max,
        stream_wait_empty=False,  # it waits for acks, and there are none
        table_standby_replicas=0,  # leaves the assignment to aiokafka's assignor
        topic_allow_declare=False,  # topics are made by `segue topics create`, with checked partition counts
        topic_disable_leader=True,
        web_enabled=False,
    )
    app.lanes = lanes
    app.tuning = Tuning(
        settings.batch_records_max, settings.fetch_wait_ms, settings.fetch_bytes_min, settings.fetch_idle_wait_ms
    )
    app.source = FaustLog(app, names.tracking, bounds)
    register(app, names.tracking)

    async def revoke(*_arguments: Any, **_options: Any) -> None:
        await lanes.revoke(REVOKE_TIMEOUT_S)

    app.on_partitions_revoked.connect(revoke, weak=False)
    return app


def _credentials(kafka: KafkaConnection) -> Credentials | None:
    """What Faust hands to aiokafka; None is plain text as nobody."""
    context = None if kafka.tls is None else kafka.tls.context()
    if kafka.sasl is not None:
        return SASLCredentials(
            username=kafka.sasl.username,
            password=kafka.sasl.password.get_secret_value(),
            mechanism=kafka.sasl.mechanism,
            ssl_context=context,
        )
    return None if context is None else SSLCredentials(context)
