"""The two servers that a demo brings along: the embedded broker and the embedded Redis, each supervised."""

from __future__ import annotations

from streams.demo.supervision import Program, Running, Supervisor
from streams.embedded.kafka_broker import bootstrap_servers_in, broker_command
from streams.embedded.redis_server import is_serving, redis_command, redis_url


async def start_kafka(supervisor: Supervisor, *topics: str) -> str:
    """Start the broker with `topics`; returns its bootstrap servers."""

    async def announced(running: Running) -> bool:
        return bootstrap_servers_in(running.output) is not None

    broker = await supervisor.start(Program("kafka", broker_command(topics), ready=announced))
    servers = bootstrap_servers_in(broker.output)
    assert servers is not None
    return servers


async def start_redis(supervisor: Supervisor) -> str:
    """Start the server on a free port; returns its URL."""
    directory = supervisor.scratch("redis")

    def on(port: int) -> Program:
        async def serving(running: Running) -> bool:
            return is_serving(port, running.pid)

        return Program("redis", redis_command(port, directory), ready=serving)

    _, port = await supervisor.start_on_free_port(on)
    return redis_url(port)
