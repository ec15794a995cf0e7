"""How every client reaches Redis: one server or a cluster, over what, and as whom.

The scheme of the address says which: `redis://` and `unix://` one server, `rediss://` one over TLS, `redis+cluster://`
and `rediss+cluster://` a cluster, of which any number of nodes may be named (`host:port,host:port`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import SecretStr

from schemas.errors import AccessError, InputError
from schemas.tls import TlsFiles

_CLUSTER = "+cluster"
_SCHEMES = ("redis", "rediss", "unix", f"redis{_CLUSTER}", f"rediss{_CLUSTER}")
_PORT = 6379
_PASSES = re.compile(r"\b(OOM|MISCONF|READONLY|NOREPLICAS|BUSY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOSCRIPT)\b")
_FORBIDDEN = re.compile(r"NOPERM|ACL failure|executing the script can't|no permissions|NOAUTH|WRONGPASS", re.IGNORECASE)
_TLS_REFUSED = re.compile(
    r"certificate verify failed|alert .*(certificate|unknown ca)|certificate required",
    re.IGNORECASE,
)


class Node(NamedTuple):
    """Where one server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class RedisAccess:
    """The address with user and password, and what TLS needs. Its `repr` shows no secret."""

    url: SecretStr
    tls: TlsFiles

    @classmethod
    def at(cls, url: str, tls: TlsFiles | None = None) -> RedisAccess:
        """Raises `ValueError`, without the address in its text, when it is none."""
        access = cls(SecretStr(url), tls or TlsFiles())
        if access._scheme not in _SCHEMES:
            raise ValueError(f"expected an address that begins with {', '.join(f'{name}://' for name in _SCHEMES)}")
        if access._scheme != "unix":
            access.nodes  # noqa: B018 - raises where a port is none
        if access.is_cluster and urlsplit(url).path.strip("/") not in ("", "0"):
            raise ValueError("expected database 0 or none: a cluster has no others")
        return access

    @property
    def is_cluster(self) -> bool:
        """Whether keys lie on several servers, by their hash slots."""
        return self._scheme.endswith(_CLUSTER)

    @property
    def uses_tls(self) -> bool:
        return self._scheme.startswith("rediss")

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The servers that are named. One behind a socket has none."""
        if self._scheme == "unix":
            return ()
        _, _, places = self._authority.rpartition("@")
        return tuple(_node(place) for place in places.split(","))

    @property
    def shown(self) -> str:
        """The address without user and password."""
        if self._scheme == "unix":
            return urlsplit(self.url.get_secret_value()).path
        return ",".join(map(str, self.nodes))

    def url_of(self, node: Node | None) -> str:
        """The address of one server, with user and password, as clients of one server understand it."""
        url = self.url.get_secret_value()
        if node is None or not self.is_cluster:
            return url
        user, at, _ = self._authority.rpartition("@")
        host = f"[{node.host}]" if ":" in node.host else node.host
        return f"{self._scheme.removesuffix(_CLUSTER)}://{user}{at}{host}:{node.port}/0"

    def options(self, timeout_ms: int) -> dict[str, Any]:
        """What clients of redis-py are given besides; `timeout_ms` bounds connecting and each reply."""
        seconds = timeout_ms / 1000
        found: dict[str, Any] = {"protocol": 2, "socket_timeout": seconds, "socket_connect_timeout": seconds}
        if self.uses_tls:
            files = {
                "ssl_ca_certs": self.tls.authority,
                "ssl_certfile": self.tls.certificate,
                "ssl_keyfile": self.tls.key_file,
            }
            found |= {name: str(path) for name, path in files.items() if path is not None}
            found["ssl_check_hostname"] = self.tls.check_hostname
        return found

    @property
    def _scheme(self) -> str:
        return urlsplit(self.url.get_secret_value()).scheme

    @property
    def _authority(self) -> str:
        return urlsplit(self.url.get_secret_value()).netloc


def _node(place: str) -> Node:
    parts = urlsplit(f"//{place}")
    try:
        return Node(parts.hostname or "localhost", parts.port or _PORT)
    except ValueError:
        raise ValueError("expected host:port, and a port of at most 65535, for each server in it") from None


def refusal(address: str, text: str, *, forbidden: bool = False) -> AccessError | None:
    """The error where Redis, or a check of its certificate, says no and will say so again; else None.

    `forbidden`: the driver has told by the kind of its error that it is so.
    """
    place = f"Redis at {address}" if address else "Redis"
    if forbidden or _FORBIDDEN.search(text):
        return AccessError(
            f"{place} refuses us: {text}; check user and password in SEGUE_REDIS_URL, and the rights of the user "
            "(ops/security.md)"
        )
    if _TLS_REFUSED.search(text):
        return AccessError(
            f"{place} is not spoken to: {text}; check SEGUE_REDIS_URL, SEGUE_REDIS_SSL_CA_FILE and the settings that "
            "go with it"
        )
    return None


def passes(text: str) -> bool:
    """Whether what Redis refused will be taken later by itself, or when an operator has helped: it is full, or busy.

    By the words: where a script met the refusal, drivers do not tell by the kind of their error.
    """
    return _PASSES.search(text) is not None


def another_kind(address: str, *, is_cluster: bool) -> InputError:
    """The error where Redis is a cluster (`is_cluster`) and its address says one server, or the other way about."""
    place = f"Redis at {address}" if address else "Redis"
    found, begin = ("belongs to a cluster", "+cluster") if is_cluster else ("is no cluster", "")
    return InputError(f"{place} {found}: expected SEGUE_REDIS_URL to begin with redis{begin}:// or rediss{begin}://")
