"""What cannot be is said in one sentence, with what mends it, before anything is paid for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from google.auth.exceptions import RefreshError

from longshore.errors import (
    AccessDenied,
    CloudUnreachable,
    ConfigError,
    CredentialsError,
    InvalidRequest,
    OutOfCapacity,
    ProviderError,
    QuotaExceeded,
    Throttled,
)
from longshore.plugin.keys import Key
from longshore.runtime.registry import Registry
from longshore.testing.clouds import Answer, GoogleCloud, Request, Trust
from longshore.testing.clouds.google_words import refused
from longshore.testing.faults import Fault
from longshore_gcp.errors import Refused, translated

from .rig import ACCOUNT, PROJECT, GcpRig


def mistakes(**options: Any) -> list[str]:
    registry = Registry()
    with pytest.raises(ConfigError) as caught:
        registry.options(registry.provider("gcp").config, options, "providers.gcp", place="longshore.toml:3")
    return [f"{each.key}: {each.message}" for each in caught.value.problems]


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


def test_an_operation_that_never_ends_is_not_waited_for(rig: GcpRig, cloud: GoogleCloud) -> None:
    cloud.operations.waits = 1_000_000
    with pytest.raises(CloudUnreachable):
        rig.provider(deadline=timedelta(seconds=8)).launch(rig.spec(), token="t-1")


@pytest.mark.parametrize(
    ("code", "kind", "remedy"),
    [
        ("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", OutOfCapacity, "another zone"),
        ("QUOTA_EXCEEDED", QuotaExceeded, "Quotas"),
        ("authError", CredentialsError, "gcloud auth"),
        ("forbidden", AccessDenied, "longshore gcp policy"),
        ("accessNotConfigured", AccessDenied, "gcloud services enable"),
        ("conditionNotMet", InvalidRequest, "policy"),
        ("rateLimitExceeded", Throttled, ""),
        ("resourceNotReady", InvalidRequest, "try again"),
        ("backendError", CloudUnreachable, ""),
        ("somethingNew", ProviderError, ""),
    ],
)
def test_what_google_says_is_of_its_class_and_says_what_mends_it(code: str, kind: type[Exception], remedy: str) -> None:
    cause = Refused(code, "no")
    with pytest.raises(ProviderError) as caught, translated("renting"):
        raise cause
    assert type(caught.value) is kind
    assert caught.value.__cause__ is cause
    assert remedy in str(caught.value)


class Elsewhere(GoogleCloud):
    """What answers is not what is meant: a proxy that asks for a login."""

    def answer(self, request: Request, fault: Fault | None) -> Answer:
        del request, fault
        return Answer(status=200, body=["<html>"])


def test_an_answer_that_is_none_is_no_answer(
    trust: Trust, login: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in login.items():
        monkeypatch.setenv(name, value)
    cloud = Elsewhere(PROJECT, ACCOUNT)
    with cloud.serving(trust.context) as url, pytest.raises(CloudUnreachable, match="no answer of Google"):
        GcpRig(cloud, url, tmp_path).provider().find(owner="me")


def test_who_is_not_logged_in_is_told_how(rig: GcpRig, login: Mapping[str, str], tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="holds no login"):
        rig.provider(credentials_file=str(tmp_path / "none.json")).find(owner="me")
    assert list(rig.provider(credentials_file=login["GOOGLE_APPLICATION_CREDENTIALS"]).find(owner="me")) == []
    rig.fail(Fault.CREDENTIALS, on="*")
    with pytest.raises(CredentialsError, match="Invalid Credentials"):
        rig.provider().find(owner="me")


def test_a_login_that_has_expired_is_told_without_what_google_says_of_it() -> None:
    refusal = pytest.raises(CredentialsError, match=r"\(RefreshError\); .*gcloud auth application-default login")
    with refusal as caught, translated("listing machines"):
        raise RefreshError("invalid_grant: s3cr3t-host-key")  # type: ignore[no-untyped-call]  # it has no types
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"zone": "europe-west4-z"}, "was not found"),
        ({"zone": ""}, "rents by zone"),
        ({"type": "e2-none"}, "machine type 'e2-none' was not found"),
    ],
)
def test_what_is_not_there_is_refused_in_words_and_nothing_is_rented(
    rig: GcpRig, change: Mapping[str, Any], words: str
) -> None:
    spec = rig.spec()
    with pytest.raises(InvalidRequest, match=words):
        rig.provider().launch(evolve(spec, offer=evolve(spec.offer, **change)), token="t-1")
    with pytest.raises(InvalidRequest, match="sourceImage"):
        rig.provider(image="windows-95").launch(spec, token="t-2")
    with pytest.raises(InvalidRequest, match="no key of 'mine'"):
        rig.provider(key=Key(name="mine")).launch(spec, token="t-3")
    assert rig.paid() == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image": "Windows 95"}, "is no image"),
        ({"project": "My Project"}, "is no project"),
        ({"regions": []}, "name a region"),
        ({"regions": ["europe"]}, "is no region"),
        ({"network": "a/b"}, "is no name"),
        ({"address": "id"}, "address"),
        ({"admit": ["everybody"]}, "is no network"),
        ({"colour": "red"}, "there is no such option"),
    ],
)
def test_an_option_that_cannot_be_is_named(options: dict[str, Any], words: str) -> None:
    assert words in mistakes(**options)[0]
