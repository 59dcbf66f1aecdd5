"""What a provider may offer for clusters that it rents: the way in, their size, and a registry beside them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, runtime_checkable

from attrs import field, frozen
from attrs.validators import min_len, optional

from longshore.model.times import aware

__all__ = ["CLUSTER_ABILITIES", "ClusterAccess", "Kubernetes", "Registries", "RegistryLogin"]


@frozen(kw_only=True)
class ClusterAccess:
    """How the API server of a cluster is reached, and what proves who we are there."""

    server: str = field(validator=min_len(1))
    """Its URL."""
    authority: str = ""
    """Certificates, in PEM, that the server's must be signed by; empty for those that this computer trusts."""
    token: str = field(repr=False)
    until: datetime | None = field(default=None, validator=optional(aware))
    """When the token is worth nothing any more; None for never."""


@frozen(kw_only=True)
class RegistryLogin:
    """What lets us push to a registry."""

    host: str
    user: str
    password: str = field(repr=False)


@runtime_checkable
class Kubernetes(Protocol):
    """Ability of a provider whose machines are clusters: a lease on one is a lease on all of its nodes."""

    def access(self, address: str) -> ClusterAccess | None:
        """Say how a cluster is reached, by the address of its `Machine`; None while it is being made.

        Sees to it that what `Provider.launch` has begun is finished: where nodes can be asked for only when the control
        plane is there, they are asked for now. Repeatable. For an unknown or ending one it is None, too.
        """
        ...

    def nodes(self, address: str) -> int:
        """Say how many nodes a cluster is to have now; 0 for an unknown one, and before they were asked for."""
        ...

    def scale(self, address: str, nodes: int) -> None:
        """Let a cluster have so many nodes, from 0 to as many as its config says; returns before they are there.

        Raises:
            InvalidRequest: when it is not ready, or may not have so many.
        """
        ...


@runtime_checkable
class Registries(Protocol):
    """Ability: the cloud has a registry of images."""

    def login(self, repository: str) -> RegistryLogin | None:
        """Let us push to a repository, which is made when it is not there; None when it is not one of this cloud's."""
        ...

    def delete_image(self, repository: str, digest: str) -> bool:
        """Delete an image by its digest, silently when there is none; False when it is not of this cloud's registry."""
        ...


CLUSTER_ABILITIES: tuple[type, ...] = (Kubernetes, Registries)
"""What a provider whose machines are clusters may implement besides the rest."""
