"""What has happened to the environments of a run, in one line each. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from longshore.model.environment_events import BuildIntended, EnvironmentBuilt, EnvironmentFailed
from longshore_cli.text import clean
from longshore_cli.view.line import Line, Rank

__all__ = ["ENVIRONMENT_WORDS"]


def _intended(event: BuildIntended) -> Iterator[Line]:
    yield Line(Rank.USUAL, "building", f"environment {event.environment} is asked for on {event.machine}")


def _built(event: EnvironmentBuilt) -> Iterator[Line]:
    words = "was there already" if event.reused else "is built"
    yield Line(Rank.USUAL, "building", f"environment {event.environment} {words}")


def _failed(event: EnvironmentFailed) -> Iterator[Line]:
    if event.failure is None:
        return
    reason = clean(event.evidence.partition("\n")[0])
    logs = f"`longshore logs --env {event.environment}`"
    yield Line(Rank.USUAL, "failed", f"environment {event.environment} was not built: {reason} ({logs})")


ENVIRONMENT_WORDS: Mapping[type[Any], Callable[[Any], Iterable[Line]]] = MappingProxyType(
    {BuildIntended: _intended, EnvironmentBuilt: _built, EnvironmentFailed: _failed}
)
