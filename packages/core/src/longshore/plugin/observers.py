"""What is told of what happens in a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from attrs import frozen

from longshore.model.events import Event

__all__ = ["Closes", "Observer", "ObserverRecord"]


class Observer(Protocol):
    """Is told of every event after it is committed, in a thread of its own. What it raises is logged, and no more."""

    def notice(self, event: Event) -> None:
        """Take note. While this has not returned, later events wait; when very many do, it misses some."""
        ...


@runtime_checkable
class Closes(Protocol):
    """Ability of an observer: it holds something back, or open."""

    def close(self) -> None:
        """Write out what was held back. Called once, after the last event that this controller tells; the end of the
        controller waits for it, but not for long.
        """
        ...


@frozen(kw_only=True)
class ObserverRecord:
    """Announces an observer: its name in configs, the attrs class of its options, and how to make it for one run.

    The factory is given the options, and texts about the run: ``run`` (its id), ``workflow`` and ``folder`` (the
    project's). It raises `longshore.errors.ObserverError` when the observer could not do what it is for.
    """

    name: str
    config: type
    factory: Callable[[Any, Mapping[str, str]], Observer]
    api: tuple[int, int]
    reads: bool = False
    """Whether it wants to be told what tasks read: `longshore.model.events.Identified.inputs`, with their paths. The
    journal of a run has them then, which grows by that.
    """
