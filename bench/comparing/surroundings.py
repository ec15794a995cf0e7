"""What a result depends on besides the code: machine, versions, commit."""

from __future__ import annotations

import os
import re
import subprocess
from importlib.metadata import version as installed

from bench.contenders.environments import version
from bench.contenders.roster import Contender
from bench.report.results import Entry
from bench.tables import machine
from tests.support.kafka_jars import kafka_jars
from tests.support.redis_servers import redis_binary
from tests.support.run_directory import CHECKOUT


def surroundings() -> dict[str, str]:
    """Processor, memory and system, as far as they can be told."""
    return {**{name: str(fact) for name, fact in machine().items()}, "memory": _memory()}


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def server_versions(broker_is_java: bool) -> dict[str, str]:
    """Kafka and Redis."""
    redis = subprocess.run([redis_binary(), "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v=(\S+)", redis)
    return {"Kafka": _kafka() if broker_is_java else "in a container", "Redis": found[1] if found else "unknown"}


def _kafka() -> str:
    named = [re.search(r"kafka-clients-(.+)\.jar", path.name) for path in kafka_jars().iterdir()]
    return f"{next(match[1] for match in named if match)}, one broker, 512 MiB heap"


def commit() -> str:
    """The short name of the commit, with a mark where the checkout differs from it; unknown outside of Git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=CHECKOUT, capture_output=True, text=True, check=True
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()


def entry(contender: Contender) -> Entry:
    """A contender with the version that takes part."""
    if contender.folder is None or contender.package is None:
        told = installed("segue")
    else:
        told = f"{contender.package} {version(contender.folder, contender.package)}"
    return Entry(contender.name, contender.title, contender.how, told)
