"""The kit for plugin authors: runs without machines, in which time is moved by hand."""

from __future__ import annotations

from longshore.testing.simulation import EPOCH, Simulation

__all__ = ["EPOCH", "Simulation"]
