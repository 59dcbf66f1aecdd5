"""What goes wrong on the way to the sandbox, in the core's words; `CloudCalls` reads what the cloud says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from longshore.errors import CloudUnreachable, ConfigError, InvalidRequest

__all__ = ["CloudDown", "translated"]


class CloudDown(Exception):
    """There is no cloud in the folder, and none can be started."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise the core's errors for those of the door.

    Raises:
        CloudUnreachable: when there is no cloud; nothing was done.
        InvalidRequest: when the cloud's settings have mistakes.
    """
    try:
        yield
    except CloudDown as error:
        raise CloudUnreachable(str(error)) from error
    except ConfigError as error:
        raise InvalidRequest(f"the sandbox cannot be used: {error}") from error
