"""What happens to data that travels between machines; part of `longshore.model.events`."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from longshore.model.artifact import Artifact
from longshore.model.outcome import FailureClass

__all__ = ["HomeLost", "InputsStaged", "MoveEvent", "MoveFailed", "Moved", "ObjectsDiscarded"]


@frozen(kw_only=True)
class InputsStaged:
    """All inputs of an attempt are in its machine's store; it is started."""

    at: datetime
    task: str
    attempt: int


@frozen(kw_only=True)
class Moved:
    """Artifacts have come from a machine's store or from a bucket into the project's, into that of another machine, or
    into a bucket. A folder as a file stands for its listing.
    """

    at: datetime
    artifacts: tuple[Artifact, ...]
    source: str
    """The machine, or the URL of the bucket."""
    target: str = ""
    """The other machine, or the bucket; empty for the project's store."""
    straight: bool = False
    """Whether they went from the one to the other, and not through this computer."""


@frozen(kw_only=True)
class MoveFailed:
    """An artifact could not be brought where it was to go; source and target are as in `Moved`."""

    at: datetime
    artifact: Artifact
    source: str
    target: str = ""
    """As it was asked for."""
    failure: FailureClass
    reason: str
    lost: bool = False
    """Whether the source does not have it, or not as its digest says."""


@frozen(kw_only=True)
class ObjectsDiscarded:
    """A machine is about to be told that it need not keep these objects. Committed before it is."""

    at: datetime
    machine: str
    digests: tuple[str, ...]


@frozen(kw_only=True)
class HomeLost:
    """The project's store is another one from now on, since the computer that had it is gone with its controller."""

    at: datetime
    reason: str


MoveEvent = HomeLost | InputsStaged | Moved | MoveFailed | ObjectsDiscarded
