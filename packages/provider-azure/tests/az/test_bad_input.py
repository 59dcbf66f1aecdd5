"""What cannot be is said in one sentence, with what mends it, before anything is paid for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from azure.core.exceptions import ClientAuthenticationError

from longshore.errors import (
    AccessDenied,
    CloudUnreachable,
    ConfigError,
    CredentialsError,
    InvalidRequest,
    ProviderError,
    QuotaExceeded,
)
from longshore.plugin.keys import Key
from longshore.runtime.registry import Registry
from longshore.testing.clouds import Answer, Azure, Request, Trust
from longshore.testing.clouds.azure_words import refused
from longshore.testing.faults import Fault
from longshore_azure.errors import translated

from .rig import ACCOUNT, SUBSCRIPTION, AzureRig


def mistakes(**options: Any) -> str:
    registry = Registry()
    with pytest.raises(ConfigError) as caught:
        registry.options(registry.provider("azure").config, options, "providers.azure", place="longshore.toml:3")
    return "\n".join(f"{each.key}: {each.message}" for each in caught.value.problems)


@pytest.mark.parametrize(
    ("what", "status", "code", "kind", "words"),
    [
        ("groups.put", 409, "MissingSubscriptionRegistration", AccessDenied, "az provider register"),
        ("create", 409, "SubscriptionNotRegistered", AccessDenied, "az provider register"),
        ("create", 403, "RequestDisallowedByPolicy", AccessDenied, "a policy of the organisation"),
        ("create", 403, "RequestDisallowedByAzure", AccessDenied, "choose another one"),
        ("create", 409, "ReadOnlyDisabledSubscription", AccessDenied, "look at its bill"),
        ("create", 400, "MarketplacePurchaseEligibilityFailed", AccessDenied, "accept the terms"),
        ("networkSecurityGroups.put", 409, "ScopeLocked", AccessDenied, "az lock list"),
        ("networkSecurityGroups.get", 401, "ExpiredAuthenticationToken", CredentialsError, "az login"),
        ("virtualNetworks.put", 400, "VirtualNetworkCountLimitReached", QuotaExceeded, "ask for more"),
        ("create", 404, "PlatformImageNotFound", InvalidRequest, "az vm image list"),
    ],
)
def test_what_azure_refuses_is_named_with_what_mends_it_and_nothing_is_rented(
    rig: AzureRig, cloud: Azure, what: str, status: int, code: str, kind: type[ProviderError], words: str
) -> None:
    cloud.answers[what] = refused(status, code, "This is what Azure says of it.")
    with pytest.raises(ProviderError, match=words) as caught:
        rig.provider().launch(rig.spec(), token="t-1")
    assert type(caught.value) is kind
    assert f"{code}: This is what Azure says of it." in str(caught.value)
    assert rig.paid() == []


def test_a_machine_under_a_lock_is_named_and_the_others_are_ended(rig: AzureRig, cloud: Azure) -> None:
    provider = rig.provider()
    (machine,) = provider.launch(rig.spec(), token="t-1")
    cloud.answers["end"] = refused(409, "ScopeLocked", "The scope cannot be deleted.")
    with pytest.raises(AccessDenied, match=f"ending {machine.id}.*az lock list"):
        provider.terminate([machine.id])
    del cloud.answers["end"]
    provider.terminate([machine.id])
    assert rig.paid() == []


def test_a_subscription_that_there_is_not_is_named(rig: AzureRig) -> None:
    with pytest.raises(InvalidRequest, match=r"'elsewhere' could not be found.*az account list"):
        rig.provider(subscription="elsewhere").find(owner="me")


def test_a_region_that_there_is_not_is_named(rig: AzureRig) -> None:
    with pytest.raises(InvalidRequest, match=r"'nowhere'.*choose another region"):
        rig.provider(regions=("nowhere",)).quotas()


def test_nobody_who_is_logged_in_is_told_how(rig: AzureRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    with pytest.raises(CredentialsError, match=r"nobody is logged in.*az login"):
        rig.provider().find(owner="me")


def test_an_operation_that_never_ends_is_not_waited_for(rig: AzureRig, cloud: Azure) -> None:
    cloud.polls = 1_000_000
    with pytest.raises(CloudUnreachable):
        rig.provider(deadline=timedelta(seconds=3)).launch(rig.spec(), token="t-1")


def test_operations_that_all_end_in_time_but_together_do_not_end_a_call_at_its_deadline(
    rig: AzureRig, cloud: Azure
) -> None:
    cloud.takes = timedelta(seconds=1.5)
    with pytest.raises(CloudUnreachable):
        rig.provider(deadline=timedelta(seconds=3)).launch(rig.spec(), token="t-1")


class Elsewhere(Azure):
    """What answers is not what is meant: a proxy that asks for a login."""

    def answer(self, request: Request, fault: Fault | None) -> Answer:
        del request, fault
        return Answer(status=200, body={"html": "log in"})


def test_an_answer_that_is_none_is_no_answer(
    trust: Trust, rig: AzureRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rig.paid() == []
    with Elsewhere(SUBSCRIPTION, ACCOUNT).serving(trust.context) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{url}/msi/token")
        with pytest.raises(CloudUnreachable, match="no answer of Azure"):
            AzureRig(Azure(SUBSCRIPTION, ACCOUNT), url, tmp_path).provider().find(owner="me")


def test_who_is_not_logged_in_is_told_how(rig: AzureRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tmp_path / "login.json"
    wrong.write_text(json.dumps({"appId": "a", "password": "s3cr3t-identity"}))
    with pytest.raises(CredentialsError, match="holds no login") as caught:
        rig.provider(credentials_file=str(wrong)).find(owner="me")
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(CredentialsError, match="nothing in the environment variable NO_SUCH"):
        rig.provider(tenant="t", client="c", client_secret_env="NO_SUCH").find(owner="me")
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID")
    with pytest.raises(CredentialsError, match="AZURE_SUBSCRIPTION_ID"):
        rig.provider().find(owner="me")


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"region": "nowhere"}, {}, "not available"),
        ({"type": "Standard_None"}, {}, "VM size is not valid"),
        ({}, {"image": "a:b:c:d"}, "image"),
        ({}, {"key": Key(name="mine")}, "no key of the name 'mine'"),
        ({}, {"resource_group": "none"}, "leave resource_group out"),
    ],
)
def test_what_is_not_there_is_refused_in_words_and_nothing_is_rented(
    rig: AzureRig, change: Mapping[str, Any], options: Mapping[str, Any], words: str
) -> None:
    spec = rig.spec()
    with pytest.raises(InvalidRequest, match=words):
        rig.provider(**options).launch(evolve(spec, offer=evolve(spec.offer, **change)), token="t-1")
    assert rig.paid() == []


def test_what_the_login_may_not_do_is_said_with_the_role_that_may(rig: AzureRig) -> None:
    rig.fail(Fault.DENIED, on="create")
    with pytest.raises(AccessDenied, match="longshore azure policy"):
        rig.provider().launch(rig.spec(), token="t-1")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image": "Windows 95"}, "is no image"),
        ({"regions": []}, "name a region"),
        ({"regions": ["West Europe"]}, "is no region"),
        ({"subnet": "a/b"}, "is no id of a subnetwork"),
        ({"address": "id"}, "address"),
        ({"admit": ["everybody"]}, "is no network"),
        ({"max_price": 0.0}, "is no price"),
        ({"tenant": "t"}, "go together"),
        ({"tags": {"a/b": "c"}}, "cannot be the key of a tag"),
        ({"tags": {"longshore-owner": "c"}}, "cannot be the key of a tag"),
        ({"colour": "red"}, "there is no such option"),
    ],
)
def test_an_option_that_cannot_be_is_named(options: dict[str, Any], words: str) -> None:
    assert words in mistakes(**options)


def test_a_secret_that_the_directory_refuses_is_told_by_its_number_alone() -> None:
    said = "Authentication failed: AADSTS7000215: Invalid client secret provided: s3cr3t-identity."
    refusal = pytest.raises(CredentialsError, match=r"\(AADSTS7000215\); log in by `az login`")
    with refusal as caught, translated("listing machines"):
        raise ClientAuthenticationError(message=said)
    assert "s3cr3t" not in str(caught.value)
