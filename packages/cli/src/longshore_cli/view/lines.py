"""A run as lines of text: for log files, pipes and CI, where nothing can be redrawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from longshore.model.events import Event
from longshore_cli.view.words import Again, Rank, lines_of

__all__ = ["LineDisplay", "highest_rank"]

_SMALL_RUN = 50
"""Up to so many tasks, starts are told too; of a larger run the ends are plenty."""


def highest_rank(verbosity: int, tasks: int) -> int:
    """Say which lines are wanted."""
    if verbosity > 0:
        return Rank.VERBOSE
    return Rank.SMALL if tasks <= _SMALL_RUN else Rank.USUAL


class LineDisplay:
    """Writes one line for each thing worth telling, with the time of day."""

    tick: float | None = None

    def __init__(self, stream: TextIO, rank: int, again: Again) -> None:
        self._stream = stream
        self._rank = rank
        self._again = again

    def take(self, events: Sequence[Event]) -> None:
        """Write what has happened, in one piece."""
        lines = [
            f"{event.at.astimezone():%H:%M:%S}  {line.text}\n"
            for event in events
            for line in lines_of(event, self._again)
            if line.rank <= self._rank
        ]
        if lines:
            self._write("".join(lines))

    def say(self, text: str) -> None:
        """Write a message."""
        self._write(f"{text}\n")

    def close(self) -> None:
        """Leave the stream as it is."""

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            # Whoever read our progress has gone, or their disk is full; the run is worth more than its log.
            return
