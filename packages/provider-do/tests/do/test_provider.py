"""What is DigitalOcean's own, beyond the laws that hold for all providers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

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
from longshore.model.offer import Needs
from longshore.plugin.keys import Key
from longshore.runtime.registry import Registry
from longshore.testing.clouds import Answer, DigitalOcean, Request, Trust
from longshore.testing.faults import Fault
from longshore.testing.provider_rig import PUBLIC_KEY, remembered_offers
from longshore_do.config import DoConfig
from longshore_do.errors import Refused, translated
from longshore_do.machines import as_tags, of_tags
from longshore_do.plugin import longshore_providers
from longshore_do.policy import least_scopes

from .description import check
from .rig import TOKEN, DoRig

_SCOPES: Mapping[tuple[str, str], set[str]] = {
    ("GET", "/v2/account"): {"account:read"},
    ("GET", "/v2/sizes"): {"sizes:read"},
    ("GET", "/v2/tags/{}"): {"tag:read"},
    ("GET", "/v2/droplets"): {"droplet:read"},
    ("POST", "/v2/droplets"): {"droplet:create", "tag:create"},
    ("DELETE", "/v2/droplets/{}"): {"droplet:delete"},
    ("POST", "/v2/droplets/{}/actions"): {"droplet:update"},
    ("GET", "/v2/account/keys"): {"ssh_key:read"},
    ("POST", "/v2/account/keys"): {"ssh_key:create"},
    ("DELETE", "/v2/account/keys/{}"): {"ssh_key:delete"},
    ("GET", "/v2/firewalls"): {"firewall:read"},
    ("POST", "/v2/firewalls"): {"firewall:create"},
    ("PUT", "/v2/firewalls/{}"): {"firewall:update"},
    ("DELETE", "/v2/firewalls/{}"): {"firewall:delete"},
}
"""The scopes that each call needs (https://docs.digitalocean.com/reference/api/scopes/)."""


def mistakes(**options: Any) -> list[str]:
    registry = Registry()
    with pytest.raises(ConfigError) as caught:
        registry.options(registry.provider("do").config, options, "providers.do", place="longshore.toml:3")
    return [f"{each.key}: {each.message}" for each in caught.value.problems]


def test_announcing_the_provider_does_not_import_the_sdk() -> None:
    code = "import sys, longshore_do.plugin as p; p.longshore_providers(); sys.exit('pydo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert [record.name for record in longshore_providers()] == ["do"]


def test_what_is_remembered_is_listed_without_the_sdk(rig: DoRig, tmp_path: Path) -> None:
    known = rig.provider().offers(Needs())
    asked = len(rig.requests())
    count, modules = remembered_offers("do", {"endpoint_url": rig.url}, tmp_path)
    assert count == len(known)
    assert len(rig.requests()) == 2 * asked
    assert not modules & {"azure.core", "pydo", "requests"}


def test_offers_come_from_what_was_heard_before(rig: DoRig) -> None:
    assert rig.provider().offers(Needs(cpus=4))
    asked = len(rig.requests())
    provider = rig.provider()
    first = provider.offers(Needs(cpus=4))
    assert [each.key for each in provider.offers(Needs(cpus=4))] == [each.key for each in first]
    assert len(rig.requests()) == asked + 1
    assert [(each.type, each.region) for each in first if not each.resources.gpus] == [
        ("c-4", region) for region in ("ams3", "fra1", "nyc3")
    ]
    assert {str(each.price.per_hour) for each in first if each.price and each.type == "c-4"} == {"0.125 USD"}
    assert [each.region for each in rig.provider(regions=("fra1",)).offers(Needs(gpu_model="nvidia_h100"))] == ["fra1"]


@pytest.mark.parametrize(
    "options", [{}, {"key": Key(name="mine")}, {"key": Key(public_key=PUBLIC_KEY.replace(" me", " other"))}]
)
def test_a_whole_life_needs_every_scope_that_is_named_and_no_other(
    rig: DoRig, cloud: DigitalOcean, options: Mapping[str, Any]
) -> None:
    if "key" in options and options["key"].name:
        cloud.add_key("mine", PUBLIC_KEY)
    provider, spec = rig.provider(**options), rig.spec()
    assert provider.caller() == "me@example.org"
    assert provider.room(provider.offers(Needs())[0]) == 25
    (machine,) = provider.launch(spec, token="t-1")
    provider.admit("198.51.100.9", owner=rig.owner)
    provider.stop([machine.id])
    provider.start([machine.id])
    provider.terminate([machine.id])
    provider.sweep([side.id for side in provider.find_sides(owner=rig.owner)], owner=rig.owner)
    assert rig.paid() == []
    assert cloud.firewalls.rows == {}
    needed = set[str]().union(*(_SCOPES[call] for call in cloud.called))
    assert needed == set(least_scopes(DoConfig(**options))["scopes"])


def test_any_tag_comes_back_whatever_its_capitals_and_whoever_tags_besides(rig: DoRig) -> None:
    tags = {"Équipe": "données ☀", "team": "A", "Team": "a"}
    assert of_tags(as_tags(tags)) == tags
    assert of_tags(["web", "a:b:c", "Upper:case", "x:_zz"]) == {}
    spec = evolve(rig.spec(), project="Prévision ☂")
    (machine,) = rig.provider(tags=tags).launch(spec, token="t-1")
    assert {key: machine.tags[key] for key in tags} == tags
    assert machine.tags["longshore-project"] == "Prévision ☂"


def test_a_droplet_says_when_it_was_made(rig: DoRig, cloud: DigitalOcean) -> None:
    (machine,) = rig.provider().launch(rig.spec(), token="t-1")
    (droplet,) = cloud.droplets.values()
    assert machine.born == datetime.fromisoformat(droplet["created_at"])


def test_ssh_is_let_in_from_the_caller_alone_and_the_machines_reach_each_other(rig: DoRig, cloud: DigitalOcean) -> None:
    rig.provider().launch(rig.spec(), token="t-1")
    (firewall,) = cloud.firewalls.rows.values()
    (droplet,) = cloud.droplets.values()
    assert set(firewall["tags"]) <= set(droplet["tags"])
    rules = [(rule["protocol"], rule["ports"], rule["sources"]) for rule in firewall["inbound_rules"]]
    assert rules[0] == ("tcp", "22", {"addresses": ["203.0.113.7/32"]})
    assert {tuple(sources["tags"]) for _, _, sources in rules[1:]} == {tuple(firewall["tags"])}


def test_more_machines_than_one_call_makes_are_made_by_several_or_not_at_all(rig: DoRig, cloud: DigitalOcean) -> None:
    assert len(rig.provider().launch(rig.spec(), token="t-1", count=13)) == 13
    assert len({row["name"] for row in cloud.droplets.values()}) == 13
    with pytest.raises(QuotaExceeded):
        rig.provider().launch(rig.spec(), token="t-2", count=13)
    assert len(cloud.droplets) == 13


def test_several_launches_at_once_share_what_they_need(rig: DoRig, cloud: DigitalOcean) -> None:
    others = rig.provider()
    providers = [*[rig.provider()] * 4, others]
    with ThreadPoolExecutor(len(providers)) as pool:
        launches = [pool.submit(each.launch, rig.spec(), token=f"t-{place}") for place, each in enumerate(providers)]
        assert len({machine.id for launch in launches for machine in launch.result()}) == len(providers)
    assert (len(cloud.firewalls.rows), len(cloud.keys.rows)) == (1, 1)


@pytest.mark.parametrize(
    ("status", "word", "message", "kind", "remedy"),
    [
        (422, "unprocessable_entity", "Size is not available in this region.", OutOfCapacity, "another size or region"),
        (422, "unprocessable_entity", "will exceed your droplet limit", QuotaExceeded, "control panel"),
        (422, "unprocessable_entity", "invalid image", InvalidRequest, ""),
        (401, "Unauthorized", "Unable to authenticate you", CredentialsError, "DIGITALOCEAN_TOKEN"),
        (403, "forbidden", "no", AccessDenied, "longshore do policy"),
        (404, "not_found", "no", InvalidRequest, ""),
        (409, "conflict", "no", InvalidRequest, ""),
        (429, "too_many_requests", "no", Throttled, ""),
        (500, "server_error", "no", CloudUnreachable, ""),
        (503, "", "", CloudUnreachable, ""),
        (400, "bad_request", "no", InvalidRequest, ""),
        (400, "something_new", "no", ProviderError, ""),
    ],
)
def test_what_digitalocean_says_is_of_its_class_and_says_what_mends_it(
    status: int, word: str, message: str, kind: type[Exception], remedy: str
) -> None:
    cause = Refused(status, word, message)
    with pytest.raises(ProviderError) as caught, translated("renting"):
        raise cause
    assert type(caught.value) is kind
    assert caught.value.__cause__ is cause
    assert remedy in str(caught.value)


class Elsewhere(DigitalOcean):
    """What answers is not what is meant: a proxy that asks for a login."""

    def answer(self, request: Request, fault: Fault | None) -> Answer:
        del request, fault
        return Answer(status=200, body=["<html>"])


def test_an_answer_that_is_none_is_no_answer(trust: Trust, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", TOKEN)
    cloud = Elsewhere(TOKEN)
    with cloud.serving(trust.context) as url, pytest.raises(CloudUnreachable, match="no answer of DigitalOcean"):
        DoRig(cloud, url, tmp_path).provider().find(owner="me")


def test_without_a_token_it_says_where_one_is_looked_for(rig: DoRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")
    with pytest.raises(CredentialsError, match="environment variable DIGITALOCEAN_TOKEN"):
        rig.provider().find(owner="me")
    monkeypatch.setenv("OTHER", "dop_v1_wrong")
    with pytest.raises(CredentialsError, match="Unable to authenticate"):
        rig.provider(token_env="OTHER").find(owner="me")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"region": "mars1"}, "invalid region"),
        ({"type": "s-0"}, "invalid size"),
        ({"spot": True}, "no spot machines"),
    ],
)
def test_what_is_not_there_is_refused_in_words_and_nothing_is_rented(
    rig: DoRig, change: Mapping[str, Any], words: str
) -> None:
    spec = rig.spec()
    with pytest.raises(InvalidRequest, match=words):
        rig.provider().launch(evolve(spec, offer=evolve(spec.offer, **change)), token="t-1")
    with pytest.raises(InvalidRequest, match="invalid image"):
        rig.provider(image="windows-95").launch(spec, token="t-2")
    with pytest.raises(InvalidRequest, match="there is no key 'mine'"):
        rig.provider(key=Key(name="mine")).launch(spec, token="t-3")
    assert rig.paid() == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image": "Windows 95"}, "is no image"),
        ({"token_env": "dop_v1-abc"}, "must not stand here"),
        ({"network": "mine"}, "is no network"),
        ({"address": "id"}, "address"),
        ({"admit": ["everybody"]}, "is no network"),
        ({"spot_limit": "1"}, "there is no such option"),
    ],
)
def test_an_option_that_cannot_be_is_named(options: dict[str, Any], words: str) -> None:
    assert words in mistakes(**options)[0]


def test_the_description_refuses_what_the_api_does_not_know() -> None:
    body = {"names": ["a"], "size": "c-4", "image": "debian-12-x64"}
    request = Request(method="POST", path="/v2/droplets", body=body)
    assert check(request, None) == ""
    assert "'colour' was unexpected" in check(evolve(request, body={**body, "colour": "red"}), None)
    rule = {"protocol": "tcp", "ports": "22", "sources": {"addresses": ["198.51.100.7"]}}
    wall = Request(method="POST", path="/v2/firewalls", body={"name": "wall", "inbound_rules": [rule]})
    assert check(wall, None) == ""
    rule["sources"] = {"adresses": ["198.51.100.7"]}
    assert "adresses" in check(wall, None)
    assert check(evolve(request, body={"names": ["a"]}), None) != ""
    assert "no such operation" in check(evolve(request, path="/v2/droplet"), None)
    assert check(request, Answer(status=202, body={"droplets": [{"id": 1}], "links": {}})) != ""
