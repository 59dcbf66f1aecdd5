"""Providers of clusters that break a law of theirs, and are caught by it."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from attrs import evolve

from longshore.errors import InvalidRequest, ProviderError
from longshore.plugin.clusters import CLUSTER_ABILITIES, ClusterAccess, RegistryLogin
from longshore.testing import FakeClusterProvider, FakeClusterRig, ProviderContract

from .test_provider_mutants import broken


class TestFakeClusters(ProviderContract):
    """All laws."""

    @pytest.fixture
    def rig(self) -> FakeClusterRig:
        return FakeClusterRig()


class KnowsTheWayToNowhere(FakeClusterProvider):
    """Sends everybody somewhere."""

    def access(self, address: str) -> ClusterAccess | None:
        return super().access(address) or ClusterAccess(server="https://nowhere", token="t")


class OneWayForAll(FakeClusterProvider):
    """Leads to the same one whatever is asked for."""

    def access(self, address: str) -> ClusterAccess | None:
        way = super().access(address)
        return way and evolve(way, server="https://one", token="one")


class SpeaksInTheClear(FakeClusterProvider):
    """Has no TLS."""

    def access(self, address: str) -> ClusterAccess | None:
        way = super().access(address)
        return way and evolve(way, server=way.server.replace("https", "http"))


class MakesNodesEachTime(FakeClusterProvider):
    """Asks for one more whenever it is asked."""

    def access(self, address: str) -> ClusterAccess | None:
        way = super().access(address)
        if way is not None:
            self._call("resize", {"address": address, "nodes": self.nodes(address) + 1}, self._deadline())
        return way


class ScalesAll(FakeClusterProvider):
    """Lets all clusters have so many nodes."""

    def scale(self, address: str, nodes: int) -> None:
        super().scale(address, nodes)
        for each in self._list({}, self._deadline()):
            super().scale(each.address, nodes)


class NeverScalesToNone(FakeClusterProvider):
    """Leaves one."""

    def scale(self, address: str, nodes: int) -> None:
        super().scale(address, nodes or 1)


class ScalesWithoutLimit(FakeClusterProvider):
    """Asks for whatever it is told."""

    def scale(self, address: str, nodes: int) -> None:
        self._call("resize", {"address": address, "nodes": nodes}, self._deadline())


class ScalesTheUnknown(FakeClusterProvider):
    """Believes that it has scaled what is not there."""

    def scale(self, address: str, nodes: int) -> None:
        try:
            super().scale(address, nodes)
        except InvalidRequest as error:
            if error.__cause__ is None:
                raise


class StartsWithOneNode(FakeClusterProvider):
    """Forgets how many there were."""

    def start(self, machine_ids: Collection[str]) -> None:
        super().start(machine_ids)
        for each in self._list({}, self._deadline()):
            if each.id in machine_ids:
                self.scale(each.address, 1)


class LogsInEverywhere(FakeClusterProvider):
    """Gives its password to whoever has a registry."""

    def login(self, repository: str) -> RegistryLogin | None:
        told = self._call("registry_login", {"repository": repository}, self._deadline())
        return RegistryLogin(host=repository.partition("/")[0], user=told["user"], password=told["password"])


class LogsInToAnotherHost(FakeClusterProvider):
    """Says where the cloud is, and not where the registry is."""

    def login(self, repository: str) -> RegistryLogin | None:
        login = super().login(repository)
        return login and evolve(login, host="fake")


class ClaimsAllRegistries(FakeClusterProvider):
    """Says that it has deleted what is not of its registry."""

    def delete_image(self, repository: str, digest: str) -> bool:
        super().delete_image(repository, digest)
        return True


class ComplainsOfGoneImages(FakeClusterProvider):
    """Fails at what is gone."""

    def delete_image(self, repository: str, digest: str) -> bool:
        if self.login(repository) is None:
            return False
        self._call("delete_digest", {"repository": repository, "digest": digest}, self._deadline())
        return True


class DeletesAnyImage(FakeClusterProvider):
    """Empties the repository."""

    def delete_image(self, repository: str, digest: str) -> bool:
        found = super().delete_image(repository, digest)
        for number in range(10):
            super().delete_image(repository, FakeClusterRig.digest(number))
        return found


class AsksForTheWayWithoutDeadline(FakeClusterProvider):
    """Sets no time limit."""

    def access(self, address: str) -> ClusterAccess | None:
        self._port("way_in", {"address": address}, None)
        return super().access(address)


class TakesDeniedForNotThere(FakeClusterProvider):
    """Says that there is no cluster where it may not look."""

    def nodes(self, address: str) -> int:
        try:
            return super().nodes(address)
        except ProviderError:
            return 0


MUTANTS: list[tuple[str, type[FakeClusterProvider]]] = [
    ("Kubernetes", KnowsTheWayToNowhere),
    ("Kubernetes", OneWayForAll),
    ("Kubernetes", SpeaksInTheClear),
    ("Kubernetes", MakesNodesEachTime),
    ("Kubernetes", ScalesAll),
    ("Kubernetes", NeverScalesToNone),
    ("Kubernetes", ScalesWithoutLimit),
    ("Kubernetes", ScalesTheUnknown),
    ("Kubernetes", StartsWithOneNode),
    ("Registries", LogsInEverywhere),
    ("Registries", LogsInToAnotherHost),
    ("Registries", ClaimsAllRegistries),
    ("Registries", ComplainsOfGoneImages),
    ("Registries", DeletesAnyImage),
    ("P5", AsksForTheWayWithoutDeadline),
    ("P6", TakesDeniedForNotThere),
]


@pytest.mark.parametrize(("law", "mutant"), MUTANTS, ids=[each[1].__name__ for each in MUTANTS])
def test_a_mutant_is_caught_by_the_law_of_clusters_that_it_breaks(law: str, mutant: type[FakeClusterProvider]) -> None:
    assert broken(law, FakeClusterProvider, None, FakeClusterRig) == []
    assert broken(law, mutant, None, FakeClusterRig) != []


def test_each_law_of_clusters_is_broken_by_a_mutant() -> None:
    laws = {name for name in dir(ProviderContract) if name.startswith(("test_Kubernetes_", "test_Registries_"))}

    caught = {name for law, mutant in MUTANTS for name in broken(law, mutant, None, FakeClusterRig)}

    assert laws - caught == set()
    assert {ability.__name__ for ability in CLUSTER_ABILITIES} == {law for law, _ in MUTANTS} - {"P5", "P6"}
