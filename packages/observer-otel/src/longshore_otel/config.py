"""Options of the observer."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen
from attrs.validators import min_len

__all__ = ["OtelConfig"]


def _web(_: object, attribute: Any, value: str) -> None:
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ValueError(f"{attribute.name} {value!r} is no address of the web; write it as in http://localhost:4318")


@frozen(kw_only=True)
class OtelConfig:
    """Where runs are told, and what of them.

    What is not said here is as OpenTelemetry's own variables say: OTEL_EXPORTER_OTLP_ENDPOINT, ..._HEADERS (which may
    have a secret), ..._CERTIFICATE and so on.
    """

    endpoint: str = field(default="", validator=_web)
    """A collector that takes OTLP by HTTP; ``/v1/traces`` and ``/v1/metrics`` are put behind it."""
    service: str = field(default="longshore", validator=min_len(1))
    """The ``service.name`` of all that is told."""
    traces: bool = True
    metrics: bool = True
