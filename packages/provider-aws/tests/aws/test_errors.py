"""Every code of AWS becomes the class that says what to do, and names the remedy."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOTokenLoadError,
)
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
from longshore_aws.errors import translated


@pytest.mark.parametrize(
    ("code", "kind", "remedy"),
    [
        ("InsufficientInstanceCapacity", OutOfCapacity, "another type, zone or region"),
        ("InsufficientHostCapacity", OutOfCapacity, "another type, zone or region"),
        ("InsufficientVolumeCapacity", OutOfCapacity, "another type, zone or region"),
        ("InsufficientFreeAddressesInSubnet", OutOfCapacity, "another subnet"),
        ("SpotMaxPriceTooLow", OutOfCapacity, "raise spot_limit"),
        ("Unsupported", OutOfCapacity, "another zone"),
        ("VcpuLimitExceeded", QuotaExceeded, "Service Quotas"),
        ("InstanceLimitExceeded", QuotaExceeded, "Service Quotas"),
        ("MaxSpotInstanceCountExceeded", QuotaExceeded, "Service Quotas"),
        ("SecurityGroupLimitExceeded", QuotaExceeded, "Service Quotas"),
        ("RulesPerSecurityGroupLimitExceeded", QuotaExceeded, "Service Quotas"),
        ("VolumeLimitExceeded", QuotaExceeded, "Service Quotas"),
        ("AddressLimitExceeded", QuotaExceeded, "Service Quotas"),
        ("LimitExceededException", QuotaExceeded, "Service Quotas"),
        ("AuthFailure", CredentialsError, "log in again"),
        ("ExpiredToken", CredentialsError, "log in again"),
        ("ExpiredTokenException", CredentialsError, "log in again"),
        ("RequestExpired", CredentialsError, "clock"),
        ("RequestTimeTooSkewed", CredentialsError, "clock"),
        ("SignatureDoesNotMatch", CredentialsError, "clock"),
        ("InvalidClientTokenId", CredentialsError, "log in again"),
        ("UnrecognizedClientException", CredentialsError, "log in again"),
        ("OptInRequired", CredentialsError, "sign the account up"),
        ("PendingVerification", CredentialsError, "verifies"),
        ("Blocked", CredentialsError, "blocked"),
        ("UnauthorizedOperation", AccessDenied, "longshore aws policy"),
        ("AccessDenied", AccessDenied, "longshore aws policy"),
        ("AccessDeniedException", AccessDenied, "longshore aws policy"),
        ("AuthFailure.ServiceLinkedRoleCreationNotPermitted", AccessDenied, "iam:CreateServiceLinkedRole"),
        ("RequestLimitExceeded", Throttled, ""),
        ("Throttling", Throttled, ""),
        ("ThrottlingException", Throttled, ""),
        ("EC2ThrottledException", Throttled, ""),
        ("TooManyRequestsException", Throttled, ""),
        ("InternalError", CloudUnreachable, ""),
        ("InternalFailure", CloudUnreachable, ""),
        ("ServiceUnavailable", CloudUnreachable, ""),
        ("Unavailable", CloudUnreachable, ""),
        ("InvalidAMIID.NotFound", InvalidRequest, "region to region"),
        ("InvalidKeyPair.NotFound", InvalidRequest, "region to region"),
        ("InvalidSubnetID.NotFound", InvalidRequest, "region to region"),
        ("InvalidInstanceType", InvalidRequest, "longshore offers"),
        ("InvalidParameterValue", InvalidRequest, ""),
        ("IdempotentParameterMismatch", InvalidRequest, ""),
        ("DependencyViolation", InvalidRequest, "still uses it"),
        ("TagLimitExceeded", InvalidRequest, "fewer tags"),
        ("VPCIdNotSpecified", InvalidRequest, "name a subnet"),
        ("MissingParameter", InvalidRequest, ""),
        ("SomethingNew", ProviderError, ""),
    ],
)
def test_a_code_of_aws_is_of_its_class_and_says_what_mends_it(code: str, kind: type[Exception], remedy: str) -> None:
    cause = ClientError({"Error": {"Code": code, "Message": "No."}}, "RunInstances")
    with pytest.raises(ProviderError) as caught, translated("renting"):
        raise cause
    assert type(caught.value) is kind
    assert caught.value.__cause__ is cause
    assert f"renting: AWS says {code}: No. (RunInstances)" in str(caught.value)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    ("cause", "kind", "words"),
    [
        (NoCredentialsError(), CredentialsError, "log in again"),
        (ProfileNotFound(profile="work"), CredentialsError, "work"),
        (SSOTokenLoadError(error_msg="it has expired"), CredentialsError, "log in again"),
        (NoRegionError(), InvalidRequest, "regions = "),
        (EndpointConnectionError(endpoint_url="https://e"), CloudUnreachable, "https://e"),
        (ReadTimeoutError(endpoint_url="https://e"), CloudUnreachable, "timeout"),
        (ParamValidationError(report="Count is no number"), InvalidRequest, "Count is no number"),
        (ResponseParserError("<html>"), CloudUnreachable, "no answer of AWS"),
    ],
)
def test_what_the_sdk_says_itself_is_translated_too(cause: Exception, kind: type[Exception], words: str) -> None:
    with pytest.raises(ProviderError, match=words) as caught, translated("listing machines"):
        raise cause
    assert type(caught.value) is kind
    assert caught.value.__cause__ is cause


def test_what_only_aws_can_read_is_left_out_of_a_refusal() -> None:
    message = "You are not authorized to perform this operation. Encoded authorization failure message: x3Gf8kQ"
    with pytest.raises(AccessDenied) as caught, translated("renting"):
        raise ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": message}}, "RunInstances")
    assert "x3Gf8kQ" not in str(caught.value)
    assert "this operation. (RunInstances)" in str(caught.value)
