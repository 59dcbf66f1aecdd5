"""The laws of observers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from longshore.plugin import Observer
from longshore.testing import ObserverContract
from longshore_otel.config import OtelConfig
from longshore_otel.observer import Otel

from .collector import Collector, collecting


class TestOtel(ObserverContract):
    """All of them, told to a collector."""

    @pytest.fixture
    def collector(self) -> Iterator[Collector]:
        """Run one."""
        with collecting() as collector:
            yield collector

    @pytest.fixture
    def observer(self, collector: Collector) -> Observer:
        """Give one."""
        return Otel(OtelConfig(endpoint=collector.address), {"run": "20260314-092653-0042", "workflow": "w"})
