"""Apache Kafka's broker, gathered by Maven from `ops/kafka/pom.xml` into `.cache/kafka` of the checkout."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.support.run_directory import CHECKOUT, UnavailableServiceError

_POM = CHECKOUT / "ops" / "kafka" / "pom.xml"
_CACHE = CHECKOUT / ".cache" / "kafka"
_DOWNLOAD_TIMEOUT_S = 600


def kafka_jars() -> Path:
    """The directory of the jars; downloads them once. Raises `UnavailableServiceError`."""
    if shutil.which("java") is None:
        raise UnavailableServiceError("no `java` on the path (Java 17 or newer starts the broker)")
    target = _CACHE / hashlib.sha256(_POM.read_bytes()).hexdigest()[:16]
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _download(target)
    return target


def _download(target: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise UnavailableServiceError("no `mvn` on the path (it downloads the broker)")
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = [maven, "-q", "-B", "-f", str(_POM), "dependency:copy-dependencies"]
    options = [f"-DoutputDirectory={partial}", "-DincludeScope=runtime"]
    outcome = subprocess.run(
        command + options, capture_output=True, text=True, timeout=_DOWNLOAD_TIMEOUT_S, check=False
    )
    if outcome.returncode != 0 or not partial.exists():
        raise UnavailableServiceError(f"`mvn` could not download the broker: {outcome.stdout[-2000:]}{outcome.stderr}")
    partial.rename(target)
