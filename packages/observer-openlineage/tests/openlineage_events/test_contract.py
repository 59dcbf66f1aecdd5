"""The laws of observers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from longshore.plugin import Observer
from longshore.testing import ObserverContract
from longshore_openlineage.config import OpenLineageConfig
from longshore_openlineage.observer import OpenLineage

from .collector import Collector, collecting


class TestOpenLineage(ObserverContract):
    """All of them, told to a collector."""

    @pytest.fixture
    def collector(self) -> Iterator[Collector]:
        """Run one."""
        with collecting() as collector:
            yield collector

    @pytest.fixture
    def observer(self, collector: Collector) -> Observer:
        """Give one."""
        return OpenLineage(OpenLineageConfig(url=collector.address), {"run": "20260314-092653-0042", "workflow": "w"})
