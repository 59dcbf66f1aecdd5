"""Where data is, in a run that has machines with stores of their own.

Of what is at home nothing is noted, so that a run on this computer alone pays for none of this: noted is what other
stores have, and what only they have.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Container

from attrs import define, field

from longshore.model.artifact import Artifact
from longshore.model.events import AttemptEnded

__all__ = ["Elsewhere", "Whereabouts"]


@define(eq=False)
class Elsewhere:
    """An output that is not at home."""

    artifact: Artifact
    tasks: dict[str, None] = field(factory=dict)
    """Those that wrote it; more than one when they wrote the same."""
    listed: bool = False
    """Whether at least the listing of this folder is at home, so that readers can be told what is in it."""


@define(eq=False)
class Whereabouts:
    """What is known of data outside the project's store. Digests stand for whole folders, with all that is in them."""

    stores: dict[str, set[str]] = field(factory=dict)
    """What each store has, as far as it is known. The project's own is not among them."""
    buckets: dict[str, None] = field(factory=dict)
    """Those of the stores that are at no machine, and lose nothing when machines go."""
    elsewhere: dict[str, Elsewhere] = field(factory=dict)
    """Outputs that are not at home, by digest; each is in at least one of the stores."""
    arrived: set[tuple[str, str]] = field(factory=set)
    """What has come home, parts of folders too: digests and kinds, since a folder as a file is its listing."""
    settling: OrderedDict[str, AttemptEnded] = field(factory=OrderedDict)
    """Tasks whose command has ended well, and that succeed when enough of their outputs is at home."""
    staging: OrderedDict[str, None] = field(factory=OrderedDict)
    """Tasks with an attempt whose inputs are not all in its machine's store."""
    lost: dict[str, str] = field(factory=dict)
    """Tasks that succeeded and whose outputs are not whole anywhere, and why."""
    again: dict[str, str] = field(factory=dict)
    """Tasks that run again since somebody needs what was lost, and why."""
    garbage: dict[str, OrderedDict[str, None]] = field(factory=dict)
    """By store: what nobody needs there any more."""
    failures: Counter[tuple[str, str]] = field(factory=Counter)
    """By digest and store: how often it could not be brought there; by an empty name to home."""
    given_up: dict[str, str] = field(factory=dict)
    """What cannot be brought home, and why."""
    unread: dict[tuple[str | None, str], int] = field(factory=dict)
    """How many readers have not succeeded, of a task (its id and its group) or of a group; counted when asked for."""

    def contents(self, store: str) -> Container[str]:
        """Say what a store has, as strategies see it."""
        return self.stores[store] if store else HomeStore(self)


class HomeStore:
    """What a machine with the project's store has: all but what only others have."""

    def __init__(self, where: Whereabouts) -> None:
        self._where = where

    def __contains__(self, sha256: object) -> bool:
        return sha256 not in self._where.elsewhere
