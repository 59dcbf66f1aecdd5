"""The assignment strategy ``knapsack``: as much as fits, found by OR-Tools' CP-SAT."""

from longshore_knapsack.config import Options
from longshore_knapsack.strategy import Knapsack

__all__ = ["Knapsack", "Options"]
