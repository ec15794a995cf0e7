"""What the command line answers when things go wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from schemas.errors import EXIT_UNAVAILABLE, BugError, InputError, UnavailableError
from streams import cli
from tests.support.run_directory import CHECKOUT


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("bad"), 1),
        (UnavailableError("away"), 75),
        (BugError("broken"), 70),
        (ZeroDivisionError("nobody thought of it"), 70),
    ],
)
def test_every_end_has_its_exit_code_and_is_told(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr(cli, "segue", failing)
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == code
    assert str(error) in capsys.readouterr().err


def test_an_unknown_command_is_bad_usage() -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["nonsense"])
    assert ended.value.code == 2


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_explains_itself_with_examples(name: str) -> None:
    group = cli.segue
    assert isinstance(group, click.Group)
    command = group.get_command(click.Context(group), name)
    assert command is not None
    waiting = [(f"segue {name}", command)]
    while waiting:
        path, current = waiting.pop()
        assert current.help, path
        if isinstance(current, click.Group):
            waiting += [(f"{path} {sub}", each) for sub, each in current.commands.items()]
        else:
            assert path in current.help, path


@pytest.mark.parametrize(("argument", "hinted"), [("-dash", True), ("--jsn", False)])
def test_who_gives_an_id_that_begins_with_a_dash_is_told_how(
    argument: str, hinted: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["contact", argument])
    assert ended.value.code == 2
    assert ("goes behind --, as in `segue contact -- -id`" in capsys.readouterr().err) == hinted


def test_a_full_disk_is_no_bug() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-c", "from streams.cli import main; main()"]
        outcome = subprocess.run(
            [*command, "check", str(CHECKOUT / "ops/examples/shop.yaml")],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=CHECKOUT,
        )
    assert outcome.returncode == EXIT_UNAVAILABLE
    assert outcome.stderr == "segue: what was asked for cannot be written in full: No space left on device\n"
