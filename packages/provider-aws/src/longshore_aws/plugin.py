"""Announces the provider; the SDK is imported when it is made."""

from __future__ import annotations

from collections.abc import Sequence

from longshore.plugin import Provider, ProviderRecord, hookimpl
from longshore_aws.config import AwsConfig
from longshore_aws.policy import least_policy

__all__ = ["longshore_providers"]


def _make(config: AwsConfig) -> Provider:
    from longshore_aws.provider import AwsProvider  # noqa: PLC0415  boto3 takes a quarter of a second

    return AwsProvider(config)


@hookimpl
def longshore_providers() -> Sequence[ProviderRecord]:
    """Announce AWS."""
    tested = "moto's server behind a layer that adds what it lacks, with hosts that execute the boot data; not yet AWS"
    record = ProviderRecord(
        name="aws", config=AwsConfig, factory=_make, policy=least_policy, logins=("profile",), tested=tested, api=(0, 1)
    )
    return [record]
