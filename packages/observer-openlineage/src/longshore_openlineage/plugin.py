"""What this distribution announces. OpenLineage's client is imported when a run is to be told to somebody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from longshore.plugin import Observer, ObserverRecord, hookimpl
from longshore_openlineage.config import OpenLineageConfig

__all__ = ["longshore_observers"]

_BUILT_FOR = (0, 1)


def _make(config: OpenLineageConfig, about: Mapping[str, str]) -> Observer:
    from longshore_openlineage.observer import OpenLineage  # noqa: PLC0415  it takes long to import

    return OpenLineage(config, about)


@hookimpl
def longshore_observers() -> Sequence[ObserverRecord]:
    """Announce the observer."""
    return (ObserverRecord(name="openlineage", config=OpenLineageConfig, factory=_make, api=_BUILT_FOR, reads=True),)
