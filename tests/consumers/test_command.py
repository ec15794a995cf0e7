"""The command line of consumers, without Kafka and without Redis."""

from __future__ import annotations

import asyncio
import base64

import pytest
from click.testing import CliRunner

from consumers import runner
from consumers.cli import SINKS, command
from consumers.webhook import dead_cli
from consumers.webhook.dead_letters import DeadLetter
from schemas.errors import EXIT_BUG
from streams.cli import main


@pytest.mark.parametrize(
    "arguments", [[], *[[name] for name in SINKS], ["webhook", "dead"], ["webhook", "dead", "replay"]]
)
def test_every_command_explains_itself(arguments: list[str]) -> None:
    shown = CliRunner().invoke(command, [*arguments, "--help"])
    assert shown.exit_code == 0
    assert len(shown.output) > 200


def test_a_new_secret_is_of_32_bytes_and_another_each_time() -> None:
    made = {CliRunner().invoke(command, ["webhook", "secret"]).output.strip() for _ in range(3)}
    assert len(made) == 3
    assert {len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) for secret in made} == {32}


def test_an_error_that_nobody_foresaw_ends_the_command_with_code_70(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_arguments: object) -> None:
        async def outcomes() -> None:
            failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            failed.set_exception(ZeroDivisionError("division by zero"))
            runner._raise_first(failed)

        asyncio.run(outcomes())

    monkeypatch.setattr("consumers.log.run_consumer", fail)
    monkeypatch.setattr("consumers.log.configure_logging", lambda _settings: None)
    with pytest.raises(SystemExit) as ended:
        main(["consumer", "log"])
    assert ended.value.code == EXIT_BUG
    shown = capsys.readouterr().err
    assert "segue: the consumer stopped itself: ZeroDivisionError: division by zero" in shown
    assert "Traceback" in shown


def test_what_an_endpoint_answered_is_listed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    detail = f"answered 400: [/]x [red]y {'long ' * 60}end"
    letter = DeadLetter("p0e1s3", 0, 3, 1, 3, "rejected", 400, detail, "e", "2026-11-21T09:00:00.000Z", b"{}")
    dead_cli._print_table([letter])
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["id", "partition", "seq", "reason", "status", "since", "detail"]
    assert row.rstrip().endswith(detail)


def test_options_in_front_of_a_subcommand_are_refused_because_they_would_not_reach_it() -> None:
    shown = CliRunner().invoke(command, ["webhook", "--name", "crm", "dead", "list"])
    assert shown.exit_code == 2
    assert "give options after `dead`" in shown.output
