"""Containers for tests, by testcontainers, on a Docker engine of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tests.support.run_directory import RunDirectory, UnavailableServiceError


class StartedContainer(Protocol):
    """The part of docker's container that tests use."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def pause(self) -> None: ...
    def unpause(self) -> None: ...
    def reload(self) -> None: ...
    def wait(self, *, timeout: float) -> object: ...

    @property
    def attrs(self) -> Mapping[str, Any]: ...


def start_container(
    run: RunDirectory, image: str, ports: Mapping[int, int], environment: Mapping[str, str], command: str = ""
) -> StartedContainer:
    """Start `image` with container ports published on loopback ports. Raises `UnavailableServiceError`."""
    import docker  # noqa: PLC0415 - a quarter of a second, which every process of pytest would pay
    import requests  # noqa: PLC0415 - the same
    from docker.errors import DockerException  # noqa: PLC0415 - the same
    from testcontainers.core.config import testcontainers_config  # noqa: PLC0415 - the same
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - the same

    # The run's own reaper removes it: testcontainers' would do so when the first xdist worker ends.
    testcontainers_config.ryuk_disabled = True
    try:
        docker.from_env(timeout=5).ping()
        container = DockerContainer(image)
        for inside, outside in ports.items():
            container.ports[f"{inside}/tcp"] = ("127.0.0.1", outside)
        for name, value in environment.items():
            container.with_env(name, value)
        if command:
            container.with_command(command)
        container.start()
    except (DockerException, requests.RequestException) as error:
        raise UnavailableServiceError(f"no container of {image}: {error}") from None
    started: StartedContainer = container.get_wrapped_container()
    run.note_container(container.get_wrapped_container().id)
    return started
