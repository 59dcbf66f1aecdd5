"""What cannot be is said in one sentence, with what mends it, before anything is paid for."""

from __future__ import annotations

import pytest

from longshore.errors import AccessDenied, CredentialsError, InvalidRequest, OutOfCapacity, ProviderError, QuotaExceeded
from longshore.testing.clouds import GoogleCloud
from longshore.testing.clouds.google_words import refused

from .rig import GcpRig


@pytest.mark.parametrize(
    ("action", "status", "reason", "kind", "remedy"),
    [
        ("create", 401, "authError", CredentialsError, "gcloud auth application-default login"),
        ("create", 403, "accessNotConfigured", AccessDenied, "gcloud services enable"),
        ("create", 403, "billingNotEnabled", AccessDenied, "an account that pays"),
        ("create", 403, "forbidden", AccessDenied, "longshore gcp policy"),
        ("create", 403, "quotaExceeded", QuotaExceeded, "ask for more"),
        ("create", 404, "notFound", InvalidRequest, "compare project, regions, image and network"),
        ("create", 412, "conditionNotMet", InvalidRequest, "a policy of the organisation"),
        ("create", 503, "ZONE_RESOURCE_POOL_EXHAUSTED", OutOfCapacity, "another zone or type"),
        ("firewalls.list", 403, "insufficientPermissions", AccessDenied, "longshore gcp policy"),
        ("firewalls.insert", 403, "limitExceeded", QuotaExceeded, "ask for more"),
        ("firewalls.insert", 400, "resourceNotReady", InvalidRequest, "try again when"),
    ],
)
def test_what_google_refuses_is_named_with_what_mends_it_and_nothing_is_rented(
    rig: GcpRig, cloud: GoogleCloud, action: str, status: int, reason: str, kind: type[ProviderError], remedy: str
) -> None:
    cloud.answers[action] = refused(status, reason, "This is what Google says of it.")
    with pytest.raises(ProviderError, match=remedy) as caught:
        rig.provider().launch(rig.spec(), token="t-1")
    assert type(caught.value) is kind
    assert f"{reason}: This is what Google says of it." in str(caught.value)
    assert not any(secret in str(caught.value) for secret in rig.secrets)
    assert rig.paid() == []


def test_a_machine_that_is_kept_from_being_ended_is_named_and_the_others_are_ended(
    rig: GcpRig, cloud: GoogleCloud
) -> None:
    provider = rig.provider()
    first, second = provider.launch(rig.spec(), token="t-1", count=2)
    cloud.answers["end"] = refused(400, "resourceInUseByAnotherResource", "It is in use.")
    with pytest.raises(InvalidRequest, match=rf"ending {first.id}.*must go before"):
        provider.terminate([first.id])
    del cloud.answers["end"]
    provider.terminate([first.id, second.id])
    assert rig.paid() == []


def test_a_project_that_there_is_not_is_named(rig: GcpRig) -> None:
    with pytest.raises(InvalidRequest, match=r"not found.*compare project"):
        rig.provider(project="some-other-project").caller()


def test_a_region_that_there_is_not_is_named(rig: GcpRig) -> None:
    with pytest.raises(InvalidRequest, match=r"regions/europe-nowhere9' was not found.*compare project, regions"):
        rig.provider(regions=("europe-nowhere9",)).quotas()
