"""A port: what is fetched from addresses outside, which is rare."""

from __future__ import annotations

from typing import Protocol


class Fetcher(Protocol):
    """Gets what lies at an address outside."""

    async def fetch(self, url: str) -> bytes:
        """The body of a 200; redirects are not followed, and time and bytes are bounded. Raises `UnavailableError`."""
