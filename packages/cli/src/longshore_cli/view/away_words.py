"""What has happened in one line each, for events that only some runs have; imported with the first of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from longshore.model.move_events import Moved, MoveFailed
from longshore.model.quantity import format_size
from longshore_cli.text import clean, counted
from longshore_cli.view.environment_words import ENVIRONMENT_WORDS
from longshore_cli.view.line import Line, Rank
from longshore_cli.view.rented_words import RENTED_WORDS

__all__ = ["AWAY_WORDS"]


def _moved(event: Moved) -> Iterator[Line]:
    size = format_size(sum(each.size for each in event.artifacts))
    way = "came home from" if not event.target else "went straight from" if event.straight else "went by here from"
    where = f"{event.source} to {event.target}" if event.target else event.source
    what = "object" if "://" in event.artifacts[0].path else "output"
    yield Line(Rank.VERBOSE, "", f"{counted(len(event.artifacts), what)} {way} {where} ({size})")


def _move_failed(event: MoveFailed) -> Iterator[Line]:
    yield Line(Rank.USUAL, "lost", f"{event.artifact.path} did not come from {event.source}: {clean(event.reason)}")


AWAY_WORDS: Mapping[type, Callable[[Any], Iterable[Line]]] = MappingProxyType(
    {**ENVIRONMENT_WORDS, **RENTED_WORDS, Moved: _moved, MoveFailed: _move_failed}
)
"""By kind of event."""
