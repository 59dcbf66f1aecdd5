"""What AWS says, in our words: the one table for all its error codes, and for what the SDK says itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from botocore import exceptions as sdk

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

__all__ = ["already", "code_of", "translated"]

_LOG_IN = "log in again, or name a profile in [providers.aws]"
_RAISE = "ask for more in the console of Service Quotas, or use less"
_GRANT = "grant it to the login; `longshore aws policy` prints all that is needed"
_CLOCK = "set the clock of this computer right; if it is, the secret key is wrong"
_ELSEWHERE = "another type, zone or region may be free"
_THERE = "name one that is there; ids differ from region to region"

_TABLE = Refusals(
    "AWS",
    {
        # There is none now.
        "Insufficient*": (OutOfCapacity, _ELSEWHERE),
        "InsufficientFreeAddressesInSubnet": (OutOfCapacity, "choose another subnet, or free addresses"),
        "ReservationCapacityExceeded": (OutOfCapacity, _ELSEWHERE),
        "SpotMaxPriceTooLow": (OutOfCapacity, "raise spot_limit in [providers.aws], or rent on demand"),
        "UnfulfillableCapacity": (OutOfCapacity, _ELSEWHERE),
        "Unsupported": (OutOfCapacity, "the zone does not have this type; another zone may"),
        "VolumeTypeNotAvailableInZone": (OutOfCapacity, "another zone may have this kind of disk"),
        # The account may not have more.
        "*LimitExceeded": (QuotaExceeded, _RAISE),
        "*LimitExceededException": (QuotaExceeded, _RAISE),
        "*CountExceeded": (QuotaExceeded, _RAISE),
        "*QuotaExceeded*": (QuotaExceeded, _RAISE),
        "PendingSnapshotLimitExceeded": (QuotaExceeded, "wait until the snapshots that are being made are done"),
        # Nobody is logged in.
        "AccountDisabled": (CredentialsError, "AWS has disabled the account"),
        "AuthFailure": (CredentialsError, _LOG_IN),
        "Blocked": (CredentialsError, "AWS has blocked the account"),
        "ExpiredToken*": (CredentialsError, "the session is over; log in again"),
        "IncompleteSignature*": (CredentialsError, _LOG_IN),
        "InvalidAccessKeyId": (CredentialsError, _LOG_IN),
        "InvalidClientTokenId": (CredentialsError, _LOG_IN),
        "InvalidSignatureException": (CredentialsError, _CLOCK),
        "MissingAuthenticationToken*": (CredentialsError, _LOG_IN),
        "OptInRequired": (CredentialsError, "sign the account up for this service, region or image in the console"),
        "PendingVerification": (CredentialsError, "AWS still verifies the account; try again later"),
        "RequestExpired": (CredentialsError, _CLOCK),
        "RequestTimeTooSkewed": (CredentialsError, _CLOCK),
        "SignatureDoesNotMatch": (CredentialsError, _CLOCK),
        "SubscriptionRequired*": (CredentialsError, "sign the account up for this service in the console"),
        "UnrecognizedClientException": (CredentialsError, _LOG_IN),
        # The login may not do this.
        "AccessDenied*": (AccessDenied, _GRANT),
        "AuthFailure.ServiceLinkedRoleCreationNotPermitted": (
            AccessDenied,
            "grant iam:CreateServiceLinkedRole, or let an administrator rent one spot machine",
        ),
        "NotAuthorized": (AccessDenied, _GRANT),
        "Unauthorized*": (AccessDenied, _GRANT),
        # Too fast.
        "RequestLimitExceeded": (Throttled, ""),
        "RequestThrottled*": (Throttled, ""),
        "SlowDown": (Throttled, ""),
        "Throttl*": (Throttled, ""),
        "*ThrottledException": (Throttled, ""),
        "TooManyRequests*": (Throttled, ""),
        # Nobody answers for it.
        "Internal*": (CloudUnreachable, ""),
        "RequestTimeout*": (CloudUnreachable, ""),
        "ServerException": (CloudUnreachable, ""),
        "ServiceUnavailable*": (CloudUnreachable, ""),
        "Unavailable": (CloudUnreachable, ""),
        # AWS will never take it.
        "ClientException": (InvalidRequest, ""),
        "DefaultVpcDoesNotExist": (InvalidRequest, "name a subnet in [providers.aws]"),
        "DependencyViolation": (InvalidRequest, "something still uses it; once that has gone, so does this"),
        "IdempotentParameterMismatch": (InvalidRequest, ""),
        "IncorrectInstanceState": (InvalidRequest, ""),
        "IncorrectState": (InvalidRequest, ""),
        "Invalid*": (InvalidRequest, ""),
        "InvalidAMIID.*": (InvalidRequest, _THERE),
        "InvalidInstanceType": (InvalidRequest, "`longshore offers --provider aws` lists the types that are offered"),
        "InvalidKeyPair.NotFound": (InvalidRequest, _THERE),
        "InvalidSubnetID.NotFound": (InvalidRequest, _THERE),
        "Malformed*": (InvalidRequest, ""),
        "Missing*": (InvalidRequest, ""),
        "NoSuch*": (InvalidRequest, ""),
        "OperationNotPermitted": (InvalidRequest, ""),
        "ParameterNotFound": (InvalidRequest, "the image has another name, or is not published in this region"),
        "ResourceInUseException": (InvalidRequest, "something of this name is there, or is being changed"),
        "ResourceNotFoundException": (InvalidRequest, ""),
        "TagLimitExceeded": (InvalidRequest, "use fewer tags in [providers.aws] tags"),
        "Unknown*": (InvalidRequest, ""),
        "UnsupportedAvailabilityZoneException": (InvalidRequest, "name other zones, or subnets in others"),
        "UnsupportedOperation": (InvalidRequest, ""),
        "VPCIdNotSpecified": (InvalidRequest, "the account has no default network; name a subnet in [providers.aws]"),
        "VPCResourceNotSpecified": (InvalidRequest, "the type needs a network; name a subnet in [providers.aws]"),
        "ValidationError*": (InvalidRequest, ""),
    },
)
"""From the list of error codes in the EC2 API reference, and those of STS, SSM, EKS, ECR, Quotas and Pricing."""

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


def translated(doing: str) -> AbstractContextManager[None]:
    """Let nothing of the SDK out of the block; ``doing`` says what is asked, as in ``"listing machines"``.

    Raises:
        ProviderError: of the class that fits, with the SDK's error as its cause.
    """
    return in_our_words(_ours, doing)


def _ours(error: Exception, doing: str) -> ProviderError | None:
    if isinstance(error, sdk.ClientError):
        return _TABLE.error(code_of(error) or "an error without code", _message(error), doing=doing)
    if isinstance(error, sdk.BotoCoreError):
        return _of_sdk(error, doing)
    # Whoever raises it has imported it; without anybody who asks AWS it would take a quarter of a second.
    from botocore.parsers import ResponseParserError  # noqa: PLC0415  as above

    # The answer was cut off, or comes from something between us and AWS: what was asked may be done.
    is_none = isinstance(error, ResponseParserError)
    return CloudUnreachable(f"{doing}: what came is no answer of AWS") if is_none else None


@contextmanager
def already(code: str) -> Iterator[None]:
    """Take an error that says that the thing is there for what it is: good."""
    try:
        yield
    except sdk.ClientError as error:
        if code_of(error) != code:
            raise


def _message(error: sdk.ClientError) -> str:
    """Give what AWS says, without what only AWS can read, and with the action that was asked for."""
    words = str(error.response.get("Error", {}).get("Message", "")).partition("Encoded authorization failure")[0]
    action = error.operation_name
    return words if action in words else f"{words.strip()} ({action})"


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
