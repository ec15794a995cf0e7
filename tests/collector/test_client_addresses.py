"""Whose address a call is held to come from, and what of it may be written."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from streams.collector.guarding.addresses import (
    HOPS_MAX,
    Networks,
    Written,
    client_address,
    parse_address,
    written_address,
)

_NETWORKS: TypeAdapter[Networks] = TypeAdapter(Networks)
_OURS = _NETWORKS.validate_python("10.0.0.0/8, 127.0.0.1,fd00::/8")


def _request(peer: str | None, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", text.encode()) for text in forwarded]
    client = None if peer is None else (peer, 1234)
    return Request({"type": "http", "client": client, "headers": headers})


def _client(peer: str | None, *forwarded: str) -> str | None:
    found = client_address(_request(peer, *forwarded), _OURS)
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", (), "203.0.113.9"),
        ("203.0.113.9", ("198.51.100.7",), "203.0.113.9"),
        ("10.0.0.1", ("198.51.100.7",), "198.51.100.7"),
        ("10.0.0.1", ("1.2.3.4, 198.51.100.7",), "198.51.100.7"),
        ("10.0.0.1", ("1.2.3.4", "198.51.100.7, 10.0.0.2"), "198.51.100.7"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("10.1.1.1",), "10.1.1.1"),
        ("10.0.0.1", ("1.2.3.4, unknown",), "10.0.0.1"),
        ("10.0.0.1", ("1.2.3.4, , 10.0.0.3",), "10.0.0.3"),
        ("10.0.0.1", ("198.51.100.7:4711",), "198.51.100.7"),
        ("fd00::1", ("[2001:db8::7]:4711",), "2001:db8::7"),
        ("::ffff:10.0.0.1", ("::ffff:198.51.100.7",), "198.51.100.7"),
        ("testclient", ("198.51.100.7",), None),
        (None, ("198.51.100.7",), None),
    ],
)
def test_only_what_trusted_proxies_wrote_is_believed(peer: str | None, forwarded: tuple[str, ...], client: str) -> None:
    assert _client(peer, *forwarded) == client


def test_a_long_chain_is_read_so_far_and_no_further() -> None:
    chain = ["198.51.100.7"] + [f"10.0.0.{number}" for number in range(1, HOPS_MAX + 1)]
    assert _client("10.0.0.99", ", ".join(chain)) == "10.0.0.1"
    assert _client("10.0.0.99", ", ".join(chain[:HOPS_MAX])) == "198.51.100.7"


def test_an_address_with_a_zone_is_the_address_alone() -> None:
    assert str(parse_address("fe80::1%eth0")) == "fe80::1"


@pytest.mark.parametrize(
    ("address", "written", "shown"),
    [
        ("198.51.100.77", "none", None),
        ("198.51.100.77", "truncated", "198.51.100.0"),
        ("198.51.100.77", "full", "198.51.100.77"),
        ("2001:db8:1:2::7", "truncated", "2001:db8:1::"),
        ("2001:db8:1:2::7", "full", "2001:db8:1:2::7"),
        ("nothing", "full", None),
    ],
)
def test_a_record_keeps_of_an_address_what_the_setting_says(address: str, written: Written, shown: str | None) -> None:
    assert written_address(parse_address(address), written) == shown


def test_networks_that_are_none_are_refused_with_what_was_expected() -> None:
    assert _NETWORKS.validate_python("") == ()
    with pytest.raises(ValidationError, match=r"expected networks like 10\.0\.0\.0/8,fd00::/8: 10\.0\.0\.1/8 has host"):
        _NETWORKS.validate_python("10.0.0.1/8")
    with pytest.raises(ValidationError, match=r"expected networks like .*'shop\.example'"):
        _NETWORKS.validate_python("127.0.0.1,shop.example")
    with pytest.raises(ValidationError, match="expected at most 256 networks"):
        _NETWORKS.validate_python(",".join(f"10.0.{number // 256}.{number % 256}" for number in range(257)))
