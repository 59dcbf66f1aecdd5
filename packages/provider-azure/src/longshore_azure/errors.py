"""What Azure says, in our words: the one table for its errors, and for what the SDK says itself. The SDK is imported
when there is an error to read: it takes a tenth of a second, which lists that are remembered need not wait for.
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

__all__ = ["is_gone", "is_taken", "is_used", "translated"]

_LOG_IN = "log in by `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
_ROLE = "`longshore azure policy` prints the role that the login needs"
_MORE = "ask for more at Subscriptions, Usage + quotas, or use less"
_ELSEWHERE = "another type or region may be free"
_REGISTER = "register it: `az provider register --namespace Microsoft.Compute`, and Microsoft.Network"

_TABLE = Refusals(
    "Azure",
    {
        "AllocationFailed": (OutOfCapacity, _ELSEWHERE),
        "ZonalAllocationFailed": (OutOfCapacity, _ELSEWHERE),
        "OverconstrainedAllocationRequest": (OutOfCapacity, _ELSEWHERE),
        "OverconstrainedZonalAllocationRequest": (OutOfCapacity, _ELSEWHERE),
        "SkuNotAvailable": (OutOfCapacity, _ELSEWHERE),
        "QuotaExceeded": (QuotaExceeded, _MORE),
        "ResourceQuotaExceeded": (QuotaExceeded, _MORE),
        "PublicIPCountLimitReached": (QuotaExceeded, _MORE),
        "*CountLimitReached": (QuotaExceeded, _MORE),
        "TooManyRequests": (Throttled, ""),
        "OperationNotAllowedTooManyRequests": (Throttled, ""),
        "SubscriptionRequestsThrottled": (Throttled, ""),
        "ResourceRequestsThrottled": (Throttled, ""),
        "RetryableError": (Throttled, ""),
        "AuthenticationFailed": (CredentialsError, _LOG_IN),
        "InvalidAuthenticationToken*": (CredentialsError, _LOG_IN),
        "ExpiredAuthenticationToken": (CredentialsError, _LOG_IN),
        "AuthorizationFailed": (AccessDenied, _ROLE),
        "LinkedAuthorizationFailed": (AccessDenied, _ROLE),
        "RequestDisallowedByPolicy": (AccessDenied, "a policy of the organisation denies it; ask who administers it"),
        "RequestDisallowedByAzure": (AccessDenied, "this subscription may not use the region; choose another one"),
        "ScopeLocked": (AccessDenied, "a lock keeps it as it is; `az lock list` shows it"),
        "ReadOnlyDisabledSubscription": (AccessDenied, "the subscription is disabled; look at its bill"),
        "SubscriptionNotRegistered": (AccessDenied, _REGISTER),
        "MissingSubscriptionRegistration": (AccessDenied, _REGISTER),
        "MarketplacePurchaseEligibilityFailed": (AccessDenied, "accept the terms of the image in the marketplace"),
        "SubscriptionNotFound": (InvalidRequest, "`az account list` shows those that there are"),
        "InvalidSubscriptionId": (InvalidRequest, "`az account list` shows those that there are"),
        "ResourceNotFound": (InvalidRequest, ""),
        "ResourceGroupNotFound": (InvalidRequest, "make it, or leave resource_group out for one of our own"),
        "NotFound": (InvalidRequest, ""),
        "ParentResourceNotFound": (InvalidRequest, ""),
        "PlatformImageNotFound": (InvalidRequest, "`az vm image list` shows images"),
        "ImageNotFound": (InvalidRequest, "`az vm image list` shows images"),
        "InvalidResourceReference": (InvalidRequest, ""),
        "InvalidParameter": (InvalidRequest, ""),
        "InvalidRequest*": (InvalidRequest, ""),
        "InvalidTemplate*": (InvalidRequest, ""),
        "InvalidResource*": (InvalidRequest, ""),
        "BadRequest": (InvalidRequest, ""),
        "LocationNotAvailableForResourceType": (InvalidRequest, "choose another region"),
        "NoRegisteredProviderFound": (InvalidRequest, "choose another region"),
        "PropertyChangeNotAllowed": (InvalidRequest, ""),
        "OperationNotAllowed": (InvalidRequest, ""),
        "Conflict": (InvalidRequest, "try again when what is being done with it is done"),
        "AnotherOperationInProgress": (InvalidRequest, "try again when what is being done with it is done"),
        "ResourceGroupBeingDeleted": (InvalidRequest, "try again when it is gone"),
        "PreconditionFailed": (InvalidRequest, ""),
        "RoleAssignmentExists": (InvalidRequest, ""),
        "RoleDefinitionDoesNotExist": (InvalidRequest, "make the role that end_role names, or leave it out"),
        "RoleAssignmentLimitExceeded": (QuotaExceeded, "delete role assignments that nobody needs"),
        "PrincipalNotFound": (CloudUnreachable, "a new identity is not known everywhere at once"),
        "InUse*": (InvalidRequest, "what uses it must go before"),
        "NetworkSecurityGroupInUse*": (InvalidRequest, "what uses it must go before"),
        "NicInUse*": (InvalidRequest, "what uses it must go before"),
        "NicReservedForAnotherVm": (InvalidRequest, "what uses it must go before"),
        "PublicIPAddressCannotBeDeleted": (InvalidRequest, "what uses it must go before"),
        "InternalServerError": (CloudUnreachable, ""),
        "InternalExecutionError": (CloudUnreachable, ""),
        "InternalOperationError": (CloudUnreachable, ""),
        "ServiceUnavailable": (CloudUnreachable, ""),
        "GatewayTimeout": (CloudUnreachable, ""),
        "ServerTimeout": (CloudUnreachable, ""),
    },
)
"""By the ``code`` of an answer or an operation (https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting
/common-deployment-errors, https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/error-messages).
"""
_BY_STATUS = {
    400: "BadRequest",
    401: "AuthenticationFailed",
    403: "AuthorizationFailed",
    404: "NotFound",
    409: "Conflict",
    412: "PreconditionFailed",
    429: "TooManyRequests",
}
_SERVER = 500
_DIRECTORY = re.compile(r"AADSTS\d+")
_GONE = frozenset({"ResourceNotFound", "ResourceGroupNotFound", "NotFound", "ParentResourceNotFound"})
_TAKEN = frozenset({"PreconditionFailed", "RoleAssignmentExists"})
_USED = ("InUse", "NetworkSecurityGroupInUse", "NicInUse", "NicReserved", "PublicIPAddressCannotBeDeleted")


def _read(error: Any) -> tuple[str, str]:
    """Give the code and the words of what the SDK has raised."""
    status = int(error.status_code or 0)
    said = error.error
    code = str(said.code or "") if said is not None else ""
    message = str(said.message or "") if said is not None else ""
    if not code:
        code = _BY_STATUS.get(status, "InternalServerError" if status >= _SERVER else f"status {status}")
    if code == "OperationNotAllowed" and "quota" in message.lower():
        code = "QuotaExceeded"  # Azure has one code for a spent quota and for much else
    return code, message


def is_gone(error: Exception) -> bool:
    """Say whether an error means that there is no such thing."""
    return _code(error) in _GONE


def is_taken(error: Exception) -> bool:
    """Say whether an error means that there is something of this name already."""
    return _code(error) in _TAKEN


def is_used(error: Exception) -> bool:
    """Say whether an error means that something else needs this."""
    return _code(error).startswith(_USED)


def _code(error: BaseException | None) -> str:
    from azure.core.exceptions import HttpResponseError  # noqa: PLC0415  see above

    if isinstance(error, HttpResponseError):
        return _read(error)[0]
    return _code(error.__cause__) if isinstance(error, ProviderError) else ""


def translated(doing: str) -> AbstractContextManager[None]:
    """Let nothing of the SDK out of the block; ``doing`` says what is asked, as in ``"listing machines"``.

    Raises:
        ProviderError: of the class that fits, with the SDK's error as its cause.
    """
    return in_our_words(_ours, doing)


def _ours(error: Exception, doing: str) -> ProviderError | None:
    from azure.core import exceptions as sdk  # noqa: PLC0415  see above

    kind = type(error).__name__
    match error:
        case sdk.HttpResponseError() if not isinstance(error, sdk.DecodeError):
            return _refusal(error, doing)
        case sdk.ServiceRequestError() | sdk.ServiceResponseError():
            # Its words have addresses and objects of the library in them; its kind says what was wrong.
            return CloudUnreachable(f"{doing}: Azure has not answered ({kind})")
        case sdk.DecodeError() | ValueError() | KeyError() | TypeError() | AttributeError():
            # The answer was cut off, or comes from something between us and the cloud: what was asked may be done.
            return CloudUnreachable(f"{doing}: what came is no answer of Azure ({kind})")
        case sdk.AzureError():
            return ProviderError(f"{doing}: {kind}")
        case _:
            return None


def _refusal(error: Any, doing: str) -> ProviderError:
    from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415  see above

    if isinstance(error, ClientAuthenticationError) and error.error is None:
        # Not the API has refused it: there is no login, or the directory has. Of its words only the number is safe.
        number = _DIRECTORY.search(str(error))
        why = number[0] if number else type(error).__name__
        return CredentialsError(f"{doing}: nobody is logged in to Azure ({why}); {_LOG_IN}")
    return _TABLE.error(*_read(error), doing=doing)
