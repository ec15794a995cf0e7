"""Names and networks of machines that open e-mails and follow their links, kept in a file with its date."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from streams.collector.configured_files import parse_configured, read_configured
from streams.collector.guarding.addresses import Address, Network

Followed: TypeAlias = Literal["open", "click"]

SIGNS_MAX = 20_000
_REMEMBERED = 4_096
_BOTH: frozenset[Followed] = frozenset({"open", "click"})

Reason = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
_Name = Annotated[str, StringConstraints(min_length=3, max_length=256)]


def _network(value: object) -> object:
    try:
        return ipaddress.ip_network(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"expected a network like 192.0.2.0/24: {error}") from None


class _Sign(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Reason
    source: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    """Where it is known from, so that it can be looked at again."""
    kinds: frozenset[Followed] = Field(default=_BOTH, min_length=1)


class UserAgentSign(_Sign):
    """A name that a machine gives itself."""

    exactly: _Name | None = None
    contains: _Name | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.exactly is None) == (self.contains is None):
            raise ValueError("expected either `exactly` or `contains`")
        return self


class NetworkSign(_Sign):
    """Where machines come from."""

    cidr: Annotated[Network, BeforeValidator(_network)]


class SignsFile(BaseModel):
    """What a file of signs says."""

    model_config = ConfigDict(extra="forbid")

    as_of: datetime.date
    user_agents: list[UserAgentSign] = Field(default_factory=list, max_length=SIGNS_MAX)
    networks: list[NetworkSign] = Field(default_factory=list, max_length=SIGNS_MAX)


class MachineSigns:
    """Tells machines by their names and addresses."""

    def __init__(self, signs: SignsFile) -> None:
        self.as_of = signs.as_of
        self.user_agents = len(signs.user_agents)
        self.networks = len(signs.networks)
        self._names = signs.user_agents
        self._by_address = _by_address(signs.networks)
        # Names repeat, and comparing one with all signs takes longer than all the rest of a click.
        self.of_user_agent = lru_cache(_REMEMBERED)(self._of_user_agent)

    def reasons(self, followed: Followed, user_agent: str, address: Address | None) -> list[str]:
        """Why this looks like a machine, each reason once; empty for a person."""
        found = [*self.of_user_agent(followed, user_agent)]
        if address is not None:
            found += self._of_address(followed, address)
        return list(dict.fromkeys(found))

    def _of_user_agent(self, followed: Followed, user_agent: str) -> tuple[str, ...]:
        lowered = user_agent.lower()
        return tuple(
            sign.reason
            for sign in self._names
            if followed in sign.kinds
            and (sign.exactly == user_agent if sign.contains is None else sign.contains.lower() in lowered)
        )

    def _of_address(self, followed: Followed, address: Address) -> Iterator[str]:
        number, bits = int(address), address.max_prefixlen
        for prefix, networks in self._by_address[address.version]:
            for sign in networks.get(number >> (bits - prefix), ()):
                if followed in sign.kinds:
                    yield sign.reason


_Lengths: TypeAlias = list[tuple[int, dict[int, list[NetworkSign]]]]


def _by_address(signs: Iterable[NetworkSign]) -> dict[int, _Lengths]:
    """Signs of each version by the length of their prefix and by the prefix: one look-up a length, however many."""
    found: dict[int, dict[int, dict[int, list[NetworkSign]]]] = {4: {}, 6: {}}
    for sign in signs:
        network = sign.cidr
        prefix = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
        found[network.version].setdefault(network.prefixlen, {}).setdefault(prefix, []).append(sign)
    return {version: sorted(lengths.items()) for version, lengths in found.items()}


def load_signs(path: Path | None) -> MachineSigns:
    """The signs of a file; without one, those that Segue comes with. Raises `InputError`."""
    if path is not None:
        return MachineSigns(read_configured(path, SignsFile))
    ours = files("streams.collector.emails").joinpath("machine_signs.yaml")
    return MachineSigns(parse_configured(ours.read_bytes(), SignsFile, "machine_signs.yaml"))
