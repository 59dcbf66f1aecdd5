"""The tables of the full-screen view."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.coordinate import Coordinate
from textual.widgets import DataTable

from longshore_cli.output import COLOURS
from longshore_cli.screen.rows import Row

__all__ = ["RowTable"]


class RowTable(DataTable[Text]):
    """A table of rows that are known by keys; the cursor stays on its key as far as there is one."""

    def __init__(self, headings: Sequence[str], identity: str) -> None:
        super().__init__(id=identity, cursor_type="row", zebra_stripes=True)
        self._headings = headings
        self._rows: list[Row] = []

    def on_mount(self) -> None:
        """Make the columns."""
        for heading in self._headings:
            self.add_column(heading, key=heading)

    def fill(self, rows: list[Row]) -> None:
        """Show these rows, and change only what is different."""
        if rows == self._rows:
            return
        if [row.key for row in rows] == [row.key for row in self._rows]:
            for number, (old, new) in enumerate(zip(self._rows, rows, strict=True)):
                for column, (before, now) in enumerate(zip(old.cells, new.cells, strict=True)):
                    if before != now:
                        self.update_cell_at(Coordinate(number, column), _cell(now), update_width=True)
        else:
            chosen = self._rows[self.cursor_row].key if self.cursor_row < len(self._rows) else ""
            self.clear()
            for row in rows:
                self.add_row(*map(_cell, row.cells), key=row.key)
            place = next((number for number, row in enumerate(rows) if row.key == chosen), 0)
            self.move_cursor(row=place)
        self._rows = rows


def _cell(text: str) -> Text:
    return Text(text, style=COLOURS.get(text, ""))
