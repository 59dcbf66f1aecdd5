"""The laws of a provider's abilities: each is tried when the provider implements the protocol whose name it bears."""

# A protocol is a type to ask for.
# mypy: disable-error-code="type-abstract"

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from attrs import evolve

from longshore.errors import AccessDenied, CloudUnreachable, InvalidRequest, OutOfCapacity, ProviderError, QuotaExceeded
from longshore.model.machine import MachineState
from longshore.model.machine_spec import MachineSpec, SideResource
from longshore.model.offer import Needs, Offer
from longshore.plugin.provider import (
    Admits,
    Clusters,
    HostKeys,
    Identity,
    Images,
    Prices,
    Provider,
    Quotas,
    SpotNotices,
    Stoppable,
    Sweeps,
    Takings,
)
from longshore.testing.cluster_laws import CLUSTER_CALLS
from longshore.testing.faults import Fault
from longshore.testing.provider_rig import ProviderRig, ReclaimsSpot, ShowsFirewall, failure, having, ids

__all__ = ["ABILITY_CALLS", "AbilityLaws"]

_ONE, _TWO, _THREE = "t-1", "t-2", "t-3"
"""Tokens."""
_LONGEST_OWNER = 63
_NOBODY = "i-that-never-was"
_BOOT = timedelta(minutes=2)
"""Within this time a machine is up, and its cloud knows its host keys."""

ABILITY_CALLS: Mapping[str, Callable[[object, ProviderRig], object]] = {
    "stop": lambda provider, _: having(Stoppable, provider).stop([_NOBODY]),
    "start": lambda provider, _: having(Stoppable, provider).start([_NOBODY]),
    "notices": lambda provider, _: having(SpotNotices, provider).notices([_NOBODY]),
    "taken": lambda provider, _: having(Takings, provider).taken([_NOBODY]),
    "room": lambda provider, rig: having(Quotas, provider).room(rig.spec().offer),
    "quotas": lambda provider, _: having(Quotas, provider).quotas(),
    "price": lambda provider, rig: having(Prices, provider).price(rig.spec().offer),
    "host_keys": lambda provider, _: having(HostKeys, provider).host_keys(_NOBODY),
    "caller": lambda provider, _: having(Identity, provider).caller(),
    "images": lambda provider, rig: having(Images, provider).images(owner=rig.owner),
    "make_image": lambda provider, rig: having(Images, provider).make_image(_NOBODY, "i", rig.spec().owner_tags()),
    "delete_images": lambda provider, _: having(Images, provider).delete_images(["image-that-never-was"]),
    "launch_together": lambda each, rig: having(Clusters, each).launch_together(rig.spec(), token=_ONE, count=2),
    "find_sides": lambda provider, rig: having(Sweeps, provider).find_sides(owner=rig.owner),
    "sweep": lambda provider, rig: having(Sweeps, provider).sweep(["key-that-never-was"], owner=rig.owner),
    "admit": lambda provider, rig: having(Admits, provider).admit("192.0.2.7", owner=rig.owner),
    **CLUSTER_CALLS,
}
"""One call of each method of each ability."""


class AbilityLaws:
    """Part of `longshore.testing.ProviderContract`."""

    @pytest.mark.parametrize("call", ABILITY_CALLS)
    def test_P5_calls_of_abilities_end_by_the_deadline_too(self, rig: ProviderRig, call: str) -> None:
        """P5: when no answer comes, `CloudUnreachable` does, within `Terms.deadline`."""
        provider = rig.provider()
        rig.fail(Fault.HANG, on="*")
        began = rig.now()
        error = failure(lambda: ABILITY_CALLS[call](provider, rig))
        assert isinstance(error, CloudUnreachable)
        assert rig.now() - began <= provider.terms.deadline

    @pytest.mark.parametrize("call", ABILITY_CALLS)
    def test_P6_failures_of_abilities_are_of_their_class_too(self, rig: ProviderRig, call: str) -> None:
        """P6: what the cloud says becomes the error class that says what to do; the cloud's own words are kept."""
        rig.fail(Fault.DENIED, on="*")
        error = failure(lambda: ABILITY_CALLS[call](rig.provider(), rig))
        assert type(error) is AccessDenied
        assert error.__cause__ is not None

    # --- Stoppable

    def test_Stoppable_a_stopped_machine_is_still_ours_and_starts_again(self, rig: ProviderRig) -> None:
        """Stoppable: it is listed as stopped, with its tags, and runs again when it is started; no other is touched."""
        provider = rig.provider()
        able, spec = having(Stoppable, provider), rig.spec()
        (machine,), (other,) = provider.launch(spec, token=_ONE), provider.launch(spec, token=_TWO)
        rig.wait(max(_BOOT, provider.terms.listing_lag))

        able.stop([machine.id])
        rig.wait(provider.terms.settle)
        stopped = {each.id: each for each in provider.find(owner=rig.owner)}
        assert stopped[machine.id].state is MachineState.STOPPED
        assert stopped[other.id].state is MachineState.RUNNING
        assert dict(stopped[machine.id].tags) == dict(machine.tags)

        able.start([machine.id])
        rig.wait(provider.terms.settle)
        states = {each.id: each.state for each in provider.find(owner=rig.owner)}
        assert states == dict.fromkeys([machine.id, other.id], MachineState.RUNNING)

    def test_Stoppable_what_is_so_already_is_no_news(self, rig: ProviderRig) -> None:
        """Stoppable: to stop or to start twice is as once."""
        provider = rig.provider()
        able = having(Stoppable, provider)
        (machine,) = provider.launch(rig.spec(), token=_ONE)
        rig.wait(max(_BOOT, provider.terms.listing_lag))
        for act, state in ((able.stop, MachineState.STOPPED), (able.start, MachineState.RUNNING)):
            act([machine.id])
            rig.wait(provider.terms.settle)
            act([machine.id])
            rig.wait(provider.terms.settle)
            assert [each.state for each in provider.find(owner=rig.owner)] == [state]

    def test_Stoppable_unknown_machines_are_an_error(self, rig: ProviderRig) -> None:
        """Stoppable: nobody believes that a machine was stopped that is not there."""
        able = having(Stoppable, rig.provider())
        for act in (able.stop, able.start):
            assert isinstance(failure(lambda act=act: act([_NOBODY])), ProviderError)  # type: ignore[misc]

    def test_Stoppable_a_stopped_machine_can_be_ended(self, rig: ProviderRig) -> None:
        """Stoppable: `terminate` ends it, and it costs nothing any more."""
        provider = rig.provider()
        able = having(Stoppable, provider)
        (machine,) = provider.launch(rig.spec(), token=_ONE)
        rig.wait(max(_BOOT, provider.terms.listing_lag))
        able.stop([machine.id])
        rig.wait(provider.terms.settle)
        provider.terminate([machine.id])
        rig.wait(provider.terms.settle)
        assert rig.paid() == []

    # --- SpotNotices

    def test_SpotNotices_tell_of_the_machines_that_were_asked_for_and_come_true(self, rig: ProviderRig) -> None:
        """SpotNotices: what is announced goes at its time; nothing is told of others, of unknown ones, or too soon."""
        provider = rig.provider()
        able = having(SpotNotices, provider)
        if not isinstance(rig, ReclaimsSpot):
            pytest.skip("its rig cannot take a spot machine back")
        spec = evolve(rig.spec(), offer=next(each for each in provider.offers(Needs()) if each.spot))
        (doomed,), (other,) = provider.launch(spec, token=_ONE), provider.launch(spec, token=_TWO)
        assert able.notices([doomed.id, other.id, _NOBODY]) == []

        rig.reclaim(doomed.id, after=timedelta(seconds=60))
        (notice,) = able.notices([doomed.id, other.id])
        assert notice.machine == doomed.id
        assert rig.now() < notice.at
        assert able.notices([other.id]) == []

        rig.wait(notice.at - rig.now() + timedelta(seconds=1))
        assert ids(rig.paid()) == [other.id]

    # --- Takings

    def test_Takings_tell_what_the_cloud_has_ended_and_nothing_that_ended_otherwise(self, rig: ProviderRig) -> None:
        """Takings: of machines that were taken back, ended by us, or run, the first are told, also once we end them."""
        provider = rig.provider()
        able = having(Takings, provider)
        if not isinstance(rig, ReclaimsSpot):
            pytest.skip("its rig cannot take a spot machine back")
        spec = evolve(rig.spec(), offer=next(each for each in provider.offers(Needs()) if each.spot))
        (doomed,), (ended,) = provider.launch(spec, token=_ONE), provider.launch(spec, token=_TWO)
        (running,) = provider.launch(spec, token=_THREE)
        three = [doomed.id, ended.id, running.id]
        rig.reclaim(doomed.id, after=timedelta(seconds=60))
        assert list(able.taken([*three, _NOBODY])) == []

        rig.wait(timedelta(seconds=61))
        provider.terminate([doomed.id, ended.id])
        rig.wait(provider.terms.listing_lag)
        assert list(able.taken([*three, _NOBODY])) == [doomed.id]
        assert list(able.taken([ended.id, running.id])) == []

    # --- Quotas

    def test_Quotas_room_is_what_can_still_be_launched(self, rig: ProviderRig) -> None:
        """Quotas: each machine takes of the room, ended ones give it back; what is beyond it is `QuotaExceeded`."""
        provider, spec = rig.provider(), rig.spec()
        able = having(Quotas, provider)
        before = able.room(spec.offer)
        if before is None:
            pytest.skip("its cloud does not tell")
        machines = provider.launch(spec, token=_ONE, count=2)
        rig.wait(provider.terms.listing_lag)
        assert able.room(spec.offer) == before - 2
        beyond = failure(lambda: provider.launch(spec, token=_TWO, count=before - 1))
        assert isinstance(beyond, QuotaExceeded | OutOfCapacity)
        provider.terminate(ids(machines))
        rig.wait(provider.terms.settle)
        assert able.room(spec.offer) == before

    def test_Quotas_list_what_limits_there_are_and_how_much_is_used(self, rig: ProviderRig) -> None:
        """Quotas: of some limit the used part grows with a launch; all have a name, and a region that is looked at."""
        provider, spec = rig.provider(), rig.spec()
        able = having(Quotas, provider)
        before = {(each.name, each.region): each for each in able.quotas()}
        provider.launch(spec, token=_ONE)
        rig.wait(provider.terms.listing_lag)
        after = {(each.name, each.region): each for each in able.quotas()}
        assert all(name for name, _ in after)
        assert [key for key, each in after.items() if key in before and each.used > before[key].used]

    # --- Prices

    def test_Prices_are_those_of_the_offers(self, rig: ProviderRig) -> None:
        """Prices: each offer has the price that it is listed with, spot and zone included."""
        provider = rig.provider()
        able = having(Prices, provider)
        offers = provider.offers(Needs())
        now = {offer.key: able.price(offer) for offer in offers}
        assert {key: price and price.per_hour for key, price in now.items()} == {
            offer.key: offer.price and offer.price.per_hour for offer in offers
        }

    def test_Prices_of_what_nobody_rents_are_unknown(self, rig: ProviderRig) -> None:
        """Prices: unknown is None, and never a guess; a budget depends on it."""
        able = having(Prices, rig.provider())
        offer: Offer = evolve(rig.spec().offer, type="type-that-never-was")
        assert able.price(offer) is None

    # --- HostKeys

    def test_HostKeys_are_each_machines_own_public_keys(self, rig: ProviderRig) -> None:
        """HostKeys: lines of key type and key, other ones for another machine, and the same whenever asked."""
        provider, spec = rig.provider(), rig.spec()
        able = having(HostKeys, provider)
        (one,), (two,) = provider.launch(spec, token=_ONE), provider.launch(spec, token=_TWO)
        for key in able.host_keys(one.id):
            _read_key(key)  # they may be there at once, and need not
        rig.wait(_BOOT)
        keys = {each.id: tuple(able.host_keys(each.id)) for each in (one, two)}
        assert all(keys.values())
        for key in (*keys[one.id], *keys[two.id]):
            _read_key(key)
        assert set(keys[one.id]) & set(keys[two.id]) == set()
        assert tuple(having(HostKeys, rig.provider()).host_keys(one.id)) == keys[one.id]

    def test_HostKeys_of_an_unknown_machine_are_none(self, rig: ProviderRig) -> None:
        """HostKeys: who is not there cannot be trusted."""
        assert list(having(HostKeys, rig.provider()).host_keys(_NOBODY)) == []

    # --- Identity

    def test_Identity_is_the_same_for_every_login(self, rig: ProviderRig) -> None:
        """Identity: who is logged in has one name, short enough to be a tag, and machines are found by it."""
        owner = having(Identity, rig.provider()).caller()
        assert 1 <= len(owner) <= _LONGEST_OWNER
        assert having(Identity, rig.provider()).caller() == owner
        launched = rig.provider().launch(evolve(rig.spec(), owner=owner), token=_ONE)
        rig.wait(rig.provider().terms.listing_lag)
        assert ids(rig.provider().find(owner=owner)) == ids(launched)

    # --- Images

    def test_Images_are_made_once_by_name_and_carry_their_tags(self, rig: ProviderRig) -> None:
        """Images: made twice by one name it is one image; its tags come back, and only its owner's list has it."""
        able, tags, made = _imaged(rig)
        assert (made.kind, dict(made.tags)) == ("image", tags)
        assert able.images(owner=rig.owner) == [made]
        assert able.images(owner=f"{rig.owner}2") == []

    def test_Images_that_are_deleted_are_gone_and_the_others_stay(self, rig: ProviderRig) -> None:
        """Images: those that are named are deleted; unknown ones and those that are gone are no news."""
        able, tags, made = _imaged(rig)
        (machine,) = rig.provider().find(owner=rig.owner)
        other = able.make_image(machine.id, "other", tags)
        able.delete_images(["image-that-never-was", made.id])
        able.delete_images([made.id])
        assert able.images(owner=rig.owner) == [other]

    # --- Clusters

    def test_Clusters_are_launched_once_by_token(self, rig: ProviderRig) -> None:
        """Clusters: as `launch`: the same machines under one token, with their tags, in one zone."""
        provider, spec = rig.provider(), rig.spec()
        able = having(Clusters, provider)
        first = able.launch_together(spec, token=_ONE, count=3)
        assert len({each.zone for each in first}) == 1
        rig.wait(provider.terms.settle)
        again = able.launch_together(spec, token=_ONE, count=3)
        assert ids(again) == ids(first) == ids(rig.paid())
        (tags,) = {tuple(sorted(each.tags.items())) for each in provider.find(owner=rig.owner)}
        assert {key: dict(tags).get(key) for key in spec.tags(_ONE)} == spec.tags(_ONE)

    def test_Clusters_are_whole_or_not_at_all(self, rig: ProviderRig) -> None:
        """Clusters: when the cloud has fewer than asked for, nothing is rented."""
        able = having(Clusters, rig.provider())
        rig.fail(Fault.PARTIAL, on="create")
        error = failure(lambda: able.launch_together(rig.spec(), token=_ONE, count=4))
        assert isinstance(error, OutOfCapacity)
        assert rig.paid() == []

    # --- Admits

    def test_Admits_the_new_address_and_no_longer_the_one_before(self, rig: ProviderRig) -> None:
        """Admits: one address for each owner, the last one; others' are left alone."""
        provider, spec = rig.provider(), rig.spec()
        able = having(Admits, provider)
        # Where there is no machine there need be nothing that anybody could be admitted to.
        provider.launch(spec, token=_ONE)
        provider.launch(evolve(spec, owner=f"{rig.owner}2"), token=_TWO)
        able.admit("192.0.2.7", owner=rig.owner)
        able.admit("198.51.100.9", owner=f"{rig.owner}2")
        able.admit("192.0.2.8", owner=rig.owner)
        able.admit("192.0.2.8", owner=rig.owner)
        if not isinstance(rig, ShowsFirewall):
            pytest.skip("its rig cannot look into the firewall")
        assert sorted(rig.admitted()) == ["192.0.2.8", "198.51.100.9"]

    @pytest.mark.parametrize("address", ["0.0.0.0/0", "::/0", "192.0.2.0/24", "everybody", ""])
    def test_Admits_one_address_and_never_a_network(self, rig: ProviderRig, address: str) -> None:
        """Admits: what is no single address is refused before anything is opened."""
        able = having(Admits, rig.provider())
        rig.provider().launch(rig.spec(), token=_ONE)
        before = list(rig.admitted()) if isinstance(rig, ShowsFirewall) else []
        assert isinstance(failure(lambda: able.admit(address, owner=rig.owner)), InvalidRequest)
        assert before == (list(rig.admitted()) if isinstance(rig, ShowsFirewall) else [])


def _read_key(line: str) -> None:
    kind, _, rest = line.partition(" ")
    blob = base64.b64decode(rest.split()[0], validate=True)
    length = int.from_bytes(blob[:4], "big")
    assert blob[4 : 4 + length] == kind.encode(), f"{line!r} is no public key of type {kind!r}"


def _imaged(rig: ProviderRig) -> tuple[Images, dict[str, str], SideResource]:
    """Launch a machine and make an image of it, twice."""
    provider: Provider = rig.provider()
    able, spec = having(Images, provider), rig.spec()
    (machine,) = provider.launch(spec, token=_ONE)
    rig.wait(max(_BOOT, provider.terms.listing_lag))
    tags = _image_tags(spec)
    made = able.make_image(machine.id, "mine", tags)
    assert able.make_image(machine.id, "mine", tags) == made
    return able, tags, made


def _image_tags(spec: MachineSpec) -> dict[str, str]:
    return {**spec.owner_tags(), "longshore-name": "mine"}
