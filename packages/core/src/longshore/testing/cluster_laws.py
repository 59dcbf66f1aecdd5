"""The laws of a provider's abilities that are about clusters of Kubernetes and registries of images."""

# A protocol is a type to ask for.
# mypy: disable-error-code="type-abstract"

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from longshore.errors import InvalidRequest
from longshore.model.machine import Machine
from longshore.plugin.clusters import ClusterAccess, Kubernetes, Registries
from longshore.plugin.provider import Stoppable
from longshore.testing.provider_rig import KeepsImages, ProviderRig, failure, having, ids

__all__ = ["CLUSTER_CALLS", "ClusterLaws"]

_ONE, _TWO = "t-1", "t-2"
"""Tokens."""
_NOWHERE = "address-that-never-was"
_ELSEWHERE = "registry.example.org/team/tool"
"""A repository that is of no cloud."""
_NO_DIGEST = f"sha256:{'0' * 64}"
_MADE = timedelta(minutes=30)
"""Within this time a cluster is there."""
_TOO_MANY = 1_000_000

CLUSTER_CALLS: Mapping[str, Callable[[object, ProviderRig], object]] = {
    "access": lambda provider, _: having(Kubernetes, provider).access(_NOWHERE),
    "nodes": lambda provider, _: having(Kubernetes, provider).nodes(_NOWHERE),
    "scale": lambda provider, _: having(Kubernetes, provider).scale(_NOWHERE, 1),
    "login": lambda provider, rig: having(Registries, provider).login(_images(rig).repository),
    "delete_image": lambda provider, rig: having(Registries, provider).delete_image(
        _images(rig).repository, _NO_DIGEST
    ),
}
"""One call of each method of each of these abilities."""


class ClusterLaws:
    """Part of `longshore.testing.ProviderContract`."""

    # --- Kubernetes

    def test_Kubernetes_each_cluster_is_entered_by_its_address(self, rig: ProviderRig) -> None:
        """Kubernetes: by TLS, with a proof that no repr shows, for another process too; into no other one."""
        able = having(Kubernetes, rig.provider())
        one, two = (_cluster(rig, token) for token in (_ONE, _TWO))
        ways = [_way(able, one), _way(able, two)]
        for way in ways:
            assert way.server.startswith("https://")
            assert way.token
            assert way.token not in repr(way)
        assert len({(way.server, way.token) for way in ways}) == 2
        assert _way(having(Kubernetes, rig.provider()), one).server == ways[0].server

    def test_Kubernetes_whoever_asks_for_the_way_makes_what_is_missing_once(self, rig: ProviderRig) -> None:
        """Kubernetes: asked again, by another process too, it is the same cluster with as many nodes."""
        able = having(Kubernetes, rig.provider())
        machine = _cluster(rig, _ONE)
        _way(able, machine)
        nodes = able.nodes(machine.address)
        assert nodes > 0
        _way(able, machine)
        _way(having(Kubernetes, rig.provider()), machine)
        assert able.nodes(machine.address) == nodes
        assert ids(rig.paid()) == [machine.id]

    def test_Kubernetes_there_is_no_way_to_what_is_not_there(self, rig: ProviderRig) -> None:
        """Kubernetes: an unknown cluster and one that has ended have neither way nor nodes, and cannot be scaled."""
        provider = rig.provider()
        able = having(Kubernetes, provider)
        machine = _cluster(rig, _ONE)
        _way(able, machine)
        provider.terminate([machine.id])
        rig.wait(provider.terms.settle + provider.terms.ending)
        for address in (_NOWHERE, machine.address):
            assert able.access(address) is None
            assert able.nodes(address) == 0
            assert isinstance(failure(lambda address=address: able.scale(address, 1)), InvalidRequest)  # type: ignore[misc]

    def test_Kubernetes_a_cluster_has_the_nodes_that_it_was_scaled_to(self, rig: ProviderRig) -> None:
        """Kubernetes: as many as were asked for last, none too, and no other cluster changes."""
        able = having(Kubernetes, rig.provider())
        machine, other = (_cluster(rig, token) for token in (_ONE, _TWO))
        for each in (machine, other):
            _way(able, each)
        before = able.nodes(other.address)
        for count in (1, 0, 1):
            able.scale(machine.address, count)
            rig.wait(_MADE)
            assert able.nodes(machine.address) == count
        assert able.nodes(other.address) == before

    @pytest.mark.parametrize("count", [-1, _TOO_MANY])
    def test_Kubernetes_nodes_that_it_may_not_have_are_refused(self, rig: ProviderRig, count: int) -> None:
        """Kubernetes: fewer than none, and more than its config says; nothing changes."""
        able = having(Kubernetes, rig.provider())
        machine = _cluster(rig, _ONE)
        _way(able, machine)
        before = able.nodes(machine.address)
        assert isinstance(failure(lambda: able.scale(machine.address, count)), InvalidRequest)
        assert able.nodes(machine.address) == before

    def test_Kubernetes_a_cluster_that_is_stopped_has_no_nodes(self, rig: ProviderRig) -> None:
        """Kubernetes: where machines can be stopped, that takes the nodes away, and to start it brings them back."""
        provider = rig.provider()
        able, stoppable = having(Kubernetes, provider), having(Stoppable, provider)
        machine = _cluster(rig, _ONE)
        _way(able, machine)
        before = able.nodes(machine.address)
        stoppable.stop([machine.id])
        rig.wait(_MADE)
        assert able.nodes(machine.address) == 0
        stoppable.start([machine.id])
        rig.wait(_MADE)
        assert able.nodes(machine.address) == before

    # --- Registries

    def test_Registries_let_us_push_to_their_own_repositories(self, rig: ProviderRig) -> None:
        """Registries: the login is for the repository's host, whether or not it was there, and no repr shows it."""
        images = _images(rig)
        for provider in (rig.provider(), rig.provider()):
            login = having(Registries, provider).login(images.repository)
            assert login is not None
            assert login.host == images.repository.partition("/")[0]
            assert login.user
            assert login.password
            assert login.password not in repr(login)

    def test_Registries_leave_those_of_others_alone(self, rig: ProviderRig) -> None:
        """Registries: there is no login for another registry, and whoever asks is told that nothing was deleted."""
        able = having(Registries, rig.provider())
        assert able.login(_ELSEWHERE) is None
        assert not able.delete_image(_ELSEWHERE, _NO_DIGEST)

    def test_Registries_delete_the_image_that_is_named_and_no_other(self, rig: ProviderRig) -> None:
        """Registries: the others stay; one that is gone, or never was, is no news."""
        able, images = having(Registries, rig.provider()), _images(rig)
        doomed, other = images.push(), images.push()
        for digest in (doomed, doomed, _NO_DIGEST):
            assert able.delete_image(images.repository, digest)
        assert list(images.pushed()) == [other]


def _cluster(rig: ProviderRig, token: str) -> Machine:
    (machine,) = rig.provider().launch(rig.spec(), token=token)
    rig.wait(_MADE)
    return machine


def _way(able: Kubernetes, machine: Machine) -> ClusterAccess:
    way = able.access(machine.address)
    assert way is not None
    return way


def _images(rig: ProviderRig) -> KeepsImages:
    if not isinstance(rig, KeepsImages):
        pytest.skip("its rig cannot look into a registry")
    return rig
