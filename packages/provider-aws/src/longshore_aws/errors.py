"""What AWS says, in our words: the one table for all its error codes, and for what the SDK says itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError

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

__all__ = ["code_of", "translated"]

_LOG_IN = "log in again, or name a profile in [providers.aws]"
_RAISE = "ask for more in the console of Service Quotas, or use less"
_GRANT = "grant the action to the login"

_TABLE = Refusals(
    "AWS",
    {
        "InsufficientInstanceCapacity": (OutOfCapacity, "another type, zone or region may be free"),
        "InsufficientHostCapacity": (OutOfCapacity, ""),
        "InsufficientReservedInstanceCapacity": (OutOfCapacity, ""),
        "InsufficientCapacity*": (OutOfCapacity, ""),
        "InsufficientFreeAddressesInSubnet": (OutOfCapacity, "choose another subnet, or free addresses"),
        "SpotMaxPriceTooLow": (OutOfCapacity, "raise spot_limit, or rent on demand"),
        "Unsupported": (OutOfCapacity, "the zone does not have this type; another zone may"),
        "MaxSpotInstanceCountExceeded": (QuotaExceeded, _RAISE),
        "InstanceLimitExceeded": (QuotaExceeded, _RAISE),
        "VcpuLimitExceeded": (QuotaExceeded, _RAISE),
        "VolumeLimitExceeded": (QuotaExceeded, _RAISE),
        "AddressLimitExceeded": (QuotaExceeded, _RAISE),
        "SecurityGroupLimitExceeded": (QuotaExceeded, _RAISE),
        "RulesPerSecurityGroupLimitExceeded": (QuotaExceeded, _RAISE),
        "MaxIOPSLimitExceeded": (QuotaExceeded, _RAISE),
        "LimitExceeded*": (QuotaExceeded, _RAISE),
        "ResourceLimitExceeded": (QuotaExceeded, _RAISE),
        "AuthFailure": (CredentialsError, _LOG_IN),
        "ExpiredToken*": (CredentialsError, _LOG_IN),
        "RequestExpired": (CredentialsError, "the clock of this computer is wrong, or the token is old"),
        "InvalidClientTokenId": (CredentialsError, _LOG_IN),
        "UnrecognizedClientException": (CredentialsError, _LOG_IN),
        "SignatureDoesNotMatch": (CredentialsError, "the secret key is wrong, or the clock of this computer"),
        "InvalidSignatureException": (CredentialsError, "the secret key is wrong, or the clock of this computer"),
        "MissingAuthenticationToken*": (CredentialsError, _LOG_IN),
        "OptInRequired": (CredentialsError, "the account is not signed up for this service or region"),
        "PendingVerification": (CredentialsError, "AWS still verifies the account"),
        "Blocked": (CredentialsError, "AWS has blocked the account"),
        "UnauthorizedOperation": (AccessDenied, _GRANT),
        "AccessDenied*": (AccessDenied, _GRANT),
        "UnauthorizedException": (AccessDenied, _GRANT),
        "RequestLimitExceeded": (Throttled, ""),
        "Throttl*": (Throttled, ""),
        "TooManyRequests*": (Throttled, ""),
        "RequestThrottled*": (Throttled, ""),
        "InternalError": (CloudUnreachable, ""),
        "InternalFailure": (CloudUnreachable, ""),
        "ServiceUnavailable": (CloudUnreachable, ""),
        "Unavailable": (CloudUnreachable, ""),
        "Invalid*": (InvalidRequest, ""),
        "Malformed*": (InvalidRequest, ""),
        "Missing*": (InvalidRequest, ""),
        "Unknown*": (InvalidRequest, ""),
        "IdempotentParameterMismatch": (InvalidRequest, ""),
        "IncorrectInstanceState": (InvalidRequest, ""),
        "OperationNotPermitted": (InvalidRequest, ""),
        "ParameterNotFound": (InvalidRequest, "the image has another name, or is not published in this region"),
        "TagLimitExceeded": (InvalidRequest, "use fewer tags"),
        "UnsupportedOperation": (InvalidRequest, ""),
        "VPCIdNotSpecified": (InvalidRequest, "the account has no default network; name a subnet in [providers.aws]"),
        "MissingInput": (InvalidRequest, ""),
        "DefaultVpcDoesNotExist": (InvalidRequest, "name a subnet in [providers.aws]"),
    },
)
"""From the list of error codes in the EC2 API reference, and those of STS, SSM, Service Quotas and Pricing."""

_LOGIN_PROBLEMS = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.ProfileNotFound,
    sdk.TokenRetrievalError,
    sdk.SSOError,
    sdk.ConfigParseError,
    sdk.ConfigNotFound,
)
_NO_ANSWER = (sdk.HTTPClientError, sdk.ConnectionError, sdk.IncompleteReadError)


def code_of(error: BaseException) -> str:
    """Give AWS's own code; empty when the error is not AWS's."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, sdk.ClientError) else ""


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Let nothing of the SDK out of the block; ``doing`` says what is asked, as in ``"listing machines"``.

    Raises:
        ProviderError: of the class that fits, with the SDK's error as its cause.
    """
    try:
        yield
    except sdk.ClientError as error:
        raise _TABLE.error(
            code_of(error) or "an error without code",
            str(error.response.get("Error", {}).get("Message", "")),
            doing=doing,
        ) from error
    except ResponseParserError as error:
        # The answer was cut off, or comes from something between us and AWS: what was asked may be done.
        raise CloudUnreachable(f"{doing}: what came is no answer of AWS") from error
    except sdk.BotoCoreError as error:
        raise _of_sdk(error, doing) from error


def _of_sdk(error: sdk.BotoCoreError, doing: str) -> ProviderError:
    words = " ".join(str(error).split())
    if isinstance(error, sdk.NoRegionError):
        return InvalidRequest(f'{doing}: no region is known; name one: [providers.aws] regions = ["eu-west-1"]')
    if isinstance(error, _LOGIN_PROBLEMS):
        return CredentialsError(f"{doing}: {words}; {_LOG_IN}")
    if isinstance(error, _NO_ANSWER):
        return CloudUnreachable(f"{doing}: {words}")
    if isinstance(error, sdk.ParamValidationError | sdk.InvalidRegionError | sdk.UnknownServiceError):
        return InvalidRequest(f"{doing}: {words}")
    return ProviderError(f"{doing}: {words}")
