"""What cannot be is said in one sentence, with what mends it, before anything is paid for."""

from __future__ import annotations

import pytest

from longshore.errors import AccessDenied, CredentialsError, InvalidRequest, OutOfCapacity, ProviderError, QuotaExceeded
from longshore.testing.clouds import DigitalOcean
from longshore.testing.clouds.digitalocean_words import no

from .rig import DoRig

RENT, WALL = "create", "POST /v2/firewalls"


@pytest.mark.parametrize(
    ("action", "status", "word", "message", "kind", "remedy"),
    [
        (RENT, 401, "unauthorized", "Unable to authenticate you", CredentialsError, "DIGITALOCEAN_TOKEN"),
        (RENT, 403, "forbidden", "Your account is not active", AccessDenied, "longshore do policy"),
        (RENT, 422, "unprocessable_entity", "will exceed your droplet limit", QuotaExceeded, "control panel"),
        (
            RENT,
            422,
            "unprocessable_entity",
            "The size is not available",
            OutOfCapacity,
            "another size or region",
        ),
        (RENT, 422, "unprocessable_entity", "invalid vpc_uuid", InvalidRequest, "invalid vpc_uuid"),
        (WALL, 403, "forbidden", "You are not authorized", AccessDenied, "longshore do policy"),
        (WALL, 422, "unprocessable_entity", "firewall limit reached", QuotaExceeded, "control panel"),
        (WALL, 409, "conflict", "The name is taken", InvalidRequest, "The name is taken"),
        (WALL, 423, "", "The team is locked", InvalidRequest, "try again when"),
    ],
)
def test_what_digitalocean_refuses_is_named_with_what_mends_it_and_nothing_is_rented(
    rig: DoRig,
    cloud: DigitalOcean,
    action: str,
    status: int,
    word: str,
    message: str,
    kind: type[ProviderError],
    remedy: str,
) -> None:
    cloud.answers[action] = no(status, word, message)
    with pytest.raises(ProviderError, match=remedy) as caught:
        rig.provider().launch(rig.spec(), token="t-1")
    assert type(caught.value) is kind
    assert message in str(caught.value)
    assert not any(secret in str(caught.value) for secret in rig.secrets)
    assert rig.paid() == []


def test_a_machine_that_is_locked_is_named_and_the_others_are_ended(rig: DoRig, cloud: DigitalOcean) -> None:
    provider = rig.provider()
    first, second = provider.launch(rig.spec(), token="t-1", count=2)
    cloud.answers["end"] = no(422, "unprocessable_entity", "Droplet already has a pending event.")
    with pytest.raises(InvalidRequest, match=f"ending {first.id}.*try again when"):
        provider.terminate([first.id])
    del cloud.answers["end"]
    provider.terminate([first.id, second.id])
    assert rig.paid() == []


def test_a_firewall_of_somebody_else_by_our_name_is_left_alone_and_nothing_is_rented(
    rig: DoRig, cloud: DigitalOcean
) -> None:
    provider, spec = rig.provider(), rig.spec()
    [ours] = [side.id for side in provider.sides_of(spec) if side.kind == "firewall"]
    theirs = {"name": ours.rpartition("/")[2], "tags": ["theirs"], "inbound_rules": []}
    cloud.add_firewall(theirs)
    with pytest.raises(InvalidRequest, match=r"is not for our machines.*control panel"):
        provider.launch(spec, token="t-1")
    [kept] = cloud.firewalls.rows.values()
    assert kept["tags"] == ["theirs"]
    assert rig.paid() == []
