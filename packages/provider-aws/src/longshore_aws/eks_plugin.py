"""Announces the provider of clusters; the SDK is imported when it is made."""

from __future__ import annotations

from collections.abc import Sequence

from longshore.plugin import Provider, ProviderRecord, hookimpl
from longshore_aws.eks_config import EksConfig
from longshore_aws.eks_policy import least_policy

__all__ = ["longshore_providers"]


def _make(config: EksConfig) -> Provider:
    from longshore_aws.eks import EksProvider  # noqa: PLC0415  boto3 takes a quarter of a second

    return EksProvider(config)


@hookimpl
def longshore_providers() -> Sequence[ProviderRecord]:
    """Announce EKS."""
    record = ProviderRecord(
        name="eks",
        config=EksConfig,
        factory=_make,
        executors=("k8s",),
        policy=least_policy,
        logins=("profile",),
        tested="moto's server, whose clusters are there at once and answer nobody; not yet AWS",
        api=(0, 1),
    )
    return [record]
