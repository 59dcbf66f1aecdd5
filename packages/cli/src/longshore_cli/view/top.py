"""What machines and attempts use, on a terminal: two tables that are redrawn."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from longshore_cli.text import counted
from longshore_cli.watching import ATTEMPT_HEADINGS, MACHINE_HEADINGS, Moment

__all__ = ["TopDisplay"]

_PAUSE_SECONDS = 0.5
"""Fifty machines tell something each second; nobody reads faster than this."""
_HEADS = 6
"""Lines that are no rows: the title, the heads of two tables, and what is between them."""


class TopDisplay:
    """Redraws as much as there is room for. Use it with ``with``."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, auto_refresh=False, screen=True)
        self._drawn = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def draw(self, moment: Moment) -> None:
        """Show a moment, unless another one was shown just now."""
        now = time.monotonic()
        if now - self._drawn < _PAUSE_SECONDS:
            return
        self._drawn = now
        machines, attempts = moment.machine_rows(), moment.attempt_rows()
        room = max(2, self._console.height - _HEADS)
        most = min(len(machines), max(room // 2, room - len(attempts)))
        title = f"run {moment.run}: {counted(len(machines), 'machine')}, {counted(len(attempts), 'attempt')} running"
        self._live.update(
            Group(
                Text(title, style="bold", no_wrap=True, overflow="ellipsis"),
                _table(MACHINE_HEADINGS, machines, most, right=(2, 3, 4, 5)),
                Text(""),
                _table(ATTEMPT_HEADINGS, attempts, room - most, right=(1, 3, 4, 5)),
            ),
            refresh=True,
        )


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], most: int, *, right: Sequence[int]) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    for index, heading in enumerate(headings):
        made.add_column(heading, justify="right" if index in right else "left", no_wrap=True, overflow="ellipsis")
    shown = rows if len(rows) <= most else rows[: max(0, most - 1)]
    for row in shown:
        made.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in row))
    if len(shown) < len(rows):
        made.add_row(Text(f"and {len(rows) - len(shown):,} more"))
    return made
