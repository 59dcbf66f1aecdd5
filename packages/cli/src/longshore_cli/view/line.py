"""One line about what has happened."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Line", "Rank"]


class Rank:
    """How much somebody must want to know before a line is shown."""

    ALWAYS = 0
    USUAL = 1
    SMALL = 2
    """Of a run so small that its every step can be followed."""
    VERBOSE = 3


@frozen
class Line:
    """What to show of an event: its rank, the colour of its state, and the words."""

    rank: int
    state: str
    text: str
