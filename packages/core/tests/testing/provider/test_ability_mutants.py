"""Providers with an ability that breaks its law, and are caught by it."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest
from attrs import evolve

from longshore.errors import CredentialsError, InvalidRequest, ProviderError
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec, SideResource
from longshore.model.offer import Needs, Offer, Price
from longshore.plugin.provider import ABILITIES, Quota, SpotNotice
from longshore.testing import FakeProvider

from .test_provider_mutants import broken


class StopsByEnding(FakeProvider):
    """Stops for good."""

    def stop(self, machine_ids: Collection[str]) -> None:
        self.terminate(machine_ids)


class StopsAll(FakeProvider):
    """Powers the whole account off."""

    def stop(self, machine_ids: Collection[str]) -> None:
        super().stop(machine_ids)
        super().stop([each.id for each in self._list({}, self._deadline())])


class StartsNothing(FakeProvider):
    """Leaves them off."""

    def start(self, machine_ids: Collection[str]) -> None:
        self.stop(machine_ids)


class ComplainsOfTheStopped(FakeProvider):
    """Fails at what is so already."""

    def stop(self, machine_ids: Collection[str]) -> None:
        stopped = {each.id for each in self._list({}, self._deadline()) if each.state == "stopped"}
        if stopped & set(machine_ids):
            raise InvalidRequest("it is stopped already")
        super().stop(machine_ids)


class StopsTheUnknown(FakeProvider):
    """Believes that it has stopped what is not there."""

    def stop(self, machine_ids: Collection[str]) -> None:
        for each in machine_ids:
            self._call("stop", {"id": each}, self._deadline(), fine={"NotFound"})


class SparesTheStopped(FakeProvider):
    """Ends only what runs."""

    def _end(self, machine_ids: Collection[str], until: Any) -> None:
        stopped = {each.id for each in self._list({}, until) if each.state == "stopped"}
        super()._end([each for each in machine_ids if each not in stopped], until)


class TellsOfEverybody(FakeProvider):
    """Does not look for whom it was asked."""

    def notices(self, machine_ids: Collection[str]) -> Sequence[SpotNotice]:
        return super().notices([each.id for each in self._list({}, self._deadline())])


class NeverTells(FakeProvider):
    """Has not read the page on notices."""

    def notices(self, machine_ids: Collection[str]) -> Sequence[SpotNotice]:
        self._call("whoami", {}, self._deadline())
        return []


class TellsTheWrongTime(FakeProvider):
    """Gives the moment of the question."""

    def notices(self, machine_ids: Collection[str]) -> Sequence[SpotNotice]:
        return [evolve(each, at=self._time.now()) for each in super().notices(machine_ids)]


class BlamesTheCloud(FakeProvider):
    """Takes whatever is not there any more for taken."""

    def taken(self, machine_ids: Collection[str]) -> Collection[str]:
        living = {each.id for each in self._list({}, self._deadline())}
        return [each for each in machine_ids if each not in living]


class NeverBlames(FakeProvider):
    """Thinks that the cloud takes nothing."""

    def taken(self, machine_ids: Collection[str]) -> Collection[str]:
        self._call("whoami", {}, self._deadline())
        return []


class AlwaysHasRoom(FakeProvider):
    """Gives the limit for what is left of it."""

    def room(self, offer: Offer) -> int | None:
        return int(self._call("room", {}, self._deadline())["limit"])


class CountsNothing(FakeProvider):
    """Lists limits without what is used."""

    def quotas(self) -> Sequence[Quota]:
        return [evolve(each, used=0) for each in super().quotas()]


class GuessesPrices(FakeProvider):
    """Has a price for everything."""

    def price(self, offer: Offer) -> Price | None:
        return super().price(offer) or self.offers(Needs())[0].price


class IgnoresSpot(FakeProvider):
    """Gives the first price of the type."""

    def price(self, offer: Offer) -> Price | None:
        return next((each.price for each in self.offers(Needs(type=offer.type))), None)


class OneKeyForAll(FakeProvider):
    """Gives every machine the image's key."""

    def host_keys(self, machine_id: str) -> Sequence[str]:
        blob = b"".join(len(part).to_bytes(4, "big") + part for part in (b"ssh-ed25519", bytes(32)))
        return [f"ssh-ed25519 {base64.b64encode(blob).decode()}"] if super().host_keys(machine_id) else []


class GivesTheConsole(FakeProvider):
    """Gives whole lines of the console."""

    def host_keys(self, machine_id: str) -> Sequence[str]:
        return [f"[   12.3] cloud-init: {key}" for key in super().host_keys(machine_id)]


class NamesTheUnknown(FakeProvider):
    """Makes a key up for whoever is asked for."""

    def host_keys(self, machine_id: str) -> Sequence[str]:
        return super().host_keys(machine_id) or ["ssh-ed25519 AAAA"]


class AnotherCallerEachTime(FakeProvider):
    """Names the session."""

    _sessions = itertools.count()

    def caller(self) -> str:
        return f"{super().caller()}-{next(self._sessions)}"


class CallerOfAMile(FakeProvider):
    """Gives the whole name of the role."""

    def caller(self) -> str:
        return super().caller().ljust(100, "-")


class MakesImagesAgain(FakeProvider):
    """Makes another image when there is one of the name."""

    def make_image(self, machine_id: str, name: str, tags: Mapping[str, str]) -> SideResource:
        there = {each.id for each in self.images(owner=tags["longshore-owner"])}
        return super().make_image(machine_id, f"{name}-{len(there)}", tags)


class LosesImageTags(FakeProvider):
    """Tags only the owner."""

    def make_image(self, machine_id: str, name: str, tags: Mapping[str, str]) -> SideResource:
        return super().make_image(machine_id, name, {"longshore-owner": tags["longshore-owner"]})


class ListsAllImages(FakeProvider):
    """Lists the account's images."""

    def images(self, *, owner: str) -> Sequence[SideResource]:
        return [SideResource(**row) for row in self._pages("list_images", {}, self._deadline())]


class DeletesAllImages(FakeProvider):
    """Deletes all there are."""

    def delete_images(self, ids: Collection[str]) -> None:
        super().delete_images([row["id"] for row in self._pages("list_images", {}, self._deadline())])


class ComplainsOfDeletedImages(FakeProvider):
    """Fails at what is gone."""

    def delete_images(self, ids: Collection[str]) -> None:
        for each in ids:
            self._call("delete_image", {"id": each}, self._deadline())


class ClustersWithoutToken(FakeProvider):
    """Launches another cluster each time."""

    def launch_together(self, spec: MachineSpec, *, token: str, count: int) -> Sequence[Machine]:
        return super().launch_together(spec, token=f"{token}-{self._time.now().timestamp()}", count=count)


class HalfAClusterIsEnough(FakeProvider):
    """Keeps what it gets."""

    def launch_together(self, spec: MachineSpec, *, token: str, count: int) -> Sequence[Machine]:
        until = self._deadline()
        self._make_sides(spec, until)
        self._call("create", self._request(spec, token, count), until)
        return self._list({}, until)


class AdmitsNetworks(FakeProvider):
    """Opens whatever it is told."""

    def admit(self, address: str, *, owner: str) -> None:
        super().admit(address.partition("/")[0] or "0.0.0.0", owner=owner)


class KeepsTheOldAddress(FakeProvider):
    """Adds, and never takes away."""

    def admit(self, address: str, *, owner: str) -> None:
        super().admit(address, owner=f"{owner} at {address}")


class AdmitsForAll(FakeProvider):
    """Has one rule for all owners."""

    def admit(self, address: str, *, owner: str) -> None:
        super().admit(address, owner="everybody")


class StopsWithoutDeadline(FakeProvider):
    """Sets no time limit for its abilities."""

    def stop(self, machine_ids: Collection[str]) -> None:
        for each in machine_ids:
            self._port("stop", {"id": each}, None)


class LetsTheSdkSpeakOfPrices(FakeProvider):
    """Raises what the SDK raises, where it is only asked."""

    def price(self, offer: Offer) -> Price | None:
        self._port("offers", {}, self._terms.deadline)
        return super().price(offer)


class TakesDeniedForLoggedOut(FakeProvider):
    """Mislabels what it is refused."""

    def quotas(self) -> Sequence[Quota]:
        try:
            return super().quotas()
        except ProviderError as error:
            raise CredentialsError(str(error)) from error.__cause__


MUTANTS: list[tuple[str, type[FakeProvider]]] = [
    ("Stoppable", StopsByEnding),
    ("Stoppable", StopsAll),
    ("Stoppable", StartsNothing),
    ("Stoppable", ComplainsOfTheStopped),
    ("Stoppable", StopsTheUnknown),
    ("Stoppable", SparesTheStopped),
    ("SpotNotices", TellsOfEverybody),
    ("SpotNotices", NeverTells),
    ("SpotNotices", TellsTheWrongTime),
    ("Takings", BlamesTheCloud),
    ("Takings", NeverBlames),
    ("Quotas", AlwaysHasRoom),
    ("Quotas", CountsNothing),
    ("Prices", GuessesPrices),
    ("Prices", IgnoresSpot),
    ("HostKeys", OneKeyForAll),
    ("HostKeys", GivesTheConsole),
    ("HostKeys", NamesTheUnknown),
    ("Identity", AnotherCallerEachTime),
    ("Identity", CallerOfAMile),
    ("Images", MakesImagesAgain),
    ("Images", LosesImageTags),
    ("Images", ListsAllImages),
    ("Images", DeletesAllImages),
    ("Images", ComplainsOfDeletedImages),
    ("Clusters", ClustersWithoutToken),
    ("Clusters", HalfAClusterIsEnough),
    ("Admits", AdmitsNetworks),
    ("Admits", KeepsTheOldAddress),
    ("Admits", AdmitsForAll),
    ("P5", StopsWithoutDeadline),
    ("P6", LetsTheSdkSpeakOfPrices),
    ("P6", TakesDeniedForLoggedOut),
]


@pytest.mark.parametrize(("law", "mutant"), MUTANTS, ids=[each[1].__name__ for each in MUTANTS])
def test_a_mutant_is_caught_by_the_law_of_the_ability_it_breaks(law: str, mutant: type[FakeProvider]) -> None:
    assert broken(law, FakeProvider, None) == []
    assert broken(law, mutant, None) != []


def test_each_ability_has_laws_with_mutants() -> None:
    with_mutants = {law for law, _ in MUTANTS} | {"Sweeps"}  # whose law is P9

    assert {ability.__name__ for ability in ABILITIES} == with_mutants - {"P5", "P6"}
