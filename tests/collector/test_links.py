"""Tokens: only a key of ours makes one, and it stands for one kind, contact, campaign and destination."""

from __future__ import annotations

import base64
import json

import click.testing
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from schemas.errors import InputError
from streams.cli.link import command
from streams.links import BadTokenError, Link, LinkSigner, check_destination

KEYS = {"new": SecretStr("a-new-signing-secret"), "old": SecretStr("an-old-signing-secret")}
SIGNER = LinkSigner(KEYS)
SHOP = "https://shop.example/"
_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)


@given(contact=_texts, campaign=_texts)
def test_a_token_says_what_it_was_made_of(contact: str, campaign: str) -> None:
    opened, clicked = Link(contact, campaign), Link(contact, campaign, SHOP)
    assert SIGNER.read("open", SIGNER.make("open", opened)) == opened
    assert SIGNER.read("click", SIGNER.make("click", clicked)) == clicked


@given(data=st.data())
def test_a_token_with_any_character_changed_is_refused(data: st.DataObject) -> None:
    token = SIGNER.make("click", Link("c1", "welcome", SHOP))
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters().filter(lambda character: character != token[place]))
    with pytest.raises(BadTokenError):
        SIGNER.read("click", token[:place] + other + token[place + 1 :])


def test_the_first_key_signs_and_all_verify() -> None:
    token = SIGNER.make("open", Link("c1", "welcome"))
    assert token.startswith("new.")
    only_old = LinkSigner({"old": KEYS["old"]})
    assert SIGNER.read("open", only_old.make("open", Link("c1", "welcome"))).contact_id == "c1"
    with pytest.raises(BadTokenError):
        only_old.read("open", token)


def test_a_token_of_one_kind_is_none_of_the_other() -> None:
    with pytest.raises(BadTokenError):
        SIGNER.read("click", SIGNER.make("open", Link("c1", "welcome")))


def test_a_payload_of_another_shape_is_refused_even_when_signed() -> None:
    shapes: list[object] = [[], ["c1"], ["c1", "w", SHOP, "x"], ["c1", "w", "javascript:alert(1)"], [1, 2, 3], {}]
    for fields in shapes:
        payload = base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=").decode()
        token = f"new.{payload}.{SIGNER._signature('click', 'new', payload)}"
        with pytest.raises(BadTokenError):
            SIGNER.read("click", token)


@pytest.mark.parametrize(
    "url",
    ["http://shop.example", "https://shop.example:8443/a?b=c#d", "HTTPS://SHOP.example/%C3%A9", "http://[::1]:80/x"],
)
def test_an_http_destination_is_taken(url: str) -> None:
    check_destination(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example",
        "//shop.example",
        "javascript:alert(1)",
        "ftp://shop.example",
        "http://",
        "https:///path",
        "https://shop.example/a b",
        "https://shop.example/\r\nSet-Cookie: a=b",
        "https://shop.example\\@evil.example",
        "https://shöp.example",
        "https://shop.example:99999/",
        "https://[::1/",
        "https://shop.example/" + "x" * 2048,
    ],
)
def test_another_destination_is_not(url: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        check_destination(url)
    with pytest.raises(InputError, match="url: expected"):
        SIGNER.make("click", Link("c1", "welcome", url))


@pytest.mark.parametrize(
    ("link", "path"),
    [
        (Link("", "w", SHOP), "contact"),
        (Link("x" * 257, "w", SHOP), "contact"),
        (Link("\ud800", "w", SHOP), "contact"),
        (Link("c1", "", SHOP), "campaign"),
        (Link("c1", "x" * 129, SHOP), "campaign"),
    ],
)
def test_a_token_for_a_contact_or_campaign_that_no_record_could_carry_is_not_made(link: Link, path: str) -> None:
    with pytest.raises(InputError, match=f"^{path}: "):
        SIGNER.make("click", link)


def test_an_open_leads_nowhere() -> None:
    with pytest.raises(InputError, match="leads nowhere"):
        SIGNER.make("open", Link("c1", "welcome", SHOP))


def _link(*arguments: str, keys: str = '{"k1": "a-long-signing-secret"}') -> click.testing.Result:
    return click.testing.CliRunner().invoke(command, arguments, env={"SEGUE_LINK_KEYS": keys})


def test_the_command_prints_links_that_the_collector_takes() -> None:
    signer = LinkSigner({"k1": SecretStr("a-long-signing-secret")})
    base = ("--contact", "c1", "--campaign", "welcome", "--base-url", "https://t.example/")
    pixel = _link("open", *base).output.strip()
    redirect = json.loads(_link("click", *base, "--url", SHOP, "--json").output)
    assert pixel.startswith("https://t.example/o/")
    assert pixel.endswith(".gif")
    token = pixel.removeprefix("https://t.example/o/").removesuffix(".gif")
    assert signer.read("open", token) == Link("c1", "welcome")
    assert redirect["url"] == f"https://t.example/c/{redirect['token']}"
    assert signer.read("click", redirect["token"]) == Link("c1", "welcome", SHOP)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", "expected a JSON object"),
        ("hush-this-is-no-json", "expected a JSON object"),
        ('{"k1": 5}', "expected a JSON object"),
        ('{"k1": "hush"}', "expected at least 16 characters"),
        ('{"k.1": "hush-this-is-long-enough"}', "expected key ids"),
        ("{}", "set SEGUE_LINK_KEYS"),
    ],
)
def test_bad_keys_are_refused_and_never_printed(keys: str, expected: str) -> None:
    outcome = _link("open", "--contact", "c1", "--campaign", "welcome", keys=keys)
    assert isinstance(outcome.exception, InputError)
    assert expected in str(outcome.exception)
    assert "hush" not in str(outcome.exception)
