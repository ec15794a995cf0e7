"""Where a call comes from: the client's address, also behind proxies of one's own, and what a record may say of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator
from pydantic_settings import NoDecode
from starlette.requests import Request

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Written: TypeAlias = Literal["none", "truncated", "full"]
"""How much of an address a record keeps."""

HOPS_MAX = 32
"""Addresses of `X-Forwarded-For` that are looked at, from the nearest on."""
NETWORKS_MAX = 256
KEPT_BITS = {4: 24, 6: 48}
"""Bits of an address that stay when it is truncated: what a provider gives to many, or to one customer's whole net."""


def _networks(value: object) -> object:
    if not isinstance(value, str):
        return value
    words = [word.strip() for word in value.split(",") if word.strip()]
    if len(words) > NETWORKS_MAX:
        raise ValueError(f"expected at most {NETWORKS_MAX} networks")
    found = []
    for word in words:
        try:
            found.append(ipaddress.ip_network(word))
        except ValueError as error:
            raise ValueError(f"expected networks like 10.0.0.0/8,fd00::/8: {error}") from None
    return tuple(found)


Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]
"""Networks, in the environment separated by commas: `10.0.0.0/8,fd00::/8`. An address alone is a network of one."""


def client_address(request: Request, trusted: Sequence[Network]) -> Address | None:
    """Who called, as far as those say whom we trust.

    A peer outside `trusted` is the client, whatever its headers say. Behind a trusted one, `X-Forwarded-For` is read
    from its end, where the nearest proxy wrote, up to the first address that is not trusted: what lies before it, the
    client itself may have written. None where the connection has no address.
    """
    found = None if request.client is None else parse_address(request.client.host)
    if found is None or not _within(found, trusted):
        return found
    hops = ",".join(request.headers.getlist("x-forwarded-for")).rsplit(",", HOPS_MAX)
    for hop in reversed(hops[-HOPS_MAX:]):
        address = parse_address(hop.strip())
        if address is None:
            break
        found = address
        if not _within(address, trusted):
            break
    return found


def written_address(address: Address | None, written: Written) -> str | None:
    """What a record says of an address; None for nothing."""
    if address is None or written == "none":
        return None
    if written == "truncated":
        network = ipaddress.ip_network((address, KEPT_BITS[address.version]), strict=False)
        return str(network.network_address)
    return str(address)


@lru_cache(maxsize=4_096)
def parse_address(text: str) -> Address | None:
    """An address, also where a proxy wrote its port beside it; IPv4 within IPv6 is IPv4. None where it is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.scope_id is not None:
            return ipaddress.IPv6Address(int(address))
    return address


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
