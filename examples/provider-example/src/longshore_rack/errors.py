"""What the service says, in Longshore's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from longshore.errors import (
    AccessDenied,
    CloudUnreachable,
    CredentialsError,
    InvalidRequest,
    OutOfCapacity,
    ProviderError,
    QuotaExceeded,
    Throttled,
)
from longshore_rack.api import NoAnswer, Refused

__all__ = ["translated"]

_CLASSES: dict[int, type[ProviderError]] = {
    400: InvalidRequest,
    401: CredentialsError,
    402: QuotaExceeded,
    403: AccessDenied,
    404: InvalidRequest,
    409: OutOfCapacity,
    429: Throttled,
}


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise Longshore's errors for those of the service, with their cause (law P6)."""
    try:
        yield
    except NoAnswer as error:
        raise CloudUnreachable(f"{what}: {error}") from error
    except Refused as error:
        raise _CLASSES.get(error.status, ProviderError)(f"{what}: {error}") from error
