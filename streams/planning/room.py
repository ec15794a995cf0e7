"""How much memory a build takes, and whether Redis has it."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import InputError

_SPARE_PERCENT = 10
"""Of the memory that Redis may use: what must stay free beside a build, for all that serves goes on growing."""
_LEAST_PERCENT = 5
"""What a build under way leaves free."""


@dataclass(frozen=True, slots=True)
class Room:
    """Memory of Redis, in bytes."""

    used: int
    most: int
    """What it may use; 0: no bound."""
    serving: int
    """What the states that serve take, as estimated from some of their keys. A build takes about as much."""

    def check(self) -> None:
        """Raises `InputError` where a build would not fit: a Redis that is full takes no commit of any worker."""
        if self.most and self.used + self.serving > self.most * (100 - _SPARE_PERCENT) // 100:
            raise InputError(
                f"a build of the new state needs about {megabytes(self.serving)} of Redis' memory, of which "
                f"{megabytes(self.used)} of {megabytes(self.most)} are used, and {_SPARE_PERCENT} % are to stay free: "
                "raise its maxmemory, or free some"
            )


@dataclass(frozen=True, slots=True)
class Filled:
    """How full a Redis is, in bytes."""

    used: int
    most: int
    """What it may use; 0: no bound."""

    @property
    def is_short(self) -> bool:
        """Whether a build has to stop."""
        return bool(self.most) and self.used > self.most * (100 - _LEAST_PERCENT) // 100

    def gone(self) -> InputError:
        """The error of a build that was given up."""
        return InputError(
            f"Redis uses {megabytes(self.used)} of {megabytes(self.most)} by now, and the last {_LEAST_PERCENT} % are "
            "the workers': the build is given up, and its memory free again; raise maxmemory, or free some"
        )


def megabytes(size: int) -> str:
    """`12.3 MB`."""
    return f"{size / 1e6:,.1f} MB"
