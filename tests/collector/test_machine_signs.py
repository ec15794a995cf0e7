"""Signs of machines: names and networks from a file that says from when it is."""

from __future__ import annotations

import datetime
import ipaddress
import json
from pathlib import Path

import click.testing
import pytest

from schemas.errors import InputError
from streams.cli.link_signs import command
from streams.collector.emails.machine_signs import load_signs

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)
PEOPLE = [
    CHROME,
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)",
    "Outlook-iOS/2.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.3.0",
    "okhttp/4.12.0",
    "",
]


def _signs(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "signs.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("user_agent", PEOPLE)
def test_browsers_and_mail_programs_of_people_are_no_sign(user_agent: str) -> None:
    signs = load_signs(None)
    assert signs.reasons("open", user_agent, ipaddress.ip_address("203.0.113.5")) == []
    assert signs.reasons("click", user_agent, ipaddress.ip_address("2001:db8::5")) == []


@pytest.mark.parametrize(
    ("user_agent", "on_open", "on_click"),
    [
        ("Mozilla/5.0", ["prefetch_proxy"], ["prefetch_proxy"]),
        ("mozilla/5.0", [], []),
        ("Mozilla/5.0 (via ggpht.com GoogleImageProxy)", [], ["image_proxy"]),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", [], ["image_proxy"]),
        ("Barracuda Sentinel (EE)", ["security_scanner"], ["security_scanner"]),
        (CHROME.replace("Chrome", "HeadlessChrome"), ["headless_browser"], ["headless_browser"]),
        ("python-requests/2.32.3", ["http_library"], ["http_library"]),
        ("Microsoft Office Existence Discovery", [], ["link_preview"]),
    ],
)
def test_a_machine_that_names_itself_is_told(user_agent: str, on_open: list[str], on_click: list[str]) -> None:
    signs = load_signs(None)
    assert signs.reasons("open", user_agent, None) == on_open
    assert signs.reasons("click", user_agent, None) == on_click


def test_a_network_is_told_to_its_edges_and_each_reason_once(tmp_path: Path) -> None:
    text = """
as_of: 2026-11-01
networks:
  - {reason: scanner, cidr: 192.0.2.64/27, source: ours}
  - {reason: scanner, cidr: 192.0.2.0/24, source: ours}
  - {reason: lab, cidr: 2001:db8::/48, source: ours, kinds: [click]}
"""
    signs = load_signs(_signs(tmp_path, text))
    assert signs.as_of == datetime.date(2026, 11, 1)
    assert signs.reasons("open", "Mozilla/5.0", ipaddress.ip_address("192.0.2.95")) == ["scanner"]
    assert signs.reasons("open", "", ipaddress.ip_address("192.0.2.255")) == ["scanner"]
    assert signs.reasons("open", "", ipaddress.ip_address("192.0.3.0")) == []
    assert signs.reasons("click", "", ipaddress.ip_address("2001:db8:0:ffff::1")) == ["lab"]
    assert signs.reasons("click", "", ipaddress.ip_address("2001:db8:1::")) == []
    assert signs.reasons("open", "", ipaddress.ip_address("2001:db8::1")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user_agents: []", "as_of: Field required"),
        ("as_of: soon", "as_of: Input should be a valid date"),
        ("as_of: 2026-11-01\nnames: []", "names: Extra inputs are not permitted"),
        (
            "as_of: 2026-11-01\nuser_agents:\n  - {reason: Bad One, contains: bot, source: x}",
            "user_agents[0].reason: String should match pattern",
        ),
        (
            "as_of: 2026-11-01\nuser_agents:\n  - {reason: bot, source: x}",
            "user_agents[0]: expected either `exactly` or `contains`",
        ),
        (
            "as_of: 2026-11-01\nuser_agents:\n  - {reason: bot, contains: x, source: x}",
            "user_agents[0].contains: String should have at least 3 characters, found 'x'",
        ),
        (
            "as_of: 2026-11-01\nnetworks:\n  - {reason: bot, cidr: 192.0.2.1/24, source: x}",
            "networks[0].cidr: expected a network like 192.0.2.0/24: 192.0.2.1/24 has host bits set",
        ),
        ("as_of: 2026-11-01\nas_of: 2026-11-02", "line 2, column 1: 'as_of' is given twice"),
        ("as_of: [", "expected YAML in UTF-8: line 1"),
        ("- 1", "Input should be"),
    ],
)
def test_what_is_wrong_in_a_file_of_signs_is_said_with_its_path(tmp_path: Path, text: str, expected: str) -> None:
    path = _signs(tmp_path, text)
    with pytest.raises(InputError) as refused:
        load_signs(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert expected in str(refused.value)


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a file that can be read: No such file"):
        load_signs(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="expected at most 4194304 bytes"):
        load_signs(_signs(tmp_path, "#" * 5_000_000))


def _run(*arguments: str, signs: str = "") -> click.testing.Result:
    return click.testing.CliRunner().invoke(command, arguments, env={"SEGUE_MACHINE_SIGNS": signs})


def test_the_command_says_which_signs_are_used_and_from_when(tmp_path: Path) -> None:
    shown = _run().output
    assert "as of 2026-" in shown
    assert "Segue's own" in shown
    path = _signs(tmp_path, "as_of: 2020-02-03\nuser_agents:\n  - {reason: bot, contains: bot, source: x}\n")
    own = json.loads(_run("--json", signs=str(path)).output)
    assert own == {"file": str(path), "as_of": "2020-02-03", "user_agents": 1, "networks": 0}


def test_the_command_says_what_the_signs_make_of_a_name_and_an_address() -> None:
    shown = json.loads(_run("--user-agent", "curl/8.5", "--address", "209.222.87.255", "--json").output)
    assert shown["open"] == shown["click"] == ["http_library", "security_scanner"]
    assert "no sign" in _run("--user-agent", CHROME).output
    assert _run("--address", "here").exit_code == 2
