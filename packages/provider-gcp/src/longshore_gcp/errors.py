"""What Google says, in our words: the one table for its errors, and for what the SDK says itself. The SDK is imported
when there is an error to read: it takes half a second, which lists that are remembered need not wait for.
"""

from __future__ import annotations

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

__all__ = ["Refused", "is_gone", "is_taken", "translated"]

_LOG_IN = "log in by `gcloud auth application-default login`, or name a file in GOOGLE_APPLICATION_CREDENTIALS"
_ROLE = "`longshore gcp policy` prints the role that the login needs"
_API = "switch the API on: `gcloud services enable compute.googleapis.com cloudbilling.googleapis.com`"
_NAMES = "compare project, regions, image and network in [providers.gcp] with what there is"
_MORE = "ask for more at IAM & Admin, Quotas, or use less"

_TABLE = Refusals(
    "Google",
    {
        "*RESOURCE_POOL_EXHAUSTED": (OutOfCapacity, "another zone or type may be free"),
        "ZONE_RESOURCE_POOL_EXHAUSTED*": (OutOfCapacity, "another zone or type may be free"),
        "UNSUPPORTED_OPERATION": (InvalidRequest, ""),
        "quotaExceeded": (QuotaExceeded, _MORE),
        "limitExceeded": (QuotaExceeded, _MORE),
        "QUOTA_EXCEEDED": (QuotaExceeded, _MORE),
        "QUOTA_LIMIT": (QuotaExceeded, _MORE),
        "rateLimitExceeded": (Throttled, ""),
        "userRateLimitExceeded": (Throttled, ""),
        "RATE_LIMIT_EXCEEDED": (Throttled, ""),
        "OPERATION_RATE_EXCEEDED": (Throttled, ""),
        "authError": (CredentialsError, _LOG_IN),
        "required": (CredentialsError, _LOG_IN),
        "forbidden": (AccessDenied, _ROLE),
        "insufficientPermissions": (AccessDenied, _ROLE),
        "PERMISSIONS_ERROR": (AccessDenied, _ROLE),
        "accessNotConfigured": (AccessDenied, _API),
        "SERVICE_DISABLED": (AccessDenied, _API),
        "billingNotEnabled": (AccessDenied, "give the project an account that pays, in the console's page Billing"),
        "conditionNotMet": (InvalidRequest, "a policy of the organisation denies it; ask who administers it"),
        "CONDITION_NOT_MET": (InvalidRequest, "a policy of the organisation denies it; ask who administers it"),
        "notFound": (InvalidRequest, _NAMES),
        "RESOURCE_NOT_FOUND": (InvalidRequest, _NAMES),
        "alreadyExists": (InvalidRequest, ""),
        "RESOURCE_ALREADY_EXISTS": (InvalidRequest, ""),
        "resourceInUseByAnotherResource": (InvalidRequest, "what uses it must go before"),
        "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE": (InvalidRequest, "what uses it must go before"),
        "resourceNotReady": (InvalidRequest, "try again when what is being done with it is done"),
        "RESOURCE_NOT_READY": (InvalidRequest, "try again when what is being done with it is done"),
        "invalid": (InvalidRequest, ""),
        "invalidParameter": (InvalidRequest, ""),
        "badRequest": (InvalidRequest, ""),
        "INVALID_FIELD_VALUE": (InvalidRequest, ""),
        "INVALID_USAGE": (InvalidRequest, ""),
        "backendError": (CloudUnreachable, ""),
        "internalError": (CloudUnreachable, ""),
        "INTERNAL_ERROR": (CloudUnreachable, ""),
    },
)
"""By the ``reason`` of an answer (https://cloud.google.com/compute/docs/api/errors), in small letters, or by the
``code`` of an error of an operation, in capitals.
"""
_BY_STATUS = {
    400: "badRequest",
    401: "authError",
    403: "forbidden",
    404: "notFound",
    409: "alreadyExists",
    412: "conditionNotMet",
    429: "rateLimitExceeded",
}
_SERVER = 500
_GONE = frozenset({"notFound", "RESOURCE_NOT_FOUND"})
_TAKEN = frozenset({"alreadyExists", "RESOURCE_ALREADY_EXISTS"})


class Refused(Exception):
    """Google says no: by which code, and in which words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def _refused(error: Any) -> Refused:
    """Read what the SDK has raised."""
    status = int(error.code or 0)
    first: Any = next(iter(error.errors), None)
    detail = first if isinstance(first, dict) else {}
    code = str(detail.get("reason") or error.reason or "")
    if not code or status == 401:  # what it is called then says less
        code = _BY_STATUS.get(status, "backendError" if status >= _SERVER else f"status {status}")
    return Refused(code, str(detail.get("message") or error.message or ""))


def is_gone(error: Exception) -> bool:
    """Say whether an error means that there is no such thing."""
    return _code(error) in _GONE


def is_taken(error: Exception) -> bool:
    """Say whether an error means that there is something of this name already."""
    return _code(error) in _TAKEN


def _code(error: BaseException | None) -> str:
    from google.api_core.exceptions import GoogleAPICallError  # noqa: PLC0415  see above

    if isinstance(error, Refused):
        return error.code
    if isinstance(error, GoogleAPICallError):
        return _refused(error).code
    return _code(error.__cause__) if isinstance(error, ProviderError) else ""


def translated(doing: str) -> AbstractContextManager[None]:
    """Let nothing of the SDK out of the block; ``doing`` says what is asked, as in ``"listing machines"``.

    Raises:
        ProviderError: of the class that fits, with the SDK's error as its cause.
    """
    return in_our_words(_ours, doing)


def _ours(error: Exception, doing: str) -> ProviderError | None:
    if isinstance(error, Refused):
        return _TABLE.error(error.code, error.message, doing=doing)
    import requests  # noqa: PLC0415  see above
    from google.api_core import exceptions as sdk  # noqa: PLC0415  see above
    from google.auth import exceptions as login  # noqa: PLC0415  see above
    from google.protobuf.json_format import ParseError  # noqa: PLC0415  see above

    kind = type(error).__name__
    match error:
        case sdk.GoogleAPICallError():
            refused = _refused(error)
            return _TABLE.error(refused.code, refused.message, doing=doing)
        case login.TransportError() | requests.RequestException():
            # Its words have addresses and objects of the library in them; its kind says what was wrong.
            return CloudUnreachable(f"{doing}: Google has not answered ({kind})")
        case login.GoogleAuthError():
            return CredentialsError(f"{doing}: nobody is logged in to Google ({kind}); {_LOG_IN}")
        case sdk.GoogleAPIError():
            return ProviderError(f"{doing}: {kind}")
        case ParseError() | ValueError() | KeyError() | TypeError() | AttributeError():
            # The answer was cut off, or comes from something between us and the cloud: what was asked may be done.
            return CloudUnreachable(f"{doing}: what came is no answer of Google ({kind})")
        case _:
            return None
