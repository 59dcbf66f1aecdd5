"""What plugins for buckets and URLs are: the protocols of stores, and their record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from attrs import frozen

if TYPE_CHECKING:
    # Runs that neither build nor rent do not import these, and need not wait for them.
    from longshore.plugin.rights import BucketUse

__all__ = [
    "Peeks",
    "Stamps",
    "Store",
    "StoreRecord",
]


@runtime_checkable
class Store(Protocol):
    """A place for artifacts outside the project: a bucket, a web server. Several threads may use it at once."""

    def fetch(self, url: str, into: Path) -> None:
        """Bring one object here, whole or not at all.

        Raises:
            InputMissing: when there is no such object, or no such bucket.
            StagingError: when it may not be read, does not stay the same for long enough, or there is no room here.
        """
        ...

    def put(self, path: Path, url: str) -> None:
        """Bring one file there; nobody sees half of it.

        Raises:
            InputMissing: when there is no such bucket.
            StagingError: when it may not be written.
        """
        ...

    def list(self, glob: str) -> Sequence[str]:
        """URLs that match, sorted. ``*`` and ``?`` stop at slashes; ``**`` stands for any number of folders.

        Raises:
            InputMissing: when there is no such bucket.
            StagingError: when it may not be listed, or nobody can.
        """
        ...


@runtime_checkable
class Stamps(Protocol):
    """Ability of a store: to say whether an object has changed, so that it need not be fetched again."""

    def stamp(self, url: str) -> str:
        """Give what changes whenever the object does, in the fewest requests; empty when nobody can tell.

        Raises:
            InputMissing, StagingError: as `Store.fetch`.
        """
        ...


@runtime_checkable
class Peeks(Protocol):
    """Ability of a store: to read the beginning of an object, so that a header need not cost all of it."""

    def peek(self, url: str, most: int) -> bytes:
        """Give at most so many bytes of the beginning of an object.

        Raises:
            InputMissing, StagingError: as `Store.fetch`.
        """
        ...


@frozen(kw_only=True)
class StoreRecord:
    """Announces a store, by the URL schemes it serves."""

    name: str
    config: type
    schemes: tuple[str, ...]
    factory: Callable[[Any], Store]
    cloud: str = ""
    """The provider to whose policies `policy` adds."""
    policy: Callable[[Mapping[str, Any], Sequence[BucketUse]], Mapping[str, Any]] | None = None
    """Adds to a policy, as `ProviderRecord.policy` gives it, the least rights that a login needs for what a workflow
    names in buckets of this kind. Asks nobody. None when the cloud knows no such thing.
    """
    api: tuple[int, int]
