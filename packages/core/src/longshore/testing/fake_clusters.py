"""A fake cloud whose machines are clusters of Kubernetes, with a registry beside them, and its provider and rig."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from longshore.errors import InvalidRequest
from longshore.plugin.clusters import ClusterAccess, RegistryLogin
from longshore.plugin.provider import Provider, Terms
from longshore.testing.fake_cloud import FakeCloud, Port
from longshore.testing.fake_cloud_parts import CloudFault, CloudHabits, CloudMachine
from longshore.testing.fake_provider import FakeProvider
from longshore.testing.fake_rig import FAKE_KINDS, FakeRig
from longshore.testing.faults import Time

__all__ = ["FakeClusterCloud", "FakeClusterProvider", "FakeClusterRig"]

_MOST_NODES = 3
_HOST = "registry.fake"


class FakeClusterCloud(FakeCloud):
    """Rents clusters. What is not about nodes and images it does as with machines."""

    def __init__(self, *, habits: CloudHabits | None = None) -> None:
        super().__init__(FAKE_KINDS, habits=habits)
        self.sizes: dict[str, int] = {}
        """How many nodes each machine was given, by its id."""
        self.pushed: dict[str, list[str]] = {}
        """Digests of images, by repository."""

    def do(self, account: str, action: str, body: Mapping[str, Any], *, partial: bool = False) -> dict[str, Any]:
        """Do what is asked of clusters and images, too; raises CloudFault when it is refused."""
        match action:
            case "way_in":
                cluster = self._cluster(account, body["address"])
                self.sizes.setdefault(cluster.id, _MOST_NODES)
                return {"server": f"https://{cluster.id}.fake", "token": f"proof-for-{cluster.id}"}
            case "size":
                cluster = self._cluster(account, body["address"])
                return {"nodes": 0 if cluster.stopped else self.sizes.get(cluster.id, 0)}
            case "resize":
                self.sizes[self._cluster(account, body["address"]).id] = body["nodes"]
                return {}
            case "registry_login":
                self.pushed.setdefault(body["repository"], [])
                return {"user": account, "password": f"password-of-{account}"}
            case "delete_digest":
                if body["digest"] not in self.pushed.get(body["repository"], ()):
                    raise CloudFault("NotFound", body["digest"])
                self.pushed[body["repository"]].remove(body["digest"])
                return {}
            case _:
                return super().do(account, action, body, partial=partial)

    def _cluster(self, account: str, address: str) -> CloudMachine:
        for each in self.living(account):
            if self.hardware(each).address(each) == address:
                return each
        raise CloudFault("NotFound", address)


class FakeClusterProvider(FakeProvider):
    """Rents from a `FakeClusterCloud`, with the abilities for clusters besides all others."""

    def access(self, address: str) -> ClusterAccess | None:
        """Ask for the way, which lets the cluster have its nodes."""
        told = self._call("way_in", {"address": address}, self._deadline(), fine={"NotFound"})
        return ClusterAccess(server=told["server"], token=told["token"]) if told else None

    def nodes(self, address: str) -> int:
        """Ask how many there are."""
        return int(self._call("size", {"address": address}, self._deadline(), fine={"NotFound"}).get("nodes", 0))

    def scale(self, address: str, nodes: int) -> None:
        """Ask for so many."""
        if not 0 <= nodes <= _MOST_NODES:
            raise InvalidRequest(f"{nodes} nodes are not from 0 to {_MOST_NODES}")
        self._call("resize", {"address": address, "nodes": nodes}, self._deadline())

    def login(self, repository: str) -> RegistryLogin | None:
        """Ask for a login, when it is this cloud's."""
        if not repository.startswith(f"{_HOST}/"):
            return None
        told = self._call("registry_login", {"repository": repository}, self._deadline())
        return RegistryLogin(host=_HOST, user=told["user"], password=told["password"])

    def delete_image(self, repository: str, digest: str) -> bool:
        """Delete it, when it is this cloud's."""
        if not repository.startswith(f"{_HOST}/"):
            return False
        body = {"repository": repository, "digest": digest}
        self._call("delete_digest", body, self._deadline(), fine={"NotFound"})
        return True


class FakeClusterRig(FakeRig):
    """An account on a fake cloud of clusters, with a provider of the given make."""

    repository = f"{_HOST}/team/tool"

    def __init__(
        self,
        make: Callable[[Port, Time, Terms], Provider] = FakeClusterProvider,
        *,
        habits: CloudHabits | None = None,
    ) -> None:
        self._clusters = FakeClusterCloud(habits=habits)
        super().__init__(make, cloud=self._clusters)

    def push(self) -> str:
        """Put an image there, another one each time."""
        there = self._clusters.pushed.setdefault(self.repository, [])
        there.append(self.digest(len(there)))
        return there[-1]

    @staticmethod
    def digest(number: int) -> str:
        """Give the digest of the image that is pushed as the first, second and so on, from 0."""
        return f"sha256:{hashlib.sha256(b'%d' % number).hexdigest()}"

    def pushed(self) -> Sequence[str]:
        """Look into the registry."""
        return list(self._clusters.pushed.get(self.repository, ()))
