"""What this distribution announces."""

from __future__ import annotations

from collections.abc import Sequence

from longshore.plugin import StrategyRecord, hookimpl
from longshore_knapsack.config import Options
from longshore_knapsack.strategy import Knapsack

__all__ = ["longshore_strategies"]

_BUILT_FOR = (0, 1)


@hookimpl
def longshore_strategies() -> Sequence[StrategyRecord]:
    """Announce the strategy."""
    return (StrategyRecord(name="knapsack", config=Options, factory=Knapsack, api=_BUILT_FOR),)
