"""The one table, as plain text, as Markdown, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from figures import Row, shown
from machine import Machine

HEADINGS = ("scenario", "tool", "median", "per second", "Longshore is", "bar", "verdict")


def as_text(rows: Sequence[Row], machine: Machine) -> str:
    """Give the table for a terminal; a scenario's name stands in its first row only."""
    cells = [HEADINGS, *_cells(rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    lines = ["  ".join(_aligned(line, widths)).rstrip() for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([machine.line, *_warning(machine), "", *lines, *_reasons(rows)]) + "\n"


def as_markdown(rows: Sequence[Row], machine: Machine) -> str:
    """Give the table for the documentation."""
    lines = [f"| {' | '.join(line)} |" for line in (HEADINGS, *_cells(rows))]
    lines.insert(1, "|---|---|--:|--:|--:|---|---|")
    return "\n".join([f"Measured on {machine.line}.", *_warning(machine), "", *lines, *_reasons(rows)]) + "\n"


def as_json(rows: Sequence[Row], machine: Machine, rounds: int) -> str:
    """Give everything, samples included, in base units (seconds, bytes, per cent)."""
    document = {"machine": machine.as_dict(), "rounds": rounds, "rows": [asdict(row) for row in rows]}
    return json.dumps(document, indent=2) + "\n"


def _cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = []
    previous = ""
    for row in rows:
        lines.append(
            (
                row.scenario if row.scenario != previous else "",
                row.label,
                "-" if row.value is None else shown(row.value, row.unit),
                "" if row.rate is None else f"{row.rate:,.0f}",
                "" if row.ratio is None else _times(row.ratio),
                row.bar or "",
                _verdict(row),
            )
        )
        previous = row.scenario
    return lines


def _times(ratio: float) -> str:
    return f"{ratio:.2f}x" if ratio >= 0.1 else f"{ratio:.1g}x"


def _verdict(row: Row) -> str:
    if row.value is None:
        return "not measured"
    if row.bar is None:
        return ""
    return {True: "met", False: "MISSED", None: "not measured"}[row.met]


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    numbers = range(2, 5)
    return [
        cell.rjust(width) if column in numbers else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]


def _warning(machine: Machine) -> list[str]:
    return ["", machine.warning] if machine.warning else []


def _reasons(rows: Sequence[Row]) -> list[str]:
    """List why something was not measured, in whole or in some rounds."""
    said: dict[tuple[str, str], str] = {}
    for row in rows:
        if row.reason:  # the rows of one contender share it
            said.setdefault((row.scenario, row.contender), f"- {row.scenario}, {row.label}: {row.reason}")
    return ["", "Not measured, or not in every round:", "", *said.values()] if said else []
