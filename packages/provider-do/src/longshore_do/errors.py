"""What DigitalOcean says, in our words: the one table for its errors, and for what the SDK says itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.core import exceptions as sdk

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
from longshore.plugin.refusals import Refusals

__all__ = ["Refused", "translated"]

_LOG_IN = "make a token in the control panel, and put it into the environment variable DIGITALOCEAN_TOKEN"
_NO_CAPACITY = re.compile(r"not available|unavailable|currently restricted|out of capacity|no capacity", re.IGNORECASE)
_LIMIT = re.compile(r"limit", re.IGNORECASE)

_TABLE = Refusals(
    "DigitalOcean",
    {
        "capacity": (OutOfCapacity, "another size or region may be free"),
        "limit": (QuotaExceeded, "ask for more in the control panel, or use less"),
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
_SERVER = 500


class Refused(Exception):
    """DigitalOcean's answer says no: its word, its message, and the status."""

    def __init__(self, status: int, word: str, message: str) -> None:
        super().__init__(f"{status} {word}: {message}")
        self.status = status
        self.word = word
        self.message = message

    @classmethod
    def of(cls, error: sdk.HttpResponseError) -> Refused:
        """Read what the SDK has raised."""
        status = int(error.status_code or 0)
        try:
            response: Any = error.response  # as what it is in fact: an answer that has a body
            body: Any = response.json() if response is not None else {}
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
        known = _BY_STATUS.get(self.status, "server_error" if self.status >= _SERVER else "")
        # A word that nobody has heard of says more than its status.
        word = self.word.lower()
        return word if word and word not in _BY_STATUS.values() and self.status == 400 else known or word


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Let nothing of the SDK out of the block; ``doing`` says what is asked, as in ``"listing machines"``.

    Raises:
        ProviderError: of the class that fits, with the SDK's error as its cause.
    """
    try:
        yield
    except Refused as error:
        raise _TABLE.error(error.code or "an error without a word", error.message, doing=doing) from error
    except sdk.HttpResponseError as error:
        refused = Refused.of(error)
        raise _TABLE.error(refused.code or "an error without a word", refused.message, doing=doing) from error
    except (sdk.ServiceRequestError, sdk.ServiceResponseError, sdk.DecodeError) as error:
        raise CloudUnreachable(f"{doing}: {' '.join(str(error).split())}") from error
    except sdk.AzureError as error:
        raise ProviderError(f"{doing}: {' '.join(str(error).split())}") from error
    except (ValueError, KeyError, TypeError) as error:
        # The answer was cut off, or comes from something between us and the cloud: what was asked may be done.
        raise CloudUnreachable(f"{doing}: what came is no answer of DigitalOcean ({type(error).__name__})") from error
