"""Tokens of links: only a key of ours makes one, and it stands for one kind, contact, campaign and destination."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from schemas.errors import InputError
from schemas.instants import MAX_INSTANT_MS
from streams.links import ExpiredTokenError, Link, LinkKind, LinkSigner, check_destination
from streams.sealing import BadTokenError, Sealer, encode
from tests.collector.doubles import NOW_MS

KEYS = {"new": SecretStr("a-new-signing-secret"), "old": SecretStr("an-old-signing-secret")}
SIGNER = LinkSigner(KEYS)
SHOP = "https://shop.example/"
_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)


@given(contact=_texts, campaign=_texts)
def test_a_token_says_what_it_was_made_of(contact: str, campaign: str) -> None:
    opened, clicked = Link(contact, campaign), Link(contact, campaign, SHOP)
    assert SIGNER.read("open", SIGNER.make("open", opened), NOW_MS) == opened
    assert SIGNER.read("click", SIGNER.make("click", clicked), NOW_MS) == clicked


@given(data=st.data())
def test_a_token_with_any_character_changed_is_refused(data: st.DataObject) -> None:
    token = SIGNER.make("click", Link("c1", "welcome", SHOP))
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters().filter(lambda character: character != token[place]))
    with pytest.raises(BadTokenError):
        SIGNER.read("click", token[:place] + other + token[place + 1 :], NOW_MS)


def test_a_token_of_an_earlier_version_says_what_it_said() -> None:
    signer = LinkSigner({"k1": SecretStr("a-long-signing-secret")})
    opened, clicked = (
        "k1.n4sIYFb1V_WydwlHZlx1wuqE6vnohX5NlGxS3MXTGHCv7SzF",
        ("k1.ixEKalHPogU7KQVvlczslkyYgQXXpu1GN3dXuAEGpaPZX6xg8lDCrQzBiE_MZQ2E5lhcA8gVXBRTJNsNc5oVIqZOfNn_BEAzcBo"),
    )
    assert signer.read("open", opened, NOW_MS) == Link("c1", "welcome")
    assert signer.read("click", clicked, NOW_MS - 1) == Link("c1", "welcome", SHOP, NOW_MS)
    assert signer.make("open", Link("c1", "welcome")) == opened, "and is made as it was"


def test_an_open_of_nobody_is_the_same_token_for_all_of_a_campaign() -> None:
    nobodys = Link(None, "welcome")
    assert SIGNER.read("open", SIGNER.make("open", nobodys), NOW_MS) == nobodys
    assert len(SIGNER.make("open", nobodys)) < len(SIGNER.make("open", Link("a-contact", "welcome")))


@pytest.mark.parametrize(
    ("kind", "letter", "url"), [("click", "c", SHOP), ("click", "t", SHOP), ("unsubscribe", "u", None)]
)
def test_what_a_contact_decides_is_never_nobodys(kind: LinkKind, letter: str, url: str | None) -> None:
    with pytest.raises(InputError, match="contact: expected one: only an open can be nobody's"):
        SIGNER.make(kind, Link(None, "welcome", url, trap=letter == "t"))
    with pytest.raises(BadTokenError):
        SIGNER.read(kind, Sealer(KEYS).seal([letter, None, "welcome", url]), NOW_MS)


def test_the_first_key_signs_and_all_verify() -> None:
    token = SIGNER.make("open", Link("c1", "welcome"))
    assert token.startswith("new.")
    only_old = LinkSigner({"old": KEYS["old"]})
    assert SIGNER.read("open", only_old.make("open", Link("c1", "welcome")), NOW_MS).contact_id == "c1"
    with pytest.raises(BadTokenError):
        only_old.read("open", token, NOW_MS)


def test_a_token_of_one_kind_is_none_of_the_other() -> None:
    with pytest.raises(BadTokenError):
        SIGNER.read("click", SIGNER.make("open", Link("c1", "welcome")), NOW_MS)


def test_what_a_token_says_cannot_be_read_in_it() -> None:
    token = SIGNER.make("click", Link("ann@example.org", "welcome", SHOP))
    sealed = token.partition(".")[2]
    for said in ("ann@example.org", "welcome", "shop.example"):
        for spelled in (said, encode(said.encode()), said.encode().hex()):
            assert spelled[:-2] not in sealed


def test_the_same_link_is_the_same_token_and_any_other_is_another() -> None:
    links: list[tuple[LinkKind, Link]] = [
        ("open", Link("c1", "welcome")),
        ("unsubscribe", Link("c1", "welcome")),
        ("unsubscribe", Link("c1", "welcome", purpose="marketing")),
        ("open", Link("c1", "welcome", expires_at_ms=NOW_MS)),
        ("click", Link("c1", "welcome", SHOP)),
        ("click", Link("c1", "welcome", SHOP, trap=True)),
    ]
    tokens = [SIGNER.make(kind, link) for kind, link in links]
    assert tokens == [SIGNER.make(kind, link) for kind, link in links]
    assert len(set(tokens)) == len(links)
    assert [SIGNER.read(kind, token, NOW_MS - 1) for (kind, _), token in zip(links, tokens, strict=True)] == [
        link for _, link in links
    ]


def test_a_token_is_good_until_the_millisecond_of_its_expiry() -> None:
    token = SIGNER.make("open", Link("c1", "welcome", expires_at_ms=NOW_MS))
    assert SIGNER.read("open", token, NOW_MS - 1).contact_id == "c1"
    with pytest.raises(ExpiredTokenError):
        SIGNER.read("open", token, NOW_MS)


def _signed(kind: str, fields: object) -> str:
    """A token as they were made before they were sealed."""
    payload = encode(json.dumps(fields).encode())
    secret = KEYS["old"].get_secret_value().encode()
    signed = hmac.new(secret, f"segue.{kind}.old.{payload}".encode(), hashlib.sha256)
    return f"old.{payload}.{encode(signed.digest())}"


def test_a_token_from_before_tokens_were_sealed_is_read() -> None:
    assert SIGNER.read("open", _signed("open", ["c1", "welcome"]), NOW_MS) == Link("c1", "welcome")
    assert SIGNER.read("click", _signed("click", ["c1", "w", SHOP]), NOW_MS) == Link("c1", "w", SHOP)
    with pytest.raises(BadTokenError):
        SIGNER.read("click", _signed("open", ["c1", "w", SHOP]), NOW_MS)
    with pytest.raises(BadTokenError):
        SIGNER.read("unsubscribe", _signed("unsubscribe", ["c1", "w"]).replace("old.", "older.", 1), NOW_MS)


@pytest.mark.parametrize(
    "fields", [[], ["c1"], ["c1", "w", SHOP, "x"], ["c1", "w", "javascript:alert(1)"], [1, 2, 3], {}]
)
def test_a_payload_of_another_shape_is_refused_even_when_signed(fields: object) -> None:
    with pytest.raises(BadTokenError):
        SIGNER.read("click", _signed("click", fields), NOW_MS)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        ["c"],
        ["c", "c1", "w"],
        ["x", "c1", "w", SHOP],
        ["o", "c1", "w", SHOP],
        ["c", "c1", "w", "javascript:alert(1)"],
        ["c", "c1", "w", SHOP, "tomorrow"],
        ["c", "", "w", SHOP],
        ["c", 1, "w", SHOP],
        ["c", "c1", "w", SHOP, None, "marketing"],
        ["f", "c1", "newsletter"],
    ],
)
def test_fields_of_another_shape_are_refused_even_when_sealed(fields: list[object]) -> None:
    with pytest.raises(BadTokenError):
        SIGNER.read("click", Sealer(KEYS).seal(fields), NOW_MS)


def test_every_link_fits_a_token_and_what_does_not_is_not_made() -> None:
    longest = Link("\x01" * 256, "\x01" * 128, SHOP + "x" * (2_048 - len(SHOP)), MAX_INSTANT_MS, trap=True)
    assert SIGNER.read("click", SIGNER.make("click", longest), NOW_MS) == longest
    with pytest.raises(InputError, match="expected fields that fit a token of 6000 characters"):
        Sealer(KEYS).seal(["x" * 6_000])


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


@pytest.mark.parametrize(
    ("kind", "link", "expected"),
    [
        ("open", Link("c1", "w", trap=True), "only a click link can be a trap"),
        ("open", Link("c1", "w", purpose="marketing"), "only an unsubscribe withdraws consent"),
        ("unsubscribe", Link("c1", "w", purpose="x" * 129), "purpose: expected 1 to 128 characters"),
        ("unsubscribe", Link("c1", "w", SHOP), "leads nowhere"),
    ],
)
def test_a_link_that_asks_for_what_its_kind_has_not_is_not_made(kind: LinkKind, link: Link, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        SIGNER.make(kind, link)
