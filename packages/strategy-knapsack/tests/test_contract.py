"""The strategy keeps the laws of all strategies."""

from __future__ import annotations

import pytest

from longshore.plugin import AssignmentStrategy
from longshore.testing import StrategyContract
from longshore_knapsack import Knapsack, Options


class TestKnapsack(StrategyContract):
    @pytest.fixture
    def strategy(self) -> AssignmentStrategy:
        return Knapsack(Options(seconds=0.02))
