"""What the live tests of consumers share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from consumers.cli import command
from schemas.errors import SegueError
from tests.conftest import Kafka
from tests.consumers.receiver import SECRET, Receiver
from tests.consumers.transitions import TransitionLog
from tests.support.processes import Commands, StartedCommand


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes everything until told otherwise."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def transitions(kafka: Kafka, namespace: str) -> TransitionLog:
    """The topic of the test's namespace, with one partition."""
    return TransitionLog(kafka.bootstrap_servers, namespace)


StartWebhooks = Callable[..., StartedCommand]


@pytest.fixture
def start_webhooks(commands: Commands, receiver: Receiver) -> StartWebhooks:
    """Starts the webhook consumer towards the receiver; take-overs and retries do not take long."""

    def start(*arguments: str, allow_private: bool = True, **environment: str) -> StartedCommand:
        variables = {
            "SEGUE_WEBHOOK_SECRETS": SECRET,
            "SEGUE_CONSUMER_SESSION_TIMEOUT_MS": "3000",
            "SEGUE_CONSUMER_COMMIT_INTERVAL_MS": "100",
            "SEGUE_WEBHOOK_PAUSE_STEPS_S": "0.2",
            "SEGUE_WEBHOOK_CONCURRENCY": "4",
        } | environment
        private = ["--allow-private"] if allow_private else []
        return commands.start("consumer", "webhook", "--url", receiver.url, *private, *arguments, environment=variables)

    return start


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    stdout: str


Dead = Callable[..., Ended]


@pytest.fixture
def dead(segue_environment: dict[str, str]) -> Dead:
    """Runs `segue consumer webhook dead …` in this process: a new one each time takes a second."""

    def run(*arguments: str) -> Ended:
        environment = segue_environment | {"SEGUE_WEBHOOK_SECRETS": SECRET}
        result = CliRunner().invoke(command, ["webhook", "dead", *arguments], env=environment)
        if isinstance(result.exception, SegueError):
            return Ended(result.exception.exit_code, result.stdout)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return Ended(result.exit_code, result.stdout)

    return run
