"""Buckets that keep what a run's tasks have written, and requests by which machines reach them without rights of their
own. The abilities that this takes, of stores and of sessions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from attrs import field, frozen
from attrs.validators import ge, matches_re

from longshore.model.artifact import Artifact
from longshore.model.attempt import Item

__all__ = [
    "Area",
    "Empties",
    "Grants",
    "HomeArea",
    "Lends",
    "Readable",
    "Reads",
    "Request",
    "Stages",
    "Unread",
    "Upload",
]


def _frozen(mapping: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(mapping))


@frozen(kw_only=True)
class Request:
    """A request to a web server that is granted to whoever makes it, for a while. Its URL is as good as a key: it goes
    to nobody but the machine that is to make it, into no log, no journal and no list of processes.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(factory=dict[str, str], converter=_frozen, repr=False)
    """Have to be sent with it."""
    start: int = field(default=0, validator=ge(0))
    """The first byte of the object that its body has, when it writes; so many follow as `size` says."""
    size: int = field(default=0, validator=ge(0))


@frozen(kw_only=True)
class Upload:
    """What is still to be sent of one object."""

    url: str
    """The object's own, with no rights in it."""
    size: int = field(validator=ge(0))
    requests: tuple[Request, ...]
    """One for each part that is not there; none when the whole object is."""
    token: str = field(default="", repr=False)
    """The bucket's own name of an upload in parts; empty for one that goes in one piece."""
    parts: Mapping[str, str] = field(factory=dict[str, str], converter=_frozen)
    """Of an upload in parts: tags of those that are there, by number."""


@frozen(kw_only=True)
class Unread:
    """An object of a bucket or of the web whose digest nobody knows yet."""

    address: str
    """What it is called, with no rights in it."""
    key: str = field(validator=matches_re(r"[0-9a-f]{64}"))
    """Another one when the object has changed: what has come of it under this key can be continued."""
    request: Request


@runtime_checkable
class Grants(Protocol):
    """Ability of a store: to let somebody without rights read one object, for a while."""

    def to_read(self, url: str, time: timedelta) -> Request:
        """Give the request for an object.

        Raises:
            PeerOutOfReach: when nobody can be granted that; says why.
        """
        ...


@runtime_checkable
class Lends(Grants, Protocol):
    """Ability of a store: to let somebody without rights write an object, too."""

    def to_write(self, url: str, size: int, time: timedelta) -> Upload:
        """Give the requests by which an object of so many bytes is put there; a big one has several, for its parts.

        Whatever was begun under this URL is what is to be sent now, as the URL says its content: parts that are there
        are not asked for again.

        Raises:
            PeerOutOfReach: as `to_read`.
            StagingError: when the bucket refuses it.
        """
        ...

    def written(self, upload: Upload, tags: Sequence[str]) -> None:
        """Make the object of its parts, when all requests of an upload have been made; ``tags`` are what was answered
        to each of them (``ETag``).

        Raises:
            StagingError: when something else has arrived than was sent.
        """
        ...


@runtime_checkable
class Empties(Protocol):
    """Ability of a store: to remove what is in it."""

    def empty(self, url: str) -> None:
        """Remove all objects below a URL, and what uploads have left there that broke off. Silent when there is
        nothing.

        Raises:
            StagingError: when that cannot be.
        """
        ...

    def abandon(self, url: str, begun_before: datetime) -> None:
        """Remove what uploads that were begun before a moment have left at or below a URL; objects stay.

        Raises:
            StagingError: when that cannot be.
        """
        ...


class Readable(Protocol):
    """Where objects can be had by digest, as sessions see it. From any thread."""

    def to_read(self, sha256: str) -> Request:
        """As `Grants.to_read`."""
        ...


class Area(Readable, Protocol):
    """The folder of a bucket in which one run keeps artifacts by digest, as sessions see it. From any thread."""

    def to_write(self, sha256: str, size: int) -> Upload:
        """As `Lends.to_write`."""
        ...

    def written(self, upload: Upload, tags: Sequence[str]) -> None:
        """As `Lends.written`."""
        ...


class HomeArea(Area, Protocol):
    """An area with the way between it and this computer, as sessions see it that work for the project's store. From any
    thread.
    """

    def take(self, item: Item) -> None:
        """See to it that the bucket has an input: a file, or a folder with all that is in it. What it was given before,
        by us or by a machine, does not travel again.

        Raises:
            PeerOutOfReach: when the bucket does not take it.
            InputMissing: when it is not here (any more); names it.
            DigestMismatch: when it is not what its digest says.
            StagingError: when it cannot be read.
        """
        ...

    def fetch(self, artifact: Artifact) -> None:
        """Bring an artifact home; a folder with all that is in it.

        Raises:
            InputMissing: when the bucket does not have it (any more).
            DigestMismatch: when it is not what its digest says.
            DiskFull, StagingError: when it cannot be written here, or not be read there.
        """
        ...


@runtime_checkable
class Stages(Protocol):
    """Ability of a session: its machine itself brings artifacts to a bucket and gets them from there.

    Both are called by the thread that calls `longshore.plugin.Session.put`. What is there already need not travel.
    """

    def stage_out(self, artifacts: Collection[Artifact], area: Area) -> None:
        """See to it that the bucket has all these: files, and folders with all that is in them.

        Raises:
            PeerOutOfReach: when the machine does not get to the bucket, or may not.
            InputMissing: when the machine does not have one (any more); names it.
            StagingError: when the bucket refuses one.
        """
        ...

    def stage_in(self, artifacts: Collection[Artifact], source: Readable) -> None:
        """See to it that this machine's store has all these; each is verified by its digest. For what is there already
        ``source`` is not asked.

        Raises:
            PeerOutOfReach: as `stage_out`.
            InputMissing: when the bucket does not have one (any more); names it.
            DigestMismatch: when one is not what its digest says.
            DiskFull: when the machine has no room.
        """
        ...


@runtime_checkable
class Reads(Protocol):
    """Ability of a session: its machine itself gets objects that nobody has read yet, and says what they are."""

    def read(self, objects: Sequence[Unread]) -> Sequence[Artifact]:
        """Bring objects into this machine's store; give them in their order, with their digests and sizes, each called
        by its address. Called by the thread that calls `longshore.plugin.Session.put`.

        Raises:
            PeerOutOfReach: as `Stages.stage_in`.
            InputMissing: when one is not there (any more); names it.
            DiskFull: when the machine has no room.
        """
        ...
