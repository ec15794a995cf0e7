"""Everything between a shop's visitor and a webhook, started in the order in which it needs each other."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from schemas.topics import Names
from streams.demo.receiver import new_secret
from streams.demo.servers import start_kafka, start_redis
from streams.demo.supervision import Program, Running, Supervisor
from streams.embedded.kafka_broker import PARTITIONS

DEFINITIONS = Path(__file__).with_name("definitions.yaml")
NAMES = Names("")
_SEGUE = (sys.executable, "-P", "-c", "from streams.cli import main; main()")
_METRICS = re.compile(r"(http://[^\s/]+)/metrics")
_PROBE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Keys:
    """Secrets of one run."""

    write_key: str
    link_secret: str
    webhook_secret: str


def new_keys() -> Keys:
    """Secrets that nobody has seen."""
    return Keys(secrets.token_urlsafe(24), secrets.token_urlsafe(32), new_secret(secrets.token_bytes(32)))


@dataclass(frozen=True, slots=True)
class Stack:
    """Where everything is."""

    bootstrap_servers: str
    redis_url: str
    collector_url: str
    worker_url: str
    consumer_url: str
    shell: str
    """A file that tells a shell of the same machine how `segue` reaches all this."""


class Starter:
    """Starts a stack under a supervisor; `say` is told what happens."""

    def __init__(
        self, supervisor: Supervisor, client: httpx.AsyncClient, keys: Keys, say: Callable[[str], None]
    ) -> None:
        self._supervisor = supervisor
        self._client = client
        self._keys = keys
        self._say = say

    async def start(self, receiver_url: str) -> Stack:
        """Start everything; webhooks go to `receiver_url`. Raises `ProgramFailedError`, `UnavailableError`."""
        self._say("starting the embedded Kafka and the embedded Redis")
        servers, redis_url = await asyncio.gather(
            start_kafka(self._supervisor, NAMES.tracking, NAMES.transitions, NAMES.dead_letter),
            start_redis(self._supervisor),
        )
        self._say(f"Kafka is at {servers}, Redis at {redis_url}")
        common = {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": servers, "SEGUE_REDIS_URL": redis_url, "SEGUE_TICKS": "on"}
        shell = self._shell(common)
        apply = Program("apply", [*_SEGUE, "apply", str(DEFINITIONS)], common)
        self._say(f"applying {DEFINITIONS}")
        self._say((await self._supervisor.run(apply)).strip())
        self._say(
            "starting the collector, a worker, a detector and the webhook consumer; joining a group takes some seconds"
        )
        collector, worker, consumer, _ = await asyncio.gather(
            self._collector(common), self._worker(common), self._consumer(common, receiver_url), self._detector(common)
        )
        self._say(f"to change its definitions, in another terminal: . {shell}, then edit $SHOP and `segue plan $SHOP`")
        return Stack(servers, redis_url, collector, worker, consumer, str(shell))

    def _shell(self, common: dict[str, str]) -> Path:
        """A file for other terminals to read: what `segue` needs to know of this demo, and a copy to edit."""
        directory = self._supervisor.scratch("shop")
        copy = directory / DEFINITIONS.name
        copy.write_bytes(DEFINITIONS.read_bytes())
        path = directory / "env"
        found = {**common, "SHOP": str(copy), "PATH": f"{Path(sys.executable).parent}:$PATH"}
        path.write_text("".join(f'export {name}="{value}"\n' for name, value in found.items()))
        return path

    async def _collector(self, common: dict[str, str]) -> str:
        environment = common | {
            "SEGUE_WRITE_KEYS": json.dumps({"shop": self._keys.write_key}),
            "SEGUE_LINK_KEYS": json.dumps({"demo": self._keys.link_secret}),
            "SEGUE_COLLECTOR_CHECK_INTERVAL_MS": "500",
        }
        command = [*_SEGUE, "collector", "--port", "0"]
        announced = re.compile(r"collector listens on (http://\S+)")
        return await self._start(Program("collector", command, environment), announced, "/readyz", {"status": "ready"})

    async def _worker(self, common: dict[str, str]) -> str:
        environment = common | {"SEGUE_METRICS_PORT": "0", "SEGUE_LAG_INTERVAL_MS": "500"}
        program = Program("worker", [*_SEGUE, "worker"], environment)
        return await self._start(program, _METRICS, "/healthz", {"serving": PARTITIONS})

    async def _detector(self, common: dict[str, str]) -> str:
        program = Program("detector", [*_SEGUE, "detect"], common | {"SEGUE_METRICS_PORT": "0"})
        return await self._start(program, _METRICS, "/healthz", {"serving": PARTITIONS})

    async def _consumer(self, common: dict[str, str], receiver_url: str) -> str:
        environment = common | {"SEGUE_WEBHOOK_SECRETS": self._keys.webhook_secret, "SEGUE_CONSUMER_PORT": "0"}
        command = [*_SEGUE, "consumer", "webhook", "--url", receiver_url, "--allow-private", "--from", "beginning"]
        announced = re.compile(r"listening on (http://\S+)")
        program = Program("webhook consumer", command, environment, stop_timeout_s=30.0)
        return await self._start(program, announced, "/readyz", {"ready": True})

    async def _start(
        self, program: Program, announced: re.Pattern[str], probe: str, expected: dict[str, object]
    ) -> str:
        """Start one of our own programs; returns its address once `probe` answers what is expected."""

        async def ready(running: Running) -> bool:
            found = announced.search(running.output)
            return found is not None and await self._answers(f"{found[1]}{probe}", expected)

        running = await self._supervisor.start(
            Program(program.name, program.command, program.environment, ready, stop_timeout_s=program.stop_timeout_s)
        )
        found = announced.search(running.output)
        assert found is not None, "it was found when the program got ready"
        self._say(f"the {program.name} is ready: {found[1]}")
        return found[1]

    async def _answers(self, url: str, expected: dict[str, object]) -> bool:
        try:
            answer = await self._client.get(url, timeout=_PROBE_TIMEOUT_S)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK and expected.items() <= answer.json().items()
