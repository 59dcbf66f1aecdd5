"""What this distribution announces. OpenTelemetry is imported when a run is to be told to somebody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from longshore.plugin import Observer, ObserverRecord, hookimpl
from longshore_otel.config import OtelConfig

__all__ = ["longshore_observers"]

_BUILT_FOR = (0, 1)


def _make(config: OtelConfig, about: Mapping[str, str]) -> Observer:
    from longshore_otel.observer import Otel  # noqa: PLC0415  it takes long to import

    return Otel(config, about)


@hookimpl
def longshore_observers() -> Sequence[ObserverRecord]:
    """Announce the observer."""
    return (ObserverRecord(name="otel", config=OtelConfig, factory=_make, api=_BUILT_FOR),)
