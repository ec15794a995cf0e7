"""The one hierarchy of errors, and the exit code that each of them ends a command with."""

from __future__ import annotations

EXIT_DONE = 0
EXIT_BAD_INPUT = 1
EXIT_USAGE = 2
EXIT_BUG = 70
EXIT_UNAVAILABLE = 75


class SegueError(Exception):
    """Something that a person can mend; its text is one clear sentence. Ends a command with `exit_code`."""

    exit_code: int = EXIT_BAD_INPUT


class InputError(SegueError):
    """The input, or the state that was found, is bad: trying again without a change will not help."""

    exit_code = EXIT_BAD_INPUT


class AccessError(InputError):
    """Kafka or Redis does not let us in, or not do this: wrong user, password or certificate, or a right is missing."""


class UnavailableError(SegueError):
    """A dependency is down or not ready yet: try again."""

    exit_code = EXIT_UNAVAILABLE


class BugError(SegueError):
    """An invariant does not hold. The process stops itself rather than go on with wrong state."""

    exit_code = EXIT_BUG
