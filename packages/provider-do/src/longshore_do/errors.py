"""What DigitalOcean says, in our words: the one table for its errors, and for what the SDK says itself. The SDK is
imported when there is an error to read: that takes a tenth of a second, which remembered lists need not wait for.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from typing import Any

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
from longshore.plugin.refusals import Refusals, in_our_words

__all__ = ["Refused", "translated"]

_LOG_IN = "make a token in the control panel, and put it into the environment variable DIGITALOCEAN_TOKEN"
_NO_CAPACITY = re.compile(r"not available|unavailable|currently restricted|out of capacity|no capacity", re.IGNORECASE)
_BUSY = re.compile(r"pending event|is locked|still being", re.IGNORECASE)
_LIMIT = re.compile(r"limit", re.IGNORECASE)

_TABLE = Refusals(
    "DigitalOcean",
    {
        "capacity": (OutOfCapacity, "another size or region may be free"),
        "limit": (QuotaExceeded, "ask for more in the control panel, or use less"),
        "locked": (InvalidRequest, "try again when what is being done with it is done"),
        "unauthorized": (CredentialsError, _LOG_IN),
        "forbidden": (AccessDenied, "`longshore do policy` prints the scopes that the token needs"),
        "too_many_requests": (Throttled, ""),
        "not_found": (InvalidRequest, ""),
        "conflict": (InvalidRequest, ""),
        "bad_request": (InvalidRequest, ""),
        "unprocessable_entity": (InvalidRequest, ""),
        "server_error": (CloudUnreachable, ""),
        "service_unavailable": (CloudUnreachable, ""),
    },
)
"""By the word that an answer has as its ``id`` (https://docs.digitalocean.com/reference/api/), but for what it says in
its message alone: that the account may have no more, or that there is none now.
"""
_BY_STATUS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    412: "conflict",
    422: "unprocessable_entity",
    429: "too_many_requests",
    503: "service_unavailable",
}
_UNPROCESSABLE = 422
_LOCKED = 423
_SERVER = 500


class Refused(Exception):
    """DigitalOcean's answer says no: its word, its message, and the status."""

    def __init__(self, status: int, word: str, message: str) -> None:
        super().__init__(f"{status} {word}: {message}")
        self.status = status
        self.word = word
        self.message = message

    @classmethod
    def of(cls, error: Any) -> Refused:
        """Read what the SDK has raised."""
        status = int(error.status_code or 0)
        try:
            body: Any = error.response.json() if error.response is not None else {}
        except ValueError:
            body = {}
        body = body if isinstance(body, dict) else {}
        return cls(status, str(body.get("id", "")), str(body.get("message", "") or error.reason or ""))

    @property
    def code(self) -> str:
        """Give the word of the table that this is."""
        if self.status == _UNPROCESSABLE and _LIMIT.search(self.message):
            return "limit"
        if self.status == _UNPROCESSABLE and _NO_CAPACITY.search(self.message):
            return "capacity"
        if self.status == _LOCKED or (self.status == _UNPROCESSABLE and _BUSY.search(self.message)):
            return "locked"
        known = _BY_STATUS.get(self.status, "server_error" if self.status >= _SERVER else "")
        # A word that nobody has heard of says more than its status.
        word = self.word.lower()
        return word if word and word not in _BY_STATUS.values() and self.status == 400 else known or word


def translated(doing: str) -> AbstractContextManager[None]:
    """Let nothing of the SDK out of the block; ``doing`` says what is asked, as in ``"listing machines"``.

    Raises:
        ProviderError: of the class that fits, with the SDK's error as its cause.
    """
    return in_our_words(_ours, doing)


def _ours(error: Exception, doing: str) -> ProviderError | None:
    from azure.core import exceptions as sdk  # noqa: PLC0415  see above

    match error:
        case Refused():
            return _refusal(error, doing)
        case sdk.ServiceRequestError() | sdk.ServiceResponseError() | sdk.DecodeError():
            return CloudUnreachable(f"{doing}: {' '.join(str(error).split())}")
        case sdk.HttpResponseError():
            return _refusal(Refused.of(error), doing)
        case sdk.AzureError():
            return ProviderError(f"{doing}: {' '.join(str(error).split())}")
        case ValueError() | KeyError() | TypeError():
            # The answer was cut off, or comes from something between us and the cloud: what was asked may be done.
            return CloudUnreachable(f"{doing}: what came is no answer of DigitalOcean ({type(error).__name__})")
        case _:
            return None


def _refusal(refused: Refused, doing: str) -> ProviderError:
    return _TABLE.error(refused.code or "an error without a word", refused.message, doing=doing)
